package engineio

import "testing"

// A message that many sessions get is encoded once for each form that they need: what a second session
// costs is no allocation.
func TestFrameIsEncodedOnce(t *testing.T) {
	v3, v3b64 := &revision3{}, &revision3{base64: true}
	binary := NewFrame(Message{Binary: true, Data: []byte{1, 2, 3, 4}})
	text := NewFrame(Message{Data: []byte("hi")})
	onWebSocket := func(rev revision, f *Frame) func([]byte) []byte {
		return func(dst []byte) []byte { return rev.frame(f, false).AppendFrom(dst, 0) }
	}
	inBase64 := func(rev revision, f *Frame) func([]byte) []byte {
		return func(dst []byte) []byte { return rev.frame(f, true).AppendFrom(dst, 0) }
	}
	polling := func(rev revision, f *Frame) func([]byte) []byte {
		frames := []*Frame{f}
		return func(dst []byte) []byte {
			dst, _ = rev.appendPayload(dst, frames)
			return dst
		}
	}
	for _, tt := range []struct {
		name   string
		encode func([]byte) []byte
		want   string
	}{
		{"binary, revision 4, WebSocket", onWebSocket(revision4{}, binary), "\x82\x04\x01\x02\x03\x04"},
		{"binary, revision 4, polling", polling(revision4{}, binary), "bAQIDBA=="},
		{"binary, revision 3, WebSocket", onWebSocket(v3, binary), "\x82\x05\x04\x01\x02\x03\x04"},
		{"binary, revision 4, WebSocket in base64", inBase64(revision4{}, binary), "\x81\x09bAQIDBA=="},
		{"text, revision 4, WebSocket in base64", inBase64(revision4{}, text), "\x81\x034hi"},
		{"binary, revision 3, WebSocket in base64", inBase64(v3, binary), "\x81\x0ab4AQIDBA=="},
		{"binary, revision 3, polling", polling(v3, binary), "\x01\x05\xff\x04\x01\x02\x03\x04"},
		{"binary, revision 3, polling in base64", polling(v3b64, binary), "10:b4AQIDBA=="},
		{"text, revision 4, WebSocket", onWebSocket(revision4{}, text), "\x81\x034hi"},
		{"text, revision 4, polling", polling(revision4{}, text), "4hi"},
		{"text, revision 3, WebSocket", onWebSocket(v3, text), "\x81\x034hi"},
		{"text, revision 3, polling", polling(v3, text), "3:4hi"},
	} {
		dst := make([]byte, 0, 64)
		if got := string(tt.encode(dst)); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
		if n := testing.AllocsPerRun(100, func() { tt.encode(dst) }); n != 0 {
			t.Errorf("%s: got %v allocations for the second session, want 0", tt.name, n)
		}
	}
}
