// Package websocket serves WebSockets (RFC 6455) to those who bring their own messages, without Engine.IO
// or Socket.IO. It sees who may connect, answers pings and sends its own, bounds what comes in and what
// waits to go out, and closes every connection with a close frame. It knows nothing of what is said.
//
// Each socket is read on the goroutine of its request, and has one more while something waits to be sent.
// Server.Close waits for all of them.
package websocket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"jobcast/engineio/cors"
	"jobcast/internal/websocket/opening"
)

// The errors of a request that does not become a socket, beside ErrClosed.
var (
	// ErrOrigin refuses a page of another site.
	ErrOrigin = errors.New("websocket: a page of another origin may not connect here")
	// ErrNoUpgrade refuses a request that asks for no WebSocket.
	ErrNoUpgrade = errors.New("websocket: this path is for WebSockets")
)

// A HandshakeError refuses a request that asks for a WebSocket in a way that there is not.
type HandshakeError struct {
	Reason string // for the client
}

func (e *HandshakeError) Error() string { return "websocket: " + e.Reason }

const (
	// pingInterval is the time between two pings, and silence how long a client may send nothing at all,
	// not even the pong.
	pingInterval = 25 * time.Second
	silence      = pingInterval + 20*time.Second
	// writeTimeout is how long a client may leave what it was sent unread.
	writeTimeout = 30 * time.Second
	// closeTime bounds each part of a close: the last writes, and the wait for the client's own.
	closeTime = time.Second
	// drainTime is how long a server that drains still receives, so that what is on its way is answered.
	drainTime = 250 * time.Millisecond

	closeText = "the server is about to stop"
)

// A Server has the sockets that are open: net/http does not know them any more. Its methods may be called
// from any goroutine.
type Server struct {
	origins   *cors.Policy
	onForeign func(*http.Request)

	mu     sync.Mutex // protects the fields below
	open   map[*Socket]struct{}
	closed chan struct{} // not nil: there will be no more; closed when the last socket is
}

// Config configures a Server. The zero value works.
type Config struct {
	// Origins are the foreign origins whose pages may connect, such as "https://example.com"; "*" stands
	// for all. The server's own origin, and requests without an Origin field, are always allowed.
	Origins []string
	// OnForeign, if set, is told of each request that is refused with ErrOrigin.
	OnForeign func(*http.Request)
}

// New returns a server without sockets.
func New(cfg Config) *Server {
	return &Server{origins: cors.New(cors.Config{Origins: cfg.Origins}), onForeign: cfg.OnForeign, open: make(map[*Socket]struct{})}
}

// CheckOrigin returns ErrOrigin for a request of a page that may not connect. A browser sets no limits to
// the WebSockets of other sites' pages (RFC 6455, "Origin Considerations"); who is no browser sends no
// Origin. Serve checks it too.
func (s *Server) CheckOrigin(r *http.Request) error {
	if s.origins.Admits(r, r.Header.Get("Origin")) {
		return nil
	}
	if s.onForeign != nil {
		s.onForeign(r)
	}
	return ErrOrigin
}

// Serve makes a socket out of a request, and runs handle with it. When handle returns, what it has sent is
// delivered and the socket closed. Its context ends when the client is gone. When the request's context
// ends or the server is closed, Receive ends instead, so that what was received until then is answered
// before the client is told with 1001. After ErrOrigin, ErrNoUpgrade, a *HandshakeError, ErrClosed, or the error
// of a connection that cannot be taken over, nothing was written, and the caller owes an answer; the error of
// handle goes to nobody.
func (s *Server) Serve(w http.ResponseWriter, r *http.Request, opts Options, handle func(context.Context, *Socket) error) error {
	opts.MaxMessageBytes = cmp.Or(opts.MaxMessageBytes, 64<<10)
	opts.MaxQueueBytes = cmp.Or(opts.MaxQueueBytes, 1<<20)
	if err := s.CheckOrigin(r); err != nil {
		return err
	}
	if !opening.Asked(r) {
		return ErrNoUpgrade
	}
	if err := opening.Check(r); err != nil {
		if errors.Is(err, opening.ErrVersion) {
			w.Header().Set("Sec-WebSocket-Version", opening.Version)
		}
		return &HandshakeError{err.Error()}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	defer cancel()
	socket := &Socket{opts: opts, cancel: cancel}
	if r.Context().Err() != nil || !s.add(socket) {
		return ErrClosed
	}
	defer s.remove(socket)
	conn, in, err := opening.Accept(w, r, "", writeTimeout)
	if errors.Is(err, opening.ErrTaken) {
		return fmt.Errorf("websocket: %w", err)
	}
	if err != nil {
		return nil // nobody is left to be told
	}
	socket.start(conn, in)
	defer socket.detach() // also where handle panics
	defer context.AfterFunc(r.Context(), func() { socket.Close(drainTime, closeText) })()
	if handle(ctx, socket) == nil {
		socket.closeWith(ws.StatusNormalClosure, "")
	}
	return nil
}

// add reports whether there may be another.
func (s *Server) add(socket *Socket) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed != nil {
		return false
	}
	s.open[socket] = struct{}{}
	return true
}

func (s *Server) remove(socket *Socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, socket)
	if s.closed != nil && len(s.open) == 0 {
		close(s.closed)
	}
}

// Close closes all sockets, and returns when that is done. It cuts off those that take longer
// than ctx, whose error it returns if one is not closed even then. It may be called twice.
func (s *Server) Close(ctx context.Context) error {
	s.mu.Lock()
	if s.closed == nil {
		s.closed = make(chan struct{})
		if len(s.open) == 0 {
			close(s.closed)
		}
	}
	open := slices.Collect(maps.Keys(s.open))
	s.mu.Unlock()
	for _, socket := range open {
		socket.Close(drainTime, closeText)
	}
	select {
	case <-s.closed:
		return nil
	case <-ctx.Done():
	}
	for _, socket := range open {
		socket.closeNow()
	}
	select {
	case <-s.closed:
		return nil
	case <-time.After(closeTime):
		return ctx.Err()
	}
}
