// Package attach encodes and decodes Go values that have bytes in them: encoding/json would write them as
// base64, here they become attachments of a Socket.IO packet, with placeholders in the JSON
// (socket.io-protocol v5, "Packet encoding"). Everything else in the value is as encoding/json has it, since
// that does the work: it is given a copy in which every []byte is a mark, and what it makes of a mark is
// what a placeholder takes the place of. Decoding goes the same way back.
//
// The bytes of a value are those in its []byte, also of a named type, wherever encoding/json finds them:
// in fields, slices, arrays, maps and behind pointers. What a type with methods of its own for JSON or text
// holds, such as json.RawMessage, is that type's affair. What an interface holds is not looked at, and neither
// is an embedded pointer to a struct that is not exported; bytes in there are base64. A [16]byte is an array
// of numbers, as in encoding/json.
//
// The package knows nothing of packets, starts no goroutine and logs nothing.
package attach

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"sync"

	"jobcast/socketio/internal/parser"
)

// A Codec encodes and decodes the values of one type.
type Codec struct{ plan *plan }

// known has a *Codec for every type that was asked for, nil for those without bytes.
var known sync.Map

// For returns the codec of a type, or nil if encoding/json alone does it as well: there are no bytes in it.
func For[T any]() *Codec {
	t := reflect.TypeFor[T]()
	if c, ok := known.Load(t); ok {
		return c.(*Codec)
	}
	var c *Codec
	if p := (plans{}).of(t); p != nil {
		c = &Codec{p}
	}
	actual, _ := known.LoadOrStore(t, c)
	return actual.(*Codec)
}

var errDeep = errors.New("attach: a value nests too deep, or has itself in it")

// Encode returns the JSON of what v points to, without the escaping of HTML, and the attachments for its
// placeholders. Nil bytes are null. The attachments are copies.
func (c *Codec) Encode(v any) (data []byte, attachments [][]byte, err error) {
	m := newMarks()
	marked := reflect.New(reflect.TypeOf(v).Elem())
	marked.Elem().Set(reflect.ValueOf(v).Elem())
	if !c.plan.detach(m, marked.Elem(), 0) {
		return nil, nil, errDeep
	}
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(marked.Interface()); err != nil {
		return nil, nil, err
	}
	data = bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
	if len(m.values) == 0 {
		return data, nil, nil
	}
	data, attachments = m.collect(data)
	return data, attachments, nil
}

// Decode makes what v points to, a zero value, out of JSON whose placeholders fit the attachments. Bytes may
// also be a string in base64, as encoding/json has them. The bytes of v are those of the attachments and no
// copies. A type that does not fit is a *json.UnmarshalTypeError whose Field is the whole path, with indexes;
// a placeholder where there are no bytes, and what is not base64, is one too.
func (c *Codec) Decode(data []byte, attachments [][]byte, v any) error {
	if len(attachments) == 0 {
		err := json.Unmarshal(data, v)
		return c.explain(data, v, err)
	}
	m := newMarks()
	m.values, m.used = attachments, make([]bool, len(attachments))
	text := m.place(data, nil)
	err := json.Unmarshal(text, v)
	value := reflect.ValueOf(v).Elem()
	c.plan.attach(m, value)
	_, mismatch := errors.AsType[*json.UnmarshalTypeError](err)
	if (err == nil || mismatch) && slices.Contains(m.used, false) {
		// A placeholder is ignored with the key that it is under, or stands where there are no bytes: what it is
		// there, an object, shows when it stays.
		value.SetZero()
		text = m.place(data, m.used)
		err = json.Unmarshal(text, v)
		c.plan.attach(m, value)
	}
	return c.explain(text, v, err)
}

// explain says more about an error of encoding/json, if there is one. v may be overwritten then.
func (c *Codec) explain(data []byte, v any, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[base64Error](err); ok {
		if at := c.notBase64(data, v); at >= 0 {
			err = &json.UnmarshalTypeError{Value: "string", Type: reflect.TypeFor[[]byte](), Offset: int64(at)}
		}
	}
	if mismatch, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		at := int(mismatch.Offset) - 1
		mismatch.Field = parser.Path(data, at)
		if mismatch.Value == "object" {
			l := parser.Lexer{Data: data, Pos: at}
			l.Next()
			if _, ok := l.Placeholder(); ok {
				mismatch.Value = "binary"
			}
		}
	}
	return err
}
