// Package memory is a store of jobs that forgets everything with the process: for tests, and for trying
// things out. It runs no goroutine.
package memory

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"sync"

	"jobcast/jobs"
)

// Store is a job.Store in memory. It keeps every record of every job, without a bound.
type Store struct {
	mu    sync.Mutex    // guards everything below
	pos   jobs.Position // of the newest record, chunk or change of a cell
	jobs  map[jobs.ID]*jobLog
	grown chan struct{} // closed and replaced whenever anything of the jobs changes

	cells      map[cellName]jobs.Cell
	cellsGrown chan struct{} // closed and replaced whenever a cell changes
}

// jobLog holds what belongs to one job, encoded, so that no caller shares memory with the store.
type jobLog struct {
	records []entry // by Seq
	chunks  []entry // by Line
	args    json.RawMessage
}

type entry struct {
	pos  jobs.Position
	key  int64 // Seq of a record, number of the last line of a chunk
	data []byte
}

var _ jobs.Store = (*Store)(nil)

// New returns an empty store.
func New() *Store {
	return &Store{
		jobs: make(map[jobs.ID]*jobLog), grown: make(chan struct{}),
		cells: make(map[cellName]jobs.Cell), cellsGrown: make(chan struct{}),
	}
}

// wake lets everyone who waits look again. mu is held.
func (s *Store) wake() {
	close(s.grown)
	s.grown = make(chan struct{})
}

func (s *Store) job(id jobs.ID) *jobLog {
	j := s.jobs[id]
	if j == nil {
		j = new(jobLog)
		s.jobs[id] = j
	}
	return j
}

func (s *Store) put(log *[]entry, key int64, data []byte, after jobs.Position) (jobs.Position, error) {
	var newest jobs.Position
	if n := len(*log); n > 0 {
		newest = (*log)[n-1].pos
	}
	if newest != after {
		return 0, jobs.ErrConflict
	}
	s.pos++
	*log = append(*log, entry{pos: s.pos, key: key, data: data})
	s.wake()
	return s.pos, nil
}

// Append implements Store.
func (s *Store) Append(ctx context.Context, rec jobs.Record, after jobs.Position) (jobs.Position, error) {
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
func (s *Store) Last(ctx context.Context, id jobs.ID) (jobs.Record, jobs.Position, error) {
	return lastEntry[jobs.Record](ctx, s, id, recordsOf)
}

// Read implements Store.
func (s *Store) Read(ctx context.Context, id jobs.ID, after uint64, limit int) ([]jobs.Record, error) {
	entries, _, err := s.above(ctx, id, recordsOf, int64(after), limit)
	if err != nil {
		return nil, err
	}
	return decodeEntries[jobs.Record](entries)
}

// Follow implements Store.
func (s *Store) Follow(ctx context.Context, id jobs.ID, after uint64) iter.Seq2[jobs.Record, error] {
	return followEntries[jobs.Record](ctx, s, id, recordsOf, int64(after))
}

// Index implements Store.
func (s *Store) Index(ctx context.Context) iter.Seq2[jobs.Record, error] {
	return func(yield func(jobs.Record, error) bool) {
		var seen jobs.Position
		known := make(map[jobs.ID]*jobLog) // the jobs that were yielded
		for first := true; ; first = false {
			gone, newest, grown := s.changedJobs(seen, known)
			for _, id := range gone {
				if !yield(jobs.RemovedRecord(id), nil) {
					return
				}
			}
			for _, e := range newest {
				var rec jobs.Record
				err := json.Unmarshal(e.data, &rec)
				if !yield(rec, err) || err != nil {
					return
				}
				seen = e.pos
			}
			if first && !yield(jobs.Record{}, nil) {
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

// changedJobs returns the jobs of known that are gone, the newest record of each job that has one after seen, in
// order, and a channel that is closed at the next change. It brings known up to date.
func (s *Store) changedJobs(seen jobs.Position, known map[jobs.ID]*jobLog) (gone []jobs.ID, newest []entry, grown <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, j := range known {
		if s.jobs[id] != j { // or it is another one of that name
			gone = append(gone, id)
			delete(known, id)
		}
	}
	slices.Sort(gone)
	for id, j := range s.jobs {
		if n := len(j.records); n > 0 && j.records[n-1].pos > seen {
			newest = append(newest, j.records[n-1])
			known[id] = j
		}
	}
	slices.SortFunc(newest, func(a, b entry) int { return int(a.pos) - int(b.pos) })
	return gone, newest, s.grown
}

// PutArgs implements Store.
func (s *Store) PutArgs(ctx context.Context, id jobs.ID, args json.RawMessage) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j := s.job(id)
	if j.args != nil {
		return jobs.ErrConflict
	}
	j.args = append(json.RawMessage{}, args...)
	return nil
}

// Args implements Store.
func (s *Store) Args(ctx context.Context, id jobs.ID) (json.RawMessage, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j := s.jobs[id]
	if j == nil || j.args == nil {
		return nil, jobs.ErrNotFound
	}
	return slices.Clone(j.args), nil
}

// AppendLog implements Store.
func (s *Store) AppendLog(ctx context.Context, chunk jobs.LogChunk, after jobs.Position) (jobs.Position, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	data, err := json.Marshal(chunk)
	if err != nil {
		return 0, fmt.Errorf("encode log: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.put(&s.job(chunk.JobID).chunks, chunk.LastLine(), data, after)
}

// LastLog implements Store.
func (s *Store) LastLog(ctx context.Context, id jobs.ID) (jobs.LogChunk, jobs.Position, error) {
	return lastEntry[jobs.LogChunk](ctx, s, id, chunksOf)
}

// ReadLog implements Store.
func (s *Store) ReadLog(ctx context.Context, id jobs.ID, after int64, limit int) ([]jobs.LogChunk, error) {
	entries, _, err := s.above(ctx, id, chunksOf, after, limit)
	if err != nil {
		return nil, err
	}
	return decodeEntries[jobs.LogChunk](entries)
}

// FollowLog implements Store.
func (s *Store) FollowLog(ctx context.Context, id jobs.ID, after int64) iter.Seq2[jobs.LogChunk, error] {
	return followEntries[jobs.LogChunk](ctx, s, id, chunksOf, after)
}

// Remove implements Store.
func (s *Store) Remove(ctx context.Context, id jobs.ID) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.jobs, id)
	s.wake()
	return nil
}

// Usage implements Store. There is no bound.
func (s *Store) Usage(ctx context.Context) (jobs.Usage, error) {
	if err := ctx.Err(); err != nil {
		return jobs.Usage{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var u jobs.Usage
	for _, j := range s.jobs {
		u.Bytes += int64(len(j.args))
		for _, log := range [][]entry{j.records, j.chunks} {
			for _, e := range log {
				u.Bytes += int64(len(e.data))
			}
		}
	}
	return u, nil
}

func recordsOf(j *jobLog) []entry { return j.records }
func chunksOf(j *jobLog) []entry  { return j.chunks }

// above returns up to limit entries whose key is above after, and a channel that is closed at the next
// change.
func (s *Store) above(ctx context.Context, id jobs.ID, log func(*jobLog) []entry, after int64, limit int) ([]entry, <-chan struct{}, error) {
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
	i, _ := slices.BinarySearchFunc(entries, after+1, func(e entry, key int64) int { return int(e.key - key) })
	entries = entries[i:]
	return slices.Clone(entries[:min(limit, len(entries))]), s.grown, nil
}

func lastEntry[T any](ctx context.Context, s *Store, id jobs.ID, log func(*jobLog) []entry) (v T, pos jobs.Position, err error) {
	if err := ctx.Err(); err != nil {
		return v, 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j := s.jobs[id]
	if j == nil || len(log(j)) == 0 {
		return v, 0, jobs.ErrNotFound
	}
	entries := log(j)
	e := entries[len(entries)-1]
	return v, e.pos, json.Unmarshal(e.data, &v)
}

func decodeEntries[T any](entries []entry) ([]T, error) {
	values := make([]T, len(entries))
	for i, e := range entries {
		if err := json.Unmarshal(e.data, &values[i]); err != nil {
			return nil, err
		}
	}
	return values, nil
}

func followEntries[T any](ctx context.Context, s *Store, id jobs.ID, log func(*jobLog) []entry, after int64) iter.Seq2[T, error] {
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
