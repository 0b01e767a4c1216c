package jobs

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"jobcast/jobs/files"
	"jobcast/jobs/internal/lines"
)

// Why a run's context ends.
var (
	errCancelled = errors.New("jobs: the job is to be cancelled")
	errStopping  = errors.New("jobs: this node stops")
	errFenced    = errors.New("jobs: another worker has taken the job over")
	errOver      = errors.New("jobs: the attempt is over")
)

// Run is one attempt of one job, from the inside. Its methods may be called from any goroutine, do not
// block on the network or the disk (but see Create), and do nothing once the attempt is over.
type Run struct {
	id         ID
	attempt    int
	node       string
	startedAt  time.Time // with node and attempt, tells this attempt from every other
	startedSeq uint64
	files      *files.Dir
	ctx        context.Context
	cancel     context.CancelCauseFunc
	wake       chan struct{} // holds one: there is something for the attempt's goroutine
	ended      chan struct{} // closed when the attempt has stored its last event

	mu        sync.Mutex // guards everything below
	over      bool
	progress  throttle
	log       lines.Buffer
	artifacts []Artifact
	warnings  int64
	armed     time.Time    // when the attempt's goroutine looks again by itself
	order     *cancelOrder // nil: nobody wants the job cancelled
	told      bool         // the log says that someone does
	fenced    bool
}

// cancelOrder is a request to cancel that has reached the run.
type cancelOrder struct {
	reason string
	until  time.Time // when the worker has had its time
}

// ID is the job's.
func (r *Run) ID() ID { return r.id }

// Attempt counts from 1.
func (r *Run) Attempt() int { return r.attempt }

// Progress reports how far the job is. It may be called in a tight loop: a report is stored when 250 ms
// or 1 % have passed since the last one (and at least 50 ms); the first, the last, and a change of
// message always are, of several within 50 ms the newest. A total of 0 or less means that nobody knows.
// unit has at most 24 characters, message 500; more is cut.
func (r *Run) Progress(done, total float64, unit, message string) {
	rep := newReport(done, total, unit, message)
	r.mu.Lock()
	if r.over {
		r.mu.Unlock()
		return
	}
	r.progress.add(rep)
	early := r.early(r.progress.due())
	r.mu.Unlock()
	if early {
		r.poke()
	}
}

// Step says that part index (from 1) of count begins. Progress starts anew. name has at most 120
// characters. Steps are few: of more than 16 within 50 ms, the newest are stored.
func (r *Run) Step(index, count int, name string) {
	index = max(1, index)
	s := Step{Index: index, Count: max(index, count), Name: cutRunes(name, maxStepName)}
	r.mu.Lock()
	if r.over {
		r.mu.Unlock()
		return
	}
	r.progress.step(s)
	early := r.early(r.progress.due())
	r.mu.Unlock()
	if early {
		r.poke()
	}
}

// Warn counts n things that the job could not do, such as files that cannot be read, and went on without. The
// job's snapshot has their number, so that lists show it; say in the log what they are. Who could do nothing
// at all returns an error instead. Watchers learn of the number with the job's next event.
func (r *Run) Warn(n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.over {
		r.warnings += n
	}
}

// Log writes one line; attrs become its fields. Lines are stored a few times a second. A line has at
// most 16 KiB; more is cut, and says so. Log never waits for the disk: of more than 1 MiB that is not
// stored yet, the oldest lines are dropped, and a line of the system's says how many.
func (r *Run) Log(level slog.Level, text string, attrs ...slog.Attr) {
	now := time.Now()
	line, size := lines.New(now, level, text, attrs)
	r.mu.Lock()
	if r.over {
		r.mu.Unlock()
		return
	}
	r.log.Add(now, line, size)
	early := r.early(r.log.Due())
	r.mu.Unlock()
	if early {
		r.poke()
	}
}

// CheckUpload refuses a name that no upload can have. Whether there is one of that name is what
// [Run.Upload] finds out.
func CheckUpload(name string) *Problem { return files.CheckUpload(name) }

// Upload opens a file that a client uploaded.
func (r *Run) Upload(name string) (*files.Upload, error) { return r.files.OpenUpload(name) }

// early reports whether something is due before the attempt's goroutine looks by itself. mu is held.
func (r *Run) early(due time.Time) bool { return due.Before(r.armed) }

// poke wakes the attempt's goroutine.
func (r *Run) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// alive returns why the run may not make anything visible any more.
func (r *Run) alive() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.fenced:
		return errFenced
	case r.over:
		return errOver
	}
	return nil
}

func (r *Run) addArtifact(a Artifact) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.artifacts = append(r.artifacts, a)
}

// owns reports whether the job, by its newest snapshot, still belongs to this attempt.
func (r *Run) owns(job *Job) bool {
	return job.State == Running && job.Attempt == r.attempt && job.Worker == r.node &&
		job.StartedAt != nil && job.StartedAt.Equal(r.startedAt)
}

// annotate puts into a snapshot what the run knows better than the log. The slice is a new one each
// time: older snapshots keep theirs.
func (r *Run) annotate(job *Job) {
	r.mu.Lock()
	defer r.mu.Unlock()
	job.Warnings = r.warnings
	if len(r.artifacts) == 0 {
		return
	}
	all := slices.Clone(job.Artifacts)
	for _, a := range r.artifacts {
		if i := slices.IndexFunc(all, func(b Artifact) bool { return b.Name == a.Name }); i >= 0 {
			all[i] = a
		} else {
			all = append(all, a)
		}
	}
	job.Artifacts = all
}

// requestCancel ends the run's context at once, and gives the worker until then to return. A second
// request can only shorten that.
func (r *Run) requestCancel(reason string, until time.Time) {
	r.mu.Lock()
	if r.order == nil {
		r.order = &cancelOrder{reason, until}
	} else if until.Before(r.order.until) {
		r.order = &cancelOrder{r.order.reason, until}
	}
	r.mu.Unlock()
	r.cancel(errCancelled)
	r.poke()
}

// notice looks at a newer snapshot of the job, from whatever node it came.
func (r *Run) notice(job *Job) {
	if job.Seq <= r.startedSeq {
		return
	}
	owned := r.owns(job)
	if owned && !job.CancelRequested {
		return
	}
	r.mu.Lock()
	news := !r.over && (!owned && !r.fenced || owned && !r.told)
	if news && owned {
		r.told = true
	} else if news {
		r.fenced = true
	}
	r.mu.Unlock()
	if !news {
		return
	}
	if owned {
		r.cancel(errCancelled)
	} else {
		r.cancel(errFenced)
	}
	r.poke()
}

// finish makes all further reports do nothing.
func (r *Run) finish(cause error) {
	r.mu.Lock()
	r.over = true
	r.mu.Unlock()
	r.cancel(cause)
}
