package outbox

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func text(s string) Message { return Message{Data: []byte(s)} }

// waiting is what waits in a queue, message by message.
func (o *Queue) waiting() (all []string) {
	for _, f := range o.frames[o.first:] {
		all = append(all, string(f.data))
	}
	return all
}

func TestQueueSupersedes(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before func(o *Queue)
		want   string
	}{
		{"nothing waits", func(*Queue) {}, "new"},
		{"the older is gone, and what was sent after it goes first", func(o *Queue) {
			o.Push(NewestFrames("k", text("old"))...)
			o.Push(NewFrame(text("other")))
		}, "other new"},
		{"another key", func(o *Queue) { o.Push(NewestFrames("j", text("old"))...) }, "old new"},
		{"no key", func(o *Queue) { o.Push(NewFrame(text("k"))) }, "k new"},
		{"all frames of a message, and no more", func(o *Queue) {
			o.Push(NewFrame(text("a")))
			o.Push(NewestFrames("k", text("old"), Message{Binary: true, Data: []byte("1")}, Message{Binary: true, Data: []byte("2")})...)
			o.Push(NewFrame(text("b")))
		}, "a b new"},
		{"being written", func(o *Queue) {
			o.Push(NewestFrames("k", text("old"))...)
			o.Gather(make([]byte, 0, 99))
		}, "old new"},
		{"partly written", func(o *Queue) {
			o.Push(NewestFrames("k", text("old"))...)
			o.Advance(len(o.Gather(make([]byte, 0, 3))))
		}, "old new"},
		{"its first frame has left", func(o *Queue) {
			o.Push(NewestFrames("k", text("old"), text("attachment"))...)
			o.Advance(len(o.Gather(make([]byte, 0, NewFrame(text("old")).Len()))))
		}, "attachment new"},
		{"its first frame is being written", func(o *Queue) {
			o.Push(NewestFrames("k", text("old"), text("attachment"))...)
			o.Gather(make([]byte, 0, 3))
		}, "old attachment new"},
		{"what precedes it is being written", func(o *Queue) {
			o.Push(NewFrame(text("a")))
			o.Push(NewestFrames("k", text("old"))...)
			o.Gather(make([]byte, 0, NewFrame(text("a")).Len()))
		}, "a new"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var o Queue
			tt.before(&o)
			newer := NewestFrames("k", text("new"))
			o.Supersede(newer)
			o.Push(newer...)
			if got := strings.Join(o.waiting(), " "); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// TestQueueSupersedesAtRandom compares with a list of messages, while bytes leave in pieces of any size.
func TestQueueSupersedesAtRandom(t *testing.T) {
	type message struct {
		key   string
		wire  string
		begun bool
	}
	random := rand.New(rand.NewPCG(3, 4))
	var o Queue
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
				o.Supersede(frames)
				list = slices.DeleteFunc(list, func(other message) bool { return other.key == m.key && !other.begun })
			}
			o.Push(frames...)
			for _, f := range frames {
				m.wire += string(f.head[:f.headLen]) + string(f.data)
			}
			list = append(list, m)
		}
		if !o.Empty() && random.IntN(3) > 0 {
			p := o.Gather(buf)
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
			o.Advance(n)
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
