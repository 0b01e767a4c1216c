package socketio

import (
	"context"
	"sync/atomic"
)

// tasks counts the server's goroutines. Unlike a sync.WaitGroup it may grow while it is waited for, as
// the end of a session starts the handlers of its sockets' disconnection, and the wait ends with a
// context.
type tasks struct {
	n    atomic.Int64  // the goroutines, or tasksOver
	idle chan struct{} // holds a token when the last one may have ended
}

// tasksOver is far enough below zero that nothing counts it back up.
const tasksOver = -1 << 62

// start calls f on a goroutine, or returns false after the wait has ended.
func (t *tasks) start(f func()) bool {
	for {
		n := t.n.Load()
		if n < 0 {
			return false
		}
		if t.n.CompareAndSwap(n, n+1) {
			break
		}
	}
	go func() {
		defer t.end()
		f()
	}()
	return true
}

func (t *tasks) end() {
	if t.n.Add(-1) == 0 {
		t.signal()
	}
}

func (t *tasks) signal() {
	select {
	case t.idle <- struct{}{}:
	default:
	}
}

// wait returns when no goroutine is left, and lets none start from then on.
func (t *tasks) wait(ctx context.Context) error {
	for !t.n.CompareAndSwap(0, tasksOver) && t.n.Load() >= 0 {
		select {
		case <-t.idle:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	t.signal() // for whoever waits beside us
	return nil
}
