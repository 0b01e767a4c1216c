package client

import (
	"context"
	"errors"

	"jobcast/socketio"
	"jobcast/socketio/internal/parser"
)

// A handler answers one event. The acknowledgement that it returns is sent if the server asked for one.
type handler func(in *incoming) (socketio.Args, error)

// An incoming is one thing that a socket has to handle.
type incoming struct {
	kind   incomingKind
	ctx    context.Context // of a connection and an event
	err    error           // of a connectError
	reason socketio.Reason // of a disconnect

	// Of an event.
	name     string
	args     socketio.Args
	wantsAck bool
	id       uint64
	size     int
}

type incomingKind uint8

const (
	eventKind incomingKind = iota
	connectKind
	connectErrorKind
	disconnectKind
)

// What an event and an argument take beside their payload, about.
const (
	incomingBytes = 256
	argumentBytes = 32
)

// An inbox holds what one socket still has to handle. Its goroutine, one of the client's, lives only while
// there is something. It is protected by the client's lock.
//
// Its bound is Config.MaxPendingEvents; past it the connection is closed, and no other is made of this
// socket before there is room. Each connection adds one end, for which there is always room.
type inbox struct {
	socket  *Socket
	queue   []*incoming
	bytes   int
	running bool
}

// putLocked adds in, or returns false if there is no room.
func (b *inbox) putLocked(in *incoming) bool {
	c := b.socket.client
	switch in.kind {
	case eventKind:
		in.size = incomingBytes
		for _, a := range in.args.JSON {
			in.size += len(a) + argumentBytes
		}
		for _, a := range in.args.Attachments {
			in.size += len(a) + argumentBytes
		}
		fallthrough
	case connectKind:
		if len(b.queue) >= c.cfg.MaxPendingEvents || b.bytes+in.size > maxPendingBytes {
			return false
		}
	case connectErrorKind:
		if n := len(b.queue); n > 0 && b.queue[n-1].kind == connectErrorKind {
			b.queue[n-1] = in // the newest says it all
			return true
		}
	}
	b.bytes += in.size
	b.queue = append(b.queue, in)
	if !b.running {
		b.running = true
		c.wg.Go(b.run)
	}
	return true
}

func (b *inbox) take() *incoming {
	mu := &b.socket.client.mu
	mu.Lock()
	defer mu.Unlock()
	if len(b.queue) == 0 {
		b.queue, b.running = nil, false
		return nil
	}
	in := b.queue[0]
	b.queue[0] = nil
	b.queue = b.queue[1:]
	b.bytes -= in.size
	return in
}

// run handles what is there until nothing is.
func (b *inbox) run() {
	var in *incoming
	defer func() {
		if in != nil { // the handler has ended the goroutine (runtime.Goexit): the rest goes on without it
			b.socket.client.wg.Go(b.run)
		}
	}()
	for in = b.take(); in != nil; in = b.take() {
		b.socket.handle(in)
	}
}

// handle runs what is registered for in.
func (s *Socket) handle(in *incoming) {
	s.client.mu.Lock()
	onConnect, onConnectError, onDisconnect := s.onConnect, s.onConnectError, s.onDisconnect
	h, known := s.handlers[in.name]
	if !known && s.any != nil {
		h, known = anyHandler(s.any), true
	}
	s.client.mu.Unlock()

	switch in.kind {
	case connectKind:
		if onConnect != nil {
			s.guard("connect", func() { onConnect(in.ctx) })
		}
	case connectErrorKind:
		if onConnectError != nil {
			s.guard("connect_error", func() { onConnectError(in.err) })
		}
	case disconnectKind:
		if onDisconnect != nil {
			s.guard("disconnect", func() { onDisconnect(in.reason) })
		}
	default:
		if !known { // nor acknowledged, as in the stock client
			s.client.log.Debug("nothing handles an event", "nsp", s.name, "event", in.name)
			return
		}
		s.handleEvent(in, h)
	}
}

func anyHandler(h func(context.Context, string, socketio.Args) (socketio.Args, error)) handler {
	return func(in *incoming) (socketio.Args, error) { return h(in.ctx, in.name, in.args) }
}

func (s *Socket) handleEvent(in *incoming, h handler) {
	ack, err := s.serve(in, h)
	if err != nil {
		if !errors.Is(err, errPanic) && in.ctx.Err() == nil {
			// A panic was logged, and what goes on after its connection may well fail.
			s.client.log.Warn("event failed", "nsp", s.name, "event", in.name, "err", err)
		}
		var broken error
		if ack, broken = s.encodeError(in.name, err); errors.Is(broken, errPanic) {
			ack, _ = encodeError(errPanic)
		} else if broken != nil {
			s.client.log.Error("data of an error cannot be encoded", "nsp", s.name, "event", in.name, "err", broken)
		}
	}
	if !in.wantsAck {
		return
	}
	p := parser.Packet{Type: parser.Ack, Namespace: s.name, HasID: true, ID: in.id, Args: ack.JSON, Attachments: ack.Attachments}
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	if s.ctx != in.ctx || in.ctx == nil {
		return // who asked is gone
	}
	if err := s.answerLocked(&p); err != nil {
		s.client.log.Warn("acknowledgement was dropped", "nsp", s.name, "event", in.name, "err", err)
	}
}

func (s *Socket) serve(in *incoming, h handler) (ack socketio.Args, err error) {
	defer s.caught(in.name, &err)
	return h(in)
}

// encodeError is encodeError of an error that may panic.
func (s *Socket) encodeError(event string, err error) (ack socketio.Args, broken error) {
	defer s.caught(event, &broken)
	return encodeError(err)
}

func (s *Socket) guard(what string, f func()) {
	var err error // it is logged
	defer s.caught(what, &err)
	f()
}
