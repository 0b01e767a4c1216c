package socketio

import "jobcast/engineio"

// A formed is an outgoing in the form that one session takes, without frames if there is none.
type formed struct {
	frames   []*engineio.Frame
	volatile bool
}

// send sends a packet to a socket that is in its namespace.
func (s *Socket) send(o *outgoing) error {
	if state := s.state.Load(); state != connected && state != admitted {
		return ErrDisconnected
	}
	o.sent++
	return s.deliver(o)
}

// deliver sends a packet to a socket that is connected, or will be.
func (s *Socket) deliver(o *outgoing) error {
	if o.heard != nil {
		s.showOutgoing(o.heard)
	}
	if s.state.Load() == admitted {
		return s.hold(s.conn.form(o))
	}
	return s.conn.send(o)
}

// send gives the session a packet.
func (c *conn) send(o *outgoing) error {
	if c.packed || o.noText || o.volatile {
		return c.sendPacket(c.form(o))
	}
	return c.sess.Send(o.frames...) // as most: a broadcast comes here for every socket
}

// form returns a packet in the form that the session takes.
func (c *conn) form(o *outgoing) formed {
	if c.packed {
		return formed{o.pack(), o.volatile}
	}
	if o.noText {
		return formed{}
	}
	return formed{o.frames, o.volatile}
}

func (c *conn) sendPacket(p formed) error {
	if p.frames == nil {
		c.srv.log.Debug("packet is not for JSON", "sid", c.sid(), "err", errPlaceholder)
		return errPlaceholder
	}
	if p.volatile {
		c.sess.SendVolatile(p.frames...)
		return nil
	}
	return c.sess.Send(p.frames...)
}
