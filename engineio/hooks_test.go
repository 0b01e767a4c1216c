package engineio

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
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
func TestHookUpgraded(t *testing.T) {
	var told *story
	cfg := Config{
		Accept: func(*Session) Handler { return teller{told} },
		Hooks:  Hooks{Upgraded: func(s *Session, from string) { told.add("upgraded from " + from + " to " + s.Transport()) }},
	}
	run := func(e *env) {
		told = new(story)
		sid := e.open()
		e.wantPost(sid, "4one", 200, "ok")
		c := e.upgrade(sid)
		defer c.close()
		c.send("4two")
		waitFor(e.t, func() bool { return len(told.all()) >= 3 })
		if got, want := strings.Join(told.all(), ", "), "one, upgraded from polling to websocket, two"; got != want {
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
		if got, want := strings.Join(told.all(), ", "), "upgraded from polling to webtransport, one"; got != want {
			e.t.Errorf("got %s, want %s", got, want)
		}
	})
}

// Who sends a piece each time that the one before was taken sends all of them, however slow the client is, and
// never has more than one waiting.
func TestHookDrained(t *testing.T) {
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
	cfg, sessions := accepting(Config{Hooks: Hooks{Drained: next}})
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
func TestHookDrainedOneAtATime(t *testing.T) {
	var running, together, calls atomic.Int32
	cfg := Config{Hooks: Hooks{Drained: func(s *Session) {
		if running.Add(1) > 1 {
			together.Add(1)
		}
		if calls.Add(1) < 3 {
			_ = s.Send(NewFrame(Message{Data: []byte("x")}))
			time.Sleep(time.Millisecond)
		}
		running.Add(-1)
	}}}
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
	hooks := Hooks{
		Opened:   func(*Session) { panic("hook") },
		Upgraded: func(*Session, string) { panic("hook") },
		Received: func(*Session, int) { panic("hook") },
		Sent:     func(*Session, int) { panic("hook") },
		Drained:  func(*Session) { panic("hook") },
		Closed:   func(*Session, Reason, time.Duration) { panic("hook") },
	}
	inBubble(t, Config{Logger: slog.New(slog.NewTextHandler(log, nil)), Hooks: hooks}, func(e *env) {
		sid := e.open()
		e.wantPost(sid, "4hello", 200, "ok")
		e.wantPoll(sid, 200, "4hello")
		c := e.upgrade(sid)
		defer c.close()
		c.send("4still here")
		c.wantText("4still here")
	})
	for _, call := range []string{"Opened", "Upgraded", "Received", "Sent", "Drained", "Closed"} {
		if !strings.Contains(log.String(), "call=Hooks."+call) {
			t.Errorf("the log does not say that Hooks.%s panicked", call)
		}
	}
}

// Every session that has a handler is opened and closed once, and the bytes are those that its client has sent and
// received.
func TestHooksTellTheWholeOfASession(t *testing.T) {
	var mu sync.Mutex
	var in, out int
	told := new(story)
	count := func(n *int) func(*Session, int) {
		return func(_ *Session, bytes int) {
			mu.Lock()
			defer mu.Unlock()
			*n += bytes
		}
	}
	cfg := Config{PingInterval: time.Hour, Hooks: Hooks{
		Opened:   func(s *Session) { told.add("opened over " + s.Transport()) },
		Received: count(&in),
		Sent:     count(&out),
		Closed: func(_ *Session, reason Reason, lasted time.Duration) {
			told.add("closed after " + lasted.String() + ": " + string(reason))
		},
	}}
	eachRevision(t, cfg, func(t *testing.T, eio string) {
		inBubbleWith(t, eio, cfg, func(e *env) {
			*told = story{}
			in, out = 0, 0
			c, _ := e.openWebSocket()
			synctest.Wait()
			mu.Lock()
			out = 0 // the OPEN packet
			mu.Unlock()
			time.Sleep(time.Second)
			c.send("4hello")
			c.wantText("4hello")
			synctest.Wait()
			frame := len(clientFrame(true, ws.OpText, "4hello"))
			mu.Lock()
			if in != frame || out != frame-len(ws.Header{}.Mask) {
				e.t.Errorf("got %d bytes in and %d out, want %d and %d", in, out, frame, frame-len(ws.Header{}.Mask))
			}
			mu.Unlock()
			c.send("1")
			c.waitClosed()
			waitFor(e.t, func() bool { return len(told.all()) == 2 })
			if got, want := strings.Join(told.all(), ", "), "opened over websocket, closed after 1s: transport close"; got != want {
				e.t.Errorf("got %s, want %s", got, want)
			}
		})
	})
}
