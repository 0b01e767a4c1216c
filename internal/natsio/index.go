package natsio

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"jobcast/jobs"
)

// Index implements jobs.Store. After the zero Record it yields every record, in the order in which they
// were stored. Removals are told by core messages, which are not stored: after a connection has come back, or where
// more than 1,024 wait for the reader, it ends with an error, as some may have been missed.
func (s *Store) Index(ctx context.Context) iter.Seq2[jobs.Record, error] {
	return func(yield func(jobs.Record, error) bool) {
		emit := func(rec jobs.Record) error {
			if !yield(rec, nil) {
				return errEnded
			}
			return nil
		}
		var place uint64                  // where in the stream the live part begins
		ahead := make(map[jobs.ID]uint64) // up to where what comes of a job is told already, or removed
		t := tail{store: s, stream: eventStream, live: eventLive + "*"}
		t.start = func(ctx context.Context) (uint64, error) {
			state, err := s.state(ctx, eventStream)
			if err != nil {
				return 0, err
			}
			place = state.LastSeq
			err = s.snapshot(ctx, func(e entry) error {
				rec, err := s.events.decode(e)
				if err != nil {
					return err
				}
				if e.pos > place {
					ahead[rec.Event.JobID] = e.pos
				}
				return emit(rec)
			})
			if err != nil {
				return 0, err
			}
			return place, emit(jobs.Record{})
		}
		t.yield = func(e entry) error {
			rec, err := s.events.decode(e)
			if err != nil {
				return err
			}
			if e.pos <= ahead[rec.Event.JobID] {
				return nil
			}
			return emit(rec)
		}
		t.gone = func(ctx context.Context, m *nats.Msg) error {
			if len(ahead) >= goneBacklog {
				maps.DeleteFunc(ahead, func(_ jobs.ID, pos uint64) bool { return pos <= t.last })
			}
			id := jobs.ID(strings.TrimPrefix(m.Subject, gonePrefix))
			upTo, err := strconv.ParseUint(string(m.Data), 10, 64)
			if err != nil {
				return fmt.Errorf("natsio: decode a removal: %w", err)
			}
			ahead[id] = max(ahead[id], upTo)
			if err := emit(jobs.RemovedRecord(id)); err != nil {
				return err
			}
			// There may be another job of that name, of which a record has come before this.
			e, err := s.getLast(ctx, eventStream, eventPrefix+string(id))
			if errors.Is(err, jobs.ErrNotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			ahead[id] = max(ahead[id], e.pos)
			rec, err := s.events.decode(e)
			if err != nil {
				return err
			}
			return emit(rec)
		}
		if err := t.run(ctx); !errors.Is(err, errEnded) && ctx.Err() == nil {
			yield(jobs.Record{}, s.failed("read the index", err))
		}
	}
}

// tellRemoved tells all readers of the index that a job is gone: what the stream had of it so far.
func (s *Store) tellRemoved(ctx context.Context, id jobs.ID) error {
	state, err := s.state(ctx, eventStream)
	if err != nil {
		return err
	}
	return s.ask.Publish(gonePrefix+string(id), strconv.AppendUint(nil, state.LastSeq, 10))
}

// snapshot yields the newest event of each job. Only a consumer can be asked for "the last message of
// each subject" when there are many subjects; this one lives as long as the call.
func (s *Store) snapshot(ctx context.Context, yield func(entry) error) error {
	consumer, err := s.js.CreateConsumer(ctx, eventStream, jetstream.ConsumerConfig{
		DeliverPolicy:     jetstream.DeliverLastPerSubjectPolicy,
		FilterSubject:     eventPrefix + "*",
		AckPolicy:         jetstream.AckNonePolicy,
		MemoryStorage:     true,
		InactiveThreshold: time.Minute,
	})
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTime)
		defer cancel()
		_ = s.js.DeleteConsumer(ctx, eventStream, consumer.CachedInfo().Name) // it would go by itself
	}()
	for left := consumer.CachedInfo().NumPending; left > 0; {
		// Jobs may be removed meanwhile, so we cannot wait for a number of messages: only for as many as
		// there are now.
		batch, err := consumer.FetchNoWait(maxBatch)
		if err != nil {
			return err
		}
		left = 0
		for m := range batch.Messages() {
			meta, err := m.Metadata()
			if err != nil {
				return err
			}
			left = meta.NumPending
			if err := yield(entry{pos: meta.Sequence.Stream, data: m.Data()}); err != nil {
				return err
			}
		}
		if err := batch.Error(); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}
