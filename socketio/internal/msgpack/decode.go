package msgpack

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"jobcast/socketio/internal/parser"
)

type rawMessage = json.RawMessage

// The kinds of values in MessagePack.
type tagKind uint8

const (
	unknownTag tagKind = iota
	nilTag
	boolTag
	numberTag
	stringTag
	binaryTag
	extTag
	arrayTag
	mapTag
)

// kindOf says what begins with a byte.
func kindOf(tag byte) tagKind {
	switch {
	case tag < 0x80, tag >= 0xe0, tag >= 0xca && tag <= 0xd3:
		return numberTag
	case tag < 0x90, tag == 0xde, tag == 0xdf:
		return mapTag
	case tag < 0xa0, tag == 0xdc, tag == 0xdd:
		return arrayTag
	case tag < 0xc0, tag >= 0xd9 && tag <= 0xdb:
		return stringTag
	case tag == 0xc0:
		return nilTag
	case tag == 0xc2, tag == 0xc3:
		return boolTag
	case tag >= 0xc4 && tag <= 0xc6:
		return binaryTag
	case tag >= 0xc7 && tag <= 0xc9, tag >= 0xd4 && tag <= 0xd8:
		return extTag
	}
	return unknownTag // 0xc1
}

// A decoder reads a message, and appends what it reads to out as JSON.
type decoder struct {
	in       []byte
	pos      int
	out      []byte
	binaries [][]byte
	inBase64 bool // binary becomes base64, not an attachment
}

// peek is the next byte, or the one that begins nothing.
func (d *decoder) peek() byte {
	if d.pos < len(d.in) {
		return d.in[d.pos]
	}
	return 0xc1
}

// take takes n bytes, which stay a part of the message.
func (d *decoder) take(n int) ([]byte, error) {
	if n < 0 || n > len(d.in)-d.pos {
		return nil, ErrShort
	}
	d.pos += n
	return d.in[d.pos-n : d.pos], nil
}

// number takes an unsigned number of 1, 2, 4 or 8 bytes.
func (d *decoder) number(size int) (uint64, error) {
	b, err := d.take(size)
	if err != nil {
		return 0, err
	}
	var whole [8]byte
	copy(whole[8-size:], b)
	return binary.BigEndian.Uint64(whole[:]), nil
}

// header takes the beginning of a value of a kind that has a length, and returns that: members, elements or
// bytes. That so many follow is not checked.
func (d *decoder) header(want tagKind) (int, error) {
	tag, err := d.take(1)
	if err != nil {
		return 0, err
	}
	if kindOf(tag[0]) != want {
		return 0, ErrTag
	}
	var size int
	switch t := tag[0]; {
	case t < 0xa0:
		return int(t & 0x0f), nil
	case t < 0xc0:
		return int(t & 0x1f), nil
	case t >= 0xd4 && t <= 0xd8:
		return 1 << (t - 0xd4), nil
	case t >= 0xdc: // arrays and maps have no form with one byte
		size = 2 << ((t - 0xdc) & 1)
	case t >= 0xd9:
		size = 1 << (t - 0xd9)
	case t >= 0xc7:
		size = 1 << (t - 0xc7)
	default:
		size = 1 << (t - 0xc4)
	}
	n, err := d.number(size)
	return int(n), err
}

func (d *decoder) bytes(want tagKind) ([]byte, error) {
	n, err := d.header(want)
	if err != nil {
		return nil, err
	}
	return d.take(n)
}

// text takes a string.
func (d *decoder) text() ([]byte, error) {
	b, err := d.bytes(stringTag)
	if err == nil && !utf8.Valid(b) {
		err = parser.ErrUTF8
	}
	return b, err
}

func (d *decoder) key() ([]byte, error) {
	if kindOf(d.peek()) != stringTag {
		return nil, ErrKey
	}
	return d.text()
}

// undefined takes the client's way to write undefined, if it comes next.
func (d *decoder) undefined() bool {
	ok := bytes.HasPrefix(d.in[d.pos:], []byte{0xd4, 0, 0})
	if ok {
		d.pos += 3
	}
	return ok
}

// integer takes a whole number.
func (d *decoder) integer() (int64, error) {
	if kindOf(d.peek()) != numberTag {
		return 0, ErrTag
	}
	before := len(d.out)
	if err := d.scalar(numberTag); err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(string(d.out[before:]), 10, 64)
	d.out = d.out[:before]
	return n, err
}

// skip goes on behind the next value, whatever it is. What it has skipped may still be wrong inside.
func (d *decoder) skip() error {
	for left := 1; left > 0; left-- {
		var n int
		var err error
		switch kind := kindOf(d.peek()); kind {
		case nilTag, boolTag:
			d.pos++
		case numberTag:
			_, err = d.take(1 + numberSize(d.peek()))
		case stringTag, binaryTag:
			_, err = d.bytes(kind)
		case extTag:
			if n, err = d.header(kind); err == nil {
				_, err = d.take(n + 1)
			}
		case arrayTag, mapTag:
			n, err = d.header(kind)
			if kind == mapTag {
				n *= 2
			}
			if n > len(d.in)-d.pos { // each takes a byte at least
				err = ErrShort
			}
			left += n
		default:
			err = d.nothing()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// nothing says why no value can be read.
func (d *decoder) nothing() error {
	if d.pos >= len(d.in) {
		return ErrShort
	}
	return ErrTag
}

// numberSize is how many bytes of a number follow its first.
func numberSize(tag byte) int {
	switch {
	case tag == 0xca:
		return 4
	case tag == 0xcb:
		return 8
	case tag >= 0xcc && tag <= 0xcf:
		return 1 << (tag - 0xcc)
	case tag >= 0xd0 && tag <= 0xd3:
		return 1 << (tag - 0xd0)
	}
	return 0
}

// value takes the next value and appends it as JSON.
func (d *decoder) value(depth int) error {
	if depth == parser.MaxDepth {
		return ErrDepth
	}
	switch kind := kindOf(d.peek()); kind {
	case arrayTag:
		n, err := d.header(kind)
		if err != nil {
			return err
		}
		d.out = append(d.out, '[')
		for i := range n {
			if i > 0 {
				d.out = append(d.out, ',')
			}
			if err := d.value(depth + 1); err != nil {
				return err
			}
		}
		d.out = append(d.out, ']')
		return nil
	case mapTag:
		n, err := d.header(kind)
		if err != nil {
			return err
		}
		d.out = append(d.out, '{')
		comma := false
		for range n {
			key, err := d.key()
			if err != nil {
				return err
			}
			if d.undefined() {
				continue
			}
			if comma {
				d.out = append(d.out, ',')
			}
			comma = true
			if string(key) == "_placeholder" && !d.inBase64 { // binary is in its place here
				d.out = append(d.out, parser.PlainMark+":"...)
			} else {
				d.out = append(parser.AppendString(d.out, key), ':')
			}
			if err := d.value(depth + 1); err != nil {
				return err
			}
		}
		d.out = append(d.out, '}')
		return nil
	default:
		return d.scalar(kind)
	}
}

// scalar takes a value of a kind that has no others in it.
func (d *decoder) scalar(kind tagKind) error {
	switch kind {
	case nilTag:
		d.pos++
		d.out = append(d.out, "null"...)
	case boolTag:
		d.out = strconv.AppendBool(d.out, d.in[d.pos] == 0xc3)
		d.pos++
	case stringTag:
		text, err := d.text()
		if err != nil {
			return err
		}
		d.out = parser.AppendString(d.out, text)
	case binaryTag:
		b, err := d.bytes(kind)
		if err != nil {
			return err
		}
		return d.binary(b)
	case numberTag:
		tag := d.in[d.pos]
		d.pos++
		n, err := d.number(numberSize(tag))
		if err != nil {
			return err
		}
		switch {
		case tag < 0x80:
			d.out = strconv.AppendUint(d.out, uint64(tag), 10)
		case tag >= 0xe0:
			d.out = strconv.AppendInt(d.out, int64(int8(tag)), 10)
		case tag == 0xca:
			d.float(float64(math.Float32frombits(uint32(n))), 32)
		case tag == 0xcb:
			d.float(math.Float64frombits(n), 64)
		case tag <= 0xcf:
			d.out = strconv.AppendUint(d.out, n, 10)
		default:
			unused := 64 - 8*numberSize(tag)
			d.out = strconv.AppendInt(d.out, int64(n<<unused)>>unused, 10)
		}
	case extTag:
		return d.ext()
	default:
		return d.nothing()
	}
	return nil
}

// float appends a number as JSON.stringify writes it.
func (d *decoder) float(f float64, bits int) {
	format := byte('f')
	switch abs := math.Abs(f); {
	case math.IsNaN(f) || math.IsInf(f, 0):
		d.out = append(d.out, "null"...)
		return
	case abs != 0 && (abs < 1e-6 || abs >= 1e21):
		format = 'e'
	}
	d.out = strconv.AppendFloat(d.out, f, format, -1, bits)
}

// binary appends the placeholder of an attachment.
func (d *decoder) binary(b []byte) error {
	if d.inBase64 {
		d.out = append(base64.StdEncoding.AppendEncode(append(d.out, '"'), b), '"')
		return nil
	}
	if len(d.binaries) == MaxBinaries {
		return ErrBinaries
	}
	d.out = append(d.out, `{"_placeholder":true,"num":`...)
	d.out = append(strconv.AppendInt(d.out, int64(len(d.binaries)), 10), '}')
	d.binaries = append(d.binaries, bytes.Clone(b))
	return nil
}

// ext takes an extension: a timestamp as MessagePack has it (type -1), and what the client's library writes
// with type 0: undefined in one byte, a Date in eight with their own tags, and otherwise, in Node, the bytes
// of an ArrayBuffer.
func (d *decoder) ext() error {
	tag := d.in[d.pos]
	n, err := d.header(extTag)
	if err != nil {
		return err
	}
	b, err := d.take(n + 1)
	if err != nil {
		return err
	}
	kind, b := int8(b[0]), b[1:]
	const milliseconds = "2006-01-02T15:04:05.000Z07:00"
	switch {
	case kind == 0 && tag == 0xd4:
		d.out = append(d.out, "null"...)
	case kind == 0 && tag == 0xd7:
		d.time(time.UnixMilli(int64(binary.BigEndian.Uint64(b))), milliseconds)
	case kind == 0:
		return d.binary(b)
	case kind == -1 && len(b) == 4:
		d.time(time.Unix(int64(binary.BigEndian.Uint32(b)), 0), time.RFC3339Nano)
	case kind == -1 && len(b) == 8:
		v := binary.BigEndian.Uint64(b)
		d.time(time.Unix(int64(v&(1<<34-1)), int64(v>>34)), time.RFC3339Nano)
	case kind == -1 && len(b) == 12:
		d.time(time.Unix(int64(binary.BigEndian.Uint64(b[4:])), int64(binary.BigEndian.Uint32(b))), time.RFC3339Nano)
	default:
		return ErrTag
	}
	return nil
}

// time appends a time, or null for one that RFC 3339 cannot say.
func (d *decoder) time(t time.Time, layout string) {
	if t = t.UTC(); t.Year() < 0 || t.Year() > 9999 {
		d.out = append(d.out, "null"...)
		return
	}
	d.out = append(t.AppendFormat(append(d.out, '"'), layout), '"')
}
