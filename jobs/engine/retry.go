package engine

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"strconv"
	"time"

	"jobcast/jobs"
)

// sameRetry is how long a retry that is asked for again is the same one, even if its job has finished: a second click, or
// a client that sends again what it had no answer to.
const sameRetry = 10 * time.Second

// maxRetries bounds how often one finished job can be started again with the same arguments, unless the new jobs are
// removed.
const maxRetries = 1000

// Retry starts a finished job again, as a new job whose RetryOf is the old one. It takes over what the request and
// the kind have said of the old one, and its arguments unless the request has others. As long as the new job has not
// finished, and for 10 s in any case, the same request finds it again, and created is false. from is as in jobs.StartRequest. The error is
// a *Problem, of code conflict for a job that has not finished.
func (e *Engine) Retry(ctx context.Context, req jobs.RetryRequest, from string) (job jobs.Job, created bool, err error) {
	if err := req.Check(); err != nil {
		return jobs.Job{}, false, err
	}
	last, _, err := e.last(ctx, req.ID)
	switch {
	case errors.Is(err, jobs.ErrNotFound):
		return jobs.Job{}, false, jobs.NoJob(req.ID)
	case err != nil:
		return jobs.Job{}, false, jobs.ProblemOf(err)
	case !last.Job.State.Terminal():
		return jobs.Job{}, false, jobs.NotFinished(req.ID, last.Job.State)
	}
	old := &last.Job
	args, title := req.Args, ""
	if len(args) == 0 {
		if args, err = e.store.Args(ctx, req.ID); err != nil && !errors.Is(err, jobs.ErrNotFound) {
			return jobs.Job{}, false, jobs.ProblemOf(err)
		}
		title = old.Title
	}
	start := jobs.StartRequest{
		Kind: old.Kind, Args: args, Title: title, Queue: old.Queue, Priority: old.Priority, TimeoutMs: old.TimeoutMs,
		MaxAttempts: old.MaxAttempts, ConcurrencyKey: old.ConcurrencyKey, Tags: old.Tags, RetryOf: old.ID, From: from,
	}
	if last.Rules != nil {
		start.Backoff, start.RetentionMs = last.Rules.Backoff, last.Rules.RetentionMs
	}
	for n := range maxRetries {
		start.ID = retryID(old.ID, args, n)
		before, _, err := e.last(ctx, start.ID)
		if err == nil && before.Job.State.Terminal() && e.now().Sub(before.Job.CreatedAt) > sameRetry {
			continue
		}
		if err != nil && !errors.Is(err, jobs.ErrNotFound) {
			return jobs.Job{}, false, jobs.ProblemOf(err)
		}
		return e.Start(ctx, start)
	}
	return jobs.Job{}, false, jobs.NewProblem(jobs.CodeTooManyRequests, fmt.Sprintf("job %q was started again %d times already; remove some of those jobs, or start a new one", old.ID, maxRetries))
}

// retryID is the id of the nth job that repeats another, so that two requests at once meet in the store.
func retryID(old jobs.ID, args []byte, n int) jobs.ID {
	h := sha256.New()
	h.Write([]byte("jobs: retry\x00" + string(old) + "\x00" + strconv.Itoa(n) + "\x00"))
	h.Write(canonical(args))
	return jobs.ID("r" + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(h.Sum(nil)[:20]))
}
