package wsframe

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// clientFrame returns a frame as a client sends it.
func clientFrame(fin bool, op ws.OpCode, payload string) []byte {
	return rawFrame(ws.Header{Fin: fin, OpCode: op, Masked: true, Mask: [4]byte{1, 2, 3, 4}}, payload)
}

// rawFrame returns a frame with that header and the payload's length.
func rawFrame(h ws.Header, payload string) []byte {
	h.Length = int64(len(payload))
	var b bytes.Buffer
	if err := ws.WriteHeader(&b, h); err != nil {
		panic(err)
	}
	p := []byte(payload)
	if h.Masked {
		ws.Cipher(p, h.Mask, 0)
	}
	b.Write(p)
	return b.Bytes()
}

// header returns a masked header that announces a length.
func header(op ws.OpCode, length int64) []byte {
	var b bytes.Buffer
	if err := ws.WriteHeader(&b, ws.Header{Fin: true, OpCode: op, Masked: true, Length: length}); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// readFrames feeds a reader the chunks, and returns what comes out in words.
func readFrames(limit int, chunks ...[]byte) (messages []string, err error) {
	r := Reader{Limit: limit}
	for _, chunk := range chunks {
		p := bytes.Clone(chunk)
		for {
			m, rest, ok, err := r.Next(p)
			if err != nil {
				return messages, err
			}
			if !ok {
				break
			}
			messages = append(messages, fmt.Sprintf("%x %s", m.Op, m.Data))
			p = rest
		}
		if s := r.state; s != nil && !s.inFrame && s.opcode == 0 && s.headLen == 0 {
			return messages, errors.New("a reader between messages holds memory")
		}
	}
	return messages, nil
}

// Headers are read as the library reads them that writes ours.
func FuzzParseHeader(f *testing.F) {
	f.Add(header(ws.OpText, 5))
	f.Add(header(ws.OpText, 126))
	f.Add(header(ws.OpBinary, 70_000))
	f.Add([]byte{0x81, 0x05})
	f.Add([]byte{0x81, 0xff, 0x80})
	f.Add([]byte{0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, p []byte) {
		src := bytes.NewReader(p)
		want, err := ws.ReadHeader(src)
		got, n := parseHeader(p)
		switch {
		case errors.Is(err, ws.ErrHeaderLengthMSB):
			if n > 0 && got.Length >= 0 {
				t.Errorf("%x: got length %d, want it refused", p, got.Length)
			}
		case err != nil:
			if n != 0 {
				t.Errorf("%x: got %+v, want no header yet: %v", p, got, err)
			}
		case got != want, n != len(p)-src.Len():
			t.Errorf("%x: got %+v of %d bytes, want %+v of %d", p, got, n, want, len(p)-src.Len())
		}
	})
}

func bytewise(p []byte) (chunks [][]byte) {
	for i := range p {
		chunks = append(chunks, p[i:i+1])
	}
	return chunks
}

func TestReader(t *testing.T) {
	long := strings.Repeat("x", 70_000)
	tests := []struct {
		name string
		in   []byte
		want []string
	}{
		{"text", clientFrame(true, ws.OpText, "hello"), []string{"1 hello"}},
		{"empty", clientFrame(true, ws.OpText, ""), []string{"1 "}},
		{"binary that is no text", clientFrame(true, ws.OpBinary, "\xff\xfe"), []string{"2 \xff\xfe"}},
		{"126 bytes", clientFrame(true, ws.OpText, long[:126]), []string{"1 " + long[:126]}},
		{"65,536 bytes", clientFrame(true, ws.OpText, long[:65536]), []string{"1 " + long[:65536]}},
		{"two", slices.Concat(clientFrame(true, ws.OpText, "a"), clientFrame(true, ws.OpBinary, "b")),
			[]string{"1 a", "2 b"}},
		{"fragments", slices.Concat(clientFrame(false, ws.OpText, "a"), clientFrame(false, ws.OpContinuation, ""),
			clientFrame(false, ws.OpContinuation, "b"), clientFrame(true, ws.OpContinuation, "c")), []string{"1 abc"}},
		{"empty fragments", slices.Concat(clientFrame(false, ws.OpBinary, ""), clientFrame(true, ws.OpContinuation, "")),
			[]string{"2 "}},
		{"a character in two fragments", slices.Concat(clientFrame(false, ws.OpText, "\xe2\x82"),
			clientFrame(true, ws.OpContinuation, "\xac")), []string{"1 €"}},
		{"control frames between fragments", slices.Concat(clientFrame(false, ws.OpText, "a"),
			clientFrame(true, ws.OpPing, "p"), clientFrame(true, ws.OpPong, ""),
			clientFrame(true, ws.OpContinuation, "b"), clientFrame(true, ws.OpText, "c")),
			[]string{"9 p", "a ", "1 ab", "1 c"}},
		{"close", clientFrame(true, ws.OpClose, "\x03\xe8bye"), []string{"8 \x03\xe8bye"}},
		{"close without a code", clientFrame(true, ws.OpClose, ""), []string{"8 "}},
		{"the longest control frame", clientFrame(true, ws.OpPing, long[:125]), []string{"9 " + long[:125]}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for how, chunks := range map[string][][]byte{"in one": {tt.in}, "byte by byte": bytewise(tt.in)} {
				got, err := readFrames(100_000, chunks...)
				if err != nil || !slices.Equal(got, tt.want) {
					t.Errorf("%s: got %.100q, %v, want %.100q", how, got, err, tt.want)
				}
			}
		})
	}
}

func TestReaderRefuses(t *testing.T) {
	masked := ws.Header{Fin: true, OpCode: ws.OpText, Masked: true}
	with := func(change func(*ws.Header)) ws.Header {
		h := masked
		change(&h)
		return h
	}
	closeCode := func(c uint16) string { return string(binary.BigEndian.AppendUint16(nil, c)) }
	tests := []struct {
		name string
		in   []byte
		code ws.StatusCode
	}{
		{"an unmasked frame", rawFrame(with(func(h *ws.Header) { h.Masked = false }), "4a"), ws.StatusProtocolError},
		{"reserved bit 1", rawFrame(with(func(h *ws.Header) { h.Rsv = 4 }), "4a"), ws.StatusProtocolError},
		{"reserved bit 2", rawFrame(with(func(h *ws.Header) { h.Rsv = 2 }), "4a"), ws.StatusProtocolError},
		{"reserved bit 3", rawFrame(with(func(h *ws.Header) { h.Rsv = 1 }), "4a"), ws.StatusProtocolError},
		{"opcode 3", rawFrame(with(func(h *ws.Header) { h.OpCode = 3 }), ""), ws.StatusProtocolError},
		{"opcode 7", rawFrame(with(func(h *ws.Header) { h.OpCode = 7 }), ""), ws.StatusProtocolError},
		{"opcode 11", rawFrame(with(func(h *ws.Header) { h.OpCode = 11 }), ""), ws.StatusProtocolError},
		{"opcode 15", rawFrame(with(func(h *ws.Header) { h.OpCode = 15 }), ""), ws.StatusProtocolError},
		{"a ping in fragments", clientFrame(false, ws.OpPing, ""), ws.StatusProtocolError},
		{"a ping of 126 bytes", clientFrame(true, ws.OpPing, strings.Repeat("x", 126)), ws.StatusProtocolError},
		{"a continuation of nothing", clientFrame(true, ws.OpContinuation, "a"), ws.StatusProtocolError},
		{"a message inside another", slices.Concat(clientFrame(false, ws.OpText, "a"), clientFrame(true, ws.OpText, "b")),
			ws.StatusProtocolError},
		{"a length with the highest bit", append([]byte{0x81, 0xff, 0x80}, make([]byte, 11)...), ws.StatusProtocolError},
		{"a close of one byte", clientFrame(true, ws.OpClose, "\x03"), ws.StatusProtocolError},
		{"close code 999", clientFrame(true, ws.OpClose, closeCode(999)), ws.StatusProtocolError},
		{"close code 1005", clientFrame(true, ws.OpClose, closeCode(1005)), ws.StatusProtocolError},
		{"close code 1006", clientFrame(true, ws.OpClose, closeCode(1006)), ws.StatusProtocolError},
		{"close code 1015", clientFrame(true, ws.OpClose, closeCode(1015)), ws.StatusProtocolError},
		{"close code 2999", clientFrame(true, ws.OpClose, closeCode(2999)), ws.StatusProtocolError},
		{"close code 5000", clientFrame(true, ws.OpClose, closeCode(5000)), ws.StatusProtocolError},
		{"a close reason that is not UTF-8", clientFrame(true, ws.OpClose, closeCode(1000)+"\xff"),
			ws.StatusInvalidFramePayloadData},
		{"text that is not UTF-8", clientFrame(true, ws.OpText, "4\xc0\xaf"), ws.StatusInvalidFramePayloadData},
		{"text whose last character is cut", slices.Concat(clientFrame(false, ws.OpText, "4\xe2"),
			clientFrame(true, ws.OpContinuation, "\x82")), ws.StatusInvalidFramePayloadData},
		{"a message over the limit", header(ws.OpText, 1001), ws.StatusMessageTooBig},
		{"an absurd length", header(ws.OpBinary, 1<<62), ws.StatusMessageTooBig},
		{"fragments over the limit", slices.Concat(clientFrame(false, ws.OpText, strings.Repeat("x", 600)),
			header(ws.OpContinuation, 401)), ws.StatusMessageTooBig},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for how, chunks := range map[string][][]byte{"in one": {tt.in}, "byte by byte": bytewise(tt.in)} {
				got, err := readFrames(1000, chunks...)
				v, ok := errors.AsType[*Error](err)
				if !ok || v.Code != tt.code || len(got) > 0 {
					t.Errorf("%s: got %q, %v, want code %d", how, got, err, tt.code)
				}
			}
		})
	}
}

func TestReaderTakesNoPeersWord(t *testing.T) {
	r := Reader{Limit: 1 << 30}
	if _, _, _, err := r.Next(header(ws.OpBinary, 1<<30)); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := r.Next([]byte("a few bytes")); err != nil {
		t.Fatal(err)
	}
	if got := cap(*r.message); got > keptBuffer {
		t.Errorf("got a buffer of %d bytes for 11, want %d at most", got, keptBuffer)
	}
}

// FuzzReader checks that it does not matter how the bytes are cut, and that nothing comes out that
// may not: messages over the limit, text that is not UTF-8.
func FuzzReader(f *testing.F) {
	f.Add(clientFrame(true, ws.OpText, "4hello"), uint8(1))
	f.Add(slices.Concat(clientFrame(false, ws.OpText, "4a"), clientFrame(true, ws.OpPing, "p"),
		clientFrame(true, ws.OpContinuation, "€")), uint8(3))
	f.Add(clientFrame(true, ws.OpClose, "\x03\xe8bye"), uint8(2))
	f.Add(header(ws.OpBinary, 1<<40), uint8(5))
	f.Add([]byte{0x81, 0x05, 'h', 'e', 'l', 'l', 'o'}, uint8(4))
	f.Add(clientFrame(true, ws.OpBinary, strings.Repeat("x", 300)), uint8(7))
	f.Fuzz(func(t *testing.T, in []byte, size uint8) {
		const limit = 256
		want, wantErr := readFrames(limit, in)
		got, gotErr := readFrames(limit, slices.Collect(slices.Chunk(in, int(size)+1))...)
		if !slices.Equal(got, want) || fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
			t.Fatalf("%x in chunks of %d: got %q, %v, want %q, %v", in, int(size)+1, got, gotErr, want, wantErr)
		}
		for _, m := range want {
			if len(m) > limit+2 {
				t.Fatalf("%x: got a message of %d bytes, want %d at most", in, len(m)-2, limit)
			}
			if strings.HasPrefix(m, "1 ") && strings.ToValidUTF8(m, "") != m {
				t.Fatalf("%x: got text that is not UTF-8: %q", in, m)
			}
		}
	})
}
