package natsio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"jobcast/jobs"
)

// queue knows who holds which job. The server does not: it takes an acknowledgement from whoever once
// had the job, so that a worker that woke up late would finish what another has begun again.
type queue struct {
	leaseTime time.Duration

	mu   sync.Mutex // guards held
	held map[jobs.ID]*lease
}

// openQueue makes the consumer that leases jobs; tidy has removed that of the last process. It is durable
// because a work queue wants one, but what it remembers is who holds what, and this process is the only one
// that uses the files: whoever held a job is gone. So each job is free at once, and not when its lease runs
// out.
func (s *Store) openQueue(ctx context.Context) error {
	_, err := s.js.CreateOrUpdateConsumer(ctx, workStream, workConsumer(s.queue.leaseTime))
	return s.failed("open the queue", err)
}

// Enqueue implements jobs.Store.
func (s *Store) Enqueue(ctx context.Context, id jobs.ID) error {
	subject, err := subject(workPrefix, id)
	if err != nil {
		return err
	}
	_, err = s.put(ctx, workStream, subject, nil, 0)
	if errors.Is(err, jobs.ErrConflict) {
		return nil // it is there
	}
	return s.failed("enqueue", err)
}

// pullTime is how long one request for a job waits in the server.
const pullTime = time.Minute

// Lease implements jobs.Store.
func (s *Store) Lease(ctx context.Context) (jobs.Held, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		m, err := s.pull(ctx)
		if err != nil {
			return nil, s.failed("lease", err)
		}
		if m == nil {
			continue
		}
		l := &lease{store: s, id: jobs.ID(strings.TrimPrefix(m.Subject, workPrefix)), reply: m.Reply}
		s.queue.take(l)
		return l, nil
	}
}

// pull asks for one job and waits for it. It returns none when the time of the request is over.
func (s *Store) pull(ctx context.Context) (*nats.Msg, error) {
	body, err := json.Marshal(map[string]any{"batch": 1, "expires": pullTime})
	if err != nil {
		return nil, err
	}
	woken := s.woken()
	answer := make(chan *nats.Msg, 1)
	inbox := s.ask.NewInbox()
	sub, err := s.ask.ChanSubscribe(inbox, answer)
	if err != nil {
		return nil, err
	}
	if err := s.ask.PublishRequest("$JS.API.CONSUMER.MSG.NEXT."+workStream+"."+workers, inbox, body); err != nil {
		sub.Unsubscribe()
		return nil, err
	}
	timer := time.NewTimer(pullTime + answerTime)
	defer timer.Stop()
	var m *nats.Msg
	select {
	case m = <-answer:
		sub.Unsubscribe()
	case <-s.done:
		return nil, jobs.ErrClosed
	case <-ctx.Done():
		return nil, s.cancelPull(ctx, sub, answer)
	case <-woken: // the request went with the connection
		return nil, s.cancelPull(ctx, sub, answer)
	case <-timer.C:
		return nil, s.cancelPull(ctx, sub, answer)
	}
	switch m.Header.Get("Status") {
	case "":
		return m, nil
	case "404", "408":
		return nil, nil
	}
	return nil, statusError(m)
}

// cancelPull takes a request back, and gives back the job that may have crossed it.
func (s *Store) cancelPull(ctx context.Context, sub *nats.Subscription, answer <-chan *nats.Msg) error {
	// Drain tells the server that nobody listens any more but goes on listening. After the flush, whatever
	// the server had sent until then is here.
	if err := sub.Drain(); err != nil {
		return err
	}
	if err := s.ask.FlushTimeout(answerTime); err != nil {
		return err
	}
	select {
	case m := <-answer:
		if m.Header.Get("Status") == "" {
			return s.acknowledge(context.WithoutCancel(ctx), m.Reply, giveBack)
		}
	default:
	}
	return nil
}

// What a holder can say of a job.
const (
	finished = "+ACK"
	inWork   = "+WPI"
	giveBack = "-NAK"
)

// acknowledge returns when the server has taken note.
func (s *Store) acknowledge(ctx context.Context, reply, what string) error {
	_, err := insist(ctx, s, func(ctx context.Context) (*nats.Msg, error) {
		return s.ask.RequestWithContext(ctx, reply, []byte(what))
	})
	return err
}

func (q *queue) take(l *lease) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l.expires = time.Now().Add(q.leaseTime)
	q.held[l.id] = l
}

func (q *queue) forget(id jobs.ID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.held, id)
}

// lease is one delivery of a job from the queue. After it has run out, or ended, its methods return
// jobs.ErrConflict.
type lease struct {
	store   *Store
	id      jobs.ID
	reply   string    // where to acknowledge it
	expires time.Time // guarded by the queue's mu
}

var _ jobs.Held = (*lease)(nil)

func (l *lease) ID() jobs.ID { return l.id }

// say tells the server what to do with the job, if it is still ours.
func (l *lease) say(ctx context.Context, what string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	q := &l.store.queue
	q.mu.Lock()
	ours := q.held[l.id] == l && time.Now().Before(l.expires)
	q.mu.Unlock()
	if !ours {
		return jobs.ErrConflict
	}
	began := time.Now()
	if err := l.store.acknowledge(ctx, l.reply, what); err != nil {
		return l.store.failed(fmt.Sprintf("tell the queue %s", what), err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.held[l.id] != l:
	case what == inWork:
		l.expires = began.Add(q.leaseTime)
	default:
		delete(q.held, l.id)
	}
	return nil
}

// Extend implements jobs.Held.
func (l *lease) Extend(ctx context.Context) error { return l.say(ctx, inWork) }

// Done implements jobs.Held.
func (l *lease) Done(ctx context.Context) error { return l.say(ctx, finished) }

// Release implements jobs.Held.
func (l *lease) Release(ctx context.Context) error { return l.say(ctx, giveBack) }
