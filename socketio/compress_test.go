package socketio

import (
	"context"
	"testing"

	"jobcast/engineio"
)

// A recordingSession notes which frames are not to be compressed.
type recordingSession struct {
	*pipe
	plain []bool
}

func (r *recordingSession) Send(frames ...*engineio.Frame) error {
	for _, f := range frames {
		r.plain = append(r.plain, f.Message().NoCompress)
	}
	return r.pipe.Send(frames...)
}

func (r *recordingSession) SendVolatile(frames ...*engineio.Frame) bool {
	return r.Send(frames...) == nil
}

// What is emitted through Compress(false) has the mark in every frame and format, and nothing else has.
func TestCompress(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		ns := srv.Of("/")
		ns.AllowMsgpack()
		p, s := join(t, srv, "/")
		r := &recordingSession{pipe: p}
		p.conn.sess = r
		part := NewEvent[filePart]("part")
		newest := part.Newest(func(filePart) string { return "" })
		for _, tt := range []struct {
			name string
			to   Emitter
			want bool
		}{
			{"namespace", ns, false},
			{"namespace, not compressed", ns.Compress(false), true},
			{"namespace, after all", ns.Compress(false).Compress(true), false},
			{"room", ns.To(s.ID()), false},
			{"room, not compressed", ns.To(s.ID()).Compress(false), true},
			{"room, not compressed and volatile", ns.Compress(false).To(s.ID()).Volatile(), true},
			{"socket", s, false},
			{"socket, not compressed", s.Compress(false), true},
			{"socket, compressed", s.Compress(true), false},
			{"socket, volatile", s.Volatile(), false},
		} {
			for _, packed := range []bool{false, true} {
				p.conn.packed = packed
				for _, event := range []Event[filePart]{part, newest} {
					r.plain = nil
					if err := event.Emit(tt.to, filePart{"x", []byte{1}}); err != nil {
						t.Fatal(err)
					}
					n := 2 // a text and an attachment
					if packed {
						n = 1
					}
					if len(r.plain) != n || r.plain[0] != tt.want || r.plain[n-1] != tt.want {
						t.Errorf("%s: got %v for %d frames, want %v", tt.name, r.plain, n, tt.want)
					}
				}
			}
		}
		p.conn.packed = false
		r.plain = nil
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range upload.AskEach(ctx, s.Compress(false), files{}) {
		}
		if len(r.plain) != 1 || !r.plain[0] {
			t.Errorf("asked: got %v", r.plain)
		}
	})
}
