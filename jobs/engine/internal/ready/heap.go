package ready

import "slices"

// A slot is where something stands in a heap, from 1; 0 if it is not in it.
type slot int32

// An order says what comes first in a heap, and where a member notes its slot.
type order[T any] interface {
	before(a, b T) bool
	slot(a T) *slot
}

// A heap has its first member at hand. Each member knows its slot, so that any of them can be taken out.
type heap[T any, O order[T]] struct {
	members []T
	order   O
}

func (h *heap[T, O]) empty() bool { return len(h.members) == 0 }

// first is the member that comes before all others; the heap is not empty.
func (h *heap[T, O]) first() T { return h.members[0] }

func (h *heap[T, O]) push(a T) {
	h.members = append(h.members, a)
	h.up(len(h.members) - 1)
}

// remove takes out a member.
func (h *heap[T, O]) remove(a T) {
	at, last := int(*h.order.slot(a))-1, len(h.members)-1
	*h.order.slot(a) = 0
	moved := h.members[last]
	clear(h.members[last:])
	h.members = h.members[:last]
	if at < last {
		h.members[at] = moved
		h.settle(at)
	}
	if spare := cap(h.members); spare > 64 && last < spare/4 {
		h.members = slices.Clone(h.members)
	}
}

// fix puts a member that has changed where it belongs.
func (h *heap[T, O]) fix(a T) { h.settle(int(*h.order.slot(a)) - 1) }

func (h *heap[T, O]) settle(at int) {
	if h.down(at) == at {
		h.up(at)
	}
}

func (h *heap[T, O]) up(at int) {
	a := h.members[at]
	for at > 0 {
		parent := (at - 1) / 2
		if !h.order.before(a, h.members[parent]) {
			break
		}
		h.place(h.members[parent], at)
		at = parent
	}
	h.place(a, at)
}

// down returns where the member is in the end.
func (h *heap[T, O]) down(at int) int {
	a := h.members[at]
	for {
		child := 2*at + 1
		if child >= len(h.members) {
			break
		}
		if right := child + 1; right < len(h.members) && h.order.before(h.members[right], h.members[child]) {
			child = right
		}
		if !h.order.before(h.members[child], a) {
			break
		}
		h.place(h.members[child], at)
		at = child
	}
	h.place(a, at)
	return at
}

func (h *heap[T, O]) place(a T, at int) {
	h.members[at] = a
	*h.order.slot(a) = slot(at + 1)
}
