package client

import (
	"context"
	"errors"
	"fmt"

	engine "jobcast/engineio/parser"
	"jobcast/socketio"
	"jobcast/socketio/internal/msgpack"
	"jobcast/socketio/internal/parser"
)

// An outgoing is one packet on its way.
type outgoing struct {
	packets []engine.Packet
	size    int
	ask     *ask // that it belongs to
}

// An ask is a call that waits for its acknowledgement.
type ask struct {
	sent  bool // on this connection
	reply chan reply
}

type reply struct {
	args socketio.Args
	err  error
}

// emit sends an event, or keeps it until the socket is connected.
func (s *Socket) emit(event string, args socketio.Args, volatile bool) error {
	p := parser.Packet{Type: parser.Event, Namespace: s.name, Name: []byte(event), Args: args.JSON, Attachments: args.Attachments}
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	return s.emitLocked(&p, nil, volatile)
}

func (s *Socket) emitLocked(p *parser.Packet, a *ask, volatile bool) error {
	c := s.client
	switch {
	case c.closed:
		return ErrClosed
	case s.state == inactive:
		return socketio.ErrDisconnected
	case volatile && (s.state != connected || c.sess.busyLocked()):
		return nil
	}
	o := s.client.outgoing(p)
	o.ask = a
	if c.queued+o.size > c.cfg.MaxQueueBytes {
		return ErrQueueFull
	}
	if s.state == connected {
		if a != nil {
			a.sent = true
		}
		c.sess.sendLocked(o)
		return nil
	}
	c.queued += o.size
	s.waiting = append(s.waiting, o)
	return nil
}

// answerLocked sends the acknowledgement of an event of this connection.
func (s *Socket) answerLocked(p *parser.Packet) error {
	o := s.client.outgoing(p)
	if s.client.queued+o.size > s.client.cfg.MaxQueueBytes {
		return ErrQueueFull
	}
	s.client.sess.sendLocked(o)
	return nil
}

// outgoing returns p as what the session below carries.
func (c *Client) outgoing(p *parser.Packet) outgoing {
	o := outgoing{packets: make([]engine.Packet, 1, 1+len(p.Attachments))}
	text := p.Append(nil)
	if c.cfg.MessagePack {
		o.packets[0] = engine.Packet{Type: engine.TypeMessage, Binary: true, Data: msgpack.Encode(text, p.Attachments)}
	} else {
		o.packets[0] = engine.Packet{Type: engine.TypeMessage, Data: text}
		for _, a := range p.Attachments {
			o.packets = append(o.packets, engine.Packet{Type: engine.TypeMessage, Binary: true, Data: a})
		}
	}
	for _, p := range o.packets {
		o.size += len(p.Data) + packetOverhead
	}
	return o
}

// packetOverhead is what a waiting packet takes beside its data, about.
const packetOverhead = 64

// ask sends an event and waits for its acknowledgement.
func (s *Socket) ask(ctx context.Context, event string, args socketio.Args) (socketio.Args, error) {
	c := s.client
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.cfg.AckTimeout)
		defer cancel()
	}
	a := &ask{reply: make(chan reply, 1)}
	c.mu.Lock()
	id := s.nextAsk
	p := parser.Packet{Type: parser.Event, Namespace: s.name, HasID: true, ID: id, Name: []byte(event), Args: args.JSON, Attachments: args.Attachments}
	if err := s.emitLocked(&p, a, false); err != nil {
		c.mu.Unlock()
		return socketio.Args{}, err
	}
	s.nextAsk++
	s.asks[id] = a
	c.mu.Unlock()

	select {
	case r := <-a.reply:
		return r.args, r.err
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(s.asks, id)
	for i, o := range s.waiting {
		if o.ask == a { // it has not left, and will not
			c.queued -= o.size
			s.waiting = append(s.waiting[:i], s.waiting[i+1:]...)
			break
		}
	}
	if reason, ok := errors.AsType[socketio.Reason](context.Cause(ctx)); ok {
		return socketio.Args{}, fmt.Errorf("%w: %w", socketio.ErrDisconnected, reason)
	}
	return socketio.Args{}, context.Cause(ctx)
}

// settleLocked delivers an acknowledgement. One that nobody waits for is ignored.
func (s *Socket) settleLocked(id uint64, args socketio.Args) {
	if a := s.asks[id]; a != nil && a.sent {
		delete(s.asks, id)
		a.reply <- reply{args: args} // has room, and gets one only
	}
}
