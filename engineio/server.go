package engineio

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"sync"
	"time"

	"jobcast/engineio/internal/deadline"
	"jobcast/engineio/internal/gate"
	"jobcast/engineio/internal/netconn"
	"jobcast/engineio/internal/outbox"
	"jobcast/engineio/parser"
	"jobcast/internal/websocket/opening"
)

// A Server accepts Engine.IO sessions over HTTP. It is an http.Handler that answers on every path it is
// mounted at.
//
// Its goroutines: those of its netconn.Poller, which read, once there is a WebSocket over plain TCP on Linux;
// one that reads for every other WebSocket; as many flushers as there are processors, while there is
// something to write; a timer's, while a heartbeat is due; and the momentary ones that Session lists. Close
// waits for all of them.
type Server struct {
	cfg      Config
	log      *slog.Logger
	gate     *gate.Gate
	upgrades []string // what a client that polls is told

	flushers flushers
	timers   deadline.Queue[sleeper, *sleeper]

	pollerOnce sync.Once
	poller     *netconn.Poller // nil if it is not needed, or there is none

	wg sync.WaitGroup // sessions, goroutines, and the timer while it is set

	mu       sync.Mutex // guards the fields below
	sessions map[string]*Session
	closing  bool
}

// NewServer returns a server. It panics if cfg.Accept is nil, if cfg.Transports has a name that is none,
// if cfg.Cookie cannot be one, or if no browser would take cfg.CORS.
func NewServer(cfg Config) *Server {
	if cfg.Accept == nil {
		panic("engineio: Config.Accept is nil")
	}
	if cfg.Transports == nil {
		cfg.Transports = []string{gate.Polling, gate.WebSocket}
		if cfg.WebTransport != nil {
			cfg.Transports = gate.AllTransports
		}
	} else if cfg.WebTransport == nil && slices.Contains(cfg.Transports, gate.WebTransport) {
		panic("engineio: Config.Transports has webtransport, but Config.WebTransport is nil")
	}
	setDefault(&cfg.PingInterval, 25*time.Second)
	setDefault(&cfg.PingTimeout, 20*time.Second)
	setDefault(&cfg.UpgradeTimeout, 10*time.Second)
	setDefault(&cfg.MaxPayloadBytes, 1_000_000)
	setDefault(&cfg.MaxQueueBytes, 4<<20)
	setDefault(&cfg.MaxSessions, 100_000)
	setDefault(&cfg.HTTPCompressionThreshold, 1024)
	setDefault(&cfg.PerMessageDeflate.Threshold, 1024)
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	s := &Server{
		cfg: cfg,
		log: cfg.Logger,
		gate: gate.New(gate.Config{
			Transports:           cfg.Transports,
			CORS:                 cfg.CORS,
			AllowRequest:         cfg.AllowRequest,
			GenerateID:           cfg.GenerateID,
			Cookie:               cfg.Cookie,
			InitialHeaders:       cfg.InitialHeaders,
			Headers:              cfg.Headers,
			DisableCompression:   cfg.DisableHTTPCompression,
			CompressionThreshold: cfg.HTTPCompressionThreshold,
			Refused:              cfg.Hooks.Refused,
			Logger:               cfg.Logger,
			Patience:             cfg.PingInterval + cfg.PingTimeout,
		}),
		sessions: make(map[string]*Session),
	}
	for _, name := range []string{gate.WebSocket, gate.WebTransport} {
		if !cfg.DisableUpgrades && slices.Contains(cfg.Transports, name) {
			s.upgrades = append(s.upgrades, name)
		}
	}
	s.flushers.max, s.flushers.wg = runtime.GOMAXPROCS(0), &s.wg
	s.timers.Init(&s.wg)
	return s
}

func setDefault[T int | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

// ServeHTTP answers a handshake, a poll, a post, a WebSocket upgrade or a CORS preflight.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff") // messages are whatever clients have said
	query := r.URL.Query()
	rev, spoken := s.revision(query)
	transport, sid := query.Get("transport"), query.Get("sid")
	if r.Method == http.MethodConnect {
		transport = gate.WebTransport // which has no query, from the stock client
	}
	switch {
	case !s.gate.Admit(w, r, rev.origin(r), transport):
	case transport == gate.WebTransport:
		s.serveWebTransport(w, r)
	case sid != "":
		s.serveSession(w, r, sid, query)
	case s.gate.AdmitHandshake(w, r, transport, spoken):
		s.serveHandshake(w, r, query, rev)
	}
}

// serveSession serves a request that names a session.
func (s *Server) serveSession(w http.ResponseWriter, r *http.Request, sid string, query url.Values) {
	session := s.lookup(sid)
	upgrade := opening.Asked(r)
	var bad error
	if upgrade {
		bad = opening.Check(r)
	}
	switch {
	case session == nil:
		s.gate.Refuse(w, r, gate.UnknownSession)
	case upgrade != (query.Get("transport") == gate.WebSocket):
		s.gate.Refuse(w, r, gate.TransportMismatch)
	case revisionNumber(query) != session.rev.number():
		s.gate.Refuse(w, r, gate.ProtocolMismatch)
	case bad != nil:
		s.gate.Refuse(w, r, gate.BadOpening(bad))
	case upgrade && !slices.Contains(s.upgrades, gate.WebSocket):
		s.gate.Refuse(w, r, gate.UpgradeNotAllowed)
	case upgrade:
		s.serveUpgrade(w, r, session, query)
	case r.Method == http.MethodGet:
		session.servePoll(w, r)
	case r.Method == http.MethodPost:
		session.servePost(w, r)
	default:
		s.gate.Refuse(w, r, gate.BadRequest)
	}
}

// serveHandshake opens a session.
func (s *Server) serveHandshake(w http.ResponseWriter, r *http.Request, query url.Values, rev revision) {
	polls := query.Get("transport") == gate.Polling
	extensions := ""
	if !polls {
		var ok bool
		if extensions, ok = s.negotiate(w, r); !ok {
			return
		}
	}
	session, e := s.open(r, rev)
	if session == nil {
		s.gate.Refuse(w, r, e)
		return
	}
	if polls {
		if !session.accept() {
			s.gate.Refuse(w, r, gate.Internal)
			return
		}
		s.gate.SetInitialHeaders(w.Header(), r, session.id)
		body, contentType := rev.appendPayload(nil, []*Frame{session.hello(s.upgrades)})
		session.sent(len(body))
		s.gate.Respond(w, r, contentType, body)
		return
	}
	s.gate.SetInitialHeaders(w.Header(), r, session.id)
	c, ahead, ok := s.upgradeConn(w, r, query, extensions)
	if !ok {
		session.closeNow(TransportError, 0)
		return
	}
	if !session.start(c, ahead) {
		s.gate.Report(r, gate.Internal)
	}
}

// hello is the OPEN packet.
func (s *Session) hello(upgrades []string) *Frame {
	return outbox.NewPacket(s.rev.open(parser.Handshake{
		SID:          s.id,
		Upgrades:     upgrades,
		PingInterval: s.server.cfg.PingInterval,
		PingTimeout:  s.server.cfg.PingTimeout,
		MaxPayload:   s.server.cfg.MaxPayloadBytes,
	}))
}

// start begins a session on c, of which ahead has been read. If the session is closed already, so is c. It
// returns false if the session has no handler, and is closed for that.
func (s *Session) start(c *wsConn, ahead []byte) (accepted bool) {
	if adopted, ok := s.server.adopt(c); ok {
		c.conn.Close()
		c.conn = adopted
	}
	s.mu.Lock()
	if s.state.Load() == stateClosed { // the server's Close did not wait for it
		s.mu.Unlock()
		c.detach(s)
		return true
	}
	s.server.wg.Add(1) // while the session counts: it may be closed during what follows
	defer s.server.wg.Done()
	s.ws, c.transport = c, true
	s.compresses(c)
	s.pushLocked(s.hello(nil))
	if s.state.Load() != stateOpen && c.stream == nil { // the server was closed meanwhile
		s.out.Push(outbox.NewClose(closeCode(s.reason), string(s.reason)))
	}
	s.mu.Unlock()
	// The reader is needed even if there is no handler: it sees the connection end.
	accepted = s.accept()
	if !c.conn.Watched() {
		s.server.wg.Go(func() { c.serve(s, ahead) })
		return accepted
	}
	if len(ahead) > 0 {
		c.receive(s, ahead)
	}
	c.watch(s)
	return accepted
}

// serveUpgrade takes a WebSocket that may become the session's transport.
func (s *Server) serveUpgrade(w http.ResponseWriter, r *http.Request, session *Session, query url.Values) {
	extensions, ok := s.negotiate(w, r)
	if !ok {
		return
	}
	if !s.enter() {
		s.gate.Refuse(w, r, gate.Closing)
		return
	}
	defer s.wg.Done()
	c, ahead, ok := s.upgradeConn(w, r, query, extensions)
	if !ok {
		return
	}
	_ = c.conn.SetReadDeadline(time.Now().Add(s.cfg.UpgradeTimeout))
	if !session.offer(c) {
		s.gate.Report(r, gate.UpgradeNotAllowed)
		c.refuse("session has a websocket")
	}
	s.wg.Go(func() { c.serve(session, ahead) })
}

// enter counts the caller among what Close waits for. It returns false if the server is closing.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.wg.Add(1)
	return true
}

// open registers a new session for the request.
func (s *Server) open(r *http.Request, rev revision) (*Session, gate.Refusal) {
	id, e, ok := s.gate.NewID(r)
	if !ok {
		return nil, e
	}
	session := &Session{
		server:     s,
		id:         id,
		rev:        rev,
		handshake:  gate.KeepHandshake(r),
		delivering: true, // until accept
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closing:
		return nil, gate.Closing
	case len(s.sessions) >= s.cfg.MaxSessions:
		return nil, gate.Full
	case s.sessions[id] != nil:
		return nil, gate.TakenID
	}
	s.sessions[session.id] = session
	s.wg.Add(1)
	return session, gate.Refusal{}
}

func (s *Server) lookup(id string) *Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[id]
}

func (s *Server) remove(session *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, session.id)
}

// Close closes every session with ServerShutdown, refuses new ones, and returns when the last goroutine
// of the server has ended or ctx is done. It may be called more than once.
func (s *Server) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closing = true
	sessions := make([]*Session, 0, len(s.sessions))
	for _, session := range s.sessions {
		sessions = append(sessions, session)
	}
	s.mu.Unlock()
	for _, session := range sessions {
		session.Close(ServerShutdown)
	}
	done := make(chan struct{})
	go func() {
		s.wg.Wait()
		s.stopPoller()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		for _, session := range sessions {
			session.detach()
		}
		return context.Cause(ctx)
	}
}
