package parser

import (
	"bytes"
	"encoding/json"
	"slices"
	"unicode/utf8"
)

// A Decoder joins packets with the attachments that follow them. The zero value is ready; after an
// error it is of no more use. It keeps nothing of what it is given: packets hold copies.
type Decoder struct {
	pending   *Packet // while attachments are missing
	missing   int
	namespace string // the last one: most sessions use the same again and again
}

// Text decodes a text message. The packet is there if complete; otherwise its attachments must follow.
func (d *Decoder) Text(message []byte) (p Packet, complete bool, err error) {
	if d.missing > 0 {
		return p, false, ErrInterrupted
	}
	p, attachments, err := d.decode(message)
	if err != nil || attachments == 0 {
		return p, err == nil, err
	}
	pending := p
	d.pending, d.missing = &pending, attachments
	return Packet{}, false, nil
}

// Binary takes an attachment, and returns the packet with the last one.
func (d *Decoder) Binary(message []byte) (p Packet, complete bool, err error) {
	if d.missing == 0 {
		return p, false, ErrBinary
	}
	d.pending.Attachments = append(d.pending.Attachments, bytes.Clone(message))
	if d.missing--; d.missing > 0 {
		return p, false, nil
	}
	p, d.pending = *d.pending, nil
	return p, true, nil
}

func (d *Decoder) decode(b []byte) (p Packet, attachments int, err error) {
	if len(b) == 0 || b[0] < '0' || b[0] > '0'+byte(binaryAck) {
		return p, 0, ErrType
	}
	if !utf8.Valid(b) {
		return p, 0, ErrUTF8
	}
	p.Type, b = Type(b[0]-'0'), b[1:]

	if p.Type == binaryEvent || p.Type == binaryAck {
		p.Type -= binaryEvent - Event
		end := bytes.IndexByte(b[:min(len(b), 3)], '-')
		if end < 0 {
			return p, 0, ErrAttachments
		}
		n, ok := smallNumber(b[:end])
		if !ok || n > MaxAttachments {
			return p, 0, ErrAttachments
		}
		attachments, b = n, b[end+1:]
	}

	if p.Namespace, b, err = d.cutNamespace(b); err != nil {
		return p, 0, err
	}
	if p.ID, p.HasID, b, err = cutID(b); err != nil {
		return p, 0, err
	}

	switch p.Type {
	case Event, Ack:
		err = p.decodeArgs(bytes.Clone(b), attachments)
	default:
		err = p.decodeData(b)
	}
	return p, attachments, err
}

// cutNamespace takes the namespace off the front. Without a comma it is all there is (the reference
// client leaves the comma out where nothing follows).
func (d *Decoder) cutNamespace(b []byte) (namespace string, rest []byte, err error) {
	if len(b) == 0 || b[0] != '/' {
		return "/", b, nil
	}
	end := bytes.IndexByte(b, ',')
	if end < 0 {
		end = len(b)
	} else {
		rest = b[end+1:]
	}
	name, query, _ := bytes.Cut(b[:end], []byte{'?'})
	if len(name) > MaxNamespaceBytes || len(query) > MaxQueryBytes {
		return "", nil, ErrNamespace
	}
	if d.namespace != string(b[:end]) {
		d.namespace = string(b[:end])
	}
	return d.namespace, rest, nil
}

func cutID(b []byte) (id uint64, ok bool, rest []byte, err error) {
	i := 0
	for ; i < len(b) && isDigit(b[i]); i++ {
		if id = id*10 + uint64(b[i]-'0'); id > MaxID {
			return 0, false, nil, ErrID
		}
	}
	return id, i > 0, b[i:], nil
}

// decodeArgs splits the payload of an Event or an Ack, which the packet keeps.
func (p *Packet) decodeArgs(payload []byte, attachments int) error {
	if p.Type == Ack && !p.HasID {
		return ErrID
	}
	s := scanner{data: payload, attachments: attachments}
	s.space()
	if s.peek() != '[' {
		return ErrPayload
	}
	s.pos++
	s.depth++
	p.Args = make([]json.RawMessage, 0, 2)
	ok := s.elements(func(start, end int) bool {
		if len(p.Args) == MaxArgs {
			s.err = ErrArgs
			return false
		}
		p.Args = append(p.Args, payload[start:end:end])
		return true
	})
	if s.err != nil {
		return s.err
	}
	if s.space(); !ok || s.pos != len(payload) {
		return ErrJSON
	}
	if p.Type == Ack {
		return nil
	}

	if len(p.Args) == 0 {
		return ErrPayload
	}
	var err error
	switch first := p.Args[0]; {
	case first[0] == '"':
		if p.Name, err = text(first); err != nil {
			return ErrJSON
		}
		if Reserved(p.Name) {
			return ErrReserved
		}
	case first[0] == '-' || isDigit(first[0]):
		p.Name = first
	default:
		return ErrPayload
	}
	p.Args = p.Args[1:]
	return nil
}

// decodeData checks and copies the payload of the other types.
func (p *Packet) decodeData(payload []byte) error {
	if p.HasID {
		return ErrPayload
	}
	payload = bytes.Trim(payload, " \t\r\n")
	if len(payload) == 0 {
		if p.Type == ConnectError {
			return ErrPayload
		}
		return nil
	}
	switch {
	case p.Type == Disconnect:
		return ErrPayload
	case payload[0] == '{':
	case payload[0] == '"' && p.Type == ConnectError:
	default:
		return ErrPayload
	}
	if !Valid(payload, 0) {
		return ErrJSON
	}
	p.Data = slices.Clone(payload)
	return nil
}
