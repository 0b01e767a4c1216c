package client

import (
	"encoding/json"
	"errors"
	"fmt"

	"jobcast/socketio"
)

// The reasons that only a client has, in the words of the stock one. The others are those of package
// socketio: TransportClose, TransportError, PingTimeout, ParseError, TooManyEvents.
const (
	// ServerDisconnect: the server has disconnected this socket, which does not come back by itself.
	ServerDisconnect = socketio.Reason("io server disconnect")
	// ClientDisconnect: Socket.Disconnect or Client.Close was called.
	ClientDisconnect = socketio.Reason("io client disconnect")
)

// A ConnectError is the server's refusal of a socket (socket.io-protocol v5, "Connection to a namespace").
type ConnectError struct {
	Namespace string
	Message   string
	Data      json.RawMessage // what the server said beside the message, or nil
}

func (e *ConnectError) Error() string { return "namespace " + e.Namespace + ": " + e.Message }

// newConnectError makes the error out of the payload of a CONNECT_ERROR, an object or a string.
func newConnectError(namespace string, payload []byte) *ConnectError {
	var p struct {
		Message string          `json:"message"`
		Data    json.RawMessage `json:"data"`
	}
	if json.Unmarshal(payload, &p) != nil {
		_ = json.Unmarshal(payload, &p.Message) // then the message stays empty
	}
	return &ConnectError{namespace, p.Message, p.Data}
}

// A HandshakeError is the refusal of a session, an answer over HTTP. Code is that of Engine.IO, from 0 to 5,
// and -1 where the answer has none, as one that comes from something in between.
type HandshakeError struct {
	Status  int
	Code    int
	Message string
}

func (e *HandshakeError) Error() string {
	return fmt.Sprintf("handshake refused: status %d, %s", e.Status, e.Message)
}

// newHandshakeError makes the error out of the answer's body.
func newHandshakeError(status int, reason string, body []byte) *HandshakeError {
	e := &HandshakeError{Status: status, Code: -1, Message: reason}
	var p struct {
		Code    *int
		Message string
	}
	if json.Unmarshal(body, &p) == nil && p.Code != nil {
		e.Code, e.Message = *p.Code, p.Message
	}
	return e
}

// A CallError is an acknowledgement that says that the call has failed:
//
//	{"ok":false,"error":{"code":"…","message":"…","data":…}}
//
// It is what a server of package socketio answers when a handler fails, with what is in its
// socketio.EventError. A Call whose result is socketio.Args or json.RawMessage gets the acknowledgement
// itself, whatever it says. An object without both fields is never an error.
type CallError struct {
	Event   string // of the call
	Code    string
	Message string
	Data    json.RawMessage // what the server said beside, or nil
	Ack     json.RawMessage // the whole acknowledgement
}

func (e *CallError) Error() string {
	return fmt.Sprintf("call %s: %s: %s", e.Event, e.Code, e.Message)
}

// failure is the shape of an acknowledgement that says what went wrong.
type failure[Data any] struct {
	OK    *bool               `json:"ok"`
	Error *failureError[Data] `json:"error"`
}

type failureError[Data any] struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Data    Data   `json:"data,omitempty"`
}

// callError returns the error that an acknowledgement is, or nil.
func callError(event string, args socketio.Args) error {
	if len(args.JSON) != 1 {
		return nil
	}
	var f failure[json.RawMessage]
	if json.Unmarshal(args.JSON[0], &f) != nil || f.OK == nil || *f.OK || f.Error == nil {
		return nil
	}
	return &CallError{event, f.Error.Code, f.Error.Message, f.Error.Data, args.JSON[0]}
}

// encodeError is what the server gets to see of a handler's error.
func encodeError(err error) (socketio.Args, error) {
	no := false
	f := failure[any]{&no, &failureError[any]{Code: "internal", Message: "internal error"}}
	if e, ok := errors.AsType[*socketio.EventError](err); ok {
		f.Error = &failureError[any]{e.Code, e.Message, e.Data}
	} else if e, ok := errors.AsType[*socketio.PayloadError](err); ok {
		f.Error = &failureError[any]{Code: "bad_request", Message: e.Error()}
	}
	args, err := socketio.EncodeArgs(f)
	if err != nil {
		f.Error.Data = nil
		args, _ = socketio.EncodeArgs(f) // strings always encode
	}
	return args, err
}
