package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"

	engine "jobcast/engineio/parser"
	"jobcast/socketio"
	"jobcast/socketio/msgpack"
	"jobcast/socketio/parser"
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
		s.leaveLocked(ClientDisconnect, err)
		c.partLocked()
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
	s.leaveLocked(ClientDisconnect, socketio.ErrDisconnected)
	s.client.partLocked()
}

// joinLocked asks for the namespace, now that there is a session.
func (s *Socket) joinLocked(sess *session) {
	if s.asked { // and disconnected before the answer came, which is still good
		return
	}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	auth := s.client.cfg.Auth
	if auth == nil {
		s.sendConnectLocked(sess, nil)
		return
	}
	ctx := s.ctx
	s.client.wg.Go(func() {
		value, err := s.askAuth(ctx, auth)
		s.client.mu.Lock()
		defer s.client.mu.Unlock()
		if s.ctx != ctx || s.state != pending {
			return // that connection is history
		}
		if err != nil {
			s.refusedLocked(fmt.Errorf("client: credentials for %s: %w", s.name, err))
			return
		}
		s.sendConnectLocked(sess, value)
	})
}

// askAuth returns the credentials as JSON.
func (s *Socket) askAuth(ctx context.Context, auth func(context.Context, string) (any, error)) (encoded []byte, err error) {
	defer s.caught("auth", &err)
	value, err := auth(ctx, s.name)
	if err != nil || value == nil {
		return nil, err
	}
	if encoded, err = json.Marshal(value); err == nil && encoded[0] != '{' {
		err = errors.New("want an object")
	}
	return encoded, err
}

func (s *Socket) sendConnectLocked(sess *session, auth []byte) {
	if s.pid != "" {
		recovery, _ := json.Marshal(map[string]string{"pid": s.pid, "offset": s.offset}) // strings always marshal
		if len(auth) > len("{}") {
			recovery = append(append(recovery[:len(recovery)-1], ','), auth[1:]...)
		}
		auth = recovery
	}
	s.asked = true
	sess.sendLocked(s.control(parser.Connect, auth))
}

// control returns a Connect or a Disconnect, for which there is always room.
func (s *Socket) control(t parser.Type, data []byte) outgoing {
	return s.client.outgoing(&parser.Packet{Type: t, Namespace: s.name, Data: data})
}

// welcomeLocked is called with the answer to CONNECT.
func (s *Socket) welcomeLocked(sess *session, id, pid string) error {
	s.asked = false
	if s.state != pending { // it has changed its mind
		sess.sendLocked(s.control(parser.Disconnect, nil))
		return nil
	}
	if s.ctx == nil {
		s.ctx, s.cancel = context.WithCancelCause(context.Background())
	}
	if !s.inbox.putLocked(&incoming{kind: connectKind, ctx: s.ctx}) {
		return errOverrun
	}
	s.recovered = pid != "" && pid == s.pid
	s.state, s.id, s.pid = connected, id, pid
	close(s.attempt.done)
	s.attempt = nil
	for _, o := range s.waiting {
		s.client.queued -= o.size // sendLocked counts it again
		if o.ask != nil {
			o.ask.sent = true
		}
		sess.sendLocked(o)
	}
	s.waiting = nil
	return nil
}

// refusedLocked disconnects a socket that could not be connected, for good.
func (s *Socket) refusedLocked(err error) {
	s.asked = false
	if s.state != pending {
		return
	}
	s.inbox.putLocked(&incoming{kind: connectErrorKind, err: err})
	s.leaveLocked(ServerDisconnect, err)
	s.client.partLocked()
}

// lostLocked is called when the session has ended, and the client will open another.
func (s *Socket) lostLocked(reason socketio.Reason) {
	was := s.state
	s.asked = false
	s.endLocked(reason)
	if was == connected {
		s.state, s.attempt = pending, &attempt{done: make(chan struct{})}
	}
}

// leaveLocked makes the socket inactive. err is what Connect returns if it waits.
func (s *Socket) leaveLocked(reason socketio.Reason, err error) {
	for _, o := range s.waiting {
		s.client.queued -= o.size
		if o.ask != nil {
			o.ask.sent = true // so that it ends with the others
		}
	}
	s.waiting = nil
	s.endLocked(reason)
	if s.attempt != nil {
		s.attempt.err = err
		close(s.attempt.done)
		s.attempt = nil
	}
	s.state = inactive
}

// endLocked settles what a connection leaves open.
func (s *Socket) endLocked(reason socketio.Reason) {
	if s.ctx != nil {
		s.cancel(reason)
		s.ctx = nil
	}
	for id, a := range s.asks {
		if a.sent {
			a.reply <- reply{err: fmt.Errorf("%w: %w", socketio.ErrDisconnected, reason)} // has room
			delete(s.asks, id)
		}
	}
	if s.state == connected {
		s.id = ""
		s.inbox.putLocked(&incoming{kind: disconnectKind, reason: reason})
	}
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
		o.packets[0] = engine.Packet{Type: engine.Message, Binary: true, Data: msgpack.Encode(text, p.Attachments)}
	} else {
		o.packets[0] = engine.Packet{Type: engine.Message, Data: text}
		for _, a := range p.Attachments {
			o.packets = append(o.packets, engine.Packet{Type: engine.Message, Binary: true, Data: a})
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

// caught is deferred around every callback. It is where a panic ends: it is logged and becomes an error of
// that call.
func (s *Socket) caught(what string, err *error) {
	if v := recover(); v != nil {
		s.client.log.Error("handler panicked", "nsp", s.name, "event", what, "err", v, "stack", string(debug.Stack()))
		*err = errPanic
	}
}

var errPanic = errors.New("client: a handler panicked")
