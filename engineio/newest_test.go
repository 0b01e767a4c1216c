package engineio

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func text(s string) Message { return Message{Data: []byte(s)} }

// waiting is what waits in an outbox, message by message.
func (o *outbox) waiting() (all []string) {
	for _, f := range o.frames[o.first:] {
		all = append(all, string(f.data))
	}
	return all
}

func TestOutboxSupersedes(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before func(o *outbox)
		want   string
	}{
		{"nothing waits", func(*outbox) {}, "new"},
		{"the older is gone, and what was sent after it goes first", func(o *outbox) {
			o.push(NewestFrames("k", text("old"))...)
			o.push(NewFrame(text("other")))
		}, "other new"},
		{"another key", func(o *outbox) { o.push(NewestFrames("j", text("old"))...) }, "old new"},
		{"no key", func(o *outbox) { o.push(NewFrame(text("k"))) }, "k new"},
		{"all frames of a message, and no more", func(o *outbox) {
			o.push(NewFrame(text("a")))
			o.push(NewestFrames("k", text("old"), Message{Binary: true, Data: []byte("1")}, Message{Binary: true, Data: []byte("2")})...)
			o.push(NewFrame(text("b")))
		}, "a b new"},
		{"being written", func(o *outbox) {
			o.push(NewestFrames("k", text("old"))...)
			o.gather(make([]byte, 0, 99))
		}, "old new"},
		{"partly written", func(o *outbox) {
			o.push(NewestFrames("k", text("old"))...)
			o.advance(len(o.gather(make([]byte, 0, 3))))
		}, "old new"},
		{"its first frame has left", func(o *outbox) {
			o.push(NewestFrames("k", text("old"), text("attachment"))...)
			o.advance(len(o.gather(make([]byte, 0, NewFrame(text("old")).Len()))))
		}, "attachment new"},
		{"its first frame is being written", func(o *outbox) {
			o.push(NewestFrames("k", text("old"), text("attachment"))...)
			o.gather(make([]byte, 0, 3))
		}, "old attachment new"},
		{"what precedes it is being written", func(o *outbox) {
			o.push(NewFrame(text("a")))
			o.push(NewestFrames("k", text("old"))...)
			o.gather(make([]byte, 0, NewFrame(text("a")).Len()))
		}, "a new"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var o outbox
			tt.before(&o)
			newer := NewestFrames("k", text("new"))
			o.supersede("k")
			o.push(newer...)
			if got := strings.Join(o.waiting(), " "); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// TestOutboxSupersedesAtRandom compares with a list of messages, while bytes leave in pieces of any size.
func TestOutboxSupersedesAtRandom(t *testing.T) {
	type message struct {
		key   string
		wire  string
		begun bool
	}
	random := rand.New(rand.NewPCG(3, 4))
	var o outbox
	var list []message
	buf := make([]byte, 0, 100)
	for i := range 100_000 {
		if random.IntN(3) > 0 {
			m := message{key: strconv.Itoa(random.IntN(8))}
			var frames []*Frame
			if m.key > "5" {
				m.key = ""
				frames = []*Frame{NewFrame(text(fmt.Sprint("plain ", i)))}
			} else {
				messages := []Message{text(fmt.Sprint(m.key, " is ", i))}
				for range random.IntN(3) {
					messages = append(messages, Message{Binary: true, Data: make([]byte, random.IntN(300))})
				}
				frames = NewestFrames(m.key, messages...)
				o.supersede(m.key)
				list = slices.DeleteFunc(list, func(other message) bool { return other.key == m.key && !other.begun })
			}
			o.push(frames...)
			for _, f := range frames {
				m.wire += string(f.head[:f.headLen]) + string(f.data)
			}
			list = append(list, m)
		}
		if !o.empty() && random.IntN(3) > 0 {
			p := o.gather(buf)
			n := random.IntN(len(p) + 1)
			for left, j := n, 0; left > 0; {
				k := min(left, len(list[j].wire))
				if got := string(p[n-left : n-left+k]); got != list[j].wire[:k] {
					t.Fatalf("step %d: got %q, want %q", i, got, list[j].wire[:k])
				}
				list[j].wire, list[j].begun = list[j].wire[k:], true
				if left -= k; list[j].wire == "" {
					list = slices.Delete(list, j, j+1)
				}
			}
			o.advance(n)
		}
		want := 0
		for _, m := range list {
			want += len(m.wire)
		}
		if o.bytes != want {
			t.Fatalf("step %d: got %d bytes waiting, want %d", i, o.bytes, want)
		}
	}
}

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
			n, bytes := len(r.session.out.frames)-r.session.out.first, r.session.out.bytes
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
