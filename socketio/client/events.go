package client

import (
	"context"
	"encoding/json"
	"fmt"

	"jobcast/socketio"
)

// Emitter is what can be emitted to: a Socket, or its Volatile form.
type Emitter interface {
	send(event string, args socketio.Args) error
}

var (
	_ Emitter = (*Socket)(nil)
	_ Emitter = volatileSocket{}
)

func (s *Socket) send(event string, args socketio.Args) error { return s.emit(event, args, false) }

type volatileSocket struct{ socket *Socket }

func (v volatileSocket) send(event string, args socketio.Args) error {
	return v.socket.emit(event, args, true)
}

// Volatile returns an emitter that drops what cannot leave at once: when the socket is not connected, or
// something waits to be sent.
func (s *Socket) Volatile() Emitter { return volatileSocket{s} }

// Emit sends an event and returns at once. It goes out in order, as soon as the socket is connected. The
// error is that of encoding the payload, socketio.ErrDisconnected if the socket is disconnected and will
// stay so, ErrQueueFull or ErrClosed. Emit may be called from any goroutine. With socketio.Args for T the
// event has any number of arguments, and may be binary; they must not change afterwards.
func Emit[T any](to Emitter, event socketio.Event[T], payload T) error {
	args, err := socketio.EncodeArgs(payload)
	if err != nil {
		return fmt.Errorf("encode event %s: %w", event.Name(), err)
	}
	if err := to.send(event.Name(), args); err != nil {
		return fmt.Errorf("emit %s: %w", event.Name(), err)
	}
	return nil
}

// Call emits an event and waits for the server's acknowledgement, for Config.AckTimeout at the most if ctx
// has no deadline. It may be called by a handler. The error wraps that of ctx, context.DeadlineExceeded,
// those of Emit, or socketio.ErrDisconnected with the Reason if the connection was lost before the answer:
// whether the server has got the event is then unknown. It is a *CallError, or what Config.DecodeError makes of it, if the
// acknowledgement says so, and a *socketio.PayloadError if it does not fit Res.
func Call[Req, Res any](ctx context.Context, s *Socket, call socketio.Call[Req, Res], req Req) (res Res, err error) {
	args, err := socketio.EncodeArgs(req)
	if err != nil {
		return res, fmt.Errorf("encode event %s: %w", call.Name(), err)
	}
	ack, err := s.ask(ctx, call.Name(), args)
	if err != nil {
		return res, fmt.Errorf("call %s: %w", call.Name(), err)
	}
	switch any(&res).(type) {
	case *socketio.Args, *json.RawMessage:
	default:
		if err := s.client.cfg.DecodeError(call.Name(), ack); err != nil {
			return res, err
		}
	}
	return socketio.DecodeArgs[Res](call.Name(), ack)
}

// On registers what handles an event of the server. Its context ends with the connection that the event
// came over. What does not decode is logged. Handlers may be registered at any time, but an event that
// comes before its handler is gone. On panics if the event has a handler.
func On[T any](s *Socket, event socketio.Event[T], h func(ctx context.Context, payload T)) {
	s.onEvent(event.Name(), func(in *incoming) (socketio.Args, error) {
		payload, err := socketio.DecodeArgs[T](in.name, in.args)
		if err == nil {
			h(in.ctx, payload)
		}
		return socketio.Args{}, err
	})
}

// Answer registers what answers a call of the server, as On does for an event. The server gets the result,
// or an acknowledgement that says what went wrong (see CallError): what is in a *socketio.EventError, the text
// of what is wrong with the request as "bad_request", and of any other error only that there was one.
func Answer[Req, Res any](s *Socket, call socketio.Call[Req, Res], h func(ctx context.Context, req Req) (Res, error)) {
	s.onEvent(call.Name(), func(in *incoming) (socketio.Args, error) {
		req, err := socketio.DecodeArgs[Req](in.name, in.args)
		if err != nil {
			return socketio.Args{}, err
		}
		res, err := h(in.ctx, req)
		if err != nil {
			return socketio.Args{}, err
		}
		return socketio.EncodeArgs(res)
	})
}

func (s *Socket) onEvent(event string, h handler) {
	s.register(func() {
		if _, ok := s.handlers[event]; ok {
			panic("client: namespace " + s.name + ": event " + event + " is handled twice")
		}
		s.handlers[event] = h
	})
}
