package engine

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"jobcast/jobs"
	"jobcast/jobs/engine/internal/lines"
	"jobcast/jobs/files"
)

// Why a run's context ends.
var (
	errCancelled = errors.New("jobs: the job is to be cancelled")
	errStopping  = errors.New("jobs: this node stops")
	errFenced    = errors.New("jobs: another worker has taken the job over")
	errOver      = errors.New("jobs: the attempt is over")
	errAtWork    = errors.New("jobs: this node runs the job already")
	errTimeout   = errors.New("jobs: the run has taken longer than it may")
)

// run is what is to be stored of one attempt, and what others want of it. It is the Reporter of a worker in this
// process.
type run struct {
	id      jobs.ID
	attempt int
	lease   jobs.Lease // tells this attempt from every other
	files   *files.Dir
	place   *place
	ctx     context.Context
	cancel  context.CancelCauseFunc
	wake    chan struct{} // holds one: there is something for the attempt's goroutine
	ended   chan struct{} // closed when the attempt has stored its last event

	mu        sync.Mutex // guards everything below
	over      bool
	progress  throttle
	signs     signs
	said      said
	values    values
	mail      mailbox
	log       lines.Buffer
	artifacts []jobs.Artifact
	warnings  int64
	armed     time.Time    // when the attempt's goroutine looks again by itself
	order     *cancelOrder // nil: nobody wants the job cancelled
	told      bool         // the log says that someone does
	fenced    bool
}

// cancelOrder is a request to cancel that has reached the run.
type cancelOrder struct {
	reason  string
	until   time.Time // when the worker has had its time
	timeout bool      // nobody wants the job cancelled: the run has taken too long
}

var _ jobs.Reporter = (*run)(nil)

// Progress implements jobs.Reporter.
func (r *run) Progress(rep jobs.Report) {
	r.take(func() time.Time {
		r.progress.add(rep)
		return r.progress.due()
	})
}

// Step implements jobs.Reporter.
func (r *run) Step(s jobs.Step) {
	r.take(func() time.Time {
		r.progress.step(s)
		return r.progress.due()
	})
}

// Warn implements jobs.Reporter.
func (r *run) Warn(n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.over {
		r.warnings += n
	}
}

// Log implements jobs.Reporter.
func (r *run) Log(line jobs.LogLine, bytes int) {
	r.take(func() time.Time {
		r.log.Add(time.Now(), line, bytes)
		return r.log.Due()
	})
}

// Upload implements jobs.Reporter.
func (r *run) Upload(name string) (*jobs.Upload, error) { return r.files.OpenUpload(name) }

// take has add keep a report, with mu held, and wakes the attempt's goroutine where what add returns, when that is to be
// stored, comes before the goroutine looks by itself.
func (r *run) take(add func() (due time.Time)) {
	r.mu.Lock()
	early := false
	if !r.over {
		r.signs.add(time.Now())
		early = add().Before(r.armed)
	}
	r.mu.Unlock()
	if early {
		r.poke()
	}
}

// poke wakes the attempt's goroutine.
func (r *run) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// alive returns why the run may not make anything visible any more.
func (r *run) alive() error {
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

func (r *run) addArtifact(a jobs.Artifact) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.artifacts = append(r.artifacts, a)
}

// owns reports whether the job, by its newest record, still belongs to this attempt.
func (r *run) owns(rec *jobs.Record) bool {
	return rec.Job.State == jobs.Running && rec.Lease != nil && *rec.Lease == r.lease
}

// annotate puts into a snapshot what the run knows better than the log. The slice is a new one each
// time: older snapshots keep theirs.
func (r *run) annotate(job *jobs.Job) {
	r.mu.Lock()
	defer r.mu.Unlock()
	job.Warnings, job.Waiting = r.warnings, r.place.away()
	if len(r.artifacts) == 0 {
		return
	}
	all := slices.Clone(job.Artifacts)
	for _, a := range r.artifacts {
		if i := slices.IndexFunc(all, func(b jobs.Artifact) bool { return b.Name == a.Name }); i >= 0 {
			all[i] = a
		} else {
			all = append(all, a)
		}
	}
	job.Artifacts = all
}

// requestCancel ends the run's context at once, and gives the worker until then to return. A second
// request can only shorten that.
func (r *run) requestCancel(reason string, until time.Time) {
	r.mu.Lock()
	if r.order == nil || r.order.timeout {
		r.order = &cancelOrder{reason: reason, until: until}
	} else if until.Before(r.order.until) {
		r.order = &cancelOrder{reason: r.order.reason, until: until}
	}
	r.mu.Unlock()
	r.cancel(errCancelled)
	r.poke()
}

// requestEnd ends the run's context since it has taken too long, and gives the worker until then to return.
func (r *run) requestEnd(until time.Time) {
	r.mu.Lock()
	if r.order == nil {
		r.order = &cancelOrder{until: until, timeout: true}
	}
	r.mu.Unlock()
	r.cancel(errTimeout)
	r.poke()
}

// notice looks at a newer record of the job, from whatever node it came.
func (r *run) notice(rec *jobs.Record) {
	if rec.Event.Seq <= r.lease.Seq {
		return
	}
	owned := r.owns(rec)
	if owned && rec.Mail != nil && r.wantMail(rec.Mail.Newest) {
		r.poke()
	}
	if owned && !rec.Job.CancelRequested {
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
func (r *run) finish(cause error) {
	r.mu.Lock()
	r.over = true
	r.mu.Unlock()
	r.cancel(cause)
}
