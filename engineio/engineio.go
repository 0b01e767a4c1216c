// Package engineio implements Engine.IO sessions (engine.io-protocol, revisions 4 and 3): one session for each
// client, over HTTP long polling, over WebSocket (RFC 6455), over a stream of WebTransport that it is given,
// and across the upgrades between them. A Server is an http.Handler; Config.Accept gives each new session the
// Handler that receives its messages:
//
//	server := engineio.NewServer(engineio.Config{
//		Accept: func(s *engineio.Session) engineio.Handler { return echo{s} },
//	})
//	http.Handle("/engine.io/", server)
//
// It carries messages, keeps the heartbeat and bounds what waits. It does not know QUIC, namespaces, events or
// acknowledgements.
//
// Four words say how something ends, here and in package socketio:
//
//   - To close is to begin the end of a session, a socket or a connection, for a Reason. What is queued still
//     leaves, unless the word is closeNow, and the other side is told.
//   - Closed is what has been closed: nothing is sent or received any more, its handler has been or is being told,
//     and its id is free.
//   - To detach is to take a part from what it belongs to without telling the other side: a connection that broke
//     from its session, a socket from its session, a probe that will not become the transport.
//   - To refuse is to answer a request, a connection or a socket that is not admitted, with the reason.
//
// A message that is sent goes into the session's outbox, as a Frame that all recipients share. On
// WebSocket the session is then queued for a flusher, which writes everything that has gathered with one
// system call and never waits for a peer; on polling the GET that waits takes it. A client that does not
// read costs its own outbox and, past Config.MaxQueueBytes, its session.
//
// Server and Session list their goroutines. On Linux a few of them read all that comes on WebSocket over
// plain TCP, and an idle client costs a few hundred bytes. Elsewhere, and with TLS, each such client has one;
// a client that polls has that of its request.
package engineio

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"jobcast/engineio/cors"
	"jobcast/engineio/internal/gate"
	"jobcast/engineio/internal/outbox"
)

// A Message is one Engine.IO message, the payload of a "message" packet. Text is UTF-8.
type Message = outbox.Message

// A Frame is one message, encoded once and shared by any number of sessions. It is immutable.
type Frame = outbox.Frame

// NewFrame encodes m. The frame keeps m.Data, which must not change afterwards.
func NewFrame(m Message) *Frame { return outbox.NewFrame(m) }

// NewestFrames encodes messages that belong together, of which a client needs no older ones once there are
// newer ones: those with the same key that still wait in a session's outbox are dropped when these are
// sent. What is left goes out in the order in which it was sent. What has begun to leave goes on. The
// frames must be sent together, in one call of Session.Send or Session.SendVolatile.
func NewestFrames(key string, messages ...Message) []*Frame {
	return outbox.NewestFrames(key, messages...)
}

// A Handler receives what one session brings. The calls for one session come one at a time and in
// order, on the goroutine that reads the transport: they must not block.
type Handler interface {
	// Receive is called with one message. m.Data is valid only during the call.
	Receive(m Message)
	// Closed is called once, after the last Receive, with the reason.
	Closed(reason Reason)
}

// A Reason says why a session was closed, in the words of the reference server.
type Reason string

// The reasons of a closed session.
const (
	TransportError Reason = "transport error"
	TransportClose Reason = "transport close"
	ForcedClose    Reason = "forced close"
	PingTimeout    Reason = "ping timeout"
	ParseError     Reason = "parse error"
	ServerShutdown Reason = "server shutting down"
	SlowConsumer   Reason = "slow_consumer"
)

// Errors of Session.Send.
var (
	ErrClosed = errors.New("engineio: session is closed")
	ErrSlow   = errors.New("engineio: session's outbox is full")
)

// Config configures a Server. The zero value works. Its functions are called on the goroutine of a request
// and may be called for many at once; the answer waits for them. One that panics is logged at Error.
type Config struct {
	// Transports are those that clients may use, by their names on the wire; a request for another one
	// is refused with code 0. Nil means "polling" and "websocket".
	Transports []string
	// WebTransport answers a request for a WebTransport (Extended CONNECT over HTTP/3) and returns the first
	// bidirectional stream that the client opens, for which it waits until the request's context is done.
	// An error that is net.ErrClosed is of a request that it has answered; after any other it has
	// written nothing. Accept of webtransport.Server does so. Nil means that there
	// is no such transport.
	WebTransport func(http.ResponseWriter, *http.Request) (net.Conn, error)
	// DisableUpgrades keeps a client on the transport that it began with. Zero means that one that polls
	// may go on over WebSocket, and is told so in the handshake.
	DisableUpgrades bool
	// DisableRevision3 refuses clients of the third revision, such as socket.io.js 1.x and 2.x, with code 5.
	// Zero means that they are served beside the others. It is for those of the second, 1.0.x, too.
	DisableRevision3 bool

	// PingInterval is the time between two pings. Zero means 25 s.
	PingInterval time.Duration
	// PingTimeout is how long a silent client is kept after a ping. Zero means 20 s. The client learns
	// both in the handshake (engine.io-protocol v4, "Heartbeat").
	PingTimeout time.Duration
	// UpgradeTimeout bounds the time between a probe and the end of its upgrade. Zero means 10 s.
	UpgradeTimeout time.Duration

	// MaxPayloadBytes bounds one incoming message and one POST body; told to the client as maxPayload.
	// Zero means 1,000,000.
	MaxPayloadBytes int
	// MaxQueueBytes bounds what waits to be sent to one session; a session that would hold more is
	// closed as SlowConsumer. Zero means 4 MiB.
	MaxQueueBytes int
	// MaxSessions bounds the sessions of this server; a handshake past it gets 503. Zero means 100,000.
	MaxSessions int

	// CORS says which foreign origins may connect, and what their pages may send and read. Requests of the
	// server's own origin, and those without an Origin field, are always served; any other gets 403 with
	// code 4. Zero means that no foreign origin may.
	CORS cors.Config
	// DisablePoller reads every WebSocket on a goroutine of its own, also where a few goroutines can read all
	// those that are plain TCP (on Linux). An idle client then costs about 4 KB more.
	DisablePoller bool
	// AllowRequest, if set, may refuse a handshake with an error. The client gets 403 with code 4, and learns
	// nothing of the error; if that is a *RequestError, it gets what that says.
	AllowRequest func(*http.Request) error
	// GenerateID, if set, makes the session's id: 1 to 128 letters, digits and any of "-._~". Whoever has
	// an id can read and write its session, so ids must not be guessable nor used again. A handshake whose
	// id fails, cannot be used or is in use gets code 3, and an error is logged. Nil means 120 random bits
	// in base64url.
	GenerateID func(*http.Request) (string, error)
	// Cookie, if set, is the cookie that a handshake sets, with the session's id for a value: for load
	// balancers that keep a client on one server by it. Start from DefaultCookie. Nil means none.
	Cookie *http.Cookie
	// InitialHeaders, if set, changes the fields of the answer to a handshake, before Headers does.
	InitialHeaders func(http.Header, *http.Request)
	// Headers, if set, changes the fields of every answer, refusals and that to a WebSocket's handshake
	// included.
	Headers func(http.Header, *http.Request)
	// DisableHTTPCompression sends the answers to polls as they are. Zero means that they are compressed
	// with gzip or deflate, if the client accepts that and there are processors to spare.
	DisableHTTPCompression bool
	// HTTPCompressionThreshold is the size of the smallest answer that is compressed, in bytes. Zero means
	// 1,024.
	HTTPCompressionThreshold int
	// PerMessageDeflate compresses messages over WebSocket. Zero means that they are not compressed.
	PerMessageDeflate PerMessageDeflate

	// Accept is called for every new session, before its OPEN packet can reach the client, and gives
	// the session's handler. It must be set, and must not block.
	Accept func(*Session) Handler
	// Hooks are told what happens. Zero means that nobody is.
	Hooks Hooks
	// Logger is where the server logs; at Debug, every request that is refused, and why. Nil means
	// slog.Default().
	Logger *slog.Logger
}

// What concerns requests more than sessions.
type (
	// A Handshake is what is kept of the request that opened a session.
	Handshake = gate.Handshake
	// A RequestError is an error of Config.AllowRequest that says how the request is refused.
	RequestError = gate.RequestError
	// A ConnectionError says which request was refused, and why.
	ConnectionError = gate.ConnectionError
	// An ErrorContext holds the facts of a ConnectionError.
	ErrorContext = gate.ErrorContext
)

// PerMessageDeflate configures the compression of messages over WebSocket (RFC 7692). Each is compressed on its
// own, in both directions: an idle client costs no memory, and what goes to many is compressed once.
type PerMessageDeflate struct {
	// Enabled accepts the offers of clients; browsers make one. Zero means off, as in Node: it takes processor
	// time, and 1.2 MB for each message that is being compressed at one moment.
	Enabled bool
	// Threshold is the size of the smallest message that is compressed, in bytes. Zero means 1,024.
	Threshold int
}

// DefaultCookie is the usual cookie for Config.Cookie: "io" on every path, kept from scripts, and not sent
// along with requests that other sites make, but for links. Its attributes may be changed.
func DefaultCookie() *http.Cookie {
	return &http.Cookie{Name: "io", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}
}
