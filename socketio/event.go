package socketio

import (
	"context"
	"encoding/json"
)

// Args are the arguments of one event as they are on the wire, with the attachments that its
// placeholders stand for. An Event[Args] or a Call[Args, Args] takes them undecoded.
type Args struct {
	JSON        []json.RawMessage
	Attachments [][]byte
}

// Emitter is who can be emitted to: a Socket, a Namespace or a Target.
type Emitter interface {
	emit(name string, args Args) error // in truth: an encoded packet
}

// Handler answers one named event. Event.On and Call.On make it.
type Handler struct{ name string }

// Event is a named event with one payload, sent in either direction.
type Event[T any] struct{ name string }

// NewEvent declares an event. It panics if the name is reserved.
func NewEvent[T any](name string) Event[T] { return Event[T]{name} }

func (e Event[T]) Name() string { return e.name }

// Emit sends the event and returns at once.
func (e Event[T]) Emit(to Emitter, payload T) error { panic("skeleton") }

// On returns the handler that decodes the payload and calls h. An ack, if asked for, is empty.
func (e Event[T]) On(h func(ctx context.Context, s *Socket, payload T) error) Handler {
	panic("skeleton")
}

// Call is a named event that is answered by an acknowledgement.
type Call[Req, Res any] struct{ name string }

func NewCall[Req, Res any](name string) Call[Req, Res] { return Call[Req, Res]{name} }

func (c Call[Req, Res]) Name() string { return c.name }

// On returns the handler that decodes the request, calls h and sends the acknowledgement: the result,
// or or what Config.EncodeError makes of the error.
func (c Call[Req, Res]) On(h func(ctx context.Context, s *Socket, req Req) (Res, error)) Handler {
	panic("skeleton")
}

// OnAnswer is On for a handler that must do something right after its answer was queued, or say
// exactly what comes before and after it: it calls answer itself, at most once. An error that is
// returned before answer was called is the answer.
func (c Call[Req, Res]) OnAnswer(h func(ctx context.Context, s *Socket, req Req, answer func(Res) error) error) Handler {
	panic("skeleton")
}

// Ask emits the event to one client and waits for its acknowledgement, for Config.AckTimeout at the
// most if ctx has no deadline. It must not be called while holding a lock, and may be called from a
// handler.
func (c Call[Req, Res]) Ask(ctx context.Context, s *Socket, req Req) (res Res, err error) {
	panic("skeleton")
}
