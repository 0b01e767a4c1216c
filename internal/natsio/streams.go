package natsio

import (
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// The names under which everything lies, on one page. A job's id is the last token of a subject.
const (
	eventStream = "JOBS_EV" // the events of each job, each with the job's snapshot
	eventPrefix = "ev."
	eventLive   = "live." // events as they are stored; not kept

	logStream = "JOBS_LOG" // the text of each job, in chunks
	logPrefix = "log."
	logLive   = "livelog."

	argStream = "JOBS_ARG" // what each job was started with
	argPrefix = "arg."

	cellStream = "JOBS_CELL" // the cells, each with its group and its key
	cellPrefix = "cell."
	cellLive   = "livecell."

	gonePrefix = "gone." // where it is told that a job was removed; not kept

	removalStream = "JOBS_GONE" // which jobs were removed last
	removalPrefix = "removed."

	saidStream = "JOURNALS" // what the systems beside the jobs rebuild their state from
	saidPrefix = "said."
)

// Bounds, and what happens at each.
const (
	// maxEvents is how many events of one job are kept; the oldest go. The engine stores at most a few
	// events a second, and whoever is that far behind needs the snapshot, not the story.
	maxEvents = 2000
	// maxChunks is how many chunks of one job's text are kept; the oldest go.
	maxChunks = 10_000
	// maxSaid is how many records of one journal are kept; the oldest go.
	maxSaid = 20_000
	// maxPayload is the size of the largest message in bytes; a larger one is refused. A terminal event
	// may carry a result of 256 KiB twice (in its data and in the snapshot), a chunk of text 64 KiB.
	maxPayload = 2 << 20
	// maxCells bounds the bytes of all cells; no more are made a sixteenth before that.
	maxCells = 64 << 20
	// maxRemovals is how many removals are written down until the store is opened again, and found nothing that has
	// come back; the oldest go. A store of 10 GiB holds some 3,000 jobs that have maxEvents.
	maxRemovals = 10_000
	// goneBacklog is how many removals wait for one reader of the index. One that has missed some is told so.
	goneBacklog = 1024
	// liveBacklog is how many live messages wait for one reader. What does not fit is dropped, and the
	// reader fetches it from the stream when it gets there.
	liveBacklog = 64
	// maxBatch and maxBatchBytes bound what one request reads from a stream; a reader asks again.
	maxBatch      = 500
	maxBatchBytes = 4 << 20
	// answerTime is how long we wait for the server in our own process, which answers in microseconds,
	// or, where it must sync to a slow disk first, in milliseconds.
	answerTime = 10 * time.Second
	// askAgainTime is when we ask what became of a write that is not answered.
	askAgainTime = time.Second
)

// cellBytes bounds the bytes of all cells of a store that is bounded itself.
func cellBytes(maxBytes int64) int64 { return min(maxBytes, maxCells) }

func streams(maxBytes int64) []jetstream.StreamConfig {
	return []jetstream.StreamConfig{{
		Name:     eventStream,
		Subjects: []string{eventPrefix + "*"},
		Storage:  jetstream.FileStorage,
		MaxBytes: maxBytes,
		// A full log refuses new events. To make room by itself it could only drop the oldest message of
		// all, which is some job's whole state or the middle of its story; which jobs may go is for the
		// engine and its operator to say, with Remove. An event that only replaces one (a job that
		// has maxEvents) is still taken.
		Discard:           jetstream.DiscardNew,
		MaxMsgsPerSubject: maxEvents,
		AllowDirect:       true,
		RePublish:         &jetstream.RePublish{Source: eventPrefix + "*", Destination: eventLive + "{{wildcard(1)}}"},
	}, {
		Name:     logStream,
		Subjects: []string{logPrefix + "*"},
		Storage:  jetstream.FileStorage,
		MaxBytes: maxBytes,
		// Text is another matter: the oldest goes, whosever it is, and a reader sees by the line numbers
		// that it is gone. A flood of it costs no job its state.
		Discard:           jetstream.DiscardOld,
		MaxMsgsPerSubject: maxChunks,
		AllowDirect:       true,
		RePublish:         &jetstream.RePublish{Source: logPrefix + "*", Destination: logLive + "{{wildcard(1)}}"},
	}, {
		Name:              argStream,
		Subjects:          []string{argPrefix + "*"},
		Storage:           jetstream.FileStorage,
		MaxBytes:          maxBytes,
		Discard:           jetstream.DiscardNew,
		MaxMsgsPerSubject: 1,
		AllowDirect:       true,
	}, {
		Name:     cellStream,
		Subjects: []string{cellPrefix + "*.*"},
		Storage:  jetstream.FileStorage,
		MaxBytes: cellBytes(maxBytes),
		Discard:  jetstream.DiscardNew,
		// No bound on the messages of a subject: see cells.go.
		AllowDirect: true,
		RePublish:   &jetstream.RePublish{Source: cellPrefix + "*.*", Destination: cellLive + "{{wildcard(1)}}.{{wildcard(2)}}"},
	}, {
		Name:              removalStream,
		Subjects:          []string{removalPrefix + "*"},
		Storage:           jetstream.FileStorage,
		MaxMsgs:           maxRemovals,
		Discard:           jetstream.DiscardOld,
		MaxMsgsPerSubject: 1,
		AllowDirect:       true,
	}, {
		Name:              saidStream,
		Subjects:          []string{saidPrefix + "*"},
		Storage:           jetstream.FileStorage,
		MaxBytes:          maxBytes,
		Discard:           jetstream.DiscardNew,
		MaxMsgsPerSubject: maxSaid,
		AllowDirect:       true,
	}}
}
