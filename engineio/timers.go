package engineio

import (
	"sync"
	"time"
)

// timers wake the sessions of a server when their heartbeat is due, with one timer of the runtime for all
// of them: a session costs one entry of a heap. Times are since the server's start.
type timers struct {
	wg    *sync.WaitGroup // of the server; counts the runtime's timer while it is set or runs
	start time.Time

	mu    sync.Mutex // guards the fields below, and every heartbeat.entry; taken under a session's lock
	heap  []timerEntry
	timer *time.Timer // made once, then reset
}

// A timerEntry says when to look at a session. That may be too early, never too late: a deadline that
// moves away, as a heartbeat's does again and again, leaves the entry where it is.
type timerEntry struct {
	at      time.Duration
	session *Session
}

// now is the time since the server's start.
func (t *timers) now() time.Duration { return time.Since(t.start) }

// set makes s wake at a time, or before.
func (t *timers) set(s *Session, at time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := s.heartbeat.entry - 1
	switch {
	case i < 0:
		t.heap = append(t.heap, timerEntry{})
		i = len(t.heap) - 1
	case t.heap[i].at <= at:
		return
	}
	if t.up(i, timerEntry{at, s}) == 0 {
		t.armLocked()
	}
}

// remove makes s not wake any more.
func (t *timers) remove(s *Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := s.heartbeat.entry - 1; i >= 0 {
		t.removeLocked(i)
		if i == 0 {
			t.armLocked()
		}
	}
}

// fire is called when the runtime's timer is due.
func (t *timers) fire() {
	defer t.wg.Done()
	var due [64]*Session
	for {
		n := t.due(due[:])
		if n == 0 {
			return
		}
		for _, s := range due[:n] {
			s.tick()
		}
	}
}

// due takes out sessions that are due. When there is none it sets the timer for the next.
func (t *timers) due(sessions []*Session) (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for now := t.now(); n < len(sessions) && len(t.heap) > 0 && t.heap[0].at <= now; n++ {
		sessions[n] = t.heap[0].session
		t.removeLocked(0)
	}
	if n == 0 {
		t.armLocked()
	}
	return n
}

// armLocked sets the timer for the first entry.
func (t *timers) armLocked() {
	if len(t.heap) == 0 {
		if t.timer.Stop() {
			t.wg.Done()
		}
		return
	}
	d := t.heap[0].at - t.now()
	switch {
	case t.timer == nil:
		t.wg.Add(1)
		t.timer = time.AfterFunc(d, t.fire)
	case !t.timer.Reset(d):
		t.wg.Add(1)
	}
}

// The heap: the entry at i is not after those at 4i+1 to 4i+4.

func (t *timers) removeLocked(i int) {
	last := len(t.heap) - 1
	t.heap[i].session.heartbeat.entry = 0
	e := t.heap[last]
	t.heap[last] = timerEntry{}
	t.heap = t.heap[:last]
	if i == last {
		return
	}
	if t.up(i, e) == i {
		t.down(i, e)
	}
}

// up puts e where it belongs, at i or above, and returns where that is.
func (t *timers) up(i int, e timerEntry) int {
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
func (t *timers) down(i int, e timerEntry) {
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

func (t *timers) put(i int, e timerEntry) {
	t.heap[i] = e
	e.session.heartbeat.entry = i + 1
}
