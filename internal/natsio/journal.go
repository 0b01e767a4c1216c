package natsio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"jobcast/jobs"
)

// A journal is a stream that holds a log for each job: its events, or its text. Each entry has a key that
// grows along the log, such as an event's Seq; positions are the server's, and grow with it.
type journal[T any] struct {
	store  *Store
	stream string
	prefix string          // of the subjects in the stream
	live   string          // of the subjects under which the stream sends out what it has stored
	key    func(*T) uint64 // the highest number in an entry
}

func (j *journal[T]) append(ctx context.Context, id jobs.ID, v T, after jobs.Position) (jobs.Position, error) {
	subject, err := subject(j.prefix, id)
	if err != nil {
		return 0, err
	}
	data, err := json.Marshal(v)
	if err != nil {
		return 0, fmt.Errorf("natsio: encode for %s: %w", j.stream, err)
	}
	pos, err := j.store.put(ctx, j.stream, subject, data, uint64(after))
	return jobs.Position(pos), j.store.failed("append", err)
}

func (j *journal[T]) decode(e entry) (v T, err error) {
	if err = json.Unmarshal(e.data, &v); err != nil {
		err = fmt.Errorf("natsio: decode an entry of %s: %w", j.stream, err)
	}
	return v, err
}

// keyOf decodes an entry only to place it.
func (j *journal[T]) keyOf(e entry) (uint64, error) {
	v, err := j.decode(e)
	return j.key(&v), err
}

func (j *journal[T]) last(ctx context.Context, id jobs.ID) (v T, pos jobs.Position, err error) {
	subject, err := subject(j.prefix, id)
	if err != nil {
		return v, 0, err
	}
	e, err := j.store.getLast(ctx, j.stream, subject)
	if err != nil {
		return v, 0, j.store.failed("read the last entry", err)
	}
	v, err = j.decode(e)
	return v, jobs.Position(e.pos), err
}

// skippable is by how many keys seek may miss: reading a few entries too many in one batch is cheaper
// than another question.
const skippable = 32

// seek returns a position with nothing after `after` at or before it, and few entries between the two.
// It is a search over the stream: "the first message of this subject at or after that position" is a
// question the server answers from its index. So no table from key to position is kept anywhere.
func (j *journal[T]) seek(ctx context.Context, subject string, after uint64) (uint64, error) {
	if after <= skippable {
		return 0, nil
	}
	newest, err := j.store.getLast(ctx, j.stream, subject)
	if errors.Is(err, jobs.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	high, err := j.keyOf(newest)
	if err != nil || high <= after {
		return newest.pos, err
	}
	var low, from uint64 // the key of an entry at or before `after`, and its position
	to := newest.pos     // at or after it, there are only entries after `after`
	for halve := false; after-low > skippable && to-from > 1; halve = !halve {
		// Entries come about evenly, so aim a little short of where ours should be; every other time, cut
		// the rest in half, so that uneven ones cannot make this long.
		gap := to - from - 1
		mid := from + 1 + gap/2
		if !halve {
			mid = from + 1 + uint64(float64(gap)*float64(after-skippable/2-low)/float64(high-low))
		}
		e, err := j.store.getNext(ctx, j.stream, subject, min(mid, to-1))
		if errors.Is(err, jobs.ErrNotFound) {
			break // the job is being removed
		}
		if err != nil {
			return 0, err
		}
		key, err := j.keyOf(e)
		if err != nil {
			return 0, err
		}
		if key <= after {
			low, from = key, e.pos
		} else {
			high, to = key, min(mid, to-1)
		}
	}
	return from, nil
}

func (j *journal[T]) read(ctx context.Context, id jobs.ID, after uint64, limit int) ([]T, error) {
	subject, err := subject(j.prefix, id)
	if err != nil {
		return nil, err
	}
	pos, err := j.seek(ctx, subject, after)
	if err != nil {
		return nil, j.store.failed("read", err)
	}
	var values []T
	for more := true; more && len(values) < limit; {
		b, err := j.store.getBatch(ctx, j.stream, subject, pos+1, limit-len(values)+skippable)
		if err != nil {
			return nil, j.store.failed("read", err)
		}
		for _, e := range b.entries {
			v, err := j.decode(e)
			if err != nil {
				return nil, err
			}
			if j.key(&v) > after && len(values) < limit {
				values = append(values, v)
			}
		}
		pos, more = b.last, b.more
	}
	return values, nil
}

func (j *journal[T]) follow(ctx context.Context, id jobs.ID, after uint64) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		subject, err := subject(j.prefix, id)
		if err != nil {
			yield(none, err)
			return
		}
		t := tail{store: j.store, stream: j.stream, subject: subject, live: j.live + string(id)}
		t.start = func(ctx context.Context) (uint64, error) { return j.seek(ctx, subject, after) }
		t.yield = func(e entry) error {
			v, err := j.decode(e)
			if err != nil {
				return err
			}
			key := j.key(&v)
			if key <= after {
				return nil
			}
			after = key
			if !yield(v, nil) {
				return errEnded
			}
			return nil
		}
		if err := t.run(ctx); !errors.Is(err, errEnded) && ctx.Err() == nil {
			yield(none, j.store.failed("follow", err))
		}
	}
}
