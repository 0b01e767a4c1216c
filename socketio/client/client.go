// Package client speaks Socket.IO (socket.io-protocol, revision 5) to a server, from Go: for tests, which
// reach a handler in memory without a port, and for tools. What an event carries is declared once, as a
// socketio.Event or socketio.Call, and used by the server and its clients.
//
// A Client is one connection, which comes back by itself after it was lost; a Socket is its part in one
// namespace. What is emitted while the connection is away waits, within a bound, and leaves when it is
// back. The defaults are those of the stock client in JavaScript; where the two differ the comments say so.
//
// The events of one socket are handled in order, one after the other, but never on the goroutine that reads
// the connection: a handler may block, and may call the server and wait for the answer. The package knows
// nothing of what the events mean. Its goroutines are listed at Client.
package client

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"jobcast/socketio"
	"jobcast/socketio/internal/parser"
)

const (
	defaultURL              = "http://127.0.0.1:8080"
	defaultPath             = "/socket.io/"
	defaultConnectTimeout   = 20 * time.Second
	defaultAckTimeout       = 30 * time.Second
	defaultReconnectDelay   = time.Second
	defaultReconnectMax     = 5 * time.Second
	defaultMaxQueueBytes    = 4 << 20
	defaultMaxMessageBytes  = 16 << 20
	defaultMaxPendingEvents = 10_000

	// maxPendingBytes bounds the payloads of one socket's events that wait for their handler.
	maxPendingBytes = 16 << 20
	// closeTimeout bounds a close: sending what still waits, and the wait for the server's own close.
	closeTimeout = 5 * time.Second
)

// A Transport carries a session.
type Transport string

// The transports.
const (
	WebSocket Transport = "websocket"
	Polling   Transport = "polling"
)

// Config configures a Client. The zero value works.
type Config struct {
	// URL is where the server is: scheme and host, as in "https://example.com". The schemes are http, https,
	// ws and wss. A query goes along with every connection, and a path takes the place of Path. Empty
	// means "http://127.0.0.1:8080".
	URL string
	// Path is where the server's Engine.IO is mounted. Empty means "/socket.io/".
	Path string
	// Header goes along with every request, such as Authorization, Cookie or Origin. Host is the host that
	// the server is asked for. It must not change.
	Header http.Header
	// Transport is how the session is carried, from its first request to its end: this client does not
	// upgrade. Empty means WebSocket. Polling gets through where WebSocket does not, and costs a request
	// for every turn.
	Transport Transport
	// MessagePack has packets written as socket.io-msgpack-parser writes them, which the server must know: one
	// binary message for each, attachments included. Zero means the protocol's own JSON.
	MessagePack bool
	// Handler, if set, is what the client talks to, in memory: no port is opened, and URL decides only what
	// the handler sees. It works inside a bubble of testing/synctest.
	Handler http.Handler
	// DialContext, if set, opens the connections; see also InMemory. Nil means a net.Dialer, and for
	// Polling the proxy that the environment names.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
	// TLS is for https and wss. Nil means the system's certificates.
	TLS *tls.Config

	// Auth, if set, is asked for the credentials at each connection to a namespace: they are encoded as a
	// JSON object, which is Socket.Auth on the server. It may block, and is called by several goroutines.
	// An error is that of Connect. Credentials returns one for credentials that do not change.
	Auth func(ctx context.Context, namespace string) (any, error)

	// ConnectTimeout bounds one attempt to open a connection. Zero means 20 s.
	ConnectTimeout time.Duration
	// AckTimeout bounds a Call where the caller's context has no deadline. Zero means 30 s.
	AckTimeout time.Duration
	// DecodeError returns the error that an acknowledgement says of a Call, or nil if it says none: what a
	// server's Config.EncodeError writes, this reads. It is not asked where the result is socketio.Args or
	// json.RawMessage. Nil means the *CallError of an acknowledgement that has its form.
	DecodeError func(event string, ack socketio.Args) error

	// DisableReconnect leaves it at one connection: a lost one takes all sockets with it.
	DisableReconnect bool
	// AwaitServer lets Socket.Connect try until its context ends. Zero means that its first attempt counts.
	AwaitServer bool
	// ReconnectDelay is the mean wait before the first attempt to connect again; every further one waits
	// twice as long. Zero means 1 s.
	ReconnectDelay time.Duration
	// MaxReconnectDelay bounds that wait. Zero means 5 s.
	MaxReconnectDelay time.Duration
	// ReconnectJitter is how far a wait may be from its mean, as a part of it from 0 to 1, so that the
	// clients of a server that was restarted do not come back at once. Zero means 0.5; less than zero,
	// none.
	ReconnectJitter float64
	// MaxReconnects is how many attempts in a row may fail before the client gives up and its sockets are
	// disconnected. Zero means no limit.
	MaxReconnects int

	// MaxQueueBytes bounds what waits to be sent, of all sockets, connected or not. What would pass it is
	// refused with ErrQueueFull. Zero means 4 MiB.
	MaxQueueBytes int
	// MaxMessageBytes bounds one incoming message and one answer to a poll; a server that sends more is
	// disconnected. Zero means 16 MiB.
	MaxMessageBytes int
	// MaxPendingEvents bounds the events of one socket that wait for their handler, their payloads being
	// bounded by 16 MiB. When there are more the connection is closed, with the reason
	// socketio.TooManyEvents, and comes back. Zero means 10,000.
	MaxPendingEvents int

	// Logger is where the client logs. Nil means slog.Default().
	Logger *slog.Logger
}

// Errors that a caller may have to tell apart. The error of emitting to a socket that is not connected,
// nor about to be, is socketio.ErrDisconnected.
var (
	// ErrClosed is the error of using a Client after its Close.
	ErrClosed = errors.New("client: closed")
	// ErrQueueFull is the error of sending more than the server takes, or more than may wait while it is
	// away. What was refused is not sent; nothing else is lost.
	ErrQueueFull = errors.New("client: too much waits to be sent")
)

// Credentials returns a Config.Auth that gives every namespace the same.
func Credentials(auth any) func(context.Context, string) (any, error) {
	return func(context.Context, string) (any, error) { return auth, nil }
}

// A Client is one connection to a server, which its sockets share. Its methods may be called from any
// goroutine.
//
// Its goroutines: one that connects and reads, while a socket is connected or about to be; one that writes,
// while there is a session; and one for each socket that has something to handle, while it has. For a
// moment there is one for each call of Config.Auth. Close waits for all of them.
type Client struct {
	cfg      Config
	endpoint endpoint
	memory   *Memory // of Config.Handler
	log      *slog.Logger
	wg       sync.WaitGroup // all goroutines; grows under mu and only before closed

	mu        sync.Mutex // protects the fields below, and those of sockets and sessions that say so
	closed    bool
	sockets   map[string]*Socket
	running   bool               // the goroutine that connects is there
	interrupt context.CancelFunc // ends its attempt or its wait
	sess      *session           // nil while there is none
	queued    int                // bytes that wait to be sent
}

// New returns a client. It connects with its first Socket. A Config that cannot work is the error of
// Socket.Connect.
func New(cfg Config) *Client {
	setDefault(&cfg.URL, defaultURL)
	setDefault(&cfg.Path, defaultPath)
	setDefault(&cfg.Transport, WebSocket)
	setDefault(&cfg.ConnectTimeout, defaultConnectTimeout)
	setDefault(&cfg.AckTimeout, defaultAckTimeout)
	setDefault(&cfg.ReconnectDelay, defaultReconnectDelay)
	setDefault(&cfg.MaxReconnectDelay, defaultReconnectMax)
	setDefault(&cfg.ReconnectJitter, defaultReconnectJitter)
	setDefault(&cfg.MaxQueueBytes, defaultMaxQueueBytes)
	setDefault(&cfg.MaxMessageBytes, defaultMaxMessageBytes)
	setDefault(&cfg.MaxPendingEvents, defaultMaxPendingEvents)
	if cfg.DecodeError == nil {
		cfg.DecodeError = callError
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	c := &Client{cfg: cfg, log: cfg.Logger, sockets: map[string]*Socket{}, interrupt: func() {}}
	if cfg.Handler != nil {
		c.memory = InMemory(cfg.Handler)
		c.cfg.DialContext = c.memory.DialContext
	}
	c.endpoint = newEndpoint(&c.cfg)
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Of returns the client's socket in the namespace with that name, and makes it if need be. Register its
// handlers, then call its Connect. It panics if the name does not start with a slash, has a comma, or is
// longer than 512 bytes.
func (c *Client) Of(namespace string) *Socket {
	if !strings.HasPrefix(namespace, "/") || strings.Contains(namespace, ",") || len(namespace) > parser.MaxNamespaceBytes {
		panic("client: namespace " + namespace + ": want a name such as /jobs")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.sockets[namespace]
	if s == nil {
		s = newSocket(c, namespace)
		c.sockets[namespace] = s
	}
	return s
}

// Close disconnects every socket and returns when the last goroutine has ended; what was emitted before is
// sent, if the server takes it within 5 s. The contexts of the handlers end with the reason
// ClientDisconnect. Close may be called twice, but not by a handler: it would wait for itself.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	for _, s := range c.sockets {
		s.disconnectLocked()
	}
	c.mu.Unlock()
	c.wg.Wait()
	if c.memory != nil {
		c.memory.Close()
	}
}

// activeLocked reports whether any socket wants the connection.
func (c *Client) activeLocked() bool {
	for _, s := range c.sockets {
		if s.state != inactive {
			return true
		}
	}
	return false
}

// closeUnusedLocked gives the connection up when no socket wants it any more.
func (c *Client) closeUnusedLocked() {
	if c.activeLocked() {
		return
	}
	c.interrupt()
	if c.sess != nil {
		c.sess.closeLocked(ClientDisconnect)
		c.sess = nil
		for _, s := range c.sockets {
			s.asked = false
		}
	}
}
