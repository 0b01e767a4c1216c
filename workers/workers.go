// Package workers holds the kinds of job that this server runs, one file a kind: Checksum sums the files under a
// directory, CSVProfile describes a CSV file, Task only takes time. A worker only does its work and reports; it does
// not know who started the job, who watches, or how either is connected. All makes them ready to run.
//
// Files are read inside the roots of Config, outside of its private directories, and nowhere else (roots.go). Memory
// is bounded for any input, except that Checksum holds the list of names it found, up to maxFiles.
//
// Checksum runs up to GOMAXPROCS readers, which have ended when its job has. Nothing else here starts a
// goroutine.
package workers

import (
	"log/slog"
	"sync"
	"time"

	"jobcast/jobs"
)

// Config configures the workers.
type Config struct {
	// Roots are the directories that jobs may read, with all that is under them. A relative path is
	// tried in each, in this order. Empty means the working directory.
	Roots []string
	// Private are directories that no job reads, though they lie in a root or links lead there: the
	// server's own data. A root that lies in one of them is none.
	Private []string
}

// All returns every kind of job of this package, ready to run.
func All(cfg Config) []jobs.Worker {
	rs := newRoots(cfg)
	return append([]jobs.Worker{newChecksum(rs), newCSVProfile(rs), newTask()}, testKinds()...)
}

// reporter is the part of a *jobs.Run through which work tells how it goes. The tests have the other one.
type reporter interface {
	Progress(done, total float64, unit, message string)
	Step(index, count int, name string)
	Log(level slog.Level, text string, attrs ...slog.Attr)
	Warn(n int64)
}

var _ reporter = (*jobs.Run)(nil)

// messageInterval is how long one message of progress stands at least. The engine stores every change of
// a message, so that one for each of many small files would fill a job's log with them.
const messageInterval = 500 * time.Millisecond

// meter counts what is done and reports it. It may be used from any goroutine.
type meter struct {
	to   reporter
	unit string

	mu      sync.Mutex // protects what follows, and makes reports leave in the order of their counts
	done    int64
	total   int64 // 0: nobody knows
	message string
	changed time.Time // when message was last set
}

// add counts n units as done. message is asked for the text to show whenever a new one is due, and at the end.
func (m *meter) add(n int64, message func() string) { m.extend(n, 0, message) }

// extend counts n units as done, of which more were not in the total. Both are counted at once: a total that
// grew on its own would take the share of what is done back.
func (m *meter) extend(n, more int64, message func() string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done += n
	m.total += more
	if now := time.Now(); now.Sub(m.changed) >= messageInterval || m.done == m.total {
		m.changed, m.message = now, message()
	}
	m.report()
}

// correct changes the total after it was found to be wrong by n.
func (m *meter) correct(n int64) {
	if n == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.total += n
	m.report()
}

// report must be called with mu held. A Run does not block, so this is no lock held over a slow call.
func (m *meter) report() {
	total := m.total
	if total > 0 {
		total = max(total, m.done)
	}
	m.to.Progress(float64(m.done), float64(total), m.unit, m.message)
}
