package jobs

import (
	"context"
	"slices"
	"time"
)

// memoryLease is the right to one item of a MemoryStore's queue, until it expires.
type memoryLease struct {
	store *MemoryStore
	id    ID
}

var _ Lease = (*memoryLease)(nil)

// Enqueue implements Store.
func (s *MemoryStore) Enqueue(ctx context.Context, id ID) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.ContainsFunc(s.queue, func(it *memoryItem) bool { return it.id == id }) {
		return nil
	}
	s.queue = append(s.queue, &memoryItem{id: id})
	s.wake()
	return nil
}

// Lease implements Store.
func (s *MemoryStore) Lease(ctx context.Context) (Lease, error) {
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

// take leases the first free item, or says how long to wait for a lease to expire.
func (s *MemoryStore) take() (lease *memoryLease, next time.Duration, grown <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	next = LeaseTime
	for _, it := range s.queue {
		if it.lease != nil && now.Before(it.expires) {
			next = min(next, it.expires.Sub(now))
			continue
		}
		it.lease = &memoryLease{store: s, id: it.id}
		it.expires = now.Add(LeaseTime)
		return it.lease, 0, nil
	}
	return nil, next, s.grown
}

func (l *memoryLease) ID() ID { return l.id }

// held returns the item if the lease still holds it. The store's mu is held.
func (l *memoryLease) held() (int, error) {
	i := slices.IndexFunc(l.store.queue, func(it *memoryItem) bool { return it.lease == l })
	if i < 0 || !time.Now().Before(l.store.queue[i].expires) {
		return 0, ErrConflict
	}
	return i, nil
}

// Extend implements Lease.
func (l *memoryLease) Extend(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	i, err := l.held()
	if err != nil {
		return err
	}
	l.store.queue[i].expires = time.Now().Add(LeaseTime)
	return nil
}

// Done implements Lease.
func (l *memoryLease) Done(ctx context.Context) error {
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
func (l *memoryLease) Release(ctx context.Context) error {
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
