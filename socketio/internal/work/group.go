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
// Tasks that wait are taken by whichever goroutine is done first, and as long as some do one more goroutine is
// on its way to them: a task that blocks holds up no other, and many that are short are done by one goroutine,
// without a switch between them. A goroutine that is done waits for the next task if not too many do: the
// stack that its last handler made it grow is worth more than the goroutine.
type Group struct {
	n    atomic.Int64  // the tasks, or tasksOver
	idle chan struct{} // holds a token when the last task may have ended

	mu     sync.Mutex // guards the fields below
	tasks  []Task     // those that wait are from first on
	first  int
	coming bool // a goroutine is on its way; always so while tasks wait
	spare  int  // goroutines that wait for wake

	wake       chan struct{} // has room for every spare goroutine
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
	// keptTasks is for how many waiting tasks an empty group keeps room.
	keptTasks = 1024
)

// Init makes the group ready. It must be called first, and once.
func (t *Group) Init() {
	t.idle = make(chan struct{}, 1)
	t.wake = make(chan struct{}, maxSpare)
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
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tasks = append(t.tasks, f)
	if !t.coming {
		t.coming = true
		t.sendLocked()
	}
	return true
}

// sendLocked sends a goroutine to the tasks.
func (t *Group) sendLocked() {
	if t.spare > 0 {
		t.spare--
		t.wake <- struct{}{}
		return
	}
	t.goroutines.Go(t.work)
}

// work does what there is, and waits for more.
func (t *Group) work() {
	for arriving := true; ; {
		f, stay := t.take(arriving)
		if f != nil {
			t.runOne(f)
			arriving = false
			continue
		}
		if !stay {
			return
		}
		select {
		case <-t.wake:
			arriving = true
		case <-t.over:
			return
		}
	}
}

// take returns a task, or whether its caller, who may have been on its way, is to wait for one.
func (t *Group) take(arriving bool) (f Task, stay bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.first < len(t.tasks) {
		f = t.tasks[t.first]
		t.tasks[t.first] = nil
		t.first++
	}
	left := t.first < len(t.tasks)
	if !left {
		t.first = 0
		if t.tasks = t.tasks[:0]; cap(t.tasks) > keptTasks {
			t.tasks = nil
		}
	}
	switch {
	case arriving && left:
		t.sendLocked()
	case arriving:
		t.coming = false
	}
	if f != nil {
		return f, true
	}
	stay = t.spare < maxSpare
	if stay {
		t.spare++
	}
	return nil, stay
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
