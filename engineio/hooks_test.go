package engineio

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A story is what happened, in order.
type story struct {
	mu     sync.Mutex
	events []string
}

func (s *story) add(event string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, event)
}

func (s *story) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

// A teller is a handler that tells its story.
type teller struct{ *story }

func (t teller) Receive(m Message)    { t.add(string(m.Data)) }
func (t teller) Closed(reason Reason) { t.add("closed: " + string(reason)) }

// The hook comes once, when the new transport is in use, behind all that came over the old one and before all that
// comes over the new one.
func TestOnUpgrade(t *testing.T) {
	var told *story
	cfg := Config{
		Accept:    func(*Session) Handler { return teller{told} },
		OnUpgrade: func(s *Session) { told.add("upgraded to " + s.Transport()) },
	}
	run := func(e *env) {
		told = new(story)
		sid := e.open()
		e.wantPost(sid, "4one", 200, "ok")
		c := e.upgrade(sid)
		defer c.close()
		c.send("4two")
		waitFor(e.t, func() bool { return len(told.all()) >= 3 })
		if got, want := strings.Join(told.all(), ", "), "one, upgraded to websocket, two"; got != want {
			e.t.Errorf("got %s, want %s", got, want)
		}
		told = new(story)
		direct, _ := e.openWebSocket()
		defer direct.close()
		direct.send("4three")
		waitFor(e.t, func() bool { return len(told.all()) > 0 })
		if got := strings.Join(told.all(), ", "); got != "three" {
			e.t.Errorf("without an upgrade: got %s, want three", got)
		}
	}
	t.Run("pipe", func(t *testing.T) { inBubble(t, cfg, run) })
	t.Run("loopback", func(t *testing.T) { onLoopback(t, cfg, run) })
	withClients, clients := withStreams(cfg)
	inBubbleWith(t, "4", withClients, func(e *env) {
		told = new(story)
		sid := e.open()
		c := e.stream(clients, "")
		defer c.conn.Close()
		c.send(false, `0{"sid":"`+sid+`"}`)
		c.send(false, "2probe")
		c.want("3probe")
		c.send(false, "5", "4one")
		waitFor(e.t, func() bool { return len(told.all()) >= 2 })
		if got, want := strings.Join(told.all(), ", "), "upgraded to webtransport, one"; got != want {
			e.t.Errorf("got %s, want %s", got, want)
		}
	})
}

// Who sends a piece each time that the one before was taken sends all of them, however slow the client is, and
// never has more than one waiting.
func TestOnDrain(t *testing.T) {
	const pieces = 20
	piece := bytes.Repeat([]byte("x"), 200<<10)
	var mu sync.Mutex
	var session *Session
	sent, waiting := 0, 0
	next := func(s *Session) {
		mu.Lock()
		defer mu.Unlock()
		if s != session || sent == pieces {
			return
		}
		sent++
		s.mu.Lock()
		waiting = max(waiting, s.out.Bytes())
		s.mu.Unlock()
		if err := s.Send(NewFrame(Message{Data: piece})); err != nil {
			t.Errorf("piece %d: %v", sent, err)
		}
	}
	begin := func(r *recorder) {
		mu.Lock()
		session, sent, waiting = r.session, 0, 0
		mu.Unlock()
		next(r.session)
	}
	check := func(e *env, how string, got int) {
		mu.Lock()
		defer mu.Unlock()
		session = nil
		if got != pieces || sent != pieces || waiting > 1000 {
			e.t.Errorf("%s: got %d pieces of %d, %d bytes waited, want %d and none", how, got, sent, waiting, pieces)
		}
	}
	cfg, sessions := accepting(Config{OnDrain: next})
	run := func(e *env) {
		for len(sessions) > 0 {
			<-sessions
		}
		c, _ := e.openWebSocket()
		r := <-sessions
		begin(r)
		got := 0
		for ; got < pieces; got++ {
			if text := c.text(); len(text) != 1+len(piece) {
				e.t.Fatalf("got %.20q of %d bytes", text, len(text))
			}
		}
		check(e, "over WebSocket", got)
		c.close()

		sid := e.open()
		begin(<-sessions)
		for got = 0; got < pieces; got++ {
			if _, body := e.poll(sid); len(body) != 1+len(piece) {
				e.t.Fatalf("got %.20q of %d bytes", body, len(body))
			}
		}
		check(e, "while polling", got)
	}
	t.Run("pipe", func(t *testing.T) { inBubble(t, cfg, run) })
	t.Run("loopback", func(t *testing.T) { onLoopback(t, cfg, run) })
}

// What the function sends may be gone before it returns. It is not called again until then, and then it is.
func TestOnDrainOneAtATime(t *testing.T) {
	var running, together, calls atomic.Int32
	cfg := Config{OnDrain: func(s *Session) {
		if running.Add(1) > 1 {
			together.Add(1)
		}
		if calls.Add(1) < 3 {
			_ = s.Send(NewFrame(Message{Data: []byte("x")}))
			time.Sleep(time.Millisecond)
		}
		running.Add(-1)
	}}
	inBubble(t, cfg, func(e *env) {
		running.Store(0)
		together.Store(0)
		calls.Store(0)
		c, _ := e.openWebSocket()
		defer c.close()
		c.wantText("4x")
		c.wantText("4x")
		waitFor(e.t, func() bool { return calls.Load() == 3 && running.Load() == 0 })
		if n := together.Load(); n != 0 {
			e.t.Errorf("%d calls came while another ran", n)
		}
	})
}

func TestHooksOfSessionsPanic(t *testing.T) {
	log := new(logged)
	hook := func(*Session) { panic("hook") }
	inBubble(t, Config{Logger: slog.New(slog.NewTextHandler(log, nil)), OnUpgrade: hook, OnDrain: hook}, func(e *env) {
		sid := e.open()
		e.wantPost(sid, "4hello", 200, "ok")
		e.wantPoll(sid, 200, "4hello")
		c := e.upgrade(sid)
		defer c.close()
		c.send("4still here")
		c.wantText("4still here")
	})
	for _, call := range []string{"upgrade", "drain"} {
		if !strings.Contains(log.String(), "call="+call) {
			t.Errorf("the log does not say that %s panicked", call)
		}
	}
}
