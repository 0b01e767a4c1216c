package work

import "sync"

// A Job is what a Queue does, by a pointer to it.
type Job[T any] interface {
	*T
	Run()
	Group() *Group // where the queue's goroutine runs
}

// An Item is a job on its way. It is put into one queue, once.
type Item[T any] struct {
	Job  T
	next *Item[T]
	size int
}

// A Queue holds what is still to be done for one client, and does it in order. Its goroutine, one of a
// Group's, lives only while there is something. The zero Queue is empty.
type Queue[T any, J Job[T]] struct {
	mu         sync.Mutex // protects the fields below
	head, tail *Item[T]
	sized      int // how many have a size
	bytes      int
	full       bool // went over its bounds, and takes nothing more that has a size
	running    bool
}

// Put adds an item of some size, or one without that is always taken. It returns false if there would be
// more than maxItems of a size or more than maxBytes of them: those that wait are then dropped, and no
// other is taken, as who sends them is about to be sent away.
func (q *Queue[T, J]) Put(in *Item[T], size, maxItems, maxBytes int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if in.size = size; size > 0 {
		if q.full {
			return false
		}
		if q.sized == maxItems || q.bytes+size > maxBytes {
			q.full = true
			q.drop()
			return false
		}
		q.sized++
		q.bytes += size
	}
	q.add(in)
	if !q.running {
		q.running = J(&in.Job).Group().Start(q)
	}
	return true
}

func (q *Queue[T, J]) add(in *Item[T]) {
	if q.tail == nil {
		q.head = in
	} else {
		q.tail.next = in
	}
	q.tail = in
}

// drop keeps what has no size.
func (q *Queue[T, J]) drop() {
	in := q.head
	q.head, q.tail, q.sized, q.bytes = nil, nil, 0, 0
	for in != nil {
		next := in.next
		if in.next = nil; in.size == 0 {
			q.add(in)
		}
		in = next
	}
}

func (q *Queue[T, J]) take() *Item[T] {
	q.mu.Lock()
	defer q.mu.Unlock()
	in := q.head
	if in == nil {
		q.running = false
		return nil
	}
	if q.head = in.next; q.head == nil {
		q.tail = nil
	}
	if in.next = nil; in.size > 0 {
		q.sized--
		q.bytes -= in.size
	}
	return in
}

// Run does what is there until nothing is. Only the Group calls it.
func (q *Queue[T, J]) Run() {
	var in *Item[T]
	defer func() {
		if in != nil { // the job has ended the goroutine (runtime.Goexit): the rest goes on without it
			J(&in.Job).Group().Start(q)
		}
	}()
	for in = q.take(); in != nil; in = q.take() {
		J(&in.Job).Run()
	}
}
