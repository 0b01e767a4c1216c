package wtframe

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func frame(isBinary bool, data string) []byte {
	return append(AppendHeader(nil, isBinary, len(data)), data...)
}

// read feeds a reader the chunks, and returns what comes out, with b or t before it.
func read(limit int, chunks ...[]byte) (packets []string, err error) {
	r := Reader{Limit: limit}
	defer r.Release()
	for _, p := range chunks {
		for {
			m, rest, ok, err := r.Next(p)
			if err != nil {
				return packets, err
			}
			if !ok {
				break
			}
			kind := "t"
			if m.Binary {
				kind = "b"
			}
			packets = append(packets, kind+string(m.Data))
			p = rest
		}
	}
	return packets, nil
}

func bytewise(p []byte) (chunks [][]byte) {
	for i := range p {
		chunks = append(chunks, p[i:i+1])
	}
	return chunks
}

// The vectors are what engine.io-parser makes of these packets.
func TestHeaders(t *testing.T) {
	for _, test := range []struct {
		binary bool
		n      int
		want   string
	}{
		{false, 1, "\x01"},
		{false, 125, "\x7d"},
		{true, 125, "\xfd"},
		{false, 126, "\x7e\x00\x7e"},
		{true, 126, "\xfe\x00\x7e"},
		{false, 65535, "\x7e\xff\xff"},
		{false, 65536, "\x7f\x00\x00\x00\x00\x00\x01\x00\x00"},
		{true, 1 << 20, "\xff\x00\x00\x00\x00\x00\x10\x00\x00"},
	} {
		if got := string(AppendHeader(nil, test.binary, test.n)); got != test.want {
			t.Errorf("header of %d bytes, binary %v: got %q, want %q", test.n, test.binary, got, test.want)
		}
	}
}

func TestReader(t *testing.T) {
	long, longer := strings.Repeat("a", 300), strings.Repeat("b", 70_000)
	for _, test := range []struct {
		name string
		sent []byte
		want []string
	}{
		{"one packet", frame(false, "0"), []string{"t0"}},
		{"text and binary", slices.Concat(frame(false, "4zażółć"), frame(true, "\x00\xff")), []string{"t4zażółć", "b\x00\xff"}},
		{"every length", slices.Concat(frame(true, long), frame(false, longer), frame(false, "2")), []string{"b" + long, "t" + longer, "t2"}},
		{"a length written longer than need be", []byte("\x7f\x00\x00\x00\x00\x00\x00\x00\x012\x7e\x00\x013"), []string{"t2", "t3"}},
		{"binary of no bytes", []byte("\x80\x012\xfe\x00\x00\x013"), []string{"b", "t2", "b", "t3"}},
		{"a packet that does not come", []byte("\x05abc"), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			for how, chunks := range map[string][][]byte{"at once": {test.sent}, "bytewise": bytewise(test.sent)} {
				if got, err := read(1e6, chunks...); err != nil || !slices.Equal(got, test.want) {
					t.Errorf("%s: got %.40q, %v, want %.40q", how, got, err, test.want)
				}
			}
		})
	}
}

func TestReaderRefuses(t *testing.T) {
	for _, test := range []struct {
		name string
		sent string
		want string
	}{
		{"no type", "\x012\x00", "webtransport: text without a type"},
		{"no type, at length", "\x7e\x00\x00", "webtransport: text without a type"},
		{"a packet over the limit", "\x7e\x00\xc9", "webtransport: packet is larger than 200 bytes"},
		{"a packet over every limit", "\xff\xff\xff\xff\xff\xff\xff\xff\xff", "webtransport: packet is larger than 200 bytes"},
		{"text that is none", "\x02\xc3\x28", "webtransport: text is not UTF-8"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for how, chunks := range map[string][][]byte{"at once": {[]byte(test.sent)}, "bytewise": bytewise([]byte(test.sent))} {
				_, err := read(200, chunks...)
				if e, ok := errors.AsType[*Error](err); !ok || e.Error() != test.want {
					t.Errorf("%s: got %v, want %s", how, err, test.want)
				}
			}
		})
	}
	if got, err := read(200, frame(true, strings.Repeat("x", 200))); err != nil || len(got) != 1 {
		t.Errorf("a packet of the limit: got %d packets, %v", len(got), err)
	}
}

func TestReaderTakesNoPeersWord(t *testing.T) {
	r := Reader{Limit: 1 << 30}
	if _, _, ok, err := r.Next(AppendHeader(nil, true, 1<<30)); ok || err != nil {
		t.Fatalf("got %v, %v, want neither a packet nor an error", ok, err)
	}
	r.Next(make([]byte, 10))
	if got := cap(*r.data); got > 1<<10 {
		t.Errorf("10 bytes of 1 GiB have a buffer of %d bytes", got)
	}
}

func TestReaderDoesNotAllocate(t *testing.T) {
	r, p := Reader{Limit: 1000}, slices.Concat(frame(false, "4hello"), frame(true, "binary"))
	got := testing.AllocsPerRun(100, func() {
		for rest, ok := p, true; ok; {
			_, rest, ok, _ = r.Next(rest)
		}
	})
	if got != 0 {
		t.Errorf("got %v allocations, want none", got)
	}
}

// FuzzReader checks that it does not matter how the bytes are cut, that nothing comes out that may not,
// and that what comes out, framed again, reads as the same.
func FuzzReader(f *testing.F) {
	f.Add(slices.Concat(frame(false, "4a"), frame(true, "b"), frame(false, strings.Repeat("c", 130))), 1)
	f.Add([]byte("\x7f\x00\x00\x00\x00\x00\x00\x00\x012\x00"), 3)
	f.Add([]byte("\x02\xc3\x28"), 2)
	f.Fuzz(func(t *testing.T, p []byte, cut int) {
		const limit = 150
		whole, err := read(limit, bytes.Clone(p))
		cut = max(0, min(cut, len(p)))
		parts, err2 := read(limit, append([][]byte{p[:cut]}, bytewise(p[cut:])...)...)
		if !slices.Equal(whole, parts) || fmt.Sprint(err) != fmt.Sprint(err2) {
			t.Fatalf("at once %q, %v; cut at %d %q, %v", whole, err, cut, parts, err2)
		}
		var again []byte
		for _, m := range whole {
			data := m[1:]
			if len(data) > limit || m[0] == 't' && (data == "" || !utf8.ValidString(data)) {
				t.Fatalf("got the packet %q", m)
			}
			again = append(again, frame(m[0] == 'b', data)...)
		}
		if got, err := read(limit, again); err != nil || !slices.Equal(got, whole) {
			t.Fatalf("framed again: got %q, %v, want %q", got, err, whole)
		}
	})
}
