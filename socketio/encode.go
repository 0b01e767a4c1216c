package socketio

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"sync"

	"jobcast/engineio"
	"jobcast/socketio/internal/attach"
	"jobcast/socketio/internal/msgpack"
	"jobcast/socketio/internal/parser"
)

// Args are the arguments of one event as they are on the wire, with the attachments that its
// placeholders stand for. An Event[Args] or a Call[Args, Args] takes them undecoded. What a handler
// gets is its own; what is emitted must not change afterwards.
type Args struct {
	JSON        []json.RawMessage
	Attachments [][]byte
}

var (
	errArgs        = errors.New("socketio: arguments are not JSON, or their placeholders do not fit the attachments")
	errPlaceholder = errors.New(`socketio: a member "_placeholder": true beside bytes can be sent in msgpack only, name it differently`)
)

// check returns an error for what a client would take for a violation of the protocol.
func (a *Args) check() error {
	packedOnly, err := a.inspect()
	if packedOnly {
		err = errPlaceholder
	}
	return err
}

// inspect is check of arguments that msgpack may have to say, as it alone can.
func (a *Args) inspect() (packedOnly bool, err error) {
	if len(a.Attachments) > parser.MaxAttachments {
		return false, fmt.Errorf("socketio: %d attachments, at most %d fit in a packet", len(a.Attachments), parser.MaxAttachments)
	}
	for _, arg := range a.JSON {
		ok, lookalike := parser.Check(arg, len(a.Attachments))
		if !ok {
			return false, errArgs
		}
		packedOnly = packedOnly || lookalike
	}
	return packedOnly, nil
}

// clone returns the same arguments in memory of their own.
func (a Args) clone() (own Args) {
	for _, arg := range a.JSON {
		own.JSON = append(own.JSON, bytes.Clone(arg))
	}
	for _, attachment := range a.Attachments {
		own.Attachments = append(own.Attachments, append([]byte{}, attachment...))
	}
	return own
}

// An encoder writes packets into a buffer that is used again.
type encoder struct {
	buf  bytes.Buffer
	json *json.Encoder
}

// maxKeptBuffer is the largest buffer that an encoder keeps.
const maxKeptBuffer = 64 << 10

var encoders = sync.Pool{New: func() any {
	e := new(encoder)
	e.json = json.NewEncoder(&e.buf)
	e.json.SetEscapeHTML(false)
	return e
}}

// release gives e back, unless its buffer has grown too large.
func (e *encoder) release() {
	if e.buf.Cap() <= maxKeptBuffer {
		encoders.Put(e)
	}
}

// An outgoing is a packet that was encoded once, for any number of sessions.
type outgoing struct {
	frames   []*engineio.Frame // its text and then its attachments
	packed   []*engineio.Frame // in msgpack, once somebody needs it
	way      way
	volatile bool   // dropped by who cannot take it at once
	noText   bool   // only msgpack can say it
	sent     int32  // to how many sockets
	heard    *heard // nil where nobody listens
}

// encode makes an Event, an Ack or a ConnectError. v is a pointer to the payload. id is nil for an event that
// wants no acknowledgement; only an event has a name.
func encode(t parser.Type, namespace string, id *uint64, name string, v any) (*outgoing, error) {
	return encodeFor(way{}, t, namespace, id, name, v)
}

// A way says how a packet goes out.
type way struct {
	key   string // not empty: of those with the same only the newest counts
	plain bool   // not compressed
}

// encodeFor is encode for a packet that goes out in a way of its own.
func encodeFor(w way, t parser.Type, namespace string, id *uint64, name string, v any) (*outgoing, error) {
	e := encoders.Get().(*encoder)
	defer e.release()
	e.buf.Reset()

	var attachments [][]byte
	var noText bool
	if b, ok := v.(*withBytes); ok {
		args, err := b.encode()
		if err != nil {
			return nil, err
		}
		v = &args
	}
	if args, ok := v.(*Args); ok {
		var err error
		if noText, err = args.inspect(); err != nil {
			return nil, err
		}
		attachments = args.Attachments
	}
	var number uint64
	if id != nil {
		number = *id
	}
	b := parser.AppendHeader(e.buf.AvailableBuffer(), t, len(attachments), namespace, id != nil, number)
	head := len(b)
	switch t {
	case parser.Event:
		b = append(parser.AppendString(append(b, '['), name), ',')
	case parser.Ack:
		b = append(b, '[')
	}
	e.buf.Write(b)
	before := e.buf.Len()
	if err := e.payload(v); err != nil {
		return nil, err
	}
	if t == parser.Event && e.buf.Len() == before {
		e.buf.Truncate(before - 1) // the comma: there is no argument
	}
	if t != parser.ConnectError {
		e.buf.WriteByte(']')
	}

	out := newOutgoing(w, bytes.Clone(e.buf.Bytes()), head, attachments)
	out.noText = noText
	return out, nil
}

// newOutgoing makes a packet of its text, which is JSON from index head on, and its attachments.
func newOutgoing(w way, text []byte, head int, attachments [][]byte) *outgoing {
	first := engineio.Message{Data: text, NoCompress: w.plain, JSON: head}
	if w.key == "" && len(attachments) == 0 { // as most
		one := &struct {
			outgoing
			frame [1]*engineio.Frame
		}{outgoing{way: w}, [1]*engineio.Frame{engineio.NewFrame(first)}}
		one.frames = one.frame[:]
		return &one.outgoing
	}
	messages := append(make([]engineio.Message, 0, 1+len(attachments)), first)
	for _, a := range attachments {
		messages = append(messages, engineio.Message{Binary: true, Data: a, NoCompress: w.plain})
	}
	return &outgoing{way: w, frames: w.frames(messages)}
}

func (w way) frames(messages []engineio.Message) []*engineio.Frame {
	if w.key != "" {
		return engineio.NewestFrames(w.key, messages...)
	}
	frames := make([]*engineio.Frame, len(messages))
	for i, m := range messages {
		frames[i] = engineio.NewFrame(m)
	}
	return frames
}

// pack returns the packet in msgpack. Only one goroutine at a time sends a packet.
func (o *outgoing) pack() []*engineio.Frame {
	if o.packed == nil {
		var attachments [][]byte
		for _, f := range o.frames[1:] {
			attachments = append(attachments, f.Message().Data)
		}
		data := msgpack.Encode(o.frames[0].Message().Data, attachments)
		o.packed = o.way.frames([]engineio.Message{{Binary: true, Data: data, NoCompress: o.way.plain}})
	}
	return o.packed
}

// payload writes what v points to as the arguments of a packet.
func (e *encoder) payload(v any) error {
	switch v := v.(type) {
	case *struct{}: // no argument
	case *Args:
		for i, arg := range v.JSON {
			if i > 0 {
				e.buf.WriteByte(',')
			}
			e.buf.Write(arg)
		}
	case *json.RawMessage:
		if *v == nil {
			e.buf.WriteString("null")
		} else if !parser.Valid(*v, 0) {
			return errArgs
		} else {
			e.buf.Write(*v)
		}
	default:
		if err := e.json.Encode(v); err != nil {
			return err
		}
		e.buf.Truncate(e.buf.Len() - 1) // the encoder ends with a newline
	}
	return nil
}

// decode makes a payload, which v points to, out of the arguments of an event or an acknowledgement.
func decode(event string, args Args, v any) error {
	switch v := v.(type) {
	case *struct{}:
		return nil
	case *Args:
		*v = args
		return nil
	case *json.RawMessage:
		if len(args.JSON) > 0 {
			*v = args.JSON[0]
		}
		return nil
	}
	if len(args.JSON) == 0 {
		return nil
	}
	if b, ok := v.(*withBytes); ok {
		return payloadError(event, b.codec.Decode(args.JSON[0], args.Attachments, b.v))
	}
	err := json.Unmarshal(args.JSON[0], v)
	if mismatch, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		mismatch.Field = parser.Path(args.JSON[0], int(mismatch.Offset)-1) // with indexes
	}
	return payloadError(event, err)
}

// withBytes is a payload that has bytes in it, for encode and decode.
type withBytes struct {
	codec *attach.Codec
	v     any
}

// payloadOf is what encode and decode take for a payload that v points to.
func payloadOf(codec *attach.Codec, v any) any {
	if codec == nil {
		return v
	}
	return &withBytes{codec, v}
}

// codecOf returns the codec of a type of payloads, nil for those without bytes and for Args.
func codecOf[T any]() *attach.Codec {
	if reflect.TypeFor[T]() == reflect.TypeFor[Args]() {
		return nil
	}
	return attach.For[T]()
}

func (b *withBytes) encode() (Args, error) {
	data, attachments, err := b.codec.Encode(b.v)
	return Args{[]json.RawMessage{data}, attachments}, err
}

// encodeControl makes a Connect or a Disconnect.
func encodeControl(t parser.Type, namespace string, data []byte) *outgoing {
	p := parser.Packet{Type: t, Namespace: namespace, Data: data}
	text := p.Append(nil)
	return newOutgoing(way{}, text, len(text)-len(data), nil)
}
