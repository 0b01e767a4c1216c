package client_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/engineio"
	"jobcast/socketio"
	"jobcast/socketio/client"
)

var (
	echo  = socketio.NewCall[socketio.Args, socketio.Args]("echo")
	greet = socketio.NewCall[string, string]("greet")
	tell  = socketio.NewEvent[string]("tell")
	told  = socketio.NewEvent[string]("told")
)

// A world is a server that may go away and come back, and connections that may break.
type world struct {
	t         *testing.T
	transport client.Transport
	server    *socketio.Server
	setup     func(*socketio.Server)
	memory    *client.Memory

	mu         sync.Mutex // protects the fields below
	down       bool
	conns      []net.Conn
	handshakes int
	frozen     bool      // what comes from the server is lost
	stopped    time.Time // when the server was stopped last
	stalled    bool      // the server takes nothing
}

// A worldConn is a connection that a world can spoil.
type worldConn struct {
	net.Conn
	w      *world
	once   *sync.Once
	closed chan struct{}
}

func (c worldConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.w.mu.Lock()
	frozen := c.w.frozen
	c.w.mu.Unlock()
	for frozen && err == nil {
		n, err = c.Conn.Read(p)
	}
	return n, err
}

// Write waits for the end of the connection while the world is stalled.
func (c worldConn) Write(p []byte) (int, error) {
	c.w.mu.Lock()
	stalled := c.w.stalled
	c.w.mu.Unlock()
	if stalled {
		<-c.closed
		return 0, net.ErrClosed
	}
	return c.Conn.Write(p)
}

func (c worldConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// stall keeps all that clients send from the servers.
func (w *world) stall() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stalled = true
}

// wantNoConnections fails the test if its clients, which are closed, have left any.
func (w *world) wantNoConnections() {
	w.t.Helper()
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		select {
		case <-c.(worldConn).closed:
		default:
			w.t.Error("a client that was closed has left a connection")
		}
	}
}

// freeze loses all that the servers send from now on, and thaw ends that for new connections.
func (w *world) freeze() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.frozen = true
}

func (w *world) thaw() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.frozen = false
}

// The heartbeat of the worlds' servers.
const (
	pingInterval = 300 * time.Millisecond
	pingTimeout  = 200 * time.Millisecond
)

// inBubble runs f with a server in memory, in a bubble, over each transport: what is left of it or of a
// client fails the test.
func inBubble(t *testing.T, setup func(*socketio.Server), f func(t *testing.T, w *world)) {
	t.Helper()
	for _, transport := range []client.Transport{client.WebSocket, client.Polling} {
		t.Run(string(transport), func(t *testing.T) { inBubbleOver(t, transport, setup, f) })
	}
}

func inBubbleOver(t *testing.T, transport client.Transport, setup func(*socketio.Server), f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, transport: transport, setup: setup}
		w.start()
		w.memory = client.InMemory(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			w.request(r).ServeHTTP(rw, r)
		}))
		defer w.memory.Close()
		defer w.stop()
		f(t, w)
		w.wantNoConnections()
	})
}

func (w *world) start() {
	server := socketio.New(socketio.Config{
		Engine: engineio.Config{PingInterval: pingInterval, PingTimeout: pingTimeout},
		Logger: slog.New(slog.DiscardHandler),
	})
	server.Of("/").Handle(
		echo.On(func(_ context.Context, _ *socketio.Socket, args socketio.Args) (socketio.Args, error) {
			return args, nil
		}),
		greet.On(func(_ context.Context, _ *socketio.Socket, name string) (string, error) { return "hello " + name, nil }),
		tell.On(func(_ context.Context, s *socketio.Socket, text string) error { return told.Emit(s, text) }),
	)
	if w.setup != nil {
		w.setup(server)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.server, w.down = server, false
}

// stop ends the server as a deployment does.
func (w *world) stop() {
	w.mu.Lock()
	w.down, w.stopped = true, time.Now()
	server := w.server
	w.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := server.Close(ctx); err != nil {
		w.t.Errorf("close the server: %v", err)
	}
}

// cut breaks every connection without a goodbye.
func (w *world) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		c.Close()
	}
	w.conns = nil
}

// request counts the handshakes and returns who answers.
func (w *world) request(r *http.Request) http.Handler {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !r.URL.Query().Has("sid") {
		w.handshakes++
	}
	return w.server
}

func (w *world) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	w.mu.Lock()
	down := w.down
	w.mu.Unlock()
	if down {
		return nil, errRefused
	}
	c, err := w.memory.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c = worldConn{c, w, new(sync.Once), make(chan struct{})}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conns = append(w.conns, c)
	return c, nil
}

var errRefused = errors.New("connection refused")

// config is that of a client of this world.
func (w *world) config() client.Config {
	return client.Config{DialContext: w.dial, Transport: w.transport, Logger: slog.New(slog.DiscardHandler)}
}

// connect returns the socket of a new client in the main namespace, and what closes the client.
func (w *world) connect(cfg client.Config) (*client.Client, *client.Socket) {
	w.t.Helper()
	c := client.New(cfg)
	s := c.Of("/")
	if err := s.Connect(w.t.Context()); err != nil {
		w.t.Errorf("connect: %v", err)
	}
	return c, s
}

// A list collects what callbacks have seen.
type list struct {
	mu  sync.Mutex
	got []string
}

func (l *list) add(format string, a ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.got = append(l.got, fmt.Sprintf(format, a...))
}

// want waits until nothing moves, and compares.
func (l *list) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Equal(l.got, want) {
		t.Errorf("got  %s\nwant %s", strings.Join(l.got, " | "), strings.Join(want, " | "))
	}
	l.got = nil
}

// watch notes the life of a socket.
func (l *list) watch(s *client.Socket) {
	s.OnConnect(func(context.Context) { l.add("connect") })
	s.OnConnectError(func(err error) { l.add("connect_error %v", err) })
	s.OnDisconnect(func(reason socketio.Reason) { l.add("disconnect %s", reason) })
}
