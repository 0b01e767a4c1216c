package socketio

import (
	"context"
	"encoding/json"
	"iter"
	"log/slog"
	"net/http"
	"time"

	"jobcast/engineio"
)

// Config configures a Server. The zero value works.
type Config struct {
	// Engine configures the sessions below; its Accept field must be nil.
	Engine engineio.Config
	// ConnectTimeout is how long a client may take to join its first namespace. Zero means 45 s.
	ConnectTimeout time.Duration
	// AckTimeout bounds the wait for a client's acknowledgement where the caller's context has no
	// deadline. Zero means 30 s.
	AckTimeout time.Duration
	// MaxPendingEvents bounds the events of one socket that wait for their handler; a client that
	// sends more is closed. Zero means 10,000.
	MaxPendingEvents int
	// EncodeError makes the JSON value of the acknowledgement out of a handler's error. Nil means
	// {"ok":false,"error":{"code","message"}} with code "bad_request" and the text of a *PayloadError,
	// and code "internal" without details for everything else.
	EncodeError func(error) any
	// Logger is where the server logs. Nil means slog.Default().
	Logger *slog.Logger
}

// A Server is a set of namespaces behind one http.Handler.
type Server struct{ Engine *engineio.Server }

// New returns a server with no namespace but "/", which accepts everyone.
func New(cfg Config) *Server { panic("skeleton") }

// ServeHTTP answers the Engine.IO requests.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.Engine.ServeHTTP(w, r) }

// Of returns the namespace with that name and makes it if need be. Register its handlers before the
// server starts to serve.
func (s *Server) Of(name string) *Namespace { panic("skeleton") }

// Close disconnects every client so that it reconnects by itself, and returns when the last handler
// and goroutine has ended, or ctx is done.
func (s *Server) Close(ctx context.Context) error { panic("skeleton") }

// A Namespace is one channel of communication, multiplexed with others over a session.
type Namespace struct{}

func (n *Namespace) Name() string { panic("skeleton") }

// Handle registers handlers. It panics if an event is handled twice, or has a reserved name.
func (n *Namespace) Handle(hs ...Handler) { panic("skeleton") }

// HandleAny registers what gets the events that no other handler takes. Without one they are answered
// with an error when they ask for an acknowledgement, and logged at Debug.
func (n *Namespace) HandleAny(h func(ctx context.Context, s *Socket, event string, args Args) (Args, error)) {
	panic("skeleton")
}

// Use adds a middleware, which runs before a socket is connected. An error refuses the socket: the
// client's connect_error has the error's text, and the Data of a *ConnectError.
func (n *Namespace) Use(mw func(ctx context.Context, s *Socket) error) { panic("skeleton") }

// OnConnect registers what runs when a socket has connected, before its first event. The context ends
// when the socket leaves.
func (n *Namespace) OnConnect(f func(ctx context.Context, s *Socket)) { panic("skeleton") }

// OnDisconnect registers what runs after a socket's last event; its rooms are still there.
func (n *Namespace) OnDisconnect(f func(s *Socket, reason Reason)) { panic("skeleton") }

// To addresses the sockets in any of the rooms, each once.
func (n *Namespace) To(rooms ...string) Target { panic("skeleton") }

// Except addresses the sockets in none of the rooms.
func (n *Namespace) Except(rooms ...string) Target { panic("skeleton") }

// Volatile addresses every socket; what cannot leave at once is dropped.
func (n *Namespace) Volatile() Target { panic("skeleton") }

// Sockets yields the connected sockets, in no order. Joining, leaving and disconnecting while it runs
// is allowed.
func (n *Namespace) Sockets() iter.Seq[*Socket] { panic("skeleton") }

// Target is a set of sockets to emit to. It is a value: every method returns a new one.
type Target struct{}

func (t Target) To(rooms ...string) Target     { panic("skeleton") }
func (t Target) Except(rooms ...string) Target { panic("skeleton") }
func (t Target) Volatile() Target              { panic("skeleton") }
func (t Target) Sockets() iter.Seq[*Socket]    { panic("skeleton") }

// Socket is one client in one namespace.
type Socket struct{}

func (s *Socket) ID() string                     { panic("skeleton") }
func (s *Socket) Namespace() *Namespace          { panic("skeleton") }
func (s *Socket) Handshake() *engineio.Handshake { panic("skeleton") }

// Auth is the JSON object of the client's CONNECT packet, or nil.
func (s *Socket) Auth() json.RawMessage { panic("skeleton") }

// Transport is the transport in use: "polling" or "websocket".
func (s *Socket) Transport() string { panic("skeleton") }

// Context ends when the socket leaves its namespace; its cause is then the Reason.
func (s *Socket) Context() context.Context { panic("skeleton") }

// Go runs f on a goroutine that belongs to s: its context ends when the client leaves, and Server.Close
// waits for it.
func (s *Socket) Go(f func(ctx context.Context)) { panic("skeleton") }

func (s *Socket) Join(rooms ...string)  { panic("skeleton") }
func (s *Socket) Leave(rooms ...string) { panic("skeleton") }
func (s *Socket) Rooms() []string       { panic("skeleton") }

// To and Broadcast address other sockets of the namespace: the socket itself is left out.
func (s *Socket) To(rooms ...string) Target { panic("skeleton") }
func (s *Socket) Broadcast() Target         { panic("skeleton") }

// Volatile returns an emitter to this socket that drops what cannot leave at once.
func (s *Socket) Volatile() Emitter { panic("skeleton") }

// Disconnect removes the socket from its namespace, and closes the session below if closeEngine.
func (s *Socket) Disconnect(closeEngine bool) { panic("skeleton") }

// ConnectError refuses a socket with data beside the message.
type ConnectError struct {
	Message string
	Data    any
}

func (e *ConnectError) Error() string { return e.Message }

// PayloadError says which event had arguments that do not fit, and where.
type PayloadError struct {
	Event string
	Field string // a path such as "args.path", or empty
	Err   error
}

func (e *PayloadError) Error() string { return "event " + e.Event + ": " + e.Err.Error() }
func (e *PayloadError) Unwrap() error { return e.Err }

// A Reason says why a socket left its namespace.
type Reason string

func (r Reason) Error() string { return string(r) }
