package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	engine "jobcast/engineio/parser"
	"jobcast/socketio"
)

// A carrier takes the packets of one session to the server and back: WebSocket or polling. One goroutine
// calls read and expectBy, another write and close, and any closeNow.
type carrier interface {
	// read waits for the next packet. Its data is valid until the next call. io.EOF says that the server
	// has closed the session in order.
	read() (engine.Packet, error)
	// expectBy sets the time at which read gives up with os.ErrDeadlineExceeded.
	expectBy(t time.Time)
	// write sends packets, and what the carrier has to say itself. It waits until they have left.
	write(packets []engine.Packet) error
	// close tells the server that the session is closed, in place of write, which is not called afterwards.
	close() error
	// closeNow closes the connection at once; whoever reads or writes gets an error. It may be called twice.
	closeNow()
}

var (
	_ carrier = (*webSocket)(nil)
	_ carrier = (*polling)(nil)
)

// A session is one Engine.IO session (engine.io-protocol v4), and what waits to leave on it. It is read
// by the client's own goroutine, and has one that writes.
type session struct {
	client  *Client
	carrier carrier
	wake    chan struct{} // has room for one
	closed  chan struct{} // closed when nothing is read any more
	silence time.Duration // how long the server may keep quiet: its pings come in between

	// The fields below are protected by the client's lock.

	out     []outgoing
	writing bool
	closing bool            // once what waits has left
	reason  socketio.Reason // why
	limit   *time.Timer     // of an end in order
}

// open opens a session: the connection, and the server's OPEN packet.
func (c *Client) open(ctx context.Context) (*session, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.cfg.ConnectTimeout, errConnectTimeout)
	defer cancel()
	if c.endpoint.err != nil {
		return nil, c.endpoint.err
	}
	s := &session{client: c, wake: make(chan struct{}, 1), closed: make(chan struct{})}
	if err := s.open(ctx); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, fmt.Errorf("client: connect to %s: %w", c.endpoint.name, err)
	}
	return s, nil
}

var errConnectTimeout = fmt.Errorf("no answer: %w", context.DeadlineExceeded)

func (s *session) open(ctx context.Context) (err error) {
	if s.carrier, err = s.client.endpoint.dial(ctx, s.signal); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, s.carrier.closeNow)
	p, err := s.carrier.read()
	if err == nil {
		err = s.opened(p)
	}
	if !stop() {
		return context.Cause(ctx)
	}
	if err != nil {
		s.carrier.closeNow()
	}
	return err
}

// opened takes the handshake (engine.io-protocol v4, "Handshake").
func (s *session) opened(p engine.Packet) error {
	var h struct {
		SID                       string
		PingInterval, PingTimeout int64 // milliseconds
	}
	if p.Type != engine.TypeOpen {
		return fmt.Errorf("the first packet is of type %c", p.Type)
	}
	if err := json.Unmarshal(p.Data, &h); err != nil {
		return fmt.Errorf("decode the handshake: %w", err)
	}
	const day = int64(24 * time.Hour / time.Millisecond)
	if h.SID == "" || h.PingInterval <= 0 || h.PingTimeout <= 0 || h.PingInterval > day || h.PingTimeout > day {
		return errors.New("the handshake cannot be used")
	}
	s.silence = time.Duration(h.PingInterval+h.PingTimeout) * time.Millisecond
	s.carrier.expectBy(time.Now().Add(s.silence))
	return nil
}

// serve hands every message on until the session ends, and returns why it did.
func (s *session) serve(message func(binary bool, data []byte) error) socketio.Reason {
	s.closeNow(reasonOf(s.read(message)))
	close(s.closed)
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	if s.limit != nil {
		s.limit.Stop()
	}
	for _, o := range s.out {
		s.client.queued -= o.size
	}
	s.out = nil
	return s.reason
}

func (s *session) read(message func(binary bool, data []byte) error) error {
	for {
		p, err := s.carrier.read()
		if err != nil {
			return err
		}
		switch p.Type {
		case engine.TypeMessage:
			if err := message(p.Binary, p.Data); err != nil {
				return err
			}
		case engine.TypePing:
			s.carrier.expectBy(time.Now().Add(s.silence))
			s.client.mu.Lock()
			s.sendLocked(outgoing{packets: []engine.Packet{{Type: engine.TypePong}}})
			s.client.mu.Unlock()
		case engine.TypeClose:
			return io.EOF
		case engine.TypeNoop:
		default:
			return fmt.Errorf("%w: packet of type %c", errProtocol, p.Type)
		}
	}
}

var (
	// errProtocol is wrapped by what the server does against the rules.
	errProtocol = errors.New("the server broke the protocol")
	// errOverrun says that the inbox of a socket is full.
	errOverrun = errors.New("events come faster than they are handled")
)

// reasonOf is the reason that an error of reading stands for.
func reasonOf(err error) socketio.Reason {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return socketio.PingTimeout
	case errors.Is(err, errOverrun):
		return socketio.TooManyEvents
	case errors.Is(err, errProtocol):
		return socketio.ParseError
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe), errors.Is(err, net.ErrClosed):
		return socketio.TransportClose
	}
	return socketio.TransportError
}

// sendLocked adds to what waits. Its bound is for the caller to keep.
func (s *session) sendLocked(o outgoing) {
	if s.closing {
		return
	}
	s.client.queued += o.size
	s.out = append(s.out, o)
	s.signal()
}

func (s *session) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// busyLocked reports whether something waits to leave.
func (s *session) busyLocked() bool { return s.writing || len(s.out) > 0 }

// closeLocked ends the session in order: what waits is sent, the server gets to know, and its own end is
// waited for, all of it for a limited time.
func (s *session) closeLocked(reason socketio.Reason) {
	if s.closing {
		return
	}
	s.reason, s.closing = reason, true
	s.limit = time.AfterFunc(closeTimeout, s.carrier.closeNow)
	s.signal()
}

// closeNow closes the session at once. Its reason is the one that came first.
func (s *session) closeNow(reason socketio.Reason) {
	s.client.mu.Lock()
	if !s.closing {
		s.reason, s.closing = reason, true
	}
	s.client.mu.Unlock()
	s.carrier.closeNow()
}

// write sends what waits until the session ends.
func (s *session) write() {
	defer s.carrier.closeNow()
	for {
		batch, closing := s.takeBatch()
		if closing && len(batch) == 0 {
			if s.carrier.close() == nil {
				<-s.closed
			}
			return
		}
		if err := s.carrier.write(batch); err != nil {
			s.client.log.Debug("session cannot be written", "err", err)
			s.closeNow(socketio.TransportError)
			return
		}
		if closing {
			continue
		}
		select {
		case <-s.wake:
		case <-s.closed:
			return
		}
	}
}

// takeBatch returns what is to be written next.
func (s *session) takeBatch() (batch []engine.Packet, closing bool) {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	for _, o := range s.out {
		batch = append(batch, o.packets...)
		s.client.queued -= o.size
	}
	s.out = nil
	s.writing = len(batch) > 0
	return batch, s.closing
}
