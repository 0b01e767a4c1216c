package engineio

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

func text(s string) Message { return Message{Data: []byte(s)} }

// A client that does not read keeps its session and costs what the newest messages take, however many
// there were, on both transports, and gets the newest of each in the end.
func TestStalledReaderGetsTheNewest(t *testing.T) {
	cfg, sessions := accepting(Config{MaxQueueBytes: 10_000})
	sendAll := func(t *testing.T, r *recorder) {
		t.Helper()
		for i := range 5000 {
			for _, key := range []string{"a", "b"} {
				frames := NewestFrames(key, text(fmt.Sprint(key, i)), Message{Binary: true, Data: make([]byte, 1000)})
				if err := r.session.Send(frames...); err != nil {
					t.Fatalf("message %d: %v", i, err)
				}
			}
			r.session.mu.Lock()
			n, bytes := len(r.session.out.Frames()), r.session.out.Bytes()
			r.session.mu.Unlock()
			if n > 50 || bytes > 10_000 {
				t.Fatalf("got %d frames of %d bytes in the outbox after message %d", n, bytes, i)
			}
		}
		if err := r.session.Send(NewFrame(text("end"))); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("polling", func(t *testing.T) {
		inBubble(t, cfg, func(e *env) {
			t := e.t
			sid := e.open()
			r := <-sessions
			sendAll(t, r)
			zeros := "b" + strings.Repeat("A", 1334) + "=="
			e.wantPoll(sid, 200, "4a4999\x1e"+zeros+"\x1e4b4999\x1e"+zeros+"\x1e4end")
		})
	})
	overWebSocket := func(e *env) {
		t := e.t
		c, _ := e.openWebSocket()
		defer c.close()
		r := <-sessions
		sendAll(t, r)
		var got []string
		for len(got) == 0 || got[len(got)-1] != "4end" {
			_, p, err := c.read()
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(p, "4") {
				got = append(got, p)
			}
		}
		if len(got) < 3 || !slices.Equal(got[len(got)-3:], []string{"4a4999", "4b4999", "4end"}) {
			t.Errorf("got %q", got)
		}
	}
	t.Run("pipe", func(t *testing.T) { inBubble(t, cfg, overWebSocket) })
	t.Run("loopback", func(t *testing.T) { onLoopback(t, cfg, overWebSocket) })
}

// A volatile message that does not fit is dropped without the one in whose place it would have come. If that makes
// room for it, it fits.
func TestVolatileNewestKeepsTheOlderOrComesInItsPlace(t *testing.T) {
	cfg, sessions := accepting(Config{MaxQueueBytes: 1000})
	for _, tt := range []struct {
		name        string
		older, more int // bytes of messages that wait
		newer       int
		want        bool
	}{
		{"too large", 100, 800, 300, false},
		{"large, in place of the older", 300, 600, 350, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, cfg, func(e *env) {
				sid := e.open()
				s := (<-sessions).session
				message := func(c string, n int) Message { return text(strings.Repeat(c, n)) }
				polled := make(chan struct{})
				want := "4" + strings.Repeat("o", tt.older) + "\x1e4" + strings.Repeat("m", tt.more)
				if tt.want {
					want = "4" + strings.Repeat("m", tt.more) + "\x1e4" + strings.Repeat("n", tt.newer)
				}
				go func() {
					defer close(polled)
					e.wantPoll(sid, 200, want)
				}()
				synctest.Wait() // a poll waits, so that the transport takes what is volatile
				s.mu.Lock()
				s.delivering = true // as in a handler, whose messages leave when it has returned
				s.mu.Unlock()
				err := s.Send(NewestFrames("k", message("o", tt.older))...)
				if err := errors.Join(err, s.Send(NewFrame(message("m", tt.more)))); err != nil {
					t.Fatal(err)
				}
				if got := s.SendVolatile(NewestFrames("k", message("n", tt.newer))...); got != tt.want {
					t.Errorf("got %v, want %v", got, tt.want)
				}
				s.release()
				<-polled
			})
		})
	}
}
