package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"
)

// MemoryStore is a Store that forgets everything with the process: for tests, and for trying things out.
// It keeps every record of every job, without a bound. It runs no goroutines.
type MemoryStore struct {
	mu    sync.Mutex // guards everything below
	pos   Position   // of the newest record or chunk, of any job
	jobs  map[ID]*memoryJob
	queue []*memoryItem // in the order of Enqueue
	grown chan struct{} // closed and replaced whenever anything changes
}

// memoryJob holds what belongs to one job, encoded, so that no caller shares memory with the store.
type memoryJob struct {
	records []memoryEntry // by Seq
	chunks  []memoryEntry // by Line
	args    json.RawMessage
}

type memoryEntry struct {
	pos  Position
	key  int64 // Seq of a record, number of the last line of a chunk
	data []byte
}

// memoryItem is one job in the queue.
type memoryItem struct {
	id      ID
	lease   *memoryLease // nil: nobody holds it
	expires time.Time
}

var _ Store = (*MemoryStore)(nil)

// NewMemoryStore returns an empty store.
func NewMemoryStore() *MemoryStore {
	return &MemoryStore{jobs: make(map[ID]*memoryJob), grown: make(chan struct{})}
}

// wake lets everyone who waits look again. mu is held.
func (s *MemoryStore) wake() {
	close(s.grown)
	s.grown = make(chan struct{})
}

func (s *MemoryStore) job(id ID) *memoryJob {
	j := s.jobs[id]
	if j == nil {
		j = new(memoryJob)
		s.jobs[id] = j
	}
	return j
}

func (s *MemoryStore) put(log *[]memoryEntry, key int64, data []byte, after Position) (Position, error) {
	var newest Position
	if n := len(*log); n > 0 {
		newest = (*log)[n-1].pos
	}
	if newest != after {
		return 0, ErrConflict
	}
	s.pos++
	*log = append(*log, memoryEntry{pos: s.pos, key: key, data: data})
	s.wake()
	return s.pos, nil
}

// Append implements Store.
func (s *MemoryStore) Append(ctx context.Context, rec Record, after Position) (Position, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	data, err := json.Marshal(rec)
	if err != nil {
		return 0, fmt.Errorf("encode record: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.put(&s.job(rec.Event.JobID).records, int64(rec.Event.Seq), data, after)
}

// Last implements Store.
func (s *MemoryStore) Last(ctx context.Context, id ID) (Record, Position, error) {
	return lastEntry[Record](ctx, s, id, recordsOf)
}

// Read implements Store.
func (s *MemoryStore) Read(ctx context.Context, id ID, after uint64, limit int) ([]Record, error) {
	entries, _, err := s.above(ctx, id, recordsOf, int64(after), limit)
	if err != nil {
		return nil, err
	}
	return decodeEntries[Record](entries)
}

// Follow implements Store.
func (s *MemoryStore) Follow(ctx context.Context, id ID, after uint64) iter.Seq2[Record, error] {
	return followEntries[Record](ctx, s, id, recordsOf, int64(after))
}

// Index implements Store.
func (s *MemoryStore) Index(ctx context.Context) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		var seen Position
		for first := true; ; first = false {
			s.mu.Lock()
			var newest []memoryEntry
			for _, j := range s.jobs {
				if n := len(j.records); n > 0 && j.records[n-1].pos > seen {
					newest = append(newest, j.records[n-1])
				}
			}
			grown := s.grown
			s.mu.Unlock()
			slices.SortFunc(newest, func(a, b memoryEntry) int { return int(a.pos) - int(b.pos) })
			for _, e := range newest {
				var rec Record
				err := json.Unmarshal(e.data, &rec)
				if !yield(rec, err) || err != nil {
					return
				}
				seen = e.pos
			}
			if first && !yield(Record{}, nil) {
				return
			}
			select {
			case <-grown:
			case <-ctx.Done():
				return
			}
		}
	}
}

// PutArgs implements Store.
func (s *MemoryStore) PutArgs(ctx context.Context, id ID, args json.RawMessage) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j := s.job(id)
	if j.args != nil {
		return ErrConflict
	}
	j.args = append(json.RawMessage{}, args...)
	return nil
}

// Args implements Store.
func (s *MemoryStore) Args(ctx context.Context, id ID) (json.RawMessage, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j := s.jobs[id]
	if j == nil || j.args == nil {
		return nil, ErrNotFound
	}
	return slices.Clone(j.args), nil
}

// AppendLog implements Store.
func (s *MemoryStore) AppendLog(ctx context.Context, chunk LogChunk, after Position) (Position, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	data, err := json.Marshal(chunk)
	if err != nil {
		return 0, fmt.Errorf("encode log: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.put(&s.job(chunk.JobID).chunks, chunk.Line+int64(len(chunk.Lines))-1, data, after)
}

// LastLog implements Store.
func (s *MemoryStore) LastLog(ctx context.Context, id ID) (LogChunk, Position, error) {
	return lastEntry[LogChunk](ctx, s, id, chunksOf)
}

// ReadLog implements Store.
func (s *MemoryStore) ReadLog(ctx context.Context, id ID, after int64, limit int) ([]LogChunk, error) {
	entries, _, err := s.above(ctx, id, chunksOf, after, limit)
	if err != nil {
		return nil, err
	}
	return decodeEntries[LogChunk](entries)
}

// FollowLog implements Store.
func (s *MemoryStore) FollowLog(ctx context.Context, id ID, after int64) iter.Seq2[LogChunk, error] {
	return followEntries[LogChunk](ctx, s, id, chunksOf, after)
}

// Remove implements Store.
func (s *MemoryStore) Remove(ctx context.Context, id ID) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.jobs, id)
	s.queue = slices.DeleteFunc(s.queue, func(it *memoryItem) bool { return it.id == id })
	s.wake()
	return nil
}

func recordsOf(j *memoryJob) []memoryEntry { return j.records }
func chunksOf(j *memoryJob) []memoryEntry  { return j.chunks }

// above returns up to limit entries whose key is above after, and a channel that is closed at the next
// change.
func (s *MemoryStore) above(ctx context.Context, id ID, log func(*memoryJob) []memoryEntry, after int64, limit int) ([]memoryEntry, <-chan struct{}, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j := s.jobs[id]
	if j == nil {
		return nil, s.grown, nil
	}
	entries := log(j)
	i, _ := slices.BinarySearchFunc(entries, after+1, func(e memoryEntry, key int64) int { return int(e.key - key) })
	entries = entries[i:]
	return slices.Clone(entries[:min(limit, len(entries))]), s.grown, nil
}

func lastEntry[T any](ctx context.Context, s *MemoryStore, id ID, log func(*memoryJob) []memoryEntry) (v T, pos Position, err error) {
	if err := ctx.Err(); err != nil {
		return v, 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j := s.jobs[id]
	if j == nil || len(log(j)) == 0 {
		return v, 0, ErrNotFound
	}
	entries := log(j)
	e := entries[len(entries)-1]
	return v, e.pos, json.Unmarshal(e.data, &v)
}

func decodeEntries[T any](entries []memoryEntry) ([]T, error) {
	values := make([]T, len(entries))
	for i, e := range entries {
		if err := json.Unmarshal(e.data, &values[i]); err != nil {
			return nil, err
		}
	}
	return values, nil
}

func followEntries[T any](ctx context.Context, s *MemoryStore, id ID, log func(*memoryJob) []memoryEntry, after int64) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			entries, grown, err := s.above(ctx, id, log, after, 100)
			if err != nil {
				return // only ctx can fail
			}
			for _, e := range entries {
				var v T
				err := json.Unmarshal(e.data, &v)
				if !yield(v, err) || err != nil {
					return
				}
				after = e.key
			}
			if len(entries) > 0 {
				continue
			}
			select {
			case <-grown:
			case <-ctx.Done():
				return
			}
		}
	}
}
