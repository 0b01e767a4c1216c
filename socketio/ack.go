package socketio

import (
	"context"

	"jobcast/socketio/internal/attach"
)

// An Ack is the way back of one event: its acknowledgement, which Res is encoded for as the payload of an Event
// is. It may be kept, and used by any goroutine after the handler has returned, or never.
type Ack[Res any] struct {
	call  *call
	codec *attach.Codec
}

// Wanted reports whether the client asked for an acknowledgement.
func (a Ack[Res]) Wanted() bool { return a.call.wantsAck }

// Send sends the acknowledgement, if the client asked for one. The error is ErrAnswered the second time, that of
// encoding res, or that of emitting to the socket.
func (a Ack[Res]) Send(res Res) error { return a.call.answer(payloadOf(a.codec, &res)) }

// OnAck returns the handler that decodes the request, calls h and leaves the acknowledgement to it: at once,
// later, or not at all. An error that is returned before anything was sent is the acknowledgement, as
// Config.EncodeError has it.
func (c Call[Req, Res]) OnAck(h func(ctx context.Context, s *Socket, req Req, ack Ack[Res]) error) Handler {
	return Handler{c.name, func(in *call) error {
		var req Req
		if err := decode(c.name, in.args, payloadOf(c.req, &req)); err != nil {
			return err
		}
		return h(in.context(), in.socket, req, Ack[Res]{in, c.res})
	}}
}

// HandleAnyAck is HandleAny for who answers later, not at all, or only whoever asked for it. There is one of
// the two.
func (n *Namespace) HandleAnyAck(h func(ctx context.Context, s *Socket, event string, args Args, ack Ack[Args]) error) {
	r := n.own()
	if r.any != nil {
		panic("socketio: namespace " + n.name + ": HandleAny is called twice")
	}
	r.any = h
}
