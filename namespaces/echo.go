package namespaces

import (
	"context"

	"jobcast/events"
	"jobcast/socketio"
)

// Echo registers the namespace /, where what a client says comes back to it, acknowledged with the same
// where it asked for that.
func Echo(io *socketio.Server) {
	ns := io.Of("/")
	refuseUnknown(ns)
	ns.AllowMsgpack()
	ns.Handle(events.Send.On(echo(events.SendBack)), events.Echo.On(echo(events.EchoBack)))
}

func echo(back socketio.Event[socketio.Args]) func(context.Context, *socketio.Socket, socketio.Args) (socketio.Args, error) {
	return func(_ context.Context, s *socketio.Socket, args socketio.Args) (socketio.Args, error) {
		return args, back.Emit(s, args)
	}
}
