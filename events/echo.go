package events

import "jobcast/socketio"

// MainNamespace is the namespace every client is in: what it says comes back.
var MainNamespace = Namespace{
	Path:   "/",
	Client: []Message{Send, Echo},
	Server: []Message{SendBack, EchoBack},
}

// The events of namespace /. They take any arguments, binary ones too, and bring the same back to the
// sender, as an event and, where it was asked for, as the acknowledgement.
var (
	Send = socketio.NewCall[socketio.Args, socketio.Args]("message") // is what send() of the stock client emits
	Echo = socketio.NewCall[socketio.Args, socketio.Args]("echo")    // is any other thing to say

	SendBack = socketio.NewEvent[socketio.Args]("message") // is a message that has come back
	EchoBack = socketio.NewEvent[socketio.Args]("echo")    // is an echo
)
