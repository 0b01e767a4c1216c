package wsframe

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/gobwas/httphead"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
)

// Compression is permessage-deflate (RFC 7692) without context takeover in either direction: each message is
// compressed on its own, so an idle client costs nothing, and one compressed message serves many clients.

// DeflateBit marks the first frame of a compressed message, in its first byte (section 6).
const DeflateBit = 0x40

// rsv1 is the same among the reserved bits of a ws.Header.
const rsv1 = DeflateBit >> 4

// Negotiate returns what the answer to a handshake has in the field Sec-WebSocket-Extensions, given those of the
// request: the first offer of permessage-deflate that can be met, or "" if there is none, and messages are not
// compressed. It declines other offers: those that make no sense, and those that bound the window that messages
// to the client may refer to, which compress/flate cannot (section 7.1). The error is ErrExtensions.
func Negotiate(fields []string) (answer string, err error) {
	for _, field := range fields {
		// One offer at a time: an Option takes hundreds of bytes, whose place in the field is two.
		var offer httphead.Option
		at, given := -1, 0
		ok := httphead.ScanOptions([]byte(field), func(i int, name, attr, value []byte) httphead.Control {
			if i != at {
				if answer == "" {
					answer = accept(offer, given)
				}
				at, given, offer = i, 0, httphead.Option{Name: name}
			}
			if attr == nil {
				return httphead.ControlContinue
			}
			if given++; given <= maxParameters {
				offer.Parameters.Set(attr, value)
			}
			return httphead.ControlContinue
		})
		if !ok {
			return "", ErrExtensions
		}
		if answer == "" {
			answer = accept(offer, given)
		}
	}
	return answer, nil
}

// accept returns the answer to an offer that had so many parameters, or "" if that cannot be met.
func accept(offer httphead.Option, parameters int) string {
	var p wsflate.Parameters
	if string(offer.Name) != wsflate.ExtensionName || parameters > maxParameters || p.Parse(offer) != nil ||
		p.ServerMaxWindowBits != 0 && p.ServerMaxWindowBits != maxWindowBits {
		return ""
	}
	var b strings.Builder
	option := wsflate.Parameters{
		ServerNoContextTakeover: true,
		ClientNoContextTakeover: true,
		ServerMaxWindowBits:     p.ServerMaxWindowBits,
	}.Option()
	_, _ = httphead.WriteOptions(&b, []httphead.Option{option}) // into memory
	return b.String()
}

// ErrExtensions is the error of a client that offers what is no list. Its text is for that client.
var ErrExtensions = errors.New("the field Sec-WebSocket-Extensions is no list of extensions")

const (
	maxWindowBits = 15
	maxParameters = 4 // that there are (section 7.1), each once
)

// tail is what a sender leaves out (section 7.2.1), and a last block, without which compress/flate would
// wait for more.
var tail = []byte{0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff}

// level is the fastest: for an event of 1 KB the default takes nearly twice as long and saves 5 percent more.
const level = flate.BestSpeed

// A deflater compresses one message after another.
type deflater struct {
	out   bytes.Buffer
	flate *flate.Writer
}

var deflaters = sync.Pool{New: func() any {
	d := new(deflater)
	var err error
	if d.flate, err = flate.NewWriter(&d.out, level); err != nil {
		panic(err) // there is such a level
	}
	return d
}}

// Deflate returns the payload that a message of these parts has when it is compressed.
func Deflate(parts ...[]byte) []byte {
	d := deflaters.Get().(*deflater)
	defer deflaters.Put(d)
	d.out.Reset()
	d.flate.Reset(&d.out)
	for _, p := range parts {
		_, _ = d.flate.Write(p) // into memory
	}
	_ = d.flate.Flush() // as above
	payload := bytes.Clone(bytes.TrimSuffix(d.out.Bytes(), tail[:4]))
	if d.out.Cap() > keptBuffer {
		d.out = bytes.Buffer{}
	}
	return payload
}

// An inflater reads one compressed message after another.
type inflater struct {
	payload bytes.Reader
	tail    bytes.Reader
	flate   io.ReadCloser
}

var inflaters = sync.Pool{New: func() any {
	f := new(inflater)
	f.flate = flate.NewReader(&f.payload)
	return f
}}

// Read and ReadByte are the payload, and then what was left out at its end.
func (f *inflater) Read(p []byte) (int, error) {
	if f.payload.Len() > 0 {
		return f.payload.Read(p)
	}
	return f.tail.Read(p)
}

func (f *inflater) ReadByte() (byte, error) {
	if f.payload.Len() > 0 {
		return f.payload.ReadByte()
	}
	return f.tail.ReadByte()
}

// inflate replaces the payload of a compressed message, which may be in r.message, by the message, which
// is. It makes no more of it than the limit allows.
func (r *Reader) inflate(payload []byte) ([]byte, error) {
	f := inflaters.Get().(*inflater)
	defer inflaters.Put(f)
	f.payload.Reset(payload)
	f.tail.Reset(tail)
	defer f.payload.Reset(nil)
	if err := f.flate.(flate.Resetter).Reset(f, nil); err != nil {
		return nil, err
	}
	message := buffers.Get().(*[]byte)
	err := fill(message, f.flate, r.Limit)
	r.state.release()
	r.message = message
	switch {
	case errors.Is(err, errLimit):
		return nil, r.tooBig()
	case err != nil:
		return nil, &Error{ws.StatusInvalidFramePayloadData, fmt.Sprintf("compressed message: %v", err)}
	}
	return *message, nil
}

var errLimit = errors.New("over the limit")

// fill reads src to its end, or until there is more than the limit.
func fill(dst *[]byte, src io.Reader, limit int) error {
	b := *dst
	defer func() { *dst = b }()
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := src.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case len(b) > limit:
			return errLimit
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}
