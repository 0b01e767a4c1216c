// Package natsio keeps jobs in NATS JetStream: it is the jobs.Store of a server that must not forget.
//
// The NATS server runs inside the process and listens on no port; we talk to it over pipes in memory.
// Each job has a subject of its own in each of a few streams (streams.go), so the log of a job is
// "the messages of one subject", compare-and-set is the server's own check of a subject's last sequence
// number, and the state of a job is its subject's last message. Reading is direct get, which costs no
// consumer; watching is a core subscription to what the stream republishes, and whatever such a
// subscription loses is read from the stream.
//
// The package knows nothing of sockets, of HTTP, or of what a job's events mean.
//
// A Store runs one goroutine, which looks after the files: iterators and waiting calls run on their caller's.
// The NATS server and the three connections to it run several; Close ends them all.
package natsio
