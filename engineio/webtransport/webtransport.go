// Package webtransport gives an Engine.IO server clients over WebTransport: it runs HTTP/3 on a UDP socket
// and hands in the stream that a client opens. It does not know what is said on that stream, and serves
// nothing but requests for a WebTransport.
//
// Server says which goroutines run. Beside them quic-go has its own: some for the socket, and some for each
// connection, which it waits for.
package webtransport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/webtransport-go"
)

// Config configures a Server. TLS must be set.
type Config struct {
	// TLS has the certificate, in any way that crypto/tls knows.
	TLS *tls.Config
	// HandshakeTimeout is how long a connection may last without a WebTransport. Zero means 10 s.
	HandshakeTimeout time.Duration
	// MaxConnections bounds the connections; one more is closed at once. Zero means 10,000.
	MaxConnections int
	// Logger is where the server logs. Nil means slog.Default().
	Logger *slog.Logger
}

// A Server accepts WebTransports, one on each connection.
//
// Its goroutines: one for each connection, which waits for its end. Close waits for all of them.
type Server struct {
	cfg Config
	log *slog.Logger
	wt  webtransport.Server
	wg  sync.WaitGroup

	mu          sync.Mutex // guards the fields below
	listener    *quic.EarlyListener
	closed      bool
	connections int
}

// Times that nobody needs to change.
const (
	quicTimeout = 5 * time.Second // for a packet of QUIC's own handshake
	// keepAlive keeps connections whose heartbeat is slow. Chromium gives up after 30 s without a packet.
	keepAlive = 15 * time.Second
	// linger is how long a connection lasts after its WebTransport, so that the peer learns of the end.
	linger = time.Second
)

// What one client may have under way. HTTP/3 takes one stream for the request, one for what it carries,
// and three in one direction for itself; the rest is for clients that do more than they need.
const (
	maxStreams       = 8
	streamWindow     = 1 << 20 // bytes that have not been read
	connectionWindow = 3 << 19 // the same of all its streams
	maxHeaderBytes   = 64 << 10
)

// New returns a server. It panics if cfg.TLS is nil.
func New(cfg Config) *Server {
	if cfg.TLS == nil {
		panic("webtransport: Config.TLS is nil")
	}
	if cfg.HandshakeTimeout <= 0 {
		cfg.HandshakeTimeout = 10 * time.Second
	}
	if cfg.MaxConnections <= 0 {
		cfg.MaxConnections = 10_000
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	s := &Server{cfg: cfg, log: cfg.Logger}
	s.wt.H3 = &http3.Server{
		TLSConfig:      http3.ConfigureTLSConfig(cfg.TLS),
		MaxHeaderBytes: maxHeaderBytes,
		ConnContext:    s.newLink,
		Logger:         cfg.Logger,
	}
	s.wt.CheckOrigin = func(*http.Request) bool { return true } // the handler has checked it
	return s
}

// Serve accepts clients on the socket until Close, and gives the requests for a WebTransport to the
// handler; other requests get 404. It is called once. It returns nil after Close, which the caller owes
// even after an error; the socket remains the caller's to close.
func (s *Server) Serve(socket net.PacketConn, handler http.Handler) error {
	s.wt.H3.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// "webtransport" until draft 14, "webtransport-h3" since.
		if r.Method != http.MethodConnect || !strings.HasPrefix(r.Proto, "webtransport") {
			http.NotFound(w, r)
			return
		}
		handler.ServeHTTP(w, r)
	})
	listener, err := quic.ListenEarly(socket, s.wt.H3.TLSConfig, &quic.Config{
		HandshakeIdleTimeout:             quicTimeout,
		KeepAlivePeriod:                  keepAlive,
		MaxIncomingStreams:               maxStreams,
		MaxIncomingUniStreams:            maxStreams,
		MaxStreamReceiveWindow:           streamWindow,
		MaxConnectionReceiveWindow:       connectionWindow,
		EnableDatagrams:                  true, // no client does without
		EnableStreamResetPartialDelivery: true,
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.listener = listener
	closed := s.closed
	s.mu.Unlock()
	if closed {
		return listener.Close()
	}
	for {
		c, err := listener.Accept(context.Background())
		switch {
		case errors.Is(err, quic.ErrServerClosed):
			return nil
		case err != nil:
			return err
		case !s.enter():
			_ = c.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeExcessiveLoad), "") // nobody is left to tell
			continue
		}
		s.wg.Go(func() {
			defer s.leave()
			if err := s.wt.ServeQUICConn(c); err != nil {
				s.log.Debug("http/3 connection failed", "err", err)
			}
		})
	}
}

// enter counts a connection, unless there are too many.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.connections >= s.cfg.MaxConnections {
		return false
	}
	s.connections++
	return true
}

func (s *Server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connections--
}

// Close closes all connections and returns when the last goroutine has ended. Close the sessions first:
// their clients are not told why. It may be called more than once.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	listener := s.listener
	s.mu.Unlock()
	var err error
	if listener != nil {
		err = listener.Close()
	}
	err = errors.Join(err, s.wt.Close())
	s.wg.Wait()
	return err
}

// A link is a connection, and the timer that ends it while it carries no WebTransport.
type link struct {
	conn  *quic.Conn
	timer *time.Timer
}

type linkKey struct{}

func (s *Server) newLink(ctx context.Context, c *quic.Conn) context.Context {
	timer := time.AfterFunc(s.cfg.HandshakeTimeout, func() {
		_ = c.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "") // it never fails
	})
	context.AfterFunc(c.Context(), func() { timer.Stop() })
	return context.WithValue(ctx, linkKey{}, link{c, timer})
}

// Accept answers the request and returns the first bidirectional stream that the client opens. It waits for
// that until the request's context is done. w may be wrapped, as for http.ResponseController. An error that is
// net.ErrClosed is of a request that has been answered, and whose WebTransport is closed again; after any other
// the caller owes the answer. The connection that it returns ends the WebTransport when it is closed; it has a
// method Abort besides, which ends it with an error.
func (s *Server) Accept(w http.ResponseWriter, r *http.Request) (net.Conn, error) {
	link, ok := r.Context().Value(linkKey{}).(link)
	if !ok {
		return nil, errors.New("a WebTransport is asked for over HTTP/3")
	}
	for { // what a router has put around it
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			break
		}
		w = u.Unwrap()
	}
	session, err := s.wt.Upgrade(w, r)
	if err != nil {
		return nil, err
	}
	link.timer.Stop()
	stream, err := session.AcceptStream(r.Context())
	if err != nil {
		(&conn{session: session, link: link}).Close()
		return nil, fmt.Errorf("%w before its first stream: %w", net.ErrClosed, err)
	}
	return &conn{stream, session, link}, nil
}

// A conn is a WebTransport of which one stream is used.
type conn struct {
	*webtransport.Stream
	session *webtransport.Session
	link    link
}

var _ net.Conn = (*conn)(nil)

// Abort ends the connection with an error. A client that waits to be connected notices that, and not the end
// of a WebTransport.
func (c *conn) Abort() error {
	return c.link.conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeRequestRejected), "")
}

// Close ends the WebTransport, and its connection a little later.
func (c *conn) Close() error {
	err := c.session.CloseWithError(0, "")
	c.link.timer.Reset(linger)
	return err
}

func (c *conn) LocalAddr() net.Addr  { return c.session.LocalAddr() }
func (c *conn) RemoteAddr() net.Addr { return c.session.RemoteAddr() }
