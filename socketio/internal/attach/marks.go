package attach

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"reflect"
	"strconv"

	"jobcast/socketio/internal/parser"
)

// marks stand for the bytes of one value while encoding/json works on it. A mark is 120 random bits, which
// nobody gets to see, and a number.
type marks struct {
	secret [secretBytes]byte
	values [][]byte
	used   []bool // while decoding: a mark for the value came back
}

// Both are a multiple of three, so that base64 of the one is followed by base64 of the other.
const (
	secretBytes = 15
	numberBytes = 6
	markBytes   = secretBytes + numberBytes
)

type base64Error = base64.CorruptInputError

func newMarks() *marks {
	m := new(marks)
	rand.Read(m.secret[:])
	return m
}

// mark returns the mark of one more value.
func (m *marks) mark(value []byte) []byte {
	m.values = append(m.values, value)
	return m.append(nil, len(m.values)-1)
}

func (m *marks) append(dst []byte, num int) []byte {
	dst = append(append(dst, m.secret[:]...), 0, 0)
	return binary.BigEndian.AppendUint32(dst, uint32(num))
}

// valueOf returns the value that a mark stands for.
func (m *marks) valueOf(mark []byte) ([]byte, bool) {
	if len(mark) != markBytes || !bytes.HasPrefix(mark, m.secret[:]) {
		return nil, false
	}
	num := binary.BigEndian.Uint32(mark[secretBytes+2:])
	m.used[num] = true
	return m.values[num], true
}

// collect writes placeholders in place of the marks in JSON, and copies the values that they stand for. What looked
// like a placeholder before is none (parser.PlainMark).
func (m *marks) collect(data []byte) (text []byte, attachments [][]byte) {
	data = bytes.ReplaceAll(data, []byte(`"_placeholder":true`), []byte(parser.PlainMark+":true")) // not in a string, where a backslash precedes each quote
	prefix := []byte(`"` + base64.StdEncoding.EncodeToString(m.secret[:]))
	text = make([]byte, 0, len(data)+len(data)/8)
	for {
		i := bytes.Index(data, prefix)
		if i < 0 {
			return append(text, data...), attachments
		}
		end := i + 1 + base64.StdEncoding.EncodedLen(markBytes)
		var number [numberBytes]byte
		_, _ = base64.StdEncoding.Decode(number[:], data[i+len(prefix):end])
		text = append(append(text, data[:i]...), `{"_placeholder":true,"num":`...)
		text = append(strconv.AppendInt(text, int64(len(attachments)), 10), '}')
		attachments = append(attachments, bytes.Clone(m.values[binary.BigEndian.Uint32(number[2:])]))
		data = data[end+1:] // behind the quote
	}
}

// place writes marks in place of the placeholders in JSON, of those only that are to be placed if it is not nil.
func (m *marks) place(data []byte, only []bool) []byte {
	text := make([]byte, 0, len(data))
	done := 0
	l := parser.Lexer{Data: data}
	for {
		t, ok := l.Next()
		if !ok {
			return append(text, data[done:]...)
		}
		if t.Kind != '{' {
			continue
		}
		num, ok := l.Placeholder()
		if !ok || num >= len(m.values) || only != nil && !only[num] {
			continue
		}
		text = m.quoted(append(text, data[done:t.Start]...), num)
		done = l.Pos
	}
}

// quoted appends a mark as encoding/json writes it.
func (m *marks) quoted(dst []byte, num int) []byte {
	var mark [markBytes]byte
	dst = base64.StdEncoding.AppendEncode(append(dst, '"'), m.append(mark[:0], num))
	return append(dst, '"')
}

// notBase64 returns the end of the first string for bytes that is not base64, or -1 if that cannot be found
// out. encoding/json has complained of one but does not say where: this gives it marks for all strings, and
// sees which come back as bytes.
func (c *Codec) notBase64(data []byte, v any) int {
	m := newMarks()
	var text []byte
	var ends []int
	done := 0
	for l := (parser.Lexer{Data: data}); ; {
		t, ok := l.Next()
		if !ok {
			break
		}
		if t.Kind != '"' {
			continue
		}
		text = m.quoted(append(text, data[done:t.Start]...), len(ends))
		m.values = append(m.values, l.Unquote(t))
		ends = append(ends, t.End)
		done = t.End
	}
	text = append(text, data[done:]...)
	m.used = make([]bool, len(ends))
	value := reflect.ValueOf(v).Elem()
	value.SetZero()
	_ = json.Unmarshal(text, v) // other errors are not of interest
	c.plan.attach(m, value)
	value.SetZero()
	for i, used := range m.used {
		if used {
			if _, err := base64.StdEncoding.DecodeString(string(m.values[i])); err != nil {
				return ends[i]
			}
		}
	}
	return -1
}
