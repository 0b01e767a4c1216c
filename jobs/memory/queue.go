package memory

import (
	"context"
	"slices"
	"time"

	"jobcast/jobs"
)

// hold is the right to one item of a Store's queue, until it expires.
type hold struct {
	store *Store
	id    jobs.ID
}

var _ jobs.Held = (*hold)(nil)

// Enqueue implements Store.
func (s *Store) Enqueue(ctx context.Context, id jobs.ID) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.ContainsFunc(s.queue, func(it *item) bool { return it.id == id }) {
		return nil
	}
	s.queue = append(s.queue, &item{id: id})
	s.wake()
	return nil
}

// Lease implements Store.
func (s *Store) Lease(ctx context.Context) (jobs.Held, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		lease, next, grown := s.take()
		if lease != nil {
			return lease, nil
		}
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
		case <-grown:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// Queued is how many jobs the queue has, whether somebody holds them or not.
func (s *Store) Queued() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue)
}

// take leases the first free item, or says how long to wait for a lease to expire.
func (s *Store) take() (lease *hold, next time.Duration, grown <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	next = jobs.LeaseTime
	for _, it := range s.queue {
		if it.lease != nil && now.Before(it.expires) {
			next = min(next, it.expires.Sub(now))
			continue
		}
		it.lease = &hold{store: s, id: it.id}
		it.expires = now.Add(jobs.LeaseTime)
		return it.lease, 0, nil
	}
	return nil, next, s.grown
}

func (l *hold) ID() jobs.ID { return l.id }

// held returns the item if the lease still holds it. The store's mu is held.
func (l *hold) held() (int, error) {
	i := slices.IndexFunc(l.store.queue, func(it *item) bool { return it.lease == l })
	if i < 0 || !time.Now().Before(l.store.queue[i].expires) {
		return 0, jobs.ErrConflict
	}
	return i, nil
}

// Extend implements Lease.
func (l *hold) Extend(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	i, err := l.held()
	if err != nil {
		return err
	}
	l.store.queue[i].expires = time.Now().Add(jobs.LeaseTime)
	return nil
}

// Done implements Lease.
func (l *hold) Done(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	i, err := l.held()
	if err != nil {
		return err
	}
	l.store.queue = slices.Delete(l.store.queue, i, i+1)
	return nil
}

// Release implements Lease.
func (l *hold) Release(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	i, err := l.held()
	if err != nil {
		return err
	}
	l.store.queue[i].lease = nil
	l.store.wake()
	return nil
}
