package socketio

import "sync"

// An inbox holds what one socket still has to handle, and handles it in order. Its goroutine, one of the
// server's, lives only while there is something.
type inbox struct {
	mu         sync.Mutex // protects the fields below
	head, tail *incoming
	events     int
	bytes      int
	full       bool // went over its bounds, and takes no more events
	running    bool
}

// An incoming is one thing that a socket has to handle: its connection, an event, or its end.
type incoming struct {
	next *incoming
	kind incomingKind
	call call // of an event; the others have its socket only, and a connection the namespace as its name
}

type incomingKind uint8

const (
	connectKind incomingKind = iota
	eventKind
	disconnectKind
)

// What an event and an argument take beside their payload, about.
const (
	incomingBytes = 256
	argumentBytes = 32
)

func (in *incoming) size() int {
	n := incomingBytes
	for _, a := range in.call.args.JSON {
		n += len(a) + argumentBytes
	}
	for _, a := range in.call.args.Attachments {
		n += len(a) + argumentBytes
	}
	return n
}

// put adds in. It returns false if in is an event and the inbox is full: the events that wait are then
// dropped, as the session is about to end. What is not an event is always taken.
func (b *inbox) put(in *incoming) bool {
	size := 0
	if in.kind == eventKind {
		size = in.size()
	}
	cfg := &in.call.socket.conn.srv.cfg

	b.mu.Lock()
	defer b.mu.Unlock()
	if in.kind == eventKind {
		if b.full {
			return false
		}
		if b.events == cfg.MaxPendingEvents || b.bytes+size > maxPendingBytes {
			b.full = true
			b.dropEvents()
			return false
		}
		b.events++
		b.bytes += size
	}
	if b.tail == nil {
		b.head = in
	} else {
		b.tail.next = in
	}
	b.tail = in
	if !b.running {
		b.running = in.call.socket.conn.srv.tasks.start(b)
	}
	return true
}

func (b *inbox) dropEvents() {
	var rest inbox
	for in := b.head; in != nil; in = in.next {
		if in.kind == eventKind {
			continue
		}
		if rest.tail == nil {
			rest.head = in
		} else {
			rest.tail.next = in
		}
		rest.tail = in
	}
	if rest.tail != nil {
		rest.tail.next = nil
	}
	b.head, b.tail, b.events, b.bytes = rest.head, rest.tail, 0, 0
}

func (b *inbox) take() *incoming {
	b.mu.Lock()
	defer b.mu.Unlock()
	in := b.head
	if in == nil {
		b.running = false
		return nil
	}
	if b.head = in.next; b.head == nil {
		b.tail = nil
	}
	in.next = nil
	if in.kind == eventKind {
		b.events--
		b.bytes -= in.size()
	}
	return in
}

// run handles what is there until nothing is.
func (b *inbox) run() {
	var in *incoming
	defer func() {
		if in != nil { // the handler has ended the goroutine (runtime.Goexit): the rest goes on without it
			in.call.socket.conn.srv.tasks.start(b)
		}
	}()
	for in = b.take(); in != nil; in = b.take() {
		switch in.kind {
		case connectKind:
			in.call.socket.begin(string(in.call.name))
		case eventKind:
			in.call.handle()
		case disconnectKind:
			in.call.socket.finish()
		}
	}
}
