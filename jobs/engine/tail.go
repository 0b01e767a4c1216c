package engine

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"time"

	"jobcast/jobs"
)

const (
	tailRecords = 256 // that a tail keeps for its readers; who falls behind reads on from the store
	pageRecords = 256 // read from the store at once
)

// tail is this node's one reading of a job's log, for all who follow the job.
type tail struct {
	id      jobs.ID
	readers int // guarded by Engine.mu
	stop    context.CancelFunc

	mu    sync.Mutex // guards everything below
	start uint64     // records holds all that come after this Seq
	// records are the newest, without holes. They are never changed in place: readers use parts of the
	// slice without the lock.
	records []jobs.Record
	ended   bool  // the last of records is terminal, or start is
	err     error // why there will be no more
	grown   chan struct{}
}

// Follow yields the records with a Seq above after, those stored and then each new one, and ends after
// the terminal one or with ctx. All who follow one job on a node share one read of its log. A reader
// that stops for long costs only itself: it reads on from the store. The error is ErrNotFound, ErrClosed
// when the engine closes, or the store's; it is the last thing that is yielded.
func (e *Engine) Follow(ctx context.Context, id jobs.ID, after uint64) iter.Seq2[jobs.Record, error] {
	return func(yield func(jobs.Record, error) bool) {
		err := e.follow(ctx, id, after, func(rec jobs.Record) bool { return yield(rec, nil) })
		if err != nil && ctx.Err() == nil {
			yield(jobs.Record{}, err)
		}
	}
}

func (e *Engine) follow(ctx context.Context, id jobs.ID, after uint64, yield func(jobs.Record) bool) error {
	if !id.Valid() {
		return jobs.ErrNotFound
	}
	t, err := e.joinTail(ctx, id, after)
	if err != nil {
		return err
	}
	defer e.leaveTail(t)
	give := func(recs []jobs.Record) bool {
		for _, rec := range recs {
			if !yield(rec) {
				return false
			}
			after = rec.Event.Seq
			if rec.Job.State.Terminal() {
				return false
			}
		}
		return true
	}
	for ctx.Err() == nil {
		recs, behind, grown, err := t.above(after)
		if behind > 0 {
			recs, err = e.store.Read(ctx, id, after, pageRecords)
			if err == nil && len(recs) == 0 {
				after = behind // the store has let go of what was between
				continue
			}
		}
		if err != nil {
			return err
		}
		if !give(recs) || grown == nil && len(recs) == 0 {
			return nil
		}
		if len(recs) > 0 {
			continue
		}
		select {
		case <-grown:
		case <-ctx.Done():
		case <-e.work.Done():
			return jobs.ErrClosed
		}
	}
	return nil
}

// above returns the records after a Seq. behind is not zero if some of them, up to that Seq, are only
// in the store. Where there are none, grown is closed when there are, or nil if there never will be.
func (t *tail) above(after uint64) (recs []jobs.Record, behind uint64, grown <-chan struct{}, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if after < t.start {
		return nil, t.start, nil, nil
	}
	i, _ := slices.BinarySearchFunc(t.records, after+1, func(r jobs.Record, seq uint64) int { return int(int64(r.Event.Seq - seq)) })
	switch {
	case i < len(t.records):
		return t.records[i:], 0, t.grown, nil
	case t.ended:
		return nil, 0, nil, nil
	}
	return nil, 0, t.grown, t.err
}

// push adds a record that has come in.
func (t *tail) push(rec jobs.Record) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.records); n > 0 && t.records[n-1].Event.Seq+1 != rec.Event.Seq || n == 0 && t.start+1 != rec.Event.Seq {
		// The store has let go of what was between: readers find that out there.
		t.records, t.start = nil, rec.Event.Seq-1
	}
	if len(t.records) == tailRecords {
		t.start = t.records[0].Event.Seq
		t.records = t.records[1:]
	}
	t.records = append(t.records, rec)
	t.ended = rec.Job.State.Terminal()
	t.wake()
}

// fail ends the tail without a terminal record.
func (t *tail) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.err = err
	t.wake()
}

func (t *tail) wake() {
	close(t.grown)
	t.grown = make(chan struct{})
}

// joinTail returns the job's tail, and starts it for the first reader.
func (e *Engine) joinTail(ctx context.Context, id jobs.ID, after uint64) (*tail, error) {
	e.mu.Lock()
	t := e.shareTail(id)
	e.mu.Unlock()
	if t != nil {
		return t, nil
	}
	last, _, err := e.last(ctx, id)
	if err != nil {
		return nil, err
	}
	newest := last.Event.Seq
	if last.Job.State.Terminal() {
		return &tail{id: id, start: newest, ended: true, stop: func() {}}, nil // all is in the store
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if t := e.shareTail(id); t != nil {
		return t, nil
	}
	if e.closed {
		return nil, jobs.ErrClosed
	}
	// It begins where its first reader is, so that a long poll reads nothing twice; but not so far back
	// that the records would not fit.
	start := min(max(after, newest-min(newest, tailRecords)), newest)
	t = &tail{id: id, readers: 1, start: start, grown: make(chan struct{})}
	var work context.Context
	work, t.stop = context.WithCancel(e.work)
	e.tails[id] = t
	e.watching.Go(func() { e.runTail(work, t, start) })
	return t, nil
}

// shareTail counts one more reader of a tail that runs. mu is held.
func (e *Engine) shareTail(id jobs.ID) *tail {
	t := e.tails[id]
	if t != nil {
		t.readers++
	}
	return t
}

// leaveTail stops the tail after its last reader.
func (e *Engine) leaveTail(t *tail) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if t.readers--; t.readers <= 0 {
		t.stop()
		if e.tails[t.id] == t {
			delete(e.tails, t.id)
		}
	}
}

// runTail reads the job's log until it ends, or nobody listens. It outlives a store that is away for a
// while.
func (e *Engine) runTail(ctx context.Context, t *tail, after uint64) {
	for {
		var err error
		for rec, recErr := range e.store.Follow(ctx, t.id, after) {
			if err = recErr; err != nil {
				break
			}
			if rec.Event.Seq <= after {
				continue
			}
			after = rec.Event.Seq
			t.push(rec)
			if rec.Job.State.Terminal() {
				return
			}
		}
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, jobs.ErrClosed) || errors.Is(err, jobs.ErrNotFound) {
			e.mu.Lock()
			if e.tails[t.id] == t {
				delete(e.tails, t.id) // the next reader tries anew
			}
			e.mu.Unlock()
			t.fail(err)
			return
		}
		e.log.Warn("following a job broke off and is tried again", "job", t.id, "err", err)
		if !sleep(ctx, time.Second) {
			return
		}
	}
}
