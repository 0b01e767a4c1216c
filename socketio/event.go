package socketio

import (
	"context"
	"fmt"
	"strconv"

	"jobcast/socketio/internal/attach"
	"jobcast/socketio/internal/parser"
)

// Emitter is who can be emitted to: a Socket, a Namespace or a Target.
type Emitter interface {
	namespace() *Namespace
	target() Target
	send(o *outgoing) error
	uncompressed() bool
}

var (
	_ Emitter = (*Socket)(nil)
	_ Emitter = (*Namespace)(nil)
	_ Emitter = Target{}
)

// Handler answers one named event. Event.On, Call.On and Call.OnAnswer make it, Namespace.Handle
// registers it.
type Handler struct {
	name  string
	serve func(*call) error
}

// Event is a named event with one payload, sent in either direction. The payload is encoded and decoded
// by encoding/json, without the escaping of HTML. A payload that is missing decodes as the zero value,
// and an argument too many is ignored. With struct{} for T the event has no argument; with Args it has
// any number, and may be binary.
//
// A []byte in T, at any depth, is sent as an attachment, which a page gets as an ArrayBuffer or, in Node, as
// a Buffer. It may have sent an ArrayBuffer, a typed array, a Blob or a File; a string in base64 is taken too.
// The bytes are copied, so that the payload may be used again. A packet has at most 10 attachments; a payload
// with more is an error of Emit. Package attach says what exactly is bytes.
//
// What waits for a client that does not read, or reads slowly, is bounded: the session is closed as
// SlowConsumer. Volatile and Newest return events that wait less.
type Event[T any] struct {
	name     string
	volatile bool
	newest   func(T) string
	codec    *attach.Codec
}

// NewEvent declares an event. It panics if the name is reserved by the protocol: connect, connect_error,
// disconnect, disconnecting, newListener, removeListener.
func NewEvent[T any](name string) Event[T] { return Event[T]{name: usable(name), codec: codecOf[T]()} }

func usable(name string) string {
	if parser.Reserved([]byte(name)) {
		panic("socketio: event name " + name + " is reserved")
	}
	return name
}

// Name is the event's name on the wire.
func (e Event[T]) Name() string { return e.name }

// Volatile returns the event as one that a client does without if it cannot be sent at once: while it does
// not read, or on HTTP polling while no poll waits. Two in a row both leave as long as the transport takes them,
// while Node drops the second: of what counts only as the newest say so by Newest.
func (e Event[T]) Volatile() Event[T] {
	e.volatile = true
	return e
}

// Newest returns the event as one of which only the newest with the same key counts, such as the progress of
// a job: when it is emitted, an older one of the same namespace that still waits for the client is
// forgotten, whoever it was emitted to. The newer one does not take its place but the end, so what a client
// gets is in the order in which it was emitted, with gaps. One that has begun to leave goes on.
func (e Event[T]) Newest(key func(T) string) Event[T] {
	e.newest = key
	return e
}

// Emit sends the event and returns at once. It is encoded once, however many sockets there are. The
// error is that of encoding the payload or, to a single socket, ErrDisconnected or an error of
// engineio.Session.Send. Emit may be called from any goroutine.
func (e Event[T]) Emit(to Emitter, payload T) error {
	ns, way := to.namespace(), way{plain: to.uncompressed()}
	if ns.family != nil {
		return e.emitEach(to.target(), payload)
	}
	if e.newest != nil {
		way.key = ns.name + "," + strconv.Itoa(len(e.name)) + "," + e.name + e.newest(payload)
	}
	out, err := encodeFor(way, parser.Event, ns.name, nil, e.name, payloadOf(e.codec, &payload))
	if err != nil {
		return fmt.Errorf("encode event %s: %w", e.name, err)
	}
	out.volatile = e.volatile
	prepareHeard(ns, out, e.name, payload)
	err = to.send(out)
	ns.emitted(e.name, out.sent)
	return err
}

// emitEach emits to the children of a parent.
func (e Event[T]) emitEach(to Target, payload T) error {
	for t := range to.each() {
		if err := e.Emit(t, payload); err != nil {
			return err
		}
	}
	return nil
}

// On returns the handler that decodes the payload and calls h. An ack, if asked for, is empty. An error
// goes the way of Config.EncodeError.
func (e Event[T]) On(h func(ctx context.Context, s *Socket, payload T) error) Handler {
	return Handler{e.name, func(c *call) error {
		var payload T
		if err := decode(e.name, c.args, payloadOf(e.codec, &payload)); err != nil {
			return err
		}
		if err := h(c.context(), c.socket, payload); err != nil {
			return err
		}
		return c.answer(&struct{}{})
	}}
}

// Call is a named event that is answered by an acknowledgement. Req and Res are encoded and decoded as
// the payload of an Event is.
type Call[Req, Res any] struct {
	name string
	req  *attach.Codec
	res  *attach.Codec
}

// NewCall declares a call. It panics if the name is reserved, as NewEvent does.
func NewCall[Req, Res any](name string) Call[Req, Res] {
	return Call[Req, Res]{usable(name), codecOf[Req](), codecOf[Res]()}
}

// Name is the event's name on the wire.
func (c Call[Req, Res]) Name() string { return c.name }

// On returns the handler that decodes the request, calls h and sends the acknowledgement: the result,
// or what Config.EncodeError makes of the error.
func (c Call[Req, Res]) On(h func(ctx context.Context, s *Socket, req Req) (Res, error)) Handler {
	return Handler{c.name, func(in *call) error {
		var req Req
		if err := decode(c.name, in.args, payloadOf(c.req, &req)); err != nil {
			return err
		}
		res, err := h(in.context(), in.socket, req)
		if err != nil {
			return err
		}
		return in.answer(payloadOf(c.res, &res))
	}}
}

// OnAnswer is OnAck for a handler that does not care whether the client asked: it does something right after its
// answer was queued, or says exactly what comes before and after it. It calls answer itself, at most once, and may
// do so after it has returned. An error that is returned before answer was called is the answer. answer may be called
// from any goroutine; its error is ErrAnswered, that of encoding res, or that of emitting to s.
func (c Call[Req, Res]) OnAnswer(h func(ctx context.Context, s *Socket, req Req, answer func(Res) error) error) Handler {
	return c.OnAck(func(ctx context.Context, s *Socket, req Req, ack Ack[Res]) error { return h(ctx, s, req, ack.Send) })
}
