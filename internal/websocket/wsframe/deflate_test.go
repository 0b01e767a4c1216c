package wsframe

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

func TestNegotiate(t *testing.T) {
	const both = "permessage-deflate;server_no_context_takeover;client_no_context_takeover"
	for _, test := range []struct {
		offer string
		want  string // "" if it is declined
	}{
		{"permessage-deflate", both},
		{"permessage-deflate; client_max_window_bits", both},    // Chromium, ws
		{"permessage-deflate; client_max_window_bits=10", both}, // a promise
		{"permessage-deflate; server_max_window_bits=15", both + ";server_max_window_bits=15"},
		{"permessage-deflate; server_no_context_takeover; client_no_context_takeover", both},
		{"permessage-deflate; server_max_window_bits=10", ""},
		{"permessage-deflate; server_max_window_bits=10, permessage-deflate", both},
		{"permessage-deflate; server_max_window_bits", ""},
		{"permessage-deflate; server_max_window_bits=16", ""},
		{"permessage-deflate; client_max_window_bits=7", ""},
		{"permessage-deflate; server_no_context_takeover=1", ""},
		{"permessage-deflate; server_no_context_takeover; server_no_context_takeover", ""},
		{"permessage-deflate; unknown", ""},
		{"permessage-deflate; unknown, permessage-deflate; client_max_window_bits", both},
		{"x-webkit-deflate-frame, permessage-deflate", both},
		{"permessage-bzip2", ""},
		{"permessage-deflate, permessage-deflate", both}, // the first one
	} {
		if got, err := Negotiate([]string{test.offer}); err != nil || got != test.want {
			t.Errorf("offer %q: got %q, %v, want %q", test.offer, got, err, test.want)
		}
	}
	if got, err := Negotiate([]string{"x-other", "permessage-deflate"}); err != nil || got != both {
		t.Errorf("in two fields: got %q, %v, want %q", got, err, both)
	}
	for _, offer := range []string{"permessage-deflate; =", ";;", "permessage-deflate,;"} {
		if got, err := Negotiate([]string{"permessage-deflate", offer}); !errors.Is(err, ErrExtensions) {
			t.Errorf("offer %q: got %q, %v, want ErrExtensions", offer, got, err)
		}
	}
}

// A field of nothing but short offers, or of one with many parameters, costs memory in proportion to its length.
func TestNegotiateTakesLittleMemory(t *testing.T) {
	const n = 32 << 10
	for _, field := range []string{
		strings.Repeat("a,", n) + "permessage-deflate",
		"a" + strings.Repeat(";b", n) + ",permessage-deflate",
		"permessage-deflate" + strings.Repeat(";b", n) + ",permessage-deflate",
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got, err := Negotiate([]string{field})
		runtime.ReadMemStats(&after)
		if taken := after.TotalAlloc - before.TotalAlloc; err != nil || got == "" || taken > 8*uint64(len(field)) {
			t.Errorf("%.30s…: got %q, %v, and %d bytes taken for a field of %d", field, got, err, taken, len(field))
		}
	}
}

// compressed is a payload as a client may send it, at a level and with as many flushes as parts.
func compressed(level int, parts ...string) string {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, level)
	if err != nil {
		panic(err)
	}
	for _, p := range parts {
		io.WriteString(w, p)
		w.Flush()
	}
	return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
}

func deflateFrame(fin bool, op ws.OpCode, payload string) []byte {
	return rawFrame(ws.Header{Fin: fin, Rsv: rsv1, OpCode: op, Masked: true, Mask: [4]byte{1, 2, 3, 4}}, payload)
}

// readDeflate is readFrames for a client that may compress.
func readDeflate(limit int, chunks ...[]byte) (messages []string, err error) {
	r := Reader{Limit: limit}
	defer r.Release()
	for _, p := range chunks {
		for {
			m, rest, ok, err := r.NextDeflate(p)
			if err != nil {
				return messages, err
			}
			if !ok {
				break
			}
			messages = append(messages, fmt.Sprintf("%x %s", byte(m.Op), m.Data))
			p = rest
		}
	}
	return messages, nil
}

func TestReaderInflates(t *testing.T) {
	hello, long := compressed(9, "hello"), strings.Repeat("all work and no play ", 1000)
	final := func() string { // RFC 7692, section 7.2.3.4: a block that says it is the last
		var b bytes.Buffer
		w, _ := flate.NewWriter(&b, 9)
		io.WriteString(w, "hello")
		w.Close()
		return b.String() + "\x00"
	}()
	for _, test := range []struct {
		name string
		sent []byte
		want []string
	}{
		{"one frame", deflateFrame(true, ws.OpText, hello), []string{"1 hello"}},
		{"binary", deflateFrame(true, ws.OpBinary, compressed(1, "\x00\xff")), []string{"2 \x00\xff"}},
		{"not compressed", clientFrame(true, ws.OpText, "hello"), []string{"1 hello"}},
		{"one and the other", slices.Concat(deflateFrame(true, ws.OpText, hello), clientFrame(true, ws.OpText, "plain"),
			deflateFrame(true, ws.OpText, hello)), []string{"1 hello", "1 plain", "1 hello"}},
		{"the RFC's example, 7.2.3.1", deflateFrame(true, ws.OpText, "\xf2\x48\xcd\xc9\xc9\x07\x00"), []string{"1 Hello"}},
		{"its example of a stored block, 7.2.3.3", deflateFrame(true, ws.OpText, "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), []string{"1 Hello"}},
		{"its example of a last block, 7.2.3.4", deflateFrame(true, ws.OpText, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), []string{"1 Hello"}},
		{"its example of two blocks, 7.2.3.5", deflateFrame(true, ws.OpText, "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), []string{"1 Hello"}},
		{"its empty message, 7.2.3.6", deflateFrame(true, ws.OpText, "\x00"), []string{"1 "}},
		{"a last block of another compressor", deflateFrame(true, ws.OpText, final), []string{"1 hello"}},
		{"many blocks", deflateFrame(true, ws.OpText, compressed(6, "a", "b", long)), []string{"1 ab" + long}},
		{"in fragments, with a ping between", slices.Concat(
			deflateFrame(false, ws.OpText, hello[:2]), clientFrame(true, ws.OpPing, "?"),
			clientFrame(false, ws.OpContinuation, hello[2:]), clientFrame(true, ws.OpContinuation, ""),
		), []string{"9 ?", "1 hello"}},
		{"nothing in common with the message before", slices.Concat(
			deflateFrame(true, ws.OpText, compressed(9, long)), deflateFrame(true, ws.OpText, compressed(9, long)),
		), []string{"1 " + long, "1 " + long}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for how, cut := range map[string]func([]byte) [][]byte{
				"at once":  func(p []byte) [][]byte { return [][]byte{p} },
				"bytewise": bytewise,
			} {
				got, err := readDeflate(1e6, cut(bytes.Clone(test.sent))...)
				if err != nil || !slices.Equal(got, test.want) {
					t.Errorf("%s: got %.60q, %v, want %.60q", how, got, err, test.want)
				}
			}
		})
	}
}

func TestReaderRefusesBadDeflate(t *testing.T) {
	hello := compressed(9, "hello")
	for _, test := range []struct {
		name string
		sent []byte
		code ws.StatusCode
	}{
		{"no deflate data", deflateFrame(true, ws.OpText, "\xff\xff\xff\xff"), 1007},
		{"nothing", deflateFrame(true, ws.OpText, ""), 1007},
		{"half of it", deflateFrame(true, ws.OpText, compressed(9, strings.Repeat("abc", 100)+"xyz")[:5]), 1007},
		{"a distance before the start", deflateFrame(true, ws.OpText, "\x4b\x04\x11\x00\xff"), 1007},
		{"text that is no UTF-8", deflateFrame(true, ws.OpText, compressed(9, "\xc3\x28")), 1007},
		{"a compressed ping", deflateFrame(true, ws.OpPing, ""), 1002},
		{"a compressed close frame", deflateFrame(true, ws.OpClose, ""), 1002},
		{"a mark on a continuation", slices.Concat(deflateFrame(false, ws.OpText, hello[:2]), deflateFrame(true, ws.OpContinuation, hello[2:])), 1002},
		{"the second bit", rawFrame(ws.Header{Fin: true, Rsv: 2, OpCode: ws.OpText, Masked: true}, "x"), 1002},
		{"two bits", rawFrame(ws.Header{Fin: true, Rsv: 6, OpCode: ws.OpText, Masked: true}, "x"), 1002},
		{"more than the limit", deflateFrame(true, ws.OpText, compressed(9, strings.Repeat("x", 2001))), 1009},
		{"more than the limit, in fragments", slices.Concat(
			deflateFrame(false, ws.OpText, compressed(9, strings.Repeat("x", 2001))), clientFrame(true, ws.OpContinuation, "")), 1009},
		{"more than the limit before it is inflated", deflateFrame(true, ws.OpText, strings.Repeat("\x00\x00\x00\xff\xff", 401)), 1009},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := readDeflate(2000, bytes.Clone(test.sent))
			if e, ok := errors.AsType[*Error](err); !ok || e.Code != test.code {
				t.Errorf("got %v, want code %d", err, test.code)
			}
		})
	}
	if got, err := readDeflate(2000, deflateFrame(true, ws.OpText, compressed(9, strings.Repeat("x", 2000)))); err != nil || len(got) != 1 {
		t.Errorf("a message of the limit: got %d messages, %v", len(got), err)
	}
	if _, err := readFrames(2000, deflateFrame(true, ws.OpText, hello)); err == nil {
		t.Error("a compressed message of a client that has not negotiated it was taken")
	}
}

// A message that claims to be small and is not costs no more than the limit.
func TestReaderStopsAtABomb(t *testing.T) {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, 9)
	w.Write(make([]byte, 1<<20))
	w.Flush()
	// What a megabyte of zeros may refer to before it is zeros, too.
	bomb := deflateFrame(true, ws.OpBinary, strings.Repeat(b.String(), 50))
	if len(bomb) > 100_000 {
		t.Fatalf("a bomb of %d bytes", len(bomb))
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := readDeflate(1e6, bomb)
	runtime.ReadMemStats(&after)
	if e, ok := errors.AsType[*Error](err); !ok || e.Code != ws.StatusMessageTooBig {
		t.Errorf("got %v, want code 1009", err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 8<<20 {
		t.Errorf("50 MB in %d bytes took %d bytes to refuse, with a limit of 1 MB", len(bomb), took)
	}
}

func TestDeflate(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 100_000)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	for _, message := range []string{"", "x", "hello", strings.Repeat("a", 16), strings.Repeat("all work and no play ", 10_000), string(noise)} {
		head, rest := []byte(message[:len(message)/3]), []byte(message[len(message)/3:])
		payload := Deflate(head, rest)
		got, err := readDeflate(1e6, deflateFrame(true, ws.OpBinary, string(payload)))
		if err != nil || len(got) != 1 || got[0] != "2 "+message {
			t.Errorf("%d bytes: got %.50q, %v", len(message), got, err)
		}
		if len(message) > 1000 && message != string(noise) && len(payload) > len(message)/20 {
			t.Errorf("%d bytes became %d", len(message), len(payload))
		}
	}
}

// What many clients compress at the same time does not mix.
func TestDeflateAtOnce(t *testing.T) {
	for i := range 8 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			for j := range 200 {
				want := strings.Repeat(fmt.Sprint(i, j, " "), 1+j)
				got, err := readDeflate(1e6, deflateFrame(true, ws.OpText, string(Deflate([]byte(want)))))
				if err != nil || got[0] != "1 "+want {
					t.Fatalf("got %.50q, %v, want %.50q", got, err, want)
				}
			}
		})
	}
}

// FuzzInflate checks that nothing a client sends is more than it may be, and that the way the bytes are cut
// makes no difference.
func FuzzInflate(f *testing.F) {
	f.Add([]byte(compressed(9, "hello")), 2)
	f.Add([]byte(compressed(1, strings.Repeat("long ", 1000))), 5)
	f.Add([]byte("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), 0)
	f.Add([]byte("\xff\xff\xff"), 1)
	f.Fuzz(func(t *testing.T, payload []byte, cut int) {
		const limit = 1000
		cut = max(0, min(cut, len(payload)))
		whole, err := readDeflate(limit, deflateFrame(true, ws.OpBinary, string(payload)))
		parts, err2 := readDeflate(limit, bytewise(slices.Concat(
			deflateFrame(false, ws.OpBinary, string(payload[:cut])), clientFrame(true, ws.OpContinuation, string(payload[cut:]))))...)
		if !slices.Equal(whole, parts) || fmt.Sprint(err) != fmt.Sprint(err2) {
			t.Fatalf("whole %.50q, %v; in parts %.50q, %v", whole, err, parts, err2)
		}
		if len(whole) == 1 && len(whole[0]) > limit+2 {
			t.Fatalf("got %d bytes", len(whole[0]))
		}
	})
}

func BenchmarkDeflate(b *testing.B) {
	for _, size := range []int{1 << 10, 16 << 10, 128 << 10} {
		var text strings.Builder
		for i := 0; text.Len() < size; i++ {
			fmt.Fprintf(&text, `{"seq":%d,"type":"progress","data":{"percent":%d,"etaMs":%d,"note":"file %d of 1000"}},`, i, i%100, i*37%9000, i%1000)
		}
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) {
			b.SetBytes(int64(text.Len()))
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				n = len(Deflate([]byte(text.String())))
			}
			b.ReportMetric(float64(n)/float64(text.Len()), "ratio")
		})
	}
}
