package socketio

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"jobcast/engineio"
	"jobcast/socketio/bundle"
	"jobcast/socketio/internal/parser"
	"jobcast/socketio/internal/work"
)

const (
	defaultConnectTimeout   = 45 * time.Second
	defaultAckTimeout       = 30 * time.Second
	defaultMaxPendingEvents = 10_000
	defaultMaxNamespaces    = 10_000

	// maxPendingBytes bounds the payloads of one socket's events that wait for their handler. A client
	// that sends more is closed with TooManyEvents. It leaves room for one packet with as many
	// attachments as there may be, each of the default size.
	maxPendingBytes = 16 << 20
)

// Config configures a Server. The zero value works.
type Config struct {
	// Engine configures the sessions below; its Accept field must be nil.
	Engine engineio.Config
	// Bundle has the stock JavaScript client served below the server's path, to pages of the origins that
	// Engine.CORS admits. Zero means that it is not.
	Bundle bundle.Config
	// ConnectTimeout is how long a client may take to join its first namespace. Zero means 45 s.
	ConnectTimeout time.Duration
	// AckTimeout bounds the wait for a client's acknowledgement where the caller's context has no
	// deadline. Zero means 30 s.
	AckTimeout time.Duration
	// MaxPendingEvents bounds the events of one socket that wait for their handler; a client that
	// sends more is closed with TooManyEvents. Zero means 10,000. Their payloads are bounded too, by
	// 16 MiB.
	MaxPendingEvents int
	// MaxNamespaces bounds the namespaces that clients make by joining them (Server.OfPattern,
	// Server.OfFunc). A client that would make one more is refused with ErrTooManyNamespaces. Zero means
	// 10,000.
	MaxNamespaces int
	// Cluster, if set, joins this server with others of the process, until its Close.
	Cluster *Cluster
	// KeepNamespaces keeps such a namespace when its last socket is closed.
	KeepNamespaces bool
	// EncodeError makes the JSON value of the acknowledgement out of a handler's error. It is called for
	// every such error, also where the client asked for no acknowledgement. Nil means
	// {"ok":false,"error":{"code","message","data"}} with what is in an *EventError, code "bad_request" and
	// the text of a *PayloadError, and code "internal" without details for everything else. That is then
	// logged at Error, unless the socket was closed meanwhile or Hooks.EventFailed is set.
	EncodeError func(error) any
	// Hooks are told what happens. Zero means that nobody is.
	Hooks Hooks
	// Logger is where the server logs. Nil means slog.Default().
	Logger *slog.Logger
}

// A Server is a set of namespaces behind one http.Handler. Its goroutines are those that run the events
// of a socket while there are any, those of Socket.Go, and a few that wait to be either; Close waits for
// them.
type Server struct {
	// Engine keeps the sessions below.
	Engine *engineio.Server

	cfg   Config
	began time.Time
	log   *slog.Logger
	files *bundle.Handler // of the stock client; nil if it serves none
	tasks work.Group

	ctx          context.Context // ends when the server closes
	cancel       context.CancelFunc
	closing      atomic.Bool // as the context tells, for who asks often
	fromServers  work.Queue[serverEvent, *serverEvent]
	serverEvents atomic.Int64 // that wait in fromServers

	mu         sync.RWMutex // protects the fields below
	namespaces map[string]*Namespace
	parents    []*Namespace // replaced as a whole, in the order in which they were made
	children   int          // how many of namespaces have a parent
}

// New returns a server with no namespace but "/", which accepts everyone. It panics if cfg.Engine.Accept
// is set, and where engineio.NewServer and bundle.New do.
func New(cfg Config) *Server {
	if cfg.Engine.Accept != nil {
		panic("socketio: Config.Engine.Accept must be nil")
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = defaultConnectTimeout
	}
	if cfg.AckTimeout == 0 {
		cfg.AckTimeout = defaultAckTimeout
	}
	if cfg.MaxPendingEvents == 0 {
		cfg.MaxPendingEvents = defaultMaxPendingEvents
	}
	if cfg.MaxNamespaces == 0 {
		cfg.MaxNamespaces = defaultMaxNamespaces
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Engine.Logger == nil {
		cfg.Engine.Logger = cfg.Logger
	}
	s := &Server{cfg: cfg, began: time.Now(), log: cfg.Logger, namespaces: map[string]*Namespace{}}
	s.tasks.Init()
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.Of("/")
	if cfg.Bundle.Files != nil {
		s.files = bundle.New(cfg.Bundle, cfg.Engine.CORS)
	}
	cfg.Engine.Accept = func(sess *engineio.Session) engineio.Handler { return s.accept(sess) }
	s.Engine = engineio.NewServer(cfg.Engine)
	cfg.Cluster.join(s)
	return s
}

// ServeHTTP answers the Engine.IO requests, and those for the files of the client.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.files != nil && s.files.Serve(w, r) {
		return
	}
	s.Engine.ServeHTTP(w, r)
}

// Of returns the namespace with that name and makes it if need be: as a child, which then stays, if a
// pattern of Server.OfPattern matches. Register its handlers before the server starts to serve. It panics if the name does not start with a slash, has a comma, or is longer
// than 512 bytes: no client could join it.
func (s *Server) Of(name string) *Namespace {
	if !strings.HasPrefix(name, "/") || strings.Contains(name, ",") || len(name) > parser.MaxNamespaceBytes {
		panic("socketio: namespace " + name + ": want a name such as /jobs")
	}
	n, made := s.of(name)
	if made {
		s.announce(n)
	}
	return n
}

func (s *Server) of(name string) (n *Namespace, made bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n = s.namespaces[name]
	if made = n == nil; made {
		at := slices.IndexFunc(s.parents, func(p *Namespace) bool {
			return p.family.pattern != nil && p.family.pattern.MatchString(name)
		})
		if at < 0 {
			n = s.makeLocked(name, nil)
		} else {
			n = s.makeLocked(name, s.parents[at])
		}
	}
	n.users++
	return n, made
}

// Close disconnects every client so that it reconnects by itself, and returns when the last handler
// and goroutine has ended, or ctx is done. Events whose handler has not begun are dropped. The contexts of the handlers are cancelled with the reason
// ServerShutdown. Close may be called twice, but not by a handler: it would wait for itself.
func (s *Server) Close(ctx context.Context) error {
	s.cfg.Cluster.leave(s)
	s.closing.Store(true)
	s.cancel()
	if err := s.Engine.Close(ctx); err != nil {
		return err
	}
	return s.tasks.Wait(ctx)
}
