package engineio

import (
	"runtime"
	"sync"

	"jobcast/engineio/internal/netconn"
)

// turn is how many sessions a flusher writes to before others have theirs: while it is at a broadcast to
// thousands, what comes in is read, and joins what has not left yet.
const turn = 32

// flushers write what the sessions on WebSocket have to send. A session is in the queue once however much
// it has, so what gathers while it waits for its turn leaves in one write. At most max goroutines take
// sessions off the queue; they live while it is not empty, and never wait for a peer.
type flushers struct {
	max int
	wg  *sync.WaitGroup // of the server

	mu          sync.Mutex // guards the fields below; taken under a session's lock
	first, last *Session   // linked by Session.nextFlush
	running     int
}

// push queues s. Its writer must be writerQueued.
func (q *flushers) push(s *Session) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.last == nil {
		q.first = s
	} else {
		q.last.nextFlush = s
	}
	q.last = s
	if q.running < q.max {
		q.running++
		q.wg.Go(q.run)
	}
}

func (q *flushers) run() {
	b := batches.Get().(*batch)
	defer batches.Put(b)
	for n := 1; ; n++ {
		s := q.pop()
		if s == nil {
			return
		}
		s.flush(b)
		if n%turn == 0 {
			runtime.Gosched()
		}
	}
}

// pop returns nil when the goroutine that calls it is no longer needed.
func (q *flushers) pop() *Session {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.first
	if s == nil {
		q.running--
		return nil
	}
	if q.first = s.nextFlush; q.first == nil {
		q.last = nil
	}
	s.nextFlush = nil
	return s
}

// batchSize is how much is written at once, in bytes.
const batchSize = 64 << 10

// A batch is what a flusher needs for its writes.
type batch struct {
	netconn.Writer
	buf []byte
}

var batches = sync.Pool{New: func() any { return &batch{buf: make([]byte, 0, batchSize)} }}
