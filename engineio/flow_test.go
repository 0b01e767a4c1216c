package engineio

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
)

// TestStalledReader sends to a client that reads nothing, and to others that do. The first costs what its
// outbox may hold, then its session; the others see no difference.
func TestStalledReader(t *testing.T) {
	const others, messages = 10, 300
	cfg, sessions := accepting(Config{MaxQueueBytes: 1 << 20})
	onLoopback(t, cfg, func(e *env) {
		t := e.t
		stalled, _ := e.openWebSocket()
		defer stalled.close()
		slow := <-sessions
		var all []*recorder
		var done []<-chan struct{}
		for range others {
			c, _ := e.openWebSocket()
			all = append(all, <-sessions)
			done = append(done, e.async(func() {
				defer c.close()
				for i := range messages {
					if got := c.text(); !strings.HasPrefix(got, "4"+strconv.Itoa(i)+" ") {
						e.t.Errorf("got %.10q as message %d", got, i)
						return
					}
				}
			}))
		}
		var slowErr error
		for i := range messages {
			f := NewFrame(Message{Data: []byte(strconv.Itoa(i) + " " + strings.Repeat("x", 64<<10))})
			if err := slow.session.Send(f); slowErr == nil {
				slowErr = err
			}
			for _, r := range all {
				// Those who read may take a moment; their outboxes are bounded as well.
				for {
					r.session.mu.Lock()
					waiting := r.session.out.Bytes()
					r.session.mu.Unlock()
					if waiting < 512<<10 {
						break
					}
					time.Sleep(100 * time.Microsecond)
				}
				if err := r.session.Send(f); err != nil {
					t.Fatalf("message %d to a client that reads: %v", i, err)
				}
			}
		}
		for _, d := range done {
			<-d
		}
		if !errors.Is(slowErr, ErrSlow) {
			t.Errorf("got %v, want ErrSlow", slowErr)
		}
		wantClosed(t, slow, SlowConsumer)
		// What had left before is whole, and the connection is closed.
		stalled.waitClosed()
	})
}

// The outbox holds what it may and nothing more, on both transports; what fits is delivered in the end.
func TestOutboxBound(t *testing.T) {
	cfg, sessions := accepting(Config{MaxQueueBytes: 1000})
	frame := NewFrame(Message{Data: []byte(strings.Repeat("x", 97))}) // 100 bytes
	inBubble(t, cfg, func(e *env) {
		t := e.t
		sid := e.open()
		r := <-sessions
		for range 10 {
			if err := r.session.Send(frame); err != nil {
				t.Fatal(err)
			}
		}
		if r.session.SendVolatile(frame) {
			t.Error("a volatile frame was taken while no poll waits")
		}
		if _, body := e.poll(sid); len(body) != 10*98+9 {
			t.Errorf("got %d bytes, want the ten messages", len(body))
		}
		for range 5 {
			r.session.Send(frame, frame)
		}
		if err := r.session.Send(frame); !errors.Is(err, ErrSlow) {
			t.Errorf("got %v, want ErrSlow", err)
		}
		if err := r.session.Send(frame); !errors.Is(err, ErrClosed) {
			t.Errorf("got %v afterwards, want ErrClosed", err)
		}
		wantClosed(t, r, SlowConsumer)
		e.wantPoll(sid, 400, "")

		c, _ := e.openWebSocket()
		r = <-sessions
		synctest.Wait()
		var err error
		n := 0
		for ; err == nil; n++ { // a pipe takes nothing until it is read
			err = r.session.Send(frame)
		}
		if !errors.Is(err, ErrSlow) || n != 11 {
			t.Errorf("got %v after %d frames, want ErrSlow after 11", err, n)
		}
		wantClosed(t, r, SlowConsumer)
		c.wantCloseFrame(ws.StatusPolicyViolation)
		c.close()
	})
}

func TestVolatileFrames(t *testing.T) {
	cfg, sessions := accepting(Config{})
	inBubble(t, cfg, func(e *env) {
		t := e.t
		sid := e.open()
		s := (<-sessions).session
		note := NewFrame(Message{Data: []byte("note")})
		if s.SendVolatile(note) {
			t.Error("taken while no poll waits")
		}
		poll := e.async(func() { e.wantPoll(sid, 200, "4note\x1e4note") })
		synctest.Wait()
		if !s.SendVolatile(note, note) {
			t.Error("dropped while a poll waits")
		}
		<-poll
		s.Close(ForcedClose)
		if s.SendVolatile(note) {
			t.Error("taken after the end")
		}
	})
	onLoopback(t, cfg, func(e *env) {
		t := e.t
		c, _ := e.openWebSocket()
		defer c.close()
		s := (<-sessions).session
		if !s.SendVolatile(NewFrame(Message{Data: []byte("note")})) {
			t.Error("dropped on a WebSocket that takes frames")
		}
		c.wantText("4note")
		// Nobody reads any more. The kernel's buffers grow for a while before they are full for good.
		large := NewFrame(Message{Data: make([]byte, 64<<10)})
		deadline := time.Now().Add(20 * time.Second)
		for dropped := 0; dropped < 20; {
			if s.SendVolatile(large) {
				dropped = 0
			} else {
				dropped++
			}
			if time.Now().After(deadline) {
				t.Fatal("frames are still taken though nobody reads")
			}
			time.Sleep(time.Millisecond)
		}
		if s.state.Load() != stateOpen {
			t.Error("volatile frames have cost the session")
		}
	})
}

// What a handler sends during one read leaves in one write.
func TestWritesAreCollected(t *testing.T) {
	onLoopback(t, Config{}, func(e *env) {
		t := e.t
		c, _ := e.openWebSocket()
		defer c.close()
		var in []byte
		for i := range 50 {
			in = append(in, clientFrame(true, ws.OpText, "4"+strconv.Itoa(i))...)
		}
		c.write(in)
		c.wantText("40")
		if got, want := c.r.Buffered(), 49*5-9; got != want { // 9 of them have one digit, the others two
			t.Errorf("got %d bytes behind the first answer, want all %d", got, want)
		}
	})
}

func TestSessionsAreIndependent(t *testing.T) {
	cfg, sessions := accepting(Config{})
	inBubble(t, cfg, func(e *env) {
		t := e.t
		a, b := e.open(), e.open()
		ra, rb := <-sessions, <-sessions
		if a == b || ra.session.ID() != a || rb.session.ID() != b {
			t.Fatalf("got ids %q and %q", a, b)
		}
		e.wantPost(a, "4to a", 200, "ok")
		rb.session.Send(NewFrame(Message{Data: []byte("from b")}))
		e.wantPost(a, "1", 200, "ok")
		e.wantPoll(b, 200, "4from b")
		e.wantPost(b, "4to b", 200, "ok")
		wantClosed(t, ra, TransportClose)
		if fmt.Sprint(ra.messages(), rb.messages()) != "[to a] [to b]" {
			t.Errorf("got %q and %q", ra.messages(), rb.messages())
		}
		select {
		case reason := <-rb.closed:
			t.Errorf("the other session ended: %s", reason)
		default:
		}
	})
}

// Many sessions come, do something, and go in every way there is. The bubble fails if one leaves a
// goroutine behind; the server must not remember any.
func TestSessionsComeAndGo(t *testing.T) {
	cfg := Config{UpgradeTimeout: time.Second}
	f := func(e *env) {
		var wg sync.WaitGroup
		for i := range 60 {
			wg.Go(func() {
				if i%2 == 0 {
					c, _ := e.openWebSocket()
					defer c.close()
					c.send("4hello")
					c.wantText("4hello")
					switch i % 6 {
					case 0:
						c.send("1")
						c.waitClosed()
					case 2:
						c.write(clientFrame(true, ws.OpClose, ""))
						c.waitClosed()
					}
					return // or just leaves
				}
				sid := e.open()
				switch i % 10 {
				case 1:
					e.wantPost(sid, "1", 200, "ok")
				case 3:
					e.abortPoll(sid)
				case 5:
					c := e.upgrade(sid)
					defer c.close()
					c.send("4hello")
					c.wantText("4hello")
				case 7:
					e.webSocket(webSocketQuery + "&sid=" + sid).waitClosed() // an upgrade that is given up
					e.wantPost(sid, "1", 200, "ok")
				case 9:
					e.wantPost(sid, "abc", 200, "ok")
				}
			})
		}
		wg.Wait()
		deadline := time.Now().Add(10 * time.Second)
		for {
			e.server.mu.Lock()
			n := len(e.server.sessions)
			e.server.mu.Unlock()
			if n == 0 {
				break
			}
			if time.Now().After(deadline) {
				e.t.Fatalf("the server remembers %d sessions", n)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	t.Run("pipe", func(t *testing.T) { inBubble(t, cfg, f) })
	t.Run("tcp", func(t *testing.T) { onLoopback(t, cfg, f) })
}

func TestServerClose(t *testing.T) {
	cfg, sessions := accepting(Config{})
	inBubble(t, cfg, func(e *env) {
		t := e.t
		polling, idle := e.open(), e.open()
		c, _ := e.openWebSocket()
		probe := e.webSocket(webSocketQuery + "&sid=" + idle)
		var all []*recorder
		for range 3 {
			all = append(all, <-sessions)
		}
		all[2].session.Send(NewFrame(Message{Data: []byte("last words")}))
		poll := e.async(func() { e.wantPoll(polling, 200, "1") })
		synctest.Wait()
		closed := e.async(func() {
			if err := e.server.Close(t.Context()); err != nil {
				t.Errorf("close: %v", err)
			}
		})
		c.wantText("4last words")
		c.wantClose(ws.StatusGoingAway)
		probe.waitClosed()
		<-poll
		<-closed
		for _, r := range all {
			wantClosed(t, r, ServerShutdown)
		}
		if err := e.server.Close(t.Context()); err != nil {
			t.Errorf("the second time: %v", err)
		}
		if resp, body := e.do("GET", pollingQuery, ""); resp.StatusCode != 503 {
			t.Errorf("got %d %s after the end, want 503", resp.StatusCode, body)
		}
	})
}

func TestServerCloseBeforeAnythingStarted(t *testing.T) {
	s := NewServer(Config{Accept: func(s *Session) Handler { return echoHandler{s} }})
	for range 2 {
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// Close gives up with its context, and does not leave the connections open.
func TestServerCloseInTime(t *testing.T) {
	cfg, sessions := accepting(Config{})
	inBubble(t, cfg, func(e *env) {
		t := e.t
		c, _ := e.openWebSocket()
		(<-sessions).session.Send(NewFrame(Message{Data: make([]byte, 1<<20)})) // which nobody reads
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start := time.Now()
		if err := e.server.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's error", err)
		}
		if got := time.Since(start); got != 100*time.Millisecond {
			t.Errorf("got back after %v, want 100ms", got)
		}
		c.waitClosed()
	})
}

// A session that Close has given up on during its handshake leaves no connection behind, and has no handler.
func TestServerCloseInTimeDuringAHandshake(t *testing.T) {
	var server *Server
	cfg := Config{
		InitialHeaders: func(http.Header, *http.Request) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			_ = server.Close(ctx)
		},
		Accept: func(s *Session) Handler {
			t.Error("got a session after its end")
			return echoHandler{s}
		},
	}
	during := func(e *env) {
		server = e.server
		c := e.webSocket(webSocketQuery)
		c.conn.SetDeadline(time.Now().Add(5 * time.Second))
		c.waitClosed()
	}
	inBubble(t, cfg, during)
	onLoopback(t, cfg, during)
}

// A frame that is sent costs no allocation on the way to the socket.
func TestSendDoesNotAllocate(t *testing.T) {
	cfg, sessions := accepting(Config{})
	onLoopback(t, cfg, func(e *env) {
		t := e.t
		c, _ := e.openWebSocket()
		defer c.close()
		s := (<-sessions).session
		go func() {
			buf := make([]byte, 64<<10)
			for {
				if _, err := c.conn.Read(buf); err != nil {
					return
				}
			}
		}()
		f := NewFrame(Message{Data: []byte(strings.Repeat("x", 100))})
		idle := func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.out.Empty()
		}
		send := func() {
			if err := s.Send(f); err != nil {
				t.Error(err)
			}
			for !idle() {
				time.Sleep(10 * time.Microsecond)
			}
		}
		send()
		// The flusher's goroutine comes and goes; two allocations at most for it. What the rest of the process
		// allocates meanwhile counts too, so the least of some runs is taken.
		least := testing.AllocsPerRun(200, send)
		for range 9 {
			least = min(least, testing.AllocsPerRun(200, send))
		}
		if least > 2 {
			t.Errorf("got %v allocations for one frame, want 2 at most", least)
		}
	})
}

// The path does not matter, nor what the server is wrapped in, nor TLS.
func TestMountedAnywhereOverTLS(t *testing.T) {
	cfg, sessions := accepting(Config{Logger: slog.New(slog.DiscardHandler)})
	server := NewServer(cfg)
	mux := http.NewServeMux()
	mux.Handle("/deep/down/socket.io/", http.StripPrefix("/deep", wrap(server)))
	ts := httptest.NewTLSServer(mux)
	defer ts.Close()
	defer server.Close(t.Context())
	resp, err := ts.Client().Get(ts.URL + "/deep/down/socket.io/" + pollingQuery)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("got %v, %v, want 200", resp, err)
	}
	resp.Body.Close()
	(<-sessions).session.Close(ForcedClose)

	tlsConfig := ts.Client().Transport.(*http.Transport).TLSClientConfig
	e := &env{t: t, eio: "4", dial: func() (net.Conn, error) { return tls.Dial("tcp", ts.Listener.Addr().String(), tlsConfig) }}
	c := e.webSocketAt("/deep/down/socket.io/" + webSocketQuery)
	defer c.close()
	c.text()
	r := <-sessions
	if !r.session.Handshake().Secure {
		t.Error("the handshake does not know that it came over TLS")
	}
	c.send("4up")
	r.session.Send(NewFrame(Message{Data: []byte(strings.Repeat("down", 100_000))}))
	if got := c.text(); len(got) != 400_001 {
		t.Errorf("got %d bytes, want 400,001", len(got))
	}
	for deadline := time.Now().Add(10 * time.Second); len(r.messages()) == 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	r.session.Close(ForcedClose)
	c.wantCloseFrame(ws.StatusNormalClosure)
	if got := r.messages(); fmt.Sprint(got) != "[up]" {
		t.Errorf("got %q, want the message", got)
	}
}

// wrap hides what a ResponseWriter can do behind Unwrap, as frameworks and middleware do.
func wrap(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(wrapped{w}, r) })
}

type wrapped struct{ w http.ResponseWriter }

func (w wrapped) Header() http.Header         { return w.w.Header() }
func (w wrapped) Write(p []byte) (int, error) { return w.w.Write(p) }
func (w wrapped) WriteHeader(status int)      { w.w.WriteHeader(status) }
func (w wrapped) Unwrap() http.ResponseWriter { return w.w }
