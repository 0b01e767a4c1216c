package socketio

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"jobcast/engineio"
	"jobcast/socketio/internal/parser"
)

// Errors that a caller may have to tell apart.
var (
	// ErrDisconnected is the error of emitting to a socket, and of asking one, that is not connected to
	// its namespace: no longer, or not yet, as in a middleware. An Ask that was under way has the Reason
	// beside it.
	ErrDisconnected = errors.New("socketio: socket is not connected")
	// ErrAnswered is the error of answering a call twice.
	ErrAnswered = errors.New("socketio: call was answered already")

	errPanic = errors.New("socketio: a handler panicked")
)

// ConnectError refuses a socket with data beside the message.
type ConnectError struct {
	Message string
	Data    any // encoded as JSON; nil leaves it out
}

func (e *ConnectError) Error() string { return e.Message }

// refusal is the CONNECT_ERROR for a client that may not join a namespace.
func (c *conn) refusal(namespace string, err error) *outgoing {
	message, data := err.Error(), any(nil)
	if errors.Is(err, errPanic) {
		message = internalFailure.Error.Message
	}
	if e, ok := errors.AsType[*ConnectError](err); ok {
		data = e.Data
	}
	out, err := encode(parser.ConnectError, namespace, nil, "", c.dialect.refusal(message, data))
	if err != nil {
		c.srv.log.Error("data of a connect error cannot be encoded", "nsp", namespace, "err", err)
		out, _ = encode(parser.ConnectError, namespace, nil, "", c.dialect.refusal(message, nil))
	}
	return out
}

// EventError refuses an event with what its client shall know. It is what the default of
// Config.EncodeError shows of an error.
type EventError struct {
	Code    string
	Message string
	Data    any // encoded as JSON; nil leaves it out
}

func (e *EventError) Error() string { return e.Message }

// PayloadError says which event had arguments that do not fit, and where.
type PayloadError struct {
	Event string
	Field string // a path such as "parts.2.data", or empty
	Err   error
}

// Error names the event and the field, in words for whoever wrote the client.
func (e *PayloadError) Error() string {
	text := "event " + e.Event + ": "
	if e.Field != "" {
		text += e.Field + ": "
	}
	if mismatch, ok := errors.AsType[*json.UnmarshalTypeError](e.Err); ok {
		return text + fmt.Sprintf("want %s, got %s", jsonType(mismatch.Type), mismatch.Value)
	}
	return text + e.Err.Error()
}

// Unwrap returns what is wrong with the payload, an error of encoding/json or of the type's own.
func (e *PayloadError) Unwrap() error { return e.Err }

// payloadError makes the error of an event whose payload encoding/json could not decode, if it could not.
func payloadError(event string, err error) error {
	if err == nil {
		return nil
	}
	e := &PayloadError{Event: event, Err: err}
	if mismatch, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		e.Field = mismatch.Field
	}
	return e
}

// jsonType is what encoding/json decodes into a t, in JSON's words.
func jsonType(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "bool"
	case reflect.String:
		return "string"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "integer"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "unsigned integer"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.Slice, reflect.Array:
		if t == reflect.TypeFor[[]byte]() {
			return "binary"
		}
		return "array"
	case reflect.Struct, reflect.Map:
		return "object"
	case reflect.Pointer:
		return jsonType(t.Elem())
	}
	return t.String()
}

// failure is how an error looks to a client if Config.EncodeError is nil.
type failure struct {
	OK    bool `json:"ok"`
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Data    any    `json:"data,omitempty"`
	} `json:"error"`
}

var internalFailure = newFailure("internal", "internal error")

func newFailure(code, message string) (f failure) {
	f.Error.Code, f.Error.Message = code, message
	return f
}

// A Reason says why a socket left its namespace.
type Reason string

func (r Reason) Error() string { return string(r) }

// The reasons, in the words of the reference server where it has them. Those of the session below come
// as they are.
const (
	TransportError            = Reason(engineio.TransportError)
	TransportClose            = Reason(engineio.TransportClose)
	ForcedClose               = Reason(engineio.ForcedClose)
	PingTimeout               = Reason(engineio.PingTimeout)
	ParseError                = Reason(engineio.ParseError)
	ServerShutdown            = Reason(engineio.ServerShutdown)
	SlowConsumer              = Reason(engineio.SlowConsumer)
	ForcedServerClose         = Reason("forced server close")
	ClientNamespaceDisconnect = Reason("client namespace disconnect")
	ServerNamespaceDisconnect = Reason("server namespace disconnect")
	// TooManyEvents: the client sent faster than its handlers worked, over the bounds of Config.
	TooManyEvents = Reason("too many pending events")
)
