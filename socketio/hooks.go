package socketio

import (
	"context"
	"errors"
	"runtime/debug"
	"time"
)

// Hooks are functions that a Server calls when something happens, so that logs, metrics and traces know of which
// namespace, socket and event. Each may be nil, and costs nothing then. They run where it happens, for many sockets
// at once, and must neither block nor panic; a panic is caught and logged. Those of the sessions below are
// engineio.Hooks, in Config.Engine.
type Hooks struct {
	// NamespaceMade is called when a namespace was made, by Server.Of or by its first client (new_namespace in Node).
	NamespaceMade func(n *Namespace)
	// Connected is called when a socket has been admitted to its namespace, before OnConnect. took is the time
	// since its CONNECT came, with that of the middleware.
	Connected func(s *Socket, took time.Duration)
	// Refused is called when a client may not join a namespace, which may not exist. s is nil if no namespace has
	// that name; otherwise its Namespace may be the parent's.
	Refused func(s *Socket, namespace string, err error)
	// Disconnected is called at the very end of a socket that was connected, after OnDisconnect.
	Disconnected func(s *Socket, reason Reason)
	// EventBegan is called when an event begins to be handled, before its middleware. The context that it returns is
	// the one that middleware and handler get. It must be made of ctx. end, if it is not nil, is called when the
	// handler has returned, with its error: ErrUnhandled if there is none.
	EventBegan func(ctx context.Context, s *Socket, event string) (_ context.Context, end func(err error))
	// EventFailed is called when an event was refused, by its middleware or its handler, or could not be handled.
	// Where it is set, the server itself logs such errors at Debug only.
	EventFailed func(ctx context.Context, s *Socket, event string, err error)
	// Emitted is called when an event, or a question, was emitted to so many sockets of a namespace.
	Emitted func(n *Namespace, event string, sockets int)
}

// ErrUnhandled is what Hooks.EventBegan hears of an event that nothing handles.
var ErrUnhandled = errors.New("socketio: nothing handles the event")

// observed is what Hooks.EventBegan has made of an event.
type observed struct {
	ctx context.Context
	end func(err error)
}

// context is that of the call's middleware and handler.
func (c *call) context() context.Context {
	if c.observed != nil {
		return c.observed.ctx
	}
	return c.socket.ctx
}

// observe tells the hook that the call begins.
func (c *call) observe() {
	begin := c.socket.conn.srv.cfg.Hooks.EventBegan
	if begin == nil {
		return
	}
	o := &observed{ctx: c.socket.ctx}
	c.socket.guard("hook", func() error {
		ctx, end := begin(o.ctx, c.socket, string(c.name))
		if o.end = end; ctx != nil {
			o.ctx = ctx
		}
		return nil
	})
	c.observed = o
}

// ended tells it how the call has ended.
func (c *call) ended(err error) {
	if c.observed != nil && c.observed.end != nil {
		c.socket.guard("hook", func() error { c.observed.end(err); return nil })
	}
}

// announce tells the hook of a namespace that was made, without the server's lock.
func (s *Server) announce(n *Namespace) {
	if f := s.cfg.Hooks.NamespaceMade; f != nil {
		defer s.recoverHook("NamespaceMade")
		f(n)
	}
}

// emitted tells the hook what was sent.
func (n *Namespace) emitted(event string, sockets int32) {
	if f := n.srv.cfg.Hooks.Emitted; f != nil {
		defer n.srv.recoverHook("Emitted")
		f(n, event, int(sockets))
	}
}

// refusedUnknown tells the hook of a client that asked for a namespace that does not exist.
func (s *Server) refusedUnknown(namespace string) {
	if f := s.cfg.Hooks.Refused; f != nil {
		defer s.recoverHook("Refused")
		f(nil, namespace, ErrInvalidNamespace)
	}
}

// recoverHook is deferred around the hooks that are not called for a socket.
func (s *Server) recoverHook(name string) {
	if v := recover(); v != nil {
		s.log.Error("hook panicked", "call", "Hooks."+name, "err", v, "stack", string(debug.Stack()))
	}
}
