package socketio_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"jobcast/engineio"
	"jobcast/socketio"
)

// A world is a server with the suite's contract, and the way to it.
type world struct {
	t      *testing.T
	server *socketio.Server
	listen listener
	client *http.Client
}

func newWorld(t *testing.T) *world {
	return newWorldWith(t, engineio.Config{PingInterval: 300 * time.Millisecond, PingTimeout: 200 * time.Millisecond, DisableRevision3: true})
}

func newWorldWith(t *testing.T, engine engineio.Config) *world {
	w := &world{t: t, listen: listener{make(chan net.Conn), make(chan struct{})}}
	log := slog.New(slog.DiscardHandler)
	w.server = socketio.New(socketio.Config{
		Engine:         engine,
		ConnectTimeout: time.Second,
		Logger:         log,
	})
	auth := socketio.NewEvent[json.RawMessage]("auth")
	back := socketio.NewEvent[socketio.Args]("message-back")
	for _, name := range []string{"/", "/custom"} {
		ns := w.server.Of(name)
		ns.OnConnect(func(_ context.Context, s *socketio.Socket) {
			credentials := s.Auth()
			if credentials == nil {
				credentials = json.RawMessage("{}")
			}
			auth.Emit(s, credentials)
		})
		ns.Handle(
			socketio.NewEvent[socketio.Args]("message").On(func(_ context.Context, s *socketio.Socket, args socketio.Args) error {
				return back.Emit(s, args)
			}),
			socketio.NewCall[socketio.Args, socketio.Args]("message-with-ack").On(func(_ context.Context, _ *socketio.Socket, args socketio.Args) (socketio.Args, error) {
				return args, nil
			}),
		)
	}
	web := &http.Server{Handler: w.server, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelError)}
	served := make(chan error)
	go func() { served <- web.Serve(w.listen) }()
	w.client = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return w.listen.dial(ctx) }}}
	t.Cleanup(func() {
		if err := w.server.Close(context.Background()); err != nil {
			t.Errorf("Close: %v", err)
		}
		w.client.CloseIdleConnections()
		web.Close()
		<-served
	})
	return w
}

// request makes a request and returns the answer's status and body.
func (w *world) request(method, query, body string) (int, string) {
	w.t.Helper()
	r, err := http.NewRequest(method, "http://server/socket.io/?"+query, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	res, err := w.client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// open opens a session that polls, and returns its id.
func (w *world) open() string {
	w.t.Helper()
	_, body := w.request("GET", "EIO=4&transport=polling", "")
	var open struct{ SID string }
	if err := json.Unmarshal([]byte(strings.TrimPrefix(body, "0")), &open); err != nil {
		w.t.Fatalf("got %q, want an OPEN packet", body)
	}
	return open.SID
}

func (w *world) wantPoll(sid string, wantStatus int, want string) {
	w.t.Helper()
	status, body := w.request("GET", "EIO=4&transport=polling&sid="+sid, "")
	if status != wantStatus || status == 200 && body != want {
		w.t.Errorf("poll: got %d %q, want %d %q", status, body, wantStatus, want)
	}
}

func (w *world) wantPollPrefix(sid, want string) {
	w.t.Helper()
	status, body := w.request("GET", "EIO=4&transport=polling&sid="+sid, "")
	if status != 200 || !strings.HasPrefix(body, want) {
		w.t.Errorf("got %d %q, want 200 %s…", status, body, want)
	}
}

func (w *world) post(sid, payload string) {
	w.t.Helper()
	if status, body := w.request("POST", "EIO=4&transport=polling&sid="+sid, payload); status != 200 || body != "ok" {
		w.t.Errorf("post %s: got %d %q, want 200 ok", payload, status, body)
	}
}

// dial opens a WebSocket, with sid for a session that there is.
func (w *world) dial(sid string) *wsClient {
	w.t.Helper()
	query := "EIO=4&transport=websocket"
	if sid != "" {
		query += "&sid=" + sid
	}
	c, err := w.dialQuery(query)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) dialQuery(query string) (*wsClient, error) {
	d := ws.Dialer{NetDial: func(ctx context.Context, _, _ string) (net.Conn, error) { return w.listen.dial(ctx) }}
	conn, early, _, err := d.Dial(context.Background(), "ws://server/socket.io/?"+query)
	if err != nil {
		return nil, err
	}
	c := &wsClient{t: w.t, conn: conn, messages: make(chan string, 100)}
	var r io.Reader = conn
	if early != nil {
		r = early
	}
	go c.read(r)
	w.t.Cleanup(func() { conn.Close() })
	return c, nil
}

// upgrade moves a session that polls to a WebSocket.
func (w *world) upgrade(sid string) *wsClient {
	w.t.Helper()
	c := w.dial(sid)
	c.send("2probe")
	c.want("3probe")
	c.send("5")
	synctest.Wait()
	return c
}

// connect opens a WebSocket and joins the main namespace.
func (w *world) connect() *wsClient {
	w.t.Helper()
	c := w.dial("")
	c.wantPrefix(`0{"sid":"`)
	c.send("40")
	c.wantPrefix(`40{"sid":"`)
	c.want(`42["auth",{}]`)
	return c
}

// A wsClient is the client's end of a WebSocket.
type wsClient struct {
	t        *testing.T
	conn     net.Conn
	messages chan string // closed with the connection
}

func (c *wsClient) read(r io.Reader) {
	defer close(c.messages)
	defer c.conn.Close()
	for {
		data, op, err := wsutil.ReadServerData(struct {
			io.Reader
			io.Writer
		}{r, c.conn})
		if err != nil {
			return
		}
		if op == ws.OpBinary {
			c.messages <- fmt.Sprintf("binary %x", data)
		} else {
			c.messages <- string(data)
		}
	}
}

func (c *wsClient) send(message string) {
	c.t.Helper()
	if err := wsutil.WriteClientText(c.conn, []byte(message)); err != nil {
		c.t.Errorf("send %s: %v", message, err)
	}
}

func (c *wsClient) sendBinary(data ...byte) {
	c.t.Helper()
	if err := wsutil.WriteClientBinary(c.conn, bytes.Clone(data)); err != nil {
		c.t.Errorf("send %x: %v", data, err)
	}
}

func (c *wsClient) receive() string {
	c.t.Helper()
	select {
	case m, ok := <-c.messages:
		if !ok {
			c.t.Fatal("the connection was closed")
		}
		return m
	case <-time.After(2 * time.Minute):
		c.t.Fatal("no message in two minutes")
	}
	return ""
}

func (c *wsClient) want(messages ...string) {
	c.t.Helper()
	for _, want := range messages {
		if got := c.receive(); got != want {
			c.t.Errorf("got %s, want %s", got, want)
		}
	}
}

func (c *wsClient) wantPrefix(want string) {
	c.t.Helper()
	if got := c.receive(); !strings.HasPrefix(got, want) {
		c.t.Errorf("got %s, want %s…", got, want)
	}
}

func (c *wsClient) wantClosed() {
	c.t.Helper()
	select {
	case m, ok := <-c.messages:
		if ok {
			c.t.Errorf("got %s, want the connection closed", m)
		}
	case <-time.After(2 * time.Minute):
		c.t.Error("the connection is still open after two minutes")
	}
}

// A listener accepts connections in memory.
type listener struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l listener) dial(ctx context.Context) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l listener) Close() error   { close(l.done); return nil }
func (l listener) Addr() net.Addr { return &net.TCPAddr{} }

// The engine's hook and the socket speak of one session.
func TestUpgradeIsToldOfASocketsSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		upgraded := make(chan string, 10)
		w := newWorldWith(t, engineio.Config{Hooks: engineio.Hooks{Upgraded: func(s *engineio.Session, _ string) { upgraded <- s.ID() + " " + s.Transport() }}})
		joined := make(chan *socketio.Socket, 1)
		w.server.Of("/").OnConnect(func(_ context.Context, s *socketio.Socket) { joined <- s })
		sid := w.open()
		w.post(sid, "40")
		s := <-joined
		before := s.Transport()
		w.upgrade(sid)
		if got, want := before+", "+<-upgraded, "polling, "+s.SessionID()+" websocket"; got != want || s.Transport() != "websocket" || len(upgraded) > 0 {
			t.Errorf("got %s, and the socket over %s, want %s", got, s.Transport(), want)
		}
	})
}
