package socketio

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"jobcast/engineio"
	"jobcast/socketio/internal/parser"
	"jobcast/socketio/internal/work"
)

// An incoming is one thing that a socket has to handle: its connection, an event, or its end.
type incoming struct {
	kind incomingKind
	call call // of an event; the others have its socket only, and a connection the namespace as its name
}

type incomingKind uint8

const (
	connectKind incomingKind = iota
	eventKind
	disconnectKind
)

// What an event and an argument take beside their payload, about.
const (
	incomingBytes = 256
	argumentBytes = 32
)

// put adds to what the socket has to handle. It returns false if in is an event and there are too many:
// the session is then about to end.
func (s *Socket) put(in *work.Item[incoming]) bool {
	size := 0
	if in.Job.kind == eventKind {
		size = in.Job.call.size()
	}
	return s.inbox.Put(in, size, s.conn.srv.cfg.MaxPendingEvents, maxPendingBytes)
}

// Group is where the socket's events are handled.
func (in *incoming) Group() *work.Group { return &in.call.socket.conn.srv.tasks }

// Run handles it.
func (in *incoming) Run() {
	switch s := in.call.socket; in.kind {
	case connectKind:
		s.runConnect(string(in.call.name), time.Duration(in.call.id))
	case eventKind:
		if s.conn.takesMore() {
			in.call.handle()
		}
	case disconnectKind:
		s.runDisconnect()
	}
}

// A call is one event on its way to its handler, and the way back of its acknowledgement.
type call struct {
	socket   *Socket
	name     []byte
	args     Args
	observed *observed // nil without Hooks.EventBegan
	id       uint64
	answered atomic.Bool
	wantsAck bool
}

func (c *call) size() int {
	n := incomingBytes
	for _, a := range c.args.JSON {
		n += len(a) + argumentBytes
	}
	for _, a := range c.args.Attachments {
		n += len(a) + argumentBytes
	}
	return n
}

// handle runs the event's handler and sees to the acknowledgement of an error. Nobody acknowledges what nothing
// handles, as in the reference server: who waits for it may try again, or give up.
func (c *call) handle() {
	c.observe()
	err := c.precede()
	if err == nil {
		err = c.dispatch()
	}
	switch {
	case err == nil:
	case errors.Is(err, ErrUnhandled):
		c.socket.conn.srv.log.Debug("nothing handles an event", "nsp", c.socket.ns.name, "socket", c.socket.Label(), "event", c.shortName())
	default:
		c.fail(err)
	}
	c.ended(err)
}

// dispatch calls the handler.
func (c *call) dispatch() error {
	ns := c.socket.ns
	if h, ok := ns.handlers[string(c.name)]; ok {
		return c.serve(h.serve)
	}
	if ns.any == nil {
		return ErrUnhandled
	}
	return c.serve(func(c *call) error {
		return ns.any(c.context(), c.socket, string(c.name), c.args, Ack[Args]{call: c})
	})
}

// shortName is what is logged of a name that the client has made up.
func (c *call) shortName() string { return string(c.name[:min(len(c.name), maxLoggedName)]) }

const maxLoggedName = 100

func (c *call) serve(h func(*call) error) (err error) {
	defer c.socket.caught(string(c.name), &err)
	return h(c)
}

// answer sends the acknowledgement, if the client asked for one. res is a pointer to its payload.
func (c *call) answer(res any) error {
	if c.answered.Load() {
		return ErrAnswered
	}
	if !c.wantsAck {
		c.answered.Store(true)
		return nil
	}
	out, err := encode(parser.Ack, c.socket.ns.name, &c.id, "", res)
	if err != nil {
		return fmt.Errorf("encode the acknowledgement of %s: %w", c.name, err)
	}
	if !c.answered.CompareAndSwap(false, true) {
		return ErrAnswered
	}
	return c.socket.send(out)
}

// fail makes the acknowledgement out of an error, which may panic.
func (c *call) fail(err error) {
	if c.socket.guard(string(c.name), func() error { c.answerError(err); return nil }) != nil {
		c.answer(&internalFailure)
	}
}

func (c *call) answerError(err error) {
	srv := c.socket.conn.srv
	srv.log.Debug("event failed", "nsp", c.socket.ns.name, "socket", c.socket.Label(), "event", c.shortName(), "err", err)
	if failed := srv.cfg.Hooks.EventFailed; failed != nil && !errors.Is(err, errPanic) { // a panic was logged
		c.socket.guard("hook", func() error { failed(c.context(), c.socket, c.shortName(), err); return nil })
	}
	value := c.encodeError(err)
	switch err := c.answer(&value); {
	case err == nil, errors.Is(err, ErrAnswered), c.isOfClosing(err):
	default:
		srv.log.Error("event's error cannot be encoded", "nsp", c.socket.ns.name, "event", string(c.name), "err", err)
		value = internalFailure
		c.answer(&value)
	}
}

// encodeError is what the client gets to see of err.
func (c *call) encodeError(err error) (value any) {
	srv := c.socket.conn.srv
	if encode := srv.cfg.EncodeError; encode != nil {
		value = internalFailure // if encode panics
		c.socket.guard(string(c.name), func() error { value = encode(err); return nil })
		return value
	}
	if e, ok := errors.AsType[*PayloadError](err); ok {
		return newFailure("bad_request", e.Error())
	}
	if e, ok := errors.AsType[*EventError](err); ok {
		value := newFailure(e.Code, e.Message)
		value.Error.Data = e.Data
		return value
	}
	if !errors.Is(err, errPanic) && !c.isOfClosing(err) && srv.cfg.Hooks.EventFailed == nil { // those were logged
		srv.log.Error("event failed", "nsp", c.socket.ns.name, "socket", c.socket.Label(), "event", string(c.name), "err", err)
	}
	return internalFailure
}

// isOfClosing reports whether err is but the news that the socket was closed meanwhile.
func (c *call) isOfClosing(err error) bool {
	if errors.Is(err, ErrDisconnected) || errors.Is(err, engineio.ErrClosed) {
		return true
	}
	_, ok := errors.AsType[Reason](err)
	return (ok || errors.Is(err, context.Canceled)) && c.socket.ctx.Err() != nil
}

// caught is deferred around every callback. It is where a panic ends: it is logged and becomes an error
// of that call.
func (s *Socket) caught(what string, err *error) {
	v := recover()
	if v == nil {
		return
	}
	s.conn.srv.log.Error("handler panicked", "nsp", s.ns.name, "socket", s.Label(), "event", what, "err", v, "stack", string(debug.Stack()))
	*err = errPanic
}

// guard calls f and turns a panic into an error.
func (s *Socket) guard(what string, f func() error) (err error) {
	defer s.caught(what, &err)
	return f()
}
