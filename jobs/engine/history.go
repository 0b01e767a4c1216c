package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"jobcast/jobs"
)

const (
	defaultRead = 200
	maxRead     = 1000
	pageChunks  = 64 // read from the store at once
)

// errEnough ends a reading that its reader has broken off.
var errEnough = errors.New("jobs: enough")

// Get returns a job with its Args. The error is a *Problem.
func (e *Engine) Get(ctx context.Context, id jobs.ID) (jobs.Job, error) {
	job, err := e.snapshot(ctx, id)
	if err != nil {
		return jobs.Job{}, err
	}
	args, err := e.store.Args(ctx, id)
	if err != nil && !errors.Is(err, jobs.ErrNotFound) {
		return jobs.Job{}, jobs.ProblemOf(err)
	}
	if string(args) != "null" {
		job.Args = args
	}
	return job, nil
}

// snapshot is the job without its arguments. The error is a *Problem.
func (e *Engine) snapshot(ctx context.Context, id jobs.ID) (jobs.Job, error) {
	if !id.Valid() {
		return jobs.Job{}, jobs.BadRequest("/id", "must be 1 to 64 of 0-9 A-Z a-z _ -")
	}
	last, _, err := e.last(ctx, id)
	if errors.Is(err, jobs.ErrNotFound) {
		return jobs.Job{}, jobs.NoJob(id)
	}
	if err != nil {
		return jobs.Job{}, jobs.ProblemOf(err)
	}
	e.usual(&last.Job)
	e.stands(&last.Job)
	return last.Job, nil
}

// checkLimit returns how many to read.
func checkLimit(name string, limit int) (int, error) {
	if limit < 0 || limit > maxRead {
		return 0, jobs.BadRequest(name, fmt.Sprintf("must be 1 to %d", maxRead))
	}
	return cmp.Or(limit, defaultRead), nil
}

// History returns up to limit events (1 to 1,000; 0 means 200) after a Seq, and whether there are more.
// Where the store has let go of the oldest, the first event's Prev is above after. The error is a
// *Problem.
func (e *Engine) History(ctx context.Context, id jobs.ID, after uint64, limit int) (events []jobs.Event, more bool, err error) {
	limit, err = checkLimit("/limit", limit)
	if err != nil {
		return nil, false, err
	}
	if !id.Valid() {
		return nil, false, jobs.BadRequest("/id", "must be 1 to 64 of 0-9 A-Z a-z _ -")
	}
	recs, err := e.store.Read(ctx, id, after, limit+1)
	if err == nil && len(recs) == 0 {
		_, _, err = e.last(ctx, id)
	}
	if errors.Is(err, jobs.ErrNotFound) {
		return nil, false, jobs.NoJob(id)
	}
	if err != nil {
		return nil, false, jobs.ProblemOf(err)
	}
	more = len(recs) > limit
	events = make([]jobs.Event, min(limit, len(recs)))
	for i := range events {
		events[i] = recs[i].Event
	}
	return events, more, nil
}

// Logs returns log lines as one chunk; its Lines is empty when there are none. Dropped says how many
// lines after q.After the store has let go of. The error is a *Problem.
func (e *Engine) Logs(ctx context.Context, id jobs.ID, q jobs.LogQuery) (jobs.LogChunk, error) {
	limit, err := checkLimit("/limit", q.Limit)
	if err != nil {
		return jobs.LogChunk{}, err
	}
	if q.Tail < 0 || q.Tail > maxRead {
		return jobs.LogChunk{}, jobs.BadRequest("/tail", fmt.Sprintf("must be 1 to %d", maxRead))
	}
	job, err := e.snapshot(ctx, id)
	if err != nil {
		return jobs.LogChunk{}, err
	}
	after := max(0, q.After)
	if q.Tail > 0 {
		last, _, err := e.store.LastLog(ctx, id)
		if err != nil && !errors.Is(err, jobs.ErrNotFound) {
			return jobs.LogChunk{}, jobs.ProblemOf(err)
		}
		after, limit = max(0, last.LastLine()-int64(q.Tail)), q.Tail
	}
	whole := jobs.LogChunk{JobID: id, Attempt: job.Attempt, Line: after + 1, Lines: []jobs.LogLine{}}
	for len(whole.Lines) < limit {
		chunks, err := e.store.ReadLog(ctx, id, after, pageChunks)
		if err != nil && !errors.Is(err, jobs.ErrNotFound) {
			return jobs.LogChunk{}, jobs.ProblemOf(err)
		}
		if len(chunks) == 0 {
			break
		}
		for _, c := range chunks {
			c = linesAfter(c, after)
			if len(whole.Lines) == 0 {
				whole.Line, whole.Dropped = c.Line, c.Line-after-1
			}
			whole.Attempt = c.Attempt
			whole.Lines = append(whole.Lines, c.Lines...)
			after = c.LastLine()
		}
	}
	whole.Lines = whole.Lines[:min(limit, len(whole.Lines))]
	return whole, nil
}

// linesAfter is the part of a chunk behind a line.
func linesAfter(c jobs.LogChunk, after int64) jobs.LogChunk {
	if skip := after + 1 - c.Line; skip > 0 {
		skip = min(skip, int64(len(c.Lines)))
		c.Line, c.Lines = c.Line+skip, c.Lines[skip:]
	}
	return c
}

// FollowLogs yields chunks after a line, and ends when the job has ended and all its lines were seen, or
// with ctx. Where the store has let go of lines, the next chunk's Dropped says how many. Errors are
// those of Follow.
func (e *Engine) FollowLogs(ctx context.Context, id jobs.ID, after int64) iter.Seq2[jobs.LogChunk, error] {
	return func(yield func(jobs.LogChunk, error) bool) {
		err := e.followLogs(ctx, id, max(0, after), func(c jobs.LogChunk) bool { return yield(c, nil) })
		if err != nil && ctx.Err() == nil && !errors.Is(err, errEnough) {
			yield(jobs.LogChunk{}, err)
		}
	}
}

func (e *Engine) followLogs(ctx context.Context, id jobs.ID, after int64, yield func(jobs.LogChunk) bool) error {
	if !id.Valid() {
		return jobs.ErrNotFound
	}
	last, _, err := e.last(ctx, id)
	if err != nil {
		return err
	}
	give := func(c jobs.LogChunk, err error) error {
		if err != nil {
			return err
		}
		if c = linesAfter(c, after); len(c.Lines) == 0 {
			return nil
		}
		c.Dropped = c.Line - after - 1
		after = c.LastLine()
		if !yield(c) {
			return errEnough
		}
		return nil
	}
	if !last.Job.State.Terminal() {
		if err := e.liveLogs(ctx, last, after, give); err != nil || ctx.Err() != nil {
			return err
		}
	}
	// The job has ended, and the lines of an attempt are stored before its last event: what there is
	// now is all.
	for {
		chunks, err := e.store.ReadLog(ctx, id, after, pageChunks)
		if err != nil || len(chunks) == 0 {
			return err
		}
		for _, c := range chunks {
			if err := give(c, nil); err != nil {
				return err
			}
		}
	}
}

// liveLogs gives the lines of a job until the job ends.
func (e *Engine) liveLogs(ctx context.Context, last jobs.Record, after int64, give func(jobs.LogChunk, error) error) error {
	live, stop := context.WithCancel(ctx)
	var eventsErr error
	var events sync.WaitGroup
	events.Go(func() {
		defer stop()
		eventsErr = e.follow(live, last.Event.JobID, last.Event.Seq, func(jobs.Record) bool { return true })
	})
	var err error
	for c, chunkErr := range e.store.FollowLog(live, last.Event.JobID, after) {
		if live.Err() != nil && chunkErr != nil {
			break
		}
		if err = give(c, chunkErr); err != nil {
			break
		}
	}
	stop()
	events.Wait()
	if err != nil || ctx.Err() != nil {
		return err
	}
	return eventsErr
}
