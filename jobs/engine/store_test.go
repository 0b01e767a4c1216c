package engine

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"jobcast/jobs"
)

func (s *followCounter) Follow(ctx context.Context, id jobs.ID, after uint64) iter.Seq2[jobs.Record, error] {
	s.follows.Add(1)
	return s.Store.Follow(ctx, id, after)
}

func (s *followCounter) Read(ctx context.Context, id jobs.ID, after uint64, limit int) ([]jobs.Record, error) {
	s.reads.Add(1)
	return s.Store.Read(ctx, id, after, limit)
}

// mortalStore is a store as a process sees it that may be killed: after kill, or after a number of
// writes, nothing reaches the store any more, and its leases are left to run out.
type mortalStore struct {
	jobs.Store
	mu     sync.Mutex // guards everything below
	left   int        // writes until death; negative: for ever
	before bool       // the last write does not reach the store; else only its answer is lost
	died   chan struct{}
	flaky  *rand.Rand // nil: every write that is alive succeeds
}

var errFlaky = errors.New("no answer from the store")

func newMortalStore(s jobs.Store, writes int, before bool) *mortalStore {
	return &mortalStore{Store: s, left: writes, before: before, died: make(chan struct{})}
}

// dieAfter lets the store live for a number of writes.
func (s *mortalStore) dieAfter(writes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = writes
}

// fail makes writes fail by chance.
func (s *mortalStore) fail(rng *rand.Rand) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flaky = rng
}

func (s *mortalStore) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.die()
}

func (s *mortalStore) die() {
	select {
	case <-s.died:
	default:
		close(s.died)
	}
}

// write does one write, and fails it as the store's life wants.
func (s *mortalStore) write(do func() error) error {
	s.mu.Lock()
	select {
	case <-s.died:
		s.mu.Unlock()
		return jobs.ErrClosed
	default:
	}
	s.left--
	last := s.left == 0
	if last {
		s.die()
	}
	lost, unasked := last && !s.before, last && s.before
	if s.flaky != nil {
		switch s.flaky.IntN(6) {
		case 0:
			lost = true
		case 1:
			unasked = true
		}
	}
	s.mu.Unlock()
	if unasked {
		return errFlaky
	}
	err := do()
	if lost {
		return errFlaky
	}
	return err
}

func (s *mortalStore) Append(ctx context.Context, rec jobs.Record, after jobs.Position) (pos jobs.Position, err error) {
	err = s.write(func() error { pos, err = s.Store.Append(ctx, rec, after); return err })
	return pos, err
}

func (s *mortalStore) AppendLog(ctx context.Context, c jobs.LogChunk, after jobs.Position) (pos jobs.Position, err error) {
	err = s.write(func() error { pos, err = s.Store.AppendLog(ctx, c, after); return err })
	return pos, err
}

func (s *mortalStore) PutArgs(ctx context.Context, id jobs.ID, args json.RawMessage) error {
	return s.write(func() error { return s.Store.PutArgs(ctx, id, args) })
}

func (s *mortalStore) PutCell(ctx context.Context, group, key string, value []byte, after jobs.Position) (pos jobs.Position, err error) {
	err = s.write(func() error { pos, err = s.Store.PutCell(ctx, group, key, value, after); return err })
	return pos, err
}

func (s *mortalStore) DeleteCell(ctx context.Context, group, key string, after jobs.Position) error {
	return s.write(func() error { return s.Store.DeleteCell(ctx, group, key, after) })
}

func (s *mortalStore) Remove(ctx context.Context, id jobs.ID) error {
	return s.write(func() error { return s.Store.Remove(ctx, id) })
}

// muteStore is a store whose engine may begin one job, and is not heard of after it has said once that it is there.
type muteStore struct {
	jobs.Store
	begun, said atomic.Bool
}

func (s *muteStore) Append(ctx context.Context, rec jobs.Record, after jobs.Position) (jobs.Position, error) {
	if rec.Event.Type == jobs.EventStarted && s.begun.Swap(true) {
		return 0, errFlaky
	}
	return s.Store.Append(ctx, rec, after)
}

func (s *muteStore) PutCell(ctx context.Context, group, key string, value []byte, after jobs.Position) (jobs.Position, error) {
	if s.said.Swap(true) {
		return 0, errFlaky
	}
	return s.Store.PutCell(ctx, group, key, value, after)
}

// slowStore takes its time for every append.
type slowStore struct {
	jobs.Store
	delay time.Duration
}

func (s *slowStore) Append(ctx context.Context, rec jobs.Record, after jobs.Position) (jobs.Position, error) {
	time.Sleep(s.delay)
	return s.Store.Append(ctx, rec, after)
}

func (s *slowStore) AppendLog(ctx context.Context, c jobs.LogChunk, after jobs.Position) (jobs.Position, error) {
	time.Sleep(s.delay)
	return s.Store.AppendLog(ctx, c, after)
}

func (s *brokenIndex) Index(ctx context.Context) iter.Seq2[jobs.Record, error] {
	s.opened++
	if s.opened > 1 {
		return s.Store.Index(ctx)
	}
	return func(yield func(jobs.Record, error) bool) {
		for rec, err := range s.Store.Index(ctx) {
			if !yield(rec, err) || rec.Event.JobID == "" {
				break
			}
		}
		yield(jobs.Record{}, errFlaky)
	}
}
