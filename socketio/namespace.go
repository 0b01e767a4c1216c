package socketio

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"
	"time"
)

// A Namespace is one channel of communication, multiplexed with others over a session. As an Emitter it
// is every socket that is connected to it.
type Namespace struct {
	srv  *Server
	name string
	*rules
	family            *family       // of a parent; it has no sockets itself
	parent            *Namespace    // of a child, whose rules it has
	users             int           // of a child: its sockets, and those who got it from Of; protected by Server.mu
	nextAsk           atomic.Uint64 // the id of the next question to its clients
	outgoingListeners atomic.Int32  // what listens to what goes out to its sockets
	removed           atomic.Bool

	mu      sync.Mutex // protects the fields below, and the member of every socket
	sockets map[string]*Socket
	all     room
	rooms   map[string]*room
}

// rules are what is registered at a namespace: written before the server serves, and only read from then on.
type rules struct {
	msgpack              bool
	handlers             map[string]Handler
	any                  func(ctx context.Context, s *Socket, event string, args Args, ack Ack[Args]) error
	middleware           []func(ctx context.Context, s *Socket) error
	eventMiddleware      []EventRewriter
	onAny, onAnyOutgoing []Listener
	servers              map[string]ServerHandler
	onConnect            []func(ctx context.Context, s *Socket)
	onDisconnecting      []func(s *Socket, reason Reason)
	onDisconnect         []func(s *Socket, reason Reason)
}

func newNamespace(srv *Server, name string) *Namespace {
	return &Namespace{
		srv:     srv,
		name:    name,
		rules:   &rules{handlers: map[string]Handler{}},
		sockets: map[string]*Socket{},
		rooms:   map[string]*room{},
	}
}

// Name is the namespace's name, with its slash.
func (n *Namespace) Name() string { return n.name }

// own returns the rules for somebody who adds to them.
func (n *Namespace) own() *rules {
	if n.parent != nil {
		panic("socketio: namespace " + n.name + ": register at its parent " + n.parent.name)
	}
	return n.rules
}

// Handle registers handlers. It panics if an event is handled twice, or has a reserved name.
func (n *Namespace) Handle(hs ...Handler) {
	r := n.own()
	for _, h := range hs {
		if h.serve == nil {
			panic("socketio: a Handler comes from Event.On, Call.On or Call.OnAnswer")
		}
		if _, ok := r.handlers[usable(h.name)]; ok {
			panic("socketio: namespace " + n.name + ": event " + h.name + " is handled twice")
		}
		r.handlers[h.name] = h
	}
}

// HandleAny registers what gets the events that no other handler takes. What it returns is the
// acknowledgement, if one was asked for. Without it such events are logged at Debug and not acknowledged, as in
// Node. It panics if called twice.
func (n *Namespace) HandleAny(h func(ctx context.Context, s *Socket, event string, args Args) (Args, error)) {
	n.HandleAnyAck(func(ctx context.Context, s *Socket, event string, args Args, ack Ack[Args]) error {
		res, err := h(ctx, s, event, args)
		if err != nil {
			return err
		}
		return ack.Send(res)
	})
}

// AllowMsgpack lets clients join that speak the binary format of socket.io-msgpack-parser beside those that
// speak JSON; others are refused by a connect_error. Handlers see no difference. What is emitted is encoded
// once for each format that somebody speaks. A client of the old protocol cannot use it.
func (n *Namespace) AllowMsgpack() { n.own().msgpack = true }

// Use adds a middleware, which runs before a socket is connected. An error refuses the socket: the
// client's connect_error has the error's text, and the Data of a *ConnectError. A middleware may block;
// the client waits for its CONNECT to be answered. It cannot emit to the socket yet.
func (n *Namespace) Use(mw func(ctx context.Context, s *Socket) error) {
	r := n.own()
	r.middleware = append(r.middleware, mw)
}

// OnConnect registers what runs when a socket has connected, before its first event. The context ends
// when the socket is closed. The client hears that it is connected when all of them have returned, so that it is then
// in the rooms that they join, and right after it what was emitted to it meanwhile, in order. It hears of it
// earlier when one of them asks it something by Call.Ask, or by Call.AskEach or AskAll with the context of OnConnect,
// takes longer than a second, or has more than 256 events or 1 MiB held back.
func (n *Namespace) OnConnect(f func(ctx context.Context, s *Socket)) {
	r := n.own()
	r.onConnect = append(r.onConnect, f)
}

// An EventMiddleware sees an event before its handler does, and refuses it by an error. It must not change
// the arguments.
type EventMiddleware func(ctx context.Context, s *Socket, event string, args Args) error

// An EventRewriter is an EventMiddleware that returns the event and the arguments in whose place they go on, to
// the next middleware and the handler. The arguments that it gets must not be changed.
type EventRewriter func(ctx context.Context, s *Socket, event string, args Args) (string, Args, error)

// rewriter is the middleware as one that rewrites nothing.
func (mw EventMiddleware) rewriter() EventRewriter {
	return func(ctx context.Context, s *Socket, event string, args Args) (string, Args, error) {
		return event, args, mw(ctx, s, event, args)
	}
}

// UseEvents adds a middleware for the events of every socket, which runs before their handlers and those
// of Socket.Use, in the order of the events. An error goes the way of Config.EncodeError to whoever waits
// for the acknowledgement; the handler is not called. A middleware may block: the next event of its
// socket waits.
func (n *Namespace) UseEvents(mw EventMiddleware) {
	n.RewriteEvents(mw.rewriter())
}

// RewriteEvents is UseEvents for a middleware that may change what is handled. Both are asked in the order in
// which they were added.
func (n *Namespace) RewriteEvents(mw EventRewriter) {
	r := n.own()
	r.eventMiddleware = append(r.eventMiddleware, mw)
}

// OnAny registers what observes every event of every socket, as Socket.OnAny does for one.
func (n *Namespace) OnAny(f Listener) {
	r := n.own()
	r.onAny = append(r.onAny, f)
}

// OnAnyOutgoing registers what observes every event that is sent to a socket, once for each, as
// Socket.OnAnyOutgoing does for one.
func (n *Namespace) OnAnyOutgoing(f Listener) {
	r := n.own()
	r.onAnyOutgoing = append(r.onAnyOutgoing, f)
}

// OnDisconnecting registers what runs after a socket's last event, while it is still in its rooms. Who
// addresses them no longer reaches the socket itself.
func (n *Namespace) OnDisconnecting(f func(s *Socket, reason Reason)) {
	r := n.own()
	r.onDisconnecting = append(r.onDisconnecting, f)
}

// OnDisconnect registers what runs at the very end of a socket, when it has left its rooms.
func (n *Namespace) OnDisconnect(f func(s *Socket, reason Reason)) {
	r := n.own()
	r.onDisconnect = append(r.onDisconnect, f)
}

// target is the Target of every socket.
func (n *Namespace) target() Target { return Target{ns: n} }

// To addresses the sockets in any of the rooms, each once. Without a room it addresses nobody.
func (n *Namespace) To(rooms ...string) Target { return n.target().To(rooms...) }

// In is another word for To.
func (n *Namespace) In(rooms ...string) Target { return n.To(rooms...) }

// Except addresses the sockets in none of the rooms.
func (n *Namespace) Except(rooms ...string) Target { return n.target().Except(rooms...) }

// Volatile addresses every socket; what cannot leave at once is dropped.
func (n *Namespace) Volatile() Target { return n.target().Volatile() }

// Local addresses every socket of this server.
func (n *Namespace) Local() Target { return n.target().Local() }

// Timeout addresses every socket, and bounds the wait for their answers.
func (n *Namespace) Timeout(d time.Duration) Target { return n.target().Timeout(d) }

// Sockets yields the connected sockets, in no order. Joining, leaving and disconnecting while it runs
// is allowed.
func (n *Namespace) Sockets() iter.Seq[*Socket] { return n.target().Sockets() }

// Join adds every socket to rooms.
func (n *Namespace) Join(rooms ...string) { n.target().Join(rooms...) }

// Leave removes every socket from rooms.
func (n *Namespace) Leave(rooms ...string) { n.target().Leave(rooms...) }

// Disconnect does to every socket what Socket.Disconnect does.
func (n *Namespace) Disconnect(closeEngine bool) { n.target().Disconnect(closeEngine) }

// Compress addresses every socket, as Target.Compress does.
func (n *Namespace) Compress(compress bool) Target { return n.target().Compress(compress) }

func (n *Namespace) uncompressed() bool { return false }

func (n *Namespace) namespace() *Namespace { return n }

func (n *Namespace) send(o *outgoing) error { return n.target().send(o) }
