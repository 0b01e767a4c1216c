package namespaces

import (
	"context"

	"jobcast/events"
	"jobcast/socketio"
)

// Echo is the namespace /, where what a client says comes back to it, acknowledged with the same where it asked for
// that.
var Echo = Namespace{Path: events.MainNamespace.Path, Open: openEcho}

func openEcho(ns *socketio.Namespace, _ Services) Close {
	ns.Handle(events.Send.On(echo(events.SendBack)), events.Echo.On(echo(events.EchoBack)))
	return nil
}

func echo(back socketio.Event[socketio.Args]) func(context.Context, *socketio.Socket, socketio.Args) (socketio.Args, error) {
	return func(_ context.Context, s *socketio.Socket, args socketio.Args) (socketio.Args, error) {
		return args, back.Emit(s, args)
	}
}
