package socketio

import (
	"bytes"
	"encoding/json"
)

// MessageEvent is the event of send() in the stock client, with any number of arguments: MessageEvent.Emit is what
// Node calls socket.send and io.send.
var MessageEvent = NewEvent[Args]("message")

// EncodeArgs returns the arguments that a payload becomes, as Event.Emit writes them. It is for whoever
// speaks the protocol by other means than a Server, such as a client.
func EncodeArgs[T any](payload T) (Args, error) {
	if args, ok := any(payload).(Args); ok {
		return args, args.check()
	}
	if codec := codecOf[T](); codec != nil {
		args, err := (&withBytes{codec, &payload}).encode()
		if err == nil {
			err = args.check()
		}
		return args, err
	}
	e := encoders.Get().(*encoder)
	defer e.release()
	e.buf.Reset()
	if err := e.payload(&payload); err != nil || e.buf.Len() == 0 {
		return Args{}, err
	}
	return Args{JSON: []json.RawMessage{bytes.Clone(e.buf.Bytes())}}, nil
}

// DecodeArgs returns the payload that the arguments of an event or an acknowledgement are, as the handler
// of Event.On gets it. The error is a *PayloadError that names the event.
func DecodeArgs[T any](event string, args Args) (payload T, err error) {
	err = decode(event, args, payloadOf(codecOf[T](), &payload))
	return payload, err
}
