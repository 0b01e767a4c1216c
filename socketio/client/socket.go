package client

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"jobcast/socketio"
	"jobcast/socketio/internal/parser"
)

// A Socket is the client in one namespace. It is disconnected until Connect is called, and from then on
// connected, or about to be again, until the server refuses it or sends it away, the client gives up, or
// Disconnect is called: then it is disconnected until the next Connect. Its methods may be called from any
// goroutine, and none but Connect blocks.
type Socket struct {
	client *Client
	name   string
	inbox  inbox

	// The fields below are protected by the client's lock.

	state   state
	id      string
	ctx     context.Context // of this connection, from its CONNECT on; nil before the first
	cancel  context.CancelCauseFunc
	attempt *attempt   // that Connect waits for; not nil while pending
	asked   bool       // its CONNECT has been sent and not answered
	waiting []outgoing // until the socket is connected
	asks    map[uint64]*ask
	nextAsk uint64

	// What connection state recovery takes: see Recovered.
	pid, offset string
	recovered   bool

	handlers       map[string]handler
	any            func(ctx context.Context, event string, args socketio.Args) (socketio.Args, error)
	onConnect      func(ctx context.Context)
	onConnectError func(err error)
	onDisconnect   func(reason socketio.Reason)
}

type state uint8

const (
	inactive state = iota
	pending        // it waits for the connection, or for the answer to its CONNECT
	connected
)

// An attempt is the way of a socket to its connection.
type attempt struct {
	done  chan struct{} // closed when err is final
	err   error
	first bool  // the socket was inactive before
	last  error // the newest failure that was not the end of it
}

func newSocket(c *Client, name string) *Socket {
	s := &Socket{client: c, name: name, asks: map[uint64]*ask{}, handlers: map[string]handler{}}
	s.inbox.socket = s
	return s
}

// Client is what the socket belongs to.
func (s *Socket) Client() *Client { return s.client }

// Namespace is the name of the socket's namespace.
func (s *Socket) Namespace() string { return s.name }

// ID is the identifier that the server gave this connection, or empty while there is none.
func (s *Socket) ID() string {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	return s.id
}

// Connected reports whether the socket is connected at this moment.
func (s *Socket) Connected() bool {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	return s.state == connected
}

// Recovered reports whether the server took up this connection where the last one had ended, with what was
// missed in between: connection state recovery, where the server has it.
func (s *Socket) Recovered() bool {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	return s.recovered
}

// OnConnect registers what runs at each connection, before its first event. The context ends with the
// connection. It replaces the one before, as the other On methods do, and must not be called by two
// goroutines at a time with Connect.
func (s *Socket) OnConnect(f func(ctx context.Context)) { s.register(func() { s.onConnect = f }) }

// OnConnectError registers what runs when an attempt to connect has failed. A *ConnectError is the
// server's refusal, and disconnects the socket; after any other the client tries again, unless it was
// told not to.
func (s *Socket) OnConnectError(f func(err error)) { s.register(func() { s.onConnectError = f }) }

// OnDisconnect registers what runs when a connection has ended, after its last event. After
// ServerDisconnect and ClientDisconnect the socket does not come back by itself.
func (s *Socket) OnDisconnect(f func(reason socketio.Reason)) {
	s.register(func() { s.onDisconnect = f })
}

// HandleAny registers what gets the events that no other handler takes. What it returns is the
// acknowledgement, if one was asked for.
func (s *Socket) HandleAny(h func(ctx context.Context, event string, args socketio.Args) (socketio.Args, error)) {
	s.register(func() { s.any = h })
}

func (s *Socket) register(f func()) {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	f()
}

// Connect connects the socket and returns when it is connected, or its attempt has failed; the first
// socket opens the connection that all share. The error is a *ConnectError if the server refuses the
// socket, a *HandshakeError if it refuses the session, that of ctx, or another of the connection. With
// Config.AwaitServer only a refusal of the socket is final and other failures are tried again. On a socket
// that was connected and is to come back Connect waits for that. After an error the socket is
// disconnected, unless another call still waits.
func (s *Socket) Connect(ctx context.Context) error {
	c := s.client
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return ErrClosed
	}
	if s.state == connected {
		c.mu.Unlock()
		return nil
	}
	ours := s.state == inactive
	if ours {
		s.state, s.attempt = pending, &attempt{done: make(chan struct{}), first: true}
		if c.sess != nil {
			s.joinLocked(c.sess)
		} else if !c.running {
			c.running = true
			c.wg.Go(c.run)
		}
	}
	a := s.attempt
	c.mu.Unlock()

	select {
	case <-a.done:
		return a.err
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	err := context.Cause(ctx)
	if a.last != nil {
		err = fmt.Errorf("%w, after: %w", err, a.last)
	}
	err = fmt.Errorf("client: connect to %s: %w", s.name, err)
	if ours && s.attempt == a {
		s.closeLocked(ClientDisconnect, err)
		c.closeUnusedLocked()
	}
	return err
}

// Disconnect takes the socket out of its namespace. What was emitted before is sent; calls under way fail.
// The connection ends with its last socket.
func (s *Socket) Disconnect() {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	s.disconnectLocked()
}

func (s *Socket) disconnectLocked() {
	if s.state == inactive {
		return
	}
	if s.state == connected {
		s.client.sess.sendLocked(s.control(parser.Disconnect, nil))
	}
	s.closeLocked(ClientDisconnect, socketio.ErrDisconnected)
	s.client.closeUnusedLocked()
}

// caught is deferred around every callback. It is where a panic ends: it is logged and becomes an error of
// that call.
func (s *Socket) caught(what string, err *error) {
	if v := recover(); v != nil {
		s.client.log.Error("handler panicked", "nsp", s.name, "event", what, "err", v, "stack", string(debug.Stack()))
		*err = errPanic
	}
}

var errPanic = errors.New("client: a handler panicked")
