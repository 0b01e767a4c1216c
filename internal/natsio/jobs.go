package natsio

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"

	"jobcast/jobs"
)

func eventKey(rec *jobs.Record) uint64     { return rec.Event.Seq }
func chunkKey(chunk *jobs.LogChunk) uint64 { return uint64(chunk.Line) + uint64(len(chunk.Lines)) - 1 }

// Append implements jobs.Store. Once begun it is not broken off when ctx ends, so that its outcome is
// always known. It can also return jobs.ErrFull and ErrBroken.
func (s *Store) Append(ctx context.Context, rec jobs.Record, after jobs.Position) (jobs.Position, error) {
	if after == 0 {
		if err := s.roomForJob(ctx); err != nil {
			return 0, s.failed("append", err)
		}
	}
	return s.events.append(ctx, rec.Event.JobID, rec, after)
}

// roomForJob returns jobs.ErrFull when what room is left is needed for the jobs that have begun.
func (s *Store) roomForJob(ctx context.Context) error {
	state, err := s.state(ctx, eventStream)
	if err != nil {
		return err
	}
	if state.Bytes > uint64(s.maxBytes-s.maxBytes/16) {
		return jobs.ErrFull
	}
	return nil
}

// Last implements jobs.Store.
func (s *Store) Last(ctx context.Context, id jobs.ID) (jobs.Record, jobs.Position, error) {
	return s.events.last(ctx, id)
}

// Read implements jobs.Store. It finds its place in a few short reads, however far back it is.
func (s *Store) Read(ctx context.Context, id jobs.ID, after uint64, limit int) ([]jobs.Record, error) {
	return s.events.read(ctx, id, after, limit)
}

// Follow implements jobs.Store. A reader that is slow, or stops for a while, loses nothing and slows
// nobody: it goes on from the disk.
func (s *Store) Follow(ctx context.Context, id jobs.ID, after uint64) iter.Seq2[jobs.Record, error] {
	return s.events.follow(ctx, id, after)
}

// AppendLog implements jobs.Store.
func (s *Store) AppendLog(ctx context.Context, chunk jobs.LogChunk, after jobs.Position) (jobs.Position, error) {
	return s.logs.append(ctx, chunk.JobID, chunk, after)
}

// LastLog implements jobs.Store.
func (s *Store) LastLog(ctx context.Context, id jobs.ID) (jobs.LogChunk, jobs.Position, error) {
	return s.logs.last(ctx, id)
}

// ReadLog implements jobs.Store.
func (s *Store) ReadLog(ctx context.Context, id jobs.ID, after int64, limit int) ([]jobs.LogChunk, error) {
	return s.logs.read(ctx, id, uint64(max(after, 0)), limit)
}

// FollowLog implements jobs.Store.
func (s *Store) FollowLog(ctx context.Context, id jobs.ID, after int64) iter.Seq2[jobs.LogChunk, error] {
	return s.logs.follow(ctx, id, uint64(max(after, 0)))
}

// PutArgs implements jobs.Store. It returns jobs.ErrFull, and keeps nothing, where Append would refuse the job
// that the arguments are for: nobody would ever remove them.
func (s *Store) PutArgs(ctx context.Context, id jobs.ID, args json.RawMessage) error {
	subject, err := subject(argPrefix, id)
	if err != nil {
		return err
	}
	if err := s.roomForJob(ctx); err != nil {
		return s.failed("put arguments", err)
	}
	_, err = s.put(ctx, argStream, subject, args, 0)
	return s.failed("put arguments", err)
}

// Args implements jobs.Store.
func (s *Store) Args(ctx context.Context, id jobs.ID) (json.RawMessage, error) {
	subject, err := subject(argPrefix, id)
	if err != nil {
		return nil, err
	}
	e, err := s.getLast(ctx, argStream, subject)
	if err != nil {
		return nil, s.failed("get arguments", err)
	}
	return e.data, nil
}

// Usage implements jobs.Store. The text of jobs does not count, as it makes room by itself, and neither do cells,
// which do not go with a job.
func (s *Store) Usage(ctx context.Context) (jobs.Usage, error) {
	fullest := jobs.Usage{MaxBytes: s.maxBytes}
	for _, stream := range []string{eventStream, argStream} {
		state, err := s.state(ctx, stream)
		if err != nil {
			return jobs.Usage{}, s.failed("ask how full the store is", err)
		}
		fullest.Bytes = max(fullest.Bytes, int64(state.Bytes))
	}
	return fullest, nil
}

// subject appends id to a prefix. An id with a wildcard in it would be taken by the server, and mean
// something else.
func subject(prefix string, id jobs.ID) (string, error) {
	if !id.Valid() {
		return "", fmt.Errorf("natsio: %q cannot name a job", id)
	}
	return prefix + string(id), nil
}
