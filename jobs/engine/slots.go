package engine

import (
	"context"
	"sync"
)

// slots bounds how many workers are at work. Who comes back to a job that it has begun goes before those who begin one.
type slots struct {
	mu      sync.Mutex // guards everything below
	free    int
	waiting []chan struct{} // those who come back, in order; closed when one has its slot
	changed chan struct{}   // closed and replaced when a slot may have become free
}

func newSlots(n int) *slots { return &slots{free: n, changed: make(chan struct{})} }

// idle reports whether there is a slot for a new job, and what is closed when that may change.
func (s *slots) idle() (bool, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.free > 0, s.changed
}

// try takes a slot for a new job, if there is one.
func (s *slots) try() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free == 0 {
		return false
	}
	s.free--
	return true
}

// back waits for a slot, before all new jobs. It returns the cause of ctx if that ends first.
func (s *slots) back(ctx context.Context) error {
	s.mu.Lock()
	if s.free > 0 {
		s.free--
		s.mu.Unlock()
		return nil
	}
	mine := make(chan struct{})
	s.waiting = append(s.waiting, mine)
	s.mu.Unlock()
	select {
	case <-mine:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	for i, other := range s.waiting {
		if other == mine {
			s.waiting = append(s.waiting[:i], s.waiting[i+1:]...)
			s.mu.Unlock()
			return context.Cause(ctx)
		}
	}
	s.mu.Unlock()
	return nil // it was given one at the last moment
}

// leave gives a slot up.
func (s *slots) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) > 0 {
		close(s.waiting[0])
		s.waiting = s.waiting[1:]
		return
	}
	s.free++
	close(s.changed)
	s.changed = make(chan struct{})
}

// place is the slot of one run, which gives it up while it waits.
type place struct {
	slots *slots

	mu      sync.Mutex // guards everything below
	held    bool
	waiting int // calls of while that have not returned
	over    bool
}

// newPlace is the place of a run that has a slot.
func newPlace(s *slots) *place { return &place{slots: s, held: true} }

// away reports whether the run waits, and holds no slot.
func (p *place) away() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waiting > 0
}

// while calls wait without a slot, and then waits for one again. A run with several goroutines has no slot as long as
// one of them waits. The error is wait's, or the cause of ctx.
func (p *place) while(ctx context.Context, wait func() error) error {
	p.mu.Lock()
	p.waiting++
	if p.held {
		p.held = false
		p.slots.leave()
	}
	p.mu.Unlock()
	err := wait()
	p.mu.Lock()
	p.waiting--
	last := p.waiting == 0
	p.mu.Unlock()
	if !last {
		return err
	}
	if backErr := p.slots.back(ctx); backErr != nil {
		if err == nil {
			err = backErr
		}
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held || p.over || p.waiting > 0 { // another has come back meanwhile, or waits again; or nobody needs it any more
		p.slots.leave()
	} else {
		p.held = true
	}
	return err
}

// end gives the slot up for good.
func (p *place) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	if p.held {
		p.held = false
		p.slots.leave()
	}
}
