package natsio

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"jobcast/jobs"
)

// Index implements jobs.Store. After the zero Record it yields every record, in the order in which they
// were stored.
func (s *Store) Index(ctx context.Context) iter.Seq2[jobs.Record, error] {
	return func(yield func(jobs.Record, error) bool) {
		emit := func(rec jobs.Record) error {
			if !yield(rec, nil) {
				return errEnded
			}
			return nil
		}
		var place uint64                  // where in the stream the live part begins
		ahead := make(map[jobs.ID]uint64) // what the snapshot has from beyond it
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
		if err := t.run(ctx); !errors.Is(err, errEnded) && ctx.Err() == nil {
			yield(jobs.Record{}, s.failed("read the index", err))
		}
	}
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
