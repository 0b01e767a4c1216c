// Package work runs what a server has to do for its clients: on goroutines that are counted and waited for
// (Group), and in order where it is for one client (Queue). It knows nothing of sockets, events or the
// network. Its goroutines belong to the Group.
package work

import (
	"context"
	"sync"
	"sync/atomic"
)

// A Group runs goroutines and counts what they do. Unlike a sync.WaitGroup it may grow while it
// is waited for, as the end of a session starts the handlers of its sockets' disconnection, and the wait
// ends with a context.
//
// A goroutine that is done waits for the next task if not too many do: the stack that its last handler
// made it grow is worth more than the goroutine.
type Group struct {
	n    atomic.Int64  // the tasks, or tasksOver
	idle chan struct{} // holds a token when the last task may have ended

	spare      atomic.Int32 // the goroutines that wait for a task
	next       chan Task    // where they wait
	over       chan struct{}
	close      sync.Once
	goroutines sync.WaitGroup
}

// A Task is what a Group runs.
type Task interface{ Run() }

// Func is a function as a Task.
type Func func()

// Run calls f.
func (f Func) Run() { f() }

const (
	// tasksOver is far enough below zero that nothing counts it back up.
	tasksOver = -1 << 62
	// maxSpare bounds the goroutines without a task. What is over it ends.
	maxSpare = 32
)

// Init makes the group ready. It must be called first, and once.
func (t *Group) Init() {
	t.idle = make(chan struct{}, 1)
	t.next = make(chan Task)
	t.over = make(chan struct{})
}

// Start runs a task on a goroutine, or returns false after the wait has ended.
func (t *Group) Start(f Task) bool {
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
func (t *Group) work(f Task) {
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

func (t *Group) runOne(f Task) {
	defer func() {
		if t.n.Add(-1) == 0 {
			t.signal()
		}
	}()
	f.Run()
}

func (t *Group) signal() {
	select {
	case t.idle <- struct{}{}:
	default:
	}
}

// Wait returns when no task and no goroutine is left, and lets none start from then on. If ctx
// ends first, it returns its cause and may be called again.
func (t *Group) Wait(ctx context.Context) error {
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
