package natsio

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"

	"jobcast/jobs"
)

// A tail reads a subject from a position on: what is stored, then what comes. It takes live messages from
// a core subscription, which may lose some; each says which message came before it, so a loss shows, and
// the tail goes back to the stream. It needs no consumer on the server, and its caller's goroutine runs it.
type tail struct {
	store   *Store
	stream  string
	subject string // empty: all of the stream
	live    string // where the stream sends out what it has stored

	// start is called once live messages are being collected, and returns the position to read after.
	start func(context.Context) (uint64, error)
	// fill, where it is set, takes the place of reading the stream: it yields what has changed since it was called
	// last, and returns the position up to which that is.
	fill func(context.Context) (uint64, error)
	// gone, where it is set, gets what comes on the subjects below gonePrefix, and nothing of it is stored: where
	// some may have been missed, the tail ends with errMissed.
	gone func(context.Context, *nats.Msg) error
	// yield gets each entry. Its error, such as errEnded, ends the tail.
	yield func(entry) error

	last uint64 // the position of the newest entry seen
	sub  *nats.Subscription
	// backlog holds live messages. What it has no room for is dropped.
	backlog chan *nats.Msg
	goneSub *nats.Subscription
	removed chan *nats.Msg // what is for gone
}

// errEnded says that the loop over an iterator was left.
var errEnded = errors.New("ended")

// errMissed says that the index must be read anew.
var errMissed = errors.New("removals may have been missed")

// run returns why it ended.
func (t *tail) run(ctx context.Context) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	woken := t.store.woken()
	began := woken
	t.backlog = make(chan *nats.Msg, liveBacklog)
	if t.sub, err = t.store.live.ChanSubscribe(t.live, t.backlog); err != nil {
		return err
	}
	defer t.sub.Unsubscribe()
	if t.gone != nil {
		t.removed = make(chan *nats.Msg, goneBacklog)
		if t.goneSub, err = t.store.live.ChanSubscribe(gonePrefix+"*", t.removed); err != nil {
			return err
		}
		defer t.goneSub.Unsubscribe()
	}
	if err := t.listening(ctx, woken); err != nil {
		return err
	}
	if t.last, err = t.start(ctx); err != nil {
		return err
	}
	for {
		// From here on, what is lost is read the next time round.
		woken = t.store.woken()
		dropped, err := t.sub.Dropped()
		if err != nil {
			return err
		}
		select {
		case <-began:
			if t.gone != nil {
				return errMissed
			}
		default:
		}
		if err := t.catchUp(ctx); err != nil {
			return err
		}
		if err := t.listen(ctx, woken, dropped); err != nil {
			return err
		}
	}
}

// listening returns when the server knows that we listen. The stream must not be read before.
func (t *tail) listening(ctx context.Context, woken <-chan struct{}) error {
	lost := t.store.live.FlushTimeout(answerTime)
	if lost == nil {
		return nil
	}
	// The connection takes our subscription along when it comes back.
	timer := time.NewTimer(answerTime)
	defer timer.Stop()
	select {
	case <-woken:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-t.store.done:
		return jobs.ErrClosed
	case <-timer.C:
		return lost
	}
}

// catchUp yields what has been stored since the last entry seen.
func (t *tail) catchUp(ctx context.Context) (err error) {
	if t.fill != nil {
		t.last, err = t.fill(ctx)
		return err
	}
	for {
		b, err := t.store.getBatch(ctx, t.stream, t.subject, t.last+1, maxBatch)
		if err != nil {
			return err
		}
		for _, e := range b.entries {
			if err := t.yield(e); err != nil {
				return err
			}
		}
		t.last = b.last
		if !b.more {
			return nil
		}
	}
}

// listen yields what comes, and returns nil as soon as something may be missing.
func (t *tail) listen(ctx context.Context, woken <-chan struct{}, dropped int) error {
	for {
		m, err := t.next(ctx, woken, dropped)
		if m == nil || err != nil {
			return err
		}
		e := newEntry(m)
		if drop := t.store.hooks.dropLive; e.pos <= t.last || drop != nil && drop(m.Subject) {
			continue
		}
		if t.subject == "" {
			e.prev = e.pos - 1 // what matters is the message before it in the stream
		}
		if e.prev != t.last {
			return nil
		}
		t.last = e.pos
		if err := t.yield(e); err != nil {
			return err
		}
	}
}

// next waits for a live message. It returns none when some were dropped, or the connection was lost.
func (t *tail) next(ctx context.Context, woken <-chan struct{}, dropped int) (*nats.Msg, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		select {
		case m := <-t.backlog:
			return m, t.heed(ctx)
		default:
		}
		// A message that was dropped shows as a gap when the next one comes. None may come.
		if n, err := t.sub.Dropped(); n != dropped || err != nil {
			return nil, err
		}
		select {
		case m := <-t.backlog:
			return m, t.heed(ctx)
		case m := <-t.removed:
			if err := t.gone(ctx, m); err != nil {
				return nil, err
			}
			if err := t.heed(ctx); err != nil {
				return nil, err
			}
		case <-woken:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-t.store.done:
			return nil, jobs.ErrClosed
		}
	}
}

// heed deals with the removals that have come so far: those that came before a live message are dealt with before it.
func (t *tail) heed(ctx context.Context) error {
	for t.gone != nil {
		select {
		case m := <-t.removed:
			if err := t.gone(ctx, m); err != nil {
				return err
			}
			continue
		default:
		}
		n, err := t.goneSub.Dropped()
		if err == nil && n > 0 {
			err = errMissed
		}
		return err
	}
	return nil
}
