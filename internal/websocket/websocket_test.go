package websocket

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// pipes is a listener whose connections are pipes.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *pipes) Close() error   { return nil }
func (l *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// site is a server whose sockets are all handled in one way.
type site struct {
	t       *testing.T
	sockets *Server
	drain   context.CancelFunc // ends the requests' base context
	pipes   *pipes
	ended   chan error // what each handler returned
}

// inSite runs a test in fake time. Whatever goroutine is left at its end fails it.
func inSite(t *testing.T, opts Options, handle func(context.Context, *Socket) error, test func(t *testing.T, s *site)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &site{t: t, sockets: New(Config{}), ended: make(chan error, 10), pipes: &pipes{make(chan net.Conn), make(chan struct{})}}
		base, cancel := context.WithCancel(context.Background())
		s.drain = cancel
		server := &http.Server{
			BaseContext: func(net.Listener) context.Context { return base },
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				err := s.sockets.Serve(w, r, opts, func(ctx context.Context, socket *Socket) error {
					err := handle(ctx, socket)
					s.ended <- err
					return err
				})
				if err != nil {
					http.Error(w, err.Error(), http.StatusTeapot)
				}
			}),
		}
		served := make(chan error, 1)
		go func() { served <- server.Serve(s.pipes) }()
		test(t, s)
		cancel()
		close(s.pipes.done)
		server.Shutdown(context.Background())
		<-served
		if err := s.sockets.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
}

func (s *site) dial() net.Conn {
	s.t.Helper()
	ours, theirs := net.Pipe()
	s.t.Cleanup(func() { ours.Close() })
	s.pipes.conns <- theirs
	if _, _, err := (ws.Dialer{}).Upgrade(ours, &url.URL{Scheme: "ws", Host: "server", Path: "/"}); err != nil {
		s.t.Fatal(err)
	}
	return ours
}

// closing reads until the server says goodbye, and returns the code and what came before.
func closing(t *testing.T, conn net.Conn) (code ws.StatusCode, reason string, before []string) {
	t.Helper()
	for {
		f, err := ws.ReadFrame(conn)
		if err != nil {
			t.Fatalf("got %v after %q, want a goodbye", err, before)
		}
		switch f.Header.OpCode {
		case ws.OpClose:
			code, reason = ws.ParseCloseFrameData(f.Payload)
			return code, reason, before
		case ws.OpText, ws.OpBinary:
			before = append(before, string(f.Payload))
		}
	}
}

func echo(ctx context.Context, s *Socket) error {
	for {
		message, text, err := s.Receive(ctx)
		if err != nil {
			return err
		}
		if text {
			err = s.Send(message)
		} else {
			err = s.SendBinary(message)
		}
		if err != nil {
			return err
		}
	}
}

func TestMessagesComeWholeAndAsWhatTheyAre(t *testing.T) {
	inSite(t, Options{MaxMessageBytes: 1000}, echo, func(t *testing.T, s *site) {
		conn := s.dial()
		for _, tt := range []struct {
			op      ws.OpCode
			message []byte
		}{{ws.OpText, []byte("小米")}, {ws.OpText, nil}, {ws.OpBinary, []byte{0, 0xff}}, {ws.OpBinary, bytes.Repeat([]byte{7}, 1000)}} {
			go wsutil.WriteClientMessage(conn, tt.op, tt.message)
			if got, op, err := wsutil.ReadServerData(conn); err != nil || op != tt.op || !bytes.Equal(got, tt.message) {
				t.Errorf("got %.20q, %v, %v; want %.20q, %v", got, op, err, tt.message, tt.op)
			}
		}
		go func() { // in parts, with a ping between them
			for _, f := range []ws.Frame{ws.NewFrame(ws.OpText, false, []byte("小")), ws.NewPingFrame([]byte("?")), ws.NewFrame(ws.OpContinuation, true, []byte("米"))} {
				ws.WriteFrame(conn, ws.MaskFrameInPlace(f))
			}
		}()
		if f, err := ws.ReadFrame(conn); err != nil || f.Header.OpCode != ws.OpPong || string(f.Payload) != "?" {
			t.Errorf("got %v, %v, want the pong", f, err)
		}
		if got, _, err := wsutil.ReadServerData(conn); err != nil || string(got) != "小米" {
			t.Errorf("got %q, %v", got, err)
		}
		go ws.WriteFrame(conn, ws.MaskFrameInPlace(ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusNormalClosure, ""))))
		if code, _, _ := closing(t, conn); code != ws.StatusNormalClosure {
			t.Errorf("got %d, want %d", code, ws.StatusNormalClosure)
		}
		if err := <-s.ended; !errors.Is(err, io.EOF) {
			t.Errorf("the handler ended with %v, want io.EOF", err)
		}
	})
}

func TestWhatDoesNotFitIsRefusedWithItsCode(t *testing.T) {
	inSite(t, Options{MaxMessageBytes: 1000}, echo, func(t *testing.T, s *site) {
		for name, tt := range map[string]struct {
			code   ws.StatusCode
			frames []ws.Frame
		}{
			"too long":          {ws.StatusMessageTooBig, []ws.Frame{ws.MaskFrame(ws.NewTextFrame(make([]byte, 1001)))}},
			"too long in parts": {ws.StatusMessageTooBig, []ws.Frame{ws.MaskFrame(ws.NewFrame(ws.OpText, false, make([]byte, 1000))), ws.MaskFrame(ws.NewFrame(ws.OpContinuation, true, []byte("x")))}},
			"not masked":        {ws.StatusProtocolError, []ws.Frame{ws.NewTextFrame([]byte("1"))}},
			"not UTF-8":         {ws.StatusInvalidFramePayloadData, []ws.Frame{ws.MaskFrame(ws.NewTextFrame([]byte{0xff}))}},
			"continuation":      {ws.StatusProtocolError, []ws.Frame{ws.MaskFrame(ws.NewFrame(ws.OpContinuation, true, nil))}},
		} {
			conn := s.dial()
			go func() { // the server need not read all of it
				for _, f := range tt.frames {
					ws.WriteFrame(conn, f)
				}
			}()
			if code, _, _ := closing(t, conn); code != tt.code {
				t.Errorf("%s: got %d, want %d", name, code, tt.code)
			}
			conn.Close()
			if err := <-s.ended; !errors.Is(err, ErrClosed) {
				t.Errorf("%s: the handler ended with %v", name, err)
			}
		}
	})
}

func TestATextIsSureWhenThePingBehindItHasComeBack(t *testing.T) {
	got := make(chan string, 10)
	var socket *Socket
	begun := make(chan struct{})
	handle := func(ctx context.Context, s *Socket) error {
		socket = s
		close(begun)
		return echo(ctx, s)
	}
	inSite(t, Options{}, handle, func(t *testing.T, s *site) {
		conn := s.dial()
		<-begun
		var pings [][]byte
		for _, text := range []string{"one", "two", "three"} {
			if err := socket.SendSure([]byte(text), func() { got <- text }); err != nil {
				t.Fatal(err)
			}
			if f, err := ws.ReadFrame(conn); err != nil || string(f.Payload) != text {
				t.Fatalf("got %v, %v, want %s", f, err, text)
			}
			f, err := ws.ReadFrame(conn)
			if err != nil || f.Header.OpCode != ws.OpPing {
				t.Fatalf("got %v, %v, want a ping", f, err)
			}
			pings = append(pings, f.Payload)
		}
		pong := func(payload []byte, want ...string) {
			t.Helper()
			ws.WriteFrame(conn, ws.MaskFrameInPlace(ws.NewPongFrame(bytes.Clone(payload))))
			synctest.Wait()
			for _, text := range want {
				if one := <-got; one != text {
					t.Errorf("got %q, want %q", one, text)
				}
			}
			if len(got) > 0 {
				t.Errorf("got %q, too", <-got)
			}
		}
		pong(nil)
		pong([]byte("nonsense but short"))
		pong(pings[1], "one", "two") // a client may answer the newest alone
		pong(pings[0])
		pong(pings[2], "three")
		pong(pings[2])
		socket.SendSure([]byte("four"), func() { t.Error("it is gone") })
		conn.Close()
		<-s.ended
		if err := socket.SendSure(nil, nil); err == nil {
			t.Error("a socket that is gone takes a text")
		}
	})
}

func TestASilentClientIsGivenUpAndOneThatAnswersPingsIsNot(t *testing.T) {
	inSite(t, Options{}, echo, func(t *testing.T, s *site) {
		silent, patient := s.dial(), s.dial()
		begin := time.Now()
		go func() {
			for {
				f, err := ws.ReadFrame(patient)
				if err != nil {
					return
				}
				if f.Header.OpCode == ws.OpPing {
					ws.WriteFrame(patient, ws.MaskFrameInPlace(ws.NewPongFrame(f.Payload)))
				}
			}
		}()
		closing(t, silent)
		if got := time.Since(begin); got != silence {
			t.Errorf("a silent client was kept for %v, want %v", got, silence)
		}
		silent.Close()
		<-s.ended
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		select {
		case err := <-s.ended:
			t.Errorf("a client that answers pings was given up: %v", err)
		default:
		}
		patient.Close()
	})
}

func TestAClientThatDoesNotReadIsCutOffAndHoldsNobodyUp(t *testing.T) {
	flood := func(ctx context.Context, s *Socket) error {
		for range 1000 {
			if err := s.Send(make([]byte, 1000)); err != nil {
				return err
			}
		}
		return nil
	}
	inSite(t, Options{MaxQueueBytes: 10_000}, flood, func(t *testing.T, s *site) {
		conn := s.dial()
		begin := time.Now()
		if err := <-s.ended; !errors.Is(err, ErrSlow) || time.Since(begin) != 0 {
			t.Errorf("the handler ended with %v after %v, want %v at once", err, time.Since(begin), ErrSlow)
		}
		synctest.Wait()
		conn.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := io.Copy(io.Discard, conn); err != nil {
			t.Errorf("got %v, want a connection that is closed", err)
		}
	})
}

func TestWhatWasReceivedIsAnsweredBeforeTheServerSaysGoodbye(t *testing.T) {
	slow := func(ctx context.Context, s *Socket) error {
		for {
			message, _, err := s.Receive(ctx)
			if err != nil {
				return err
			}
			select {
			case <-time.After(time.Second): // work that is not hurried by the drain
				s.Send(append(message, '!'))
			case <-ctx.Done():
			}
		}
	}
	for name, end := range map[string]func(*site, chan<- error){
		"the context ends": func(s *site, closed chan<- error) { s.drain(); closed <- s.sockets.Close(context.Background()) },
		"close alone":      func(s *site, closed chan<- error) { closed <- s.sockets.Close(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			inSite(t, Options{}, slow, func(t *testing.T, s *site) {
				conn, idle := s.dial(), s.dial()
				wsutil.WriteClientText(conn, []byte("in flight"))
				synctest.Wait()
				closed := make(chan error)
				begin := time.Now()
				go end(s, closed)
				code, reason, before := closing(t, idle)
				if code != ws.StatusGoingAway || reason == "" || len(before) > 0 || time.Since(begin) != drainTime {
					t.Errorf("an idle client got %d %q %q after %v, want %d after %v", code, reason, before, time.Since(begin), ws.StatusGoingAway, drainTime)
				}
				code, reason, before = closing(t, conn)
				if code != ws.StatusGoingAway || reason == "" || len(before) != 1 || before[0] != "in flight!" || time.Since(begin) != time.Second {
					t.Errorf("got %d %q %q after %v, want the answer, then %d", code, reason, before, time.Since(begin), ws.StatusGoingAway)
				}
				for _, c := range []net.Conn{conn, idle} {
					go ws.WriteFrame(c, ws.MaskFrameInPlace(ws.NewCloseFrame(nil)))
				}
				if err := <-closed; err != nil {
					t.Errorf("close: %v", err)
				}
				if got := len(s.ended); got != 2 {
					t.Errorf("closed with %d of 2 handlers ended", got)
				}
			})
		})
	}
}

func TestCloseCutsOffWhoTakesTooLongAndLetsNobodyIn(t *testing.T) {
	stubborn := func(ctx context.Context, s *Socket) error {
		s.Send(make([]byte, 1000)) // which nobody reads
		<-ctx.Done()
		return ctx.Err()
	}
	inSite(t, Options{}, stubborn, func(t *testing.T, s *site) {
		s.dial()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		begin := time.Now()
		if err := s.sockets.Close(ctx); err != nil || time.Since(begin) != 3*time.Second {
			t.Errorf("got %v after %v, want an end at the limit", err, time.Since(begin))
		}
		ours, theirs := net.Pipe()
		defer ours.Close()
		s.pipes.conns <- theirs
		go io.WriteString(ours, "GET / HTTP/1.1\r\nHost: server\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(ours), nil)
		if err != nil {
			t.Fatal(err)
		}
		why := make([]byte, len(ErrClosed.Error()))
		io.ReadFull(resp.Body, why)
		if resp.StatusCode != http.StatusTeapot || string(why) != ErrClosed.Error() {
			t.Errorf("got %d %s, want %v after Close", resp.StatusCode, why, ErrClosed)
		}
	})
}

// What is refused has not been answered, so that its answer is of the same kind as others of the caller's.
func TestRefusalsAreTheCallers(t *testing.T) {
	closed := New(Config{})
	if err := closed.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	handshake := func(change func(http.Header)) *http.Request {
		r := httptest.NewRequest("GET", "http://server/", nil)
		r.Header = http.Header{"Connection": {"keep-alive", "Upgrade"}, "Upgrade": {"websocket"},
			"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}}
		if change != nil {
			change(r.Header)
		}
		return r
	}
	for _, tt := range []struct {
		name    string
		sockets *Server
		r       *http.Request
		want    string
		version string
	}{
		{"another origin", New(Config{}), handshake(func(h http.Header) { h.Set("Origin", "https://a.test") }), ErrOrigin.Error(), ""},
		{"no upgrade", New(Config{}), handshake(func(h http.Header) { h.Set("Connection", "close") }), ErrNoUpgrade.Error(), ""},
		{"two keys", New(Config{}), handshake(func(h http.Header) { h.Add("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==") }),
			"websocket: the field Sec-WebSocket-Key must be there once, with 16 bytes in base64", ""},
		{"another version", New(Config{}), handshake(func(h http.Header) { h.Set("Sec-WebSocket-Version", "12") }),
			"websocket: the field Sec-WebSocket-Version must be there once, with the value 13", "13"},
		{"a server that is closed", closed, handshake(nil), ErrClosed.Error(), ""},
		{"no connection", New(Config{}), handshake(nil), "websocket: the connection cannot be taken over: feature not supported", ""},
	} {
		w := httptest.NewRecorder()
		w.Code = 0
		err := tt.sockets.Serve(w, tt.r, Options{}, func(context.Context, *Socket) error { return errors.New("handled") })
		if err == nil || err.Error() != tt.want || w.Code != 0 || w.Body.Len() > 0 || w.Header().Get("Sec-WebSocket-Version") != tt.version {
			t.Errorf("%s: got %v, %d %s %v, want %s and no answer", tt.name, err, w.Code, w.Body, w.Header(), tt.want)
		}
	}
}

func TestOrigins(t *testing.T) {
	for _, tt := range []struct {
		allowed, origin, host string
		want                  error
	}{
		{"", "", "server", nil},
		{"", "http://server", "server", nil},
		{"", "https://SERVER", "server", nil},
		{"", "https://server", "server:443", nil},
		{"", "http://server:80", "server", nil},
		{"", "http://server:8080", "server", ErrOrigin},
		{"", "http://server.elsewhere.example", "server", ErrOrigin},
		{"", "null", "", ErrOrigin},
		{"", "file://", "", ErrOrigin},
		{"https://friend.example", "https://Friend.example", "server", nil},
		{"https://friend.example", "http://friend.example", "server", ErrOrigin},
		{"*", "https://anyone.example", "server", nil},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = tt.host
		r.Header.Set("Origin", tt.origin)
		if got := New(Config{Origins: strings.Fields(tt.allowed)}).CheckOrigin(r); !errors.Is(got, tt.want) {
			t.Errorf("origin %q at %q with %q allowed: got %v, want %v", tt.origin, tt.host, tt.allowed, got, tt.want)
		}
	}
}
