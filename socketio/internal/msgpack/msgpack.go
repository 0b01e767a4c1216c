// Package msgpack turns Socket.IO packets into the binary messages of socket.io-msgpack-parser and back. Such a
// message is one MessagePack map with type, data, nsp and id, in place of a text and its attachments; the
// types are those of socket.io-protocol v5, and binary has its place in the data.
//
// Inside the server a packet stays JSON with attachments: the package writes one as the other without
// making values in between. Integers stay integers and floats floats; NaN and the infinities, which JSON does
// not have, become null, as in JSON.stringify. A timestamp becomes a string as in RFC 3339, a member that is
// undefined is left out, and binary becomes an attachment with its placeholder.
//
// What a client sends is bounded by the length of its message: the JSON is at most six times as long, and
// nothing is allocated for a length that the message only claims. The package knows nothing of sessions,
// starts no goroutine and logs nothing.
package msgpack

import (
	"errors"

	"jobcast/socketio/internal/parser"
)

// MaxBinaries is how many binaries a message may bring. It is more than parser.MaxAttachments, since they
// come in one message and cost no more than strings do.
const MaxBinaries = 1024

// The ways in which a client breaks the format, beside those that package parser knows.
var (
	ErrShort    = errors.New("message ends too early")
	ErrTrailing = errors.New("message goes on behind its packet")
	ErrTag      = errors.New("unknown type in MessagePack")
	ErrKey      = errors.New("key is not a string")
	ErrDepth    = errors.New("data nests too deep")
	ErrBinaries = errors.New("too many binaries")
)

// Decode returns the packet of a message. It keeps nothing of what it is given. Binary in the data of a
// Connect or a ConnectError becomes base64.
func Decode(message []byte) (p parser.Packet, err error) {
	d := decoder{in: message}
	n, err := d.header(mapTag)
	if err != nil {
		return p, err
	}
	kind, data := int64(-1), -1
	for range n {
		key, err := d.key()
		if err != nil {
			return p, err
		}
		switch string(key) {
		case "type":
			kind, err = d.integer()
		case "nsp":
			var name []byte
			name, err = d.text()
			p.Namespace = string(name)
		case "id":
			if d.undefined() {
				continue
			}
			var id int64
			if id, err = d.integer(); id < 0 || id > parser.MaxID {
				err = parser.ErrID
			}
			p.HasID, p.ID = true, uint64(id)
		case "data":
			if d.undefined() {
				continue
			}
			data = d.pos
			err = d.skip()
		default: // the client's options
			err = d.skip()
		}
		if err != nil {
			return p, err
		}
	}
	if d.pos != len(message) {
		return p, ErrTrailing
	}
	if kind < int64(parser.Connect) || kind > int64(parser.ConnectError) {
		return p, parser.ErrType
	}
	p.Type = parser.Type(kind)
	if !parser.UsableNamespace(p.Namespace) {
		return p, parser.ErrNamespace
	}
	d.pos = data
	switch p.Type {
	case parser.Event, parser.Ack:
		if data < 0 {
			return p, parser.ErrPayload
		}
		err = d.args(&p)
	case parser.Disconnect:
		if data >= 0 || p.HasID {
			err = parser.ErrPayload
		}
	default:
		switch {
		case p.HasID:
			err = parser.ErrID
		case data >= 0:
			err = d.object(&p)
		case p.Type == parser.ConnectError:
			err = parser.ErrPayload
		}
	}
	return p, err
}

// args reads the data of an Event or an Ack.
func (d *decoder) args(p *parser.Packet) error {
	if p.Type == parser.Ack && !p.HasID {
		return parser.ErrID
	}
	n, err := d.header(arrayTag)
	if err != nil {
		return parser.ErrPayload
	}
	if n > parser.MaxArgs {
		return parser.ErrArgs
	}
	if p.Type == parser.Event {
		if n == 0 {
			return parser.ErrPayload
		}
		n--
		if err := d.name(p); err != nil {
			return err
		}
	}
	if n > len(d.in)-d.pos {
		return ErrShort
	}
	ends := make([]int, 0, n)
	for range n {
		if err := d.value(0); err != nil {
			return err
		}
		ends = append(ends, len(d.out))
	}
	p.Args, p.Attachments = make([]rawMessage, n), d.binaries
	start := 0
	for i, end := range ends {
		p.Args[i] = d.out[start:end:end]
		start = end
	}
	return nil
}

// name reads the name of an event, a string or a number.
func (d *decoder) name(p *parser.Packet) error {
	switch kindOf(d.peek()) {
	case stringTag:
		text, err := d.text()
		if err != nil {
			return err
		}
		if p.Name = append([]byte{}, text...); parser.Reserved(p.Name) {
			return parser.ErrReserved
		}
		return nil
	case numberTag:
		if err := d.value(0); err != nil {
			return err
		}
		p.Name, d.out = d.out, nil
		if string(p.Name) == "null" {
			return parser.ErrPayload
		}
		return nil
	}
	return parser.ErrPayload
}

// object reads the data of a Connect, the credentials or the answer to them, and of a ConnectError.
func (d *decoder) object(p *parser.Packet) error {
	if kindOf(d.peek()) != mapTag {
		return parser.ErrPayload
	}
	d.inBase64 = true
	err := d.value(0)
	p.Data = d.out
	return err
}
