package socketio

import (
	"context"
	"sync"
	"sync/atomic"
)

// tasks runs the server's goroutines and counts what they do. Unlike a sync.WaitGroup it may grow while it
// is waited for, as the end of a session starts the handlers of its sockets' disconnection, and the wait
// ends with a context.
//
// A goroutine that is done waits for the next task if not too many do: the stack that its last handler
// made it grow is worth more than the goroutine.
type tasks struct {
	n    atomic.Int64  // the tasks, or tasksOver
	idle chan struct{} // holds a token when the last task may have ended

	spare      atomic.Int32 // the goroutines that wait for a task
	next       chan task    // where they wait
	over       chan struct{}
	close      sync.Once
	goroutines sync.WaitGroup
}

type task interface{ run() }

// taskFunc is a function as a task.
type taskFunc func()

func (f taskFunc) run() { f() }

const (
	// tasksOver is far enough below zero that nothing counts it back up.
	tasksOver = -1 << 62
	// maxSpare bounds the goroutines without a task. What is over it ends.
	maxSpare = 32
)

func (t *tasks) init() {
	t.idle = make(chan struct{}, 1)
	t.next = make(chan task)
	t.over = make(chan struct{})
}

// start runs a task on a goroutine, or returns false after the wait has ended.
func (t *tasks) start(f task) bool {
	for {
		n := t.n.Load()
		if n < 0 {
			return false
		}
		if t.n.CompareAndSwap(n, n+1) {
			break
		}
	}
	select {
	case t.next <- f:
	default:
		t.goroutines.Go(func() { t.work(f) })
	}
	return true
}

// work runs f, and then what comes.
func (t *tasks) work(f task) {
	for {
		t.runOne(f)
		if t.spare.Add(1) > maxSpare {
			t.spare.Add(-1)
			return
		}
		select {
		case f = <-t.next:
			t.spare.Add(-1)
		case <-t.over:
			return
		}
	}
}

func (t *tasks) runOne(f task) {
	defer func() {
		if t.n.Add(-1) == 0 {
			t.signal()
		}
	}()
	f.run()
}

func (t *tasks) signal() {
	select {
	case t.idle <- struct{}{}:
	default:
	}
}

// wait returns when no task and no goroutine is left, and lets none start from then on.
func (t *tasks) wait(ctx context.Context) error {
	for !t.n.CompareAndSwap(0, tasksOver) && t.n.Load() >= 0 {
		select {
		case <-t.idle:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	t.signal() // for whoever waits beside us
	t.close.Do(func() { close(t.over) })
	t.goroutines.Wait()
	return nil
}
