package engineio

import (
	"context"
	"net/http"
)

// A Server accepts Engine.IO sessions over HTTP. It is an http.Handler that answers on every path it is
// mounted at.
type Server struct{ cfg Config }

// NewServer returns a server. It panics if cfg.Accept is nil.
func NewServer(cfg Config) *Server { return &Server{cfg} }

// ServeHTTP answers a handshake, a poll, a post, a WebSocket upgrade or a CORS preflight.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { panic("skeleton") }

// Close closes every session with ServerShutdown, refuses new ones, and returns when the last goroutine
// of the server has ended or ctx is done.
func (s *Server) Close(ctx context.Context) error { panic("skeleton") }

// A Frame is one message, encoded once and shared by any number of sessions. It is immutable.
type Frame struct{}

// NewFrame encodes m. The frame keeps m.Data, which must not change afterwards.
func NewFrame(m Message) *Frame { panic("skeleton") }

// Len is the number of bytes that the frame takes in an outbox.
func (f *Frame) Len() int { panic("skeleton") }

// A Session is one client.
type Session struct{}

// ID is the session's identifier: 120 random bits in base64url. It is a credential.
func (s *Session) ID() string { panic("skeleton") }

// Handshake is what is kept of the request that opened the session.
func (s *Session) Handshake() *Handshake { panic("skeleton") }

// Transport is the transport in use: "polling" or "websocket".
func (s *Session) Transport() string { panic("skeleton") }

// Send queues the frames, together and in order, and returns at once; they leave as soon as the
// transport takes them. It returns ErrClosed after the session has ended, and ErrSlow when the outbox
// would hold more than MaxQueueBytes; the session is then closed as SlowConsumer. Send may be called
// from any goroutine.
func (s *Session) Send(frames ...*Frame) error { panic("skeleton") }

// SendVolatile queues the frames if the transport could take them now, and else drops them and returns
// false: on polling while no poll waits, on WebSocket while earlier frames wait for the peer.
func (s *Session) SendVolatile(frames ...*Frame) bool { panic("skeleton") }

// Close ends the session: what is queued leaves first, then the client is told. It does not wait, may
// be called from a Handler, and only the first reason counts.
func (s *Session) Close(reason Reason) { panic("skeleton") }
