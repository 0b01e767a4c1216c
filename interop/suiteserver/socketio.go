package main

import (
	"context"
	"encoding/json"
	"time"

	"jobcast/engineio"
	"jobcast/socketio"
)

var (
	auth           = socketio.NewEvent[json.RawMessage]("auth")
	message        = socketio.NewEvent[socketio.Args]("message")
	messageBack    = socketio.NewEvent[socketio.Args]("message-back")
	messageWithAck = socketio.NewCall[socketio.Args, socketio.Args]("message-with-ack")
)

// socketSuite tells every socket its credentials, and sends what it gets back, as an event or as an
// acknowledgement.
func socketSuite(cfg engineio.Config) suite {
	server := socketio.New(socketio.Config{Engine: cfg, ConnectTimeout: time.Second})
	for _, name := range []string{"/", "/custom"} {
		ns := server.Of(name)
		ns.OnConnect(func(_ context.Context, s *socketio.Socket) {
			credentials := s.Auth()
			if credentials == nil {
				credentials = json.RawMessage("{}")
			}
			_ = auth.Emit(s, credentials) // the socket may have left: nobody is left to tell
		})
		ns.Handle(
			message.On(func(_ context.Context, s *socketio.Socket, args socketio.Args) error {
				return messageBack.Emit(s, args)
			}),
			messageWithAck.On(func(_ context.Context, _ *socketio.Socket, args socketio.Args) (socketio.Args, error) {
				return args, nil
			}),
		)
	}
	return suite{"/socket.io/", server, server.Close}
}
