package socketio

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"jobcast/engineio"
	"jobcast/socketio/internal/parser"
	"jobcast/socketio/internal/work"
)

// Socket is one client in one namespace. Its methods may be called from any goroutine, and none of them
// blocks.
type Socket struct {
	id     string
	ns     *Namespace
	conn   *conn
	auth   json.RawMessage
	ctx    context.Context
	cancel context.CancelCauseFunc
	state  atomic.Int32
	inbox  work.Queue[incoming, *incoming]
	member member // belongs to the namespace, and is protected by its lock

	listeners atomic.Pointer[listeners]

	mu   sync.Mutex // protects the fields below, and the change of listeners
	asks map[uint64]chan<- reply
	data *datum

	disconnected atomic.Bool // the server ends it

	tell sync.Mutex // held while the client is told that the socket begins or that the server ends it; locked before mu
	held *held      // what waits for the CONNECT, protected by tell; nil if nothing does
}

// The states of a socket, in order.
const (
	connecting int32 = iota // its middleware runs
	admitted                // it is in its namespace and OnConnect runs, of which its client has not heard
	connected
	closed
)

func newSocket(ns *Namespace, name string, c *conn, auth json.RawMessage) *Socket {
	s := &Socket{id: c.dialect.socketID(c.sess.ID(), name), ns: ns, conn: c, auth: auth}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	return s
}

// ID is the socket's identifier, 120 random bits in base64url. Every connection to a namespace has
// another. As a room it addresses this socket alone. That of a client of the old protocol (socket.io.js
// 1.x and 2.x) is made of its session's id, as the client makes it too: whoever gets to see it can speak
// as that client.
func (s *Socket) ID() string { return s.id }

// SessionID is that of the Engine.IO session below, which all sockets of one client share: for the functions of
// Config.Engine, which know the session only. Whoever has it can speak as the client.
func (s *Socket) SessionID() string { return s.conn.sess.ID() }

// Label is what may be logged of the ID.
func (s *Socket) Label() string { return s.conn.dialect.label(s.id) }

// Namespace is where the socket is.
func (s *Socket) Namespace() *Namespace { return s.ns }

// Handshake is what is kept of the request that opened the session below.
func (s *Socket) Handshake() *engineio.Handshake { return s.conn.sess.Handshake() }

// Auth is the JSON object of the client's CONNECT packet, or nil. Of a client of the old protocol it is
// made of the query that it gave the namespace; in the main namespace it has none, but that of its
// Handshake.
func (s *Socket) Auth() json.RawMessage { return s.auth }

// Transport is the transport in use: "polling" or "websocket".
func (s *Socket) Transport() string { return s.conn.sess.Transport() }

// Context ends when the socket is closed; its cause is then the Reason.
func (s *Socket) Context() context.Context { return s.ctx }

// Go runs f on a goroutine that belongs to s: its context ends when the socket is closed, and Server.Close
// waits for it. A panic in f is caught and logged. After the server has closed f does not run.
func (s *Socket) Go(f func(ctx context.Context)) {
	s.conn.srv.tasks.Start(work.Func(func() {
		s.guard("go", func() error { f(s.ctx); return nil })
	}))
}

// Disconnect removes the socket from its namespace, and closes the session below if closeEngine; every
// other socket of the session is then closed too. The client does not reconnect by itself. It does nothing
// to a socket that is closed, nor to its session, where its client may have come back. A middleware that
// calls it refuses the socket.
func (s *Socket) Disconnect(closeEngine bool) {
	if s.disconnect() == closed || !closeEngine {
		return
	}
	for _, other := range s.conn.all() {
		other.disconnect()
	}
	s.conn.sess.Close(engineio.Reason(ForcedServerClose))
}

// disconnect is what the server does to a client that it does not want. It returns the state it was in. Until the
// client has been told, no other socket of it can have the name of the namespace: it would take what it is told as
// meant for that.
func (s *Socket) disconnect() (was int32) {
	s.tell.Lock()
	defer s.tell.Unlock()
	s.disconnected.Store(true)
	return s.close(ServerNamespaceDisconnect)
}

// isClosed reports whether the socket is closed, and returns when its client has been told if the server did that.
func (s *Socket) isClosed() bool {
	if s.state.Load() != closed {
		return false
	}
	if s.disconnected.Load() {
		s.tell.Lock()
		defer s.tell.Unlock()
	}
	return true
}

// close closes the socket and returns the state it was in. What it has received is still handled, as far as
// conn.takesMore, and then OnDisconnecting and OnDisconnect run.
func (s *Socket) close(reason Reason) (was int32) {
	if was = s.state.Swap(closed); was == closed {
		return closed
	}
	s.cancel(reason)
	s.failAsks(reason)
	if was != connecting && reason == ServerNamespaceDisconnect {
		if was == admitted {
			s.tellConnected()
		}
		s.conn.send(encodeControl(parser.Disconnect, s.ns.name, nil))
	}
	s.conn.detach(s, reason == ServerNamespaceDisconnect && was != connecting)
	if was != connecting { // otherwise runConnect sees it
		s.put(&work.Item[incoming]{Job: incoming{kind: disconnectKind, call: call{socket: s}}})
	}
	return was
}

// runConnect enters the namespace of that name, runs the middleware and answers the CONNECT. It is the first
// that the inbox does.
func (s *Socket) runConnect(name string, came time.Duration) {
	err := s.enter(name)
	if err == nil {
		err = s.admit()
	}
	if err == nil && !s.state.CompareAndSwap(connecting, admitted) {
		err = context.Cause(s.ctx)
	}
	if err != nil {
		s.refuse(name, err)
		return
	}
	s.conn.stopDeadline()
	s.ns.add(s)
	if f := s.conn.srv.cfg.Hooks.Connected; f != nil {
		s.guard("hook", func() error { f(s, time.Since(s.conn.srv.began)-came); return nil })
	}
	if s.ns.removed.Load() {
		s.disconnect()
	}
	s.greet()
}

// refuse answers the CONNECT with an error.
func (s *Socket) refuse(name string, err error) {
	s.ns.remove(s) // a middleware may have joined rooms
	s.conn.srv.release(s.ns)
	if f := s.conn.srv.cfg.Hooks.Refused; f != nil {
		s.guard("hook", func() error { f(s, name, err); return nil })
	}
	refusal := s.refusal(name, err)
	s.tell.Lock()
	s.disconnected.Store(true)
	if s.state.Swap(closed) == closed {
		<-s.ctx.Done() // at any moment
	}
	s.cancel(err)
	if !errors.Is(context.Cause(s.ctx), ClientNamespaceDisconnect) { // the name may be another socket's by now
		s.conn.send(refusal)
	}
	s.conn.detach(s, false)
	s.tell.Unlock()
	s.detach()
}

// refusal encodes an error, which may panic.
func (s *Socket) refusal(name string, err error) (out *outgoing) {
	if s.guard("connect_error", func() error { out = s.conn.refusal(name, err); return nil }) != nil {
		out = s.conn.refusal(name, errPanic)
	}
	return out
}

// admit asks the middleware, in the order in which it was registered.
func (s *Socket) admit() error {
	if s.conn.packed && !s.ns.msgpack {
		return errMsgpack
	}
	for _, mw := range s.ns.middleware {
		if err := s.guard("middleware", func() error { return mw(s.ctx, s) }); err != nil {
			return err
		}
	}
	if s.ns.removed.Load() {
		return ErrInvalidNamespace
	}
	return nil
}

// runDisconnect runs what is registered for the end of the socket. It is the last that the inbox does.
func (s *Socket) runDisconnect() {
	reason, _ := errors.AsType[Reason](context.Cause(s.ctx))
	for _, f := range s.ns.onDisconnecting {
		s.guard("disconnecting", func() error { f(s, reason); return nil })
	}
	s.ns.remove(s)
	for _, f := range s.ns.onDisconnect {
		s.guard("disconnect", func() error { f(s, reason); return nil })
	}
	if f := s.conn.srv.cfg.Hooks.Disconnected; f != nil {
		s.guard("hook", func() error { f(s, reason); return nil })
	}
	s.conn.srv.release(s.ns)
	s.detach()
}

// detach lets go of what counts the socket.
func (s *Socket) detach() {
	if s.listeners.Load() != nil {
		s.changeListeners(func(*listeners) {})
	}
	s.conn.detached()
}

func (s *Socket) namespace() *Namespace { return s.ns }

func (s *Socket) target() Target { return Target{ns: s.ns, only: s} }

// A flaggedSocket is a socket to which is sent in another way.
type flaggedSocket struct {
	*Socket
	volatile bool // not what cannot leave at once
	plain    bool // not compressed
}

func (f flaggedSocket) target() Target {
	t := f.Socket.target()
	t.volatile, t.plain = f.volatile, f.plain
	return t
}

func (f flaggedSocket) uncompressed() bool { return f.plain }

func (f flaggedSocket) send(o *outgoing) error {
	o.volatile = o.volatile || f.volatile
	return f.Socket.send(o)
}

func (s *Socket) uncompressed() bool { return false }

// Volatile returns an emitter to this socket that drops what cannot leave at once.
func (s *Socket) Volatile() Emitter { return flaggedSocket{Socket: s, volatile: true} }

// Compress returns an emitter to this socket whose messages are compressed or not, as Target.Compress says.
func (s *Socket) Compress(compress bool) Emitter { return flaggedSocket{Socket: s, plain: !compress} }
