package socketio

import (
	"context"
	"slices"
	"time"

	"jobcast/socketio/internal/parser"
)

// A client must not hear that it is connected before its socket is in the rooms that OnConnect joins: what is
// emitted to them meanwhile would miss it. So the CONNECT goes out when OnConnect has returned, and before it
// nothing does: what is emitted to the socket until then is held.
const (
	// maxWelcome is how long a client waits for an OnConnect that takes its time.
	maxWelcome = time.Second
	// maxHeld and maxHeldBytes bound what is held. With so much the CONNECT goes out, and all of it.
	maxHeld      = 256
	maxHeldBytes = 1 << 20
)

// held is what is sent to a socket before its CONNECT.
type held struct {
	packets []formed
	bytes   int
}

// greet runs OnConnect and tells the client that it is connected.
func (s *Socket) greet() {
	defer s.welcome()
	if len(s.ns.onConnect) == 0 {
		return
	}
	late := time.AfterFunc(maxWelcome, s.welcome)
	defer late.Stop()
	ctx := context.WithValue(s.ctx, greeted{}, s)
	for _, f := range s.ns.onConnect {
		s.guard("connect", func() error { f(ctx, s); return nil })
	}
}

// greeted is the key of the socket in the context of its OnConnect.
type greeted struct{}

// welcomeAsked is for a question that was put to a socket by its own OnConnect, whose context ctx is: without the
// CONNECT its client cannot answer.
func (q *question) welcomeAsked(ctx context.Context) {
	s, ok := ctx.Value(greeted{}).(*Socket)
	if ok && slices.ContainsFunc(q.asked, func(a asked) bool { return a.socket == s }) {
		s.welcome()
	}
}

// welcome tells the client that it is connected, if it has not been told.
func (s *Socket) welcome() {
	if s.state.Load() != admitted {
		return
	}
	s.tell.Lock()
	defer s.tell.Unlock()
	s.welcomeLocked()
}

func (s *Socket) welcomeLocked() {
	if s.state.Load() == admitted {
		s.tellConnected()
		s.state.CompareAndSwap(admitted, connected)
	}
}

// tellConnected sends the CONNECT and what was held, unless the client has gone meanwhile.
func (s *Socket) tellConnected() {
	s.conn.send(encodeControl(parser.Connect, s.ns.name, s.conn.dialect.welcome(s.id)))
	if s.held == nil {
		return
	}
	for _, p := range s.held.packets {
		if s.state.Load() == closed && !s.disconnected.Load() {
			break // what follows may be another socket's
		}
		s.conn.sendPacket(p)
	}
	s.held = nil
}

// hold keeps a packet for after the CONNECT, if that is still to be sent.
func (s *Socket) hold(p formed) error {
	s.tell.Lock()
	defer s.tell.Unlock()
	switch s.state.Load() {
	case connected:
		return s.conn.sendPacket(p)
	case closed:
		return ErrDisconnected
	}
	if s.held == nil {
		s.held = new(held)
	}
	s.held.packets = append(s.held.packets, p)
	for _, f := range p.frames {
		s.held.bytes += f.Len()
	}
	if len(s.held.packets) >= maxHeld || s.held.bytes >= maxHeldBytes {
		s.welcomeLocked()
	}
	return nil
}
