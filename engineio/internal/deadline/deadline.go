// Package deadline wakes any number of things when their time has come, with one timer of the runtime: each
// costs an entry of a heap. It knows nothing of what it wakes. Its goroutine is that timer's, while something
// is due.
package deadline

import (
	"sync"
	"time"
)

// A Sleeper is what a Queue wakes, by a pointer to it.
type Sleeper[T any] interface {
	*T
	// Wake is called when the time has come. It must not wait for a lock under which the Queue is called.
	Wake()
	// Slot is where the Queue notes the Sleeper's place, zero at first. Only the Queue uses it.
	Slot() *int
}

// A Queue wakes its Sleepers. Its methods may be called from any goroutine, also under a Sleeper's lock. Times
// are since Init.
type Queue[T any, S Sleeper[T]] struct {
	wg    *sync.WaitGroup
	start time.Time

	mu    sync.Mutex // guards the fields below, and every slot
	heap  []entry[S]
	timer *time.Timer // made once, then reset
}

// An entry says when to wake a Sleeper, at the latest.
type entry[S any] struct {
	at      time.Duration
	sleeper S
}

// Init makes the queue ready. wg counts the timer while it is set or runs: there must be something else that
// it counts whenever Set is called. Init must be called first, and once.
func (t *Queue[T, S]) Init(wg *sync.WaitGroup) { t.wg, t.start = wg, time.Now() }

// Now is the time.
func (t *Queue[T, S]) Now() time.Duration { return time.Since(t.start) }

// Set sees to it that s is woken once, at a time or before: an entry for an earlier time stays. So a deadline
// that moves away again and again touches nothing, and who is woken too early calls Set once more.
func (t *Queue[T, S]) Set(s S, at time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := *s.Slot() - 1
	switch {
	case i < 0:
		t.heap = append(t.heap, entry[S]{})
		i = len(t.heap) - 1
	case t.heap[i].at <= at:
		return
	}
	if t.up(i, entry[S]{at, s}) == 0 {
		t.armLocked()
	}
}

// Remove sees to it that s is not woken any more, unless that has begun.
func (t *Queue[T, S]) Remove(s S) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := *s.Slot() - 1; i >= 0 {
		t.removeLocked(i)
		if i == 0 {
			t.armLocked()
		}
	}
}

// fire is called when the runtime's timer is due.
func (t *Queue[T, S]) fire() {
	defer t.wg.Done()
	var due [64]S
	for {
		n := t.due(due[:])
		if n == 0 {
			return
		}
		for _, s := range due[:n] {
			s.Wake()
		}
	}
}

// due takes out what is due. When there is none it sets the timer for the next.
func (t *Queue[T, S]) due(sleepers []S) (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for now := t.Now(); n < len(sleepers) && len(t.heap) > 0 && t.heap[0].at <= now; n++ {
		sleepers[n] = t.heap[0].sleeper
		t.removeLocked(0)
	}
	if n == 0 {
		t.armLocked()
	}
	return n
}

// armLocked sets the timer for the first entry.
func (t *Queue[T, S]) armLocked() {
	if len(t.heap) == 0 {
		if t.timer.Stop() {
			t.wg.Done()
		}
		return
	}
	d := t.heap[0].at - t.Now()
	switch {
	case t.timer == nil:
		t.wg.Add(1)
		t.timer = time.AfterFunc(d, t.fire)
	case !t.timer.Reset(d):
		t.wg.Add(1)
	}
}

// The heap: the entry at i is not after those at 4i+1 to 4i+4.

func (t *Queue[T, S]) removeLocked(i int) {
	last := len(t.heap) - 1
	*t.heap[i].sleeper.Slot() = 0
	e := t.heap[last]
	t.heap[last] = entry[S]{}
	t.heap = t.heap[:last]
	if i == last {
		return
	}
	if t.up(i, e) == i {
		t.down(i, e)
	}
}

// up puts e where it belongs, at i or above, and returns where that is.
func (t *Queue[T, S]) up(i int, e entry[S]) int {
	for i > 0 {
		parent := (i - 1) / 4
		if t.heap[parent].at <= e.at {
			break
		}
		t.put(i, t.heap[parent])
		i = parent
	}
	t.put(i, e)
	return i
}

// down puts e where it belongs, at i or below.
func (t *Queue[T, S]) down(i int, e entry[S]) {
	for {
		least, at := i, e.at
		for c := 4*i + 1; c <= 4*i+4 && c < len(t.heap); c++ {
			if t.heap[c].at < at {
				least, at = c, t.heap[c].at
			}
		}
		if least == i {
			break
		}
		t.put(i, t.heap[least])
		i = least
	}
	t.put(i, e)
}

func (t *Queue[T, S]) put(i int, e entry[S]) {
	t.heap[i] = e
	*e.sleeper.Slot() = i + 1
}
