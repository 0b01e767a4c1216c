package engineio

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"jobcast/engineio/coding"
	"jobcast/engineio/cors"
	"jobcast/engineio/outbox"
	"jobcast/engineio/parser"
)

// A Server accepts Engine.IO sessions over HTTP. It is an http.Handler that answers on every path it is
// mounted at.
//
// Its goroutines: one that reads for each WebSocket; as many flushers as there are processors, while there
// is something to write; and the momentary ones that Session lists. Close waits for all of them.
type Server struct {
	cfg        Config
	log        *slog.Logger
	cors       *cors.Policy
	upgrades   []string // what a client that polls is told
	compressor coding.Compressor

	flushers flushers
	timers   timers
	wg       sync.WaitGroup // sessions, goroutines, and the timer while it is set

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
		cfg.Transports = []string{transportPolling, transportWebSocket}
		if cfg.WebTransport != nil {
			cfg.Transports = allTransports
		}
	} else if cfg.WebTransport == nil && slices.Contains(cfg.Transports, transportWebTransport) {
		panic("engineio: Config.Transports has webtransport, but Config.WebTransport is nil")
	}
	for _, name := range cfg.Transports {
		if !slices.Contains(allTransports, name) {
			panic("engineio: Config.Transports: there is no transport " + strconv.Quote(name))
		}
	}
	if cfg.Cookie != nil {
		if err := cfg.Cookie.Valid(); err != nil {
			panic(fmt.Sprintf("engineio: Config.Cookie: %v", err))
		}
	}
	setDefault(&cfg.PingInterval, 25*time.Second)
	setDefault(&cfg.PingTimeout, 20*time.Second)
	setDefault(&cfg.UpgradeTimeout, 10*time.Second)
	setDefault(&cfg.MaxPayloadBytes, 1_000_000)
	setDefault(&cfg.MaxQueueBytes, 4<<20)
	setDefault(&cfg.MaxSessions, 100_000)
	setDefault(&cfg.HTTPCompressionThreshold, 1024)
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	s := &Server{
		cfg:      cfg,
		log:      cfg.Logger,
		cors:     cors.New(cfg.CORS),
		sessions: make(map[string]*Session),
	}
	for _, name := range []string{transportWebSocket, transportWebTransport} {
		if !cfg.DisableUpgrades && slices.Contains(cfg.Transports, name) {
			s.upgrades = append(s.upgrades, name)
		}
	}
	s.flushers.max, s.flushers.wg = runtime.GOMAXPROCS(0), &s.wg
	s.timers.wg, s.timers.start = &s.wg, time.Now()
	return s
}

func setDefault[T int | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

// ServeHTTP answers a handshake, a poll, a post, a WebSocket upgrade or a CORS preflight.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	rev, spoken := s.revision(query)
	if e, ok := s.checkOrigin(w, r, rev.origin(r)); !ok {
		s.refuse(w, r, e)
		return
	}
	if r.Method == http.MethodOptions {
		s.cors.Preflight(w.Header(), r)
		s.setHeaders(w.Header(), r)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if r.Method == http.MethodConnect && slices.Contains(s.cfg.Transports, transportWebTransport) {
		s.serveWebTransport(w, r)
		return
	}
	transport := query.Get("transport")
	if e, ok := s.checkTransport(transport); !ok {
		s.refuse(w, r, e)
		return
	}
	if sid := query.Get("sid"); sid != "" {
		s.serveSession(w, r, sid, query)
		return
	}
	upgrade := isUpgrade(r)
	switch {
	case r.Method != http.MethodGet:
		s.refuse(w, r, errMethod)
	case upgrade != (transport == transportWebSocket), upgrade && !checkUpgrade(r):
		s.refuse(w, r, errHandshake)
	case !spoken:
		s.refuse(w, r, errRevision)
	default:
		if e, ok := s.allow(r); !ok {
			s.refuse(w, r, e)
			return
		}
		s.serveHandshake(w, r, query, rev)
	}
}

// serveSession serves a request that names a session.
func (s *Server) serveSession(w http.ResponseWriter, r *http.Request, sid string, query url.Values) {
	session := s.lookup(sid)
	upgrade := isUpgrade(r)
	switch {
	case session == nil:
		s.refuse(w, r, errSession)
	case upgrade != (query.Get("transport") == transportWebSocket):
		s.refuse(w, r, errMismatch)
	case revisionNumber(query) != session.rev.number():
		s.refuse(w, r, errProtocol)
	case upgrade && !checkUpgrade(r):
		s.refuse(w, r, errHandshake)
	case upgrade && !slices.Contains(s.upgrades, transportWebSocket):
		s.refuse(w, r, errNoUpgrade)
	case upgrade:
		s.serveUpgrade(w, r, session)
	case r.Method == http.MethodGet:
		session.servePoll(w, r)
	case r.Method == http.MethodPost:
		session.servePost(w, r)
	default:
		s.refuse(w, r, errBadRequest)
	}
}

// serveHandshake opens a session.
func (s *Server) serveHandshake(w http.ResponseWriter, r *http.Request, query url.Values, rev revision) {
	session, e := s.open(r, rev)
	if session == nil {
		if e.err != nil {
			s.log.Error("no id for a new session", "err", e.err)
		}
		s.refuse(w, r, e)
		return
	}
	if query.Get("transport") == transportPolling {
		if !session.accept() {
			s.refuse(w, r, errInternal)
			return
		}
		s.setInitialHeaders(w.Header(), r, session)
		body, contentType := rev.appendPayload(nil, []*Frame{session.hello(s.upgrades)})
		s.respond(w, r, contentType, body)
		return
	}
	s.setInitialHeaders(w.Header(), r, session)
	c, ahead, err := s.upgradeConn(w, r)
	if err != nil {
		s.log.Debug("websocket handshake failed", "err", err)
		session.fail(TransportError, 0)
		return
	}
	session.start(c, ahead)
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

// start begins a session on c, of which ahead has been read.
func (s *Session) start(c *wsConn, ahead []byte) {
	s.mu.Lock()
	s.ws, c.transport = c, true
	s.pushLocked(s.hello(nil))
	if s.state.Load() != stateOpen && c.stream == nil { // the server was closed meanwhile
		s.out.Push(outbox.NewClose(closeCode(s.reason), string(s.reason)))
	}
	s.mu.Unlock()
	// The reader is needed even if the handler was not to be had: it sees the connection end.
	s.accept()
	s.server.wg.Go(func() { c.serve(s, ahead) })
}

// serveUpgrade takes a WebSocket that may become the session's transport.
func (s *Server) serveUpgrade(w http.ResponseWriter, r *http.Request, session *Session) {
	if !s.enter() {
		s.refuse(w, r, errClosing)
		return
	}
	defer s.wg.Done()
	c, ahead, err := s.upgradeConn(w, r)
	if err != nil {
		s.log.Debug("websocket handshake failed", "sid", session.shortID(), "err", err)
		return
	}
	_ = c.conn.SetReadDeadline(time.Now().Add(s.cfg.UpgradeTimeout))
	if !session.offer(c) {
		c.part("session has a websocket")
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
func (s *Server) open(r *http.Request, rev revision) (*Session, refusal) {
	id, err := s.newID(r)
	if err != nil {
		return nil, errID(err)
	}
	session := &Session{
		server:     s,
		id:         id,
		rev:        rev,
		handshake:  keepHandshake(r),
		delivering: true, // until accept
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closing:
		return nil, errClosing
	case len(s.sessions) >= s.cfg.MaxSessions:
		return nil, errFull
	case s.sessions[id] != nil:
		return nil, errID(errTakenID)
	}
	s.sessions[session.id] = session
	s.wg.Add(1)
	return session, refusal{}
}

func (s *Server) lookup(id string) *Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[id]
}

func (s *Server) forget(session *Session) {
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
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		for _, session := range sessions {
			session.lost()
		}
		return context.Cause(ctx)
	}
}

// largeAnswer is the size of an answer, in bytes, that may have to wait for its reader.
const largeAnswer = 32 << 10

// respond answers a good request. A client that does not read a large answer is given as long as one
// that is silent.
func (s *Server) respond(w http.ResponseWriter, r *http.Request, contentType string, body []byte) {
	if len(body) >= s.cfg.HTTPCompressionThreshold && !s.cfg.DisableHTTPCompression {
		if c := coding.Choose(r.Header["Accept-Encoding"]); c != coding.Identity {
			buf := getBuffer()
			defer putBuffer(buf)
			var smaller bool
			if *buf, smaller = s.compressor.Append(*buf, c, body); smaller {
				w.Header().Set("Content-Encoding", c)
				body = *buf
			}
		}
	}
	if len(body) >= largeAnswer {
		rc := http.NewResponseController(w)
		// Not every ResponseWriter has deadlines; those of net/http do.
		_ = rc.SetWriteDeadline(time.Now().Add(s.cfg.PingInterval + s.cfg.PingTimeout))
		defer func() { _ = rc.SetWriteDeadline(time.Time{}) }()
	}
	s.write(w, r, http.StatusOK, contentType, body)
}

// write sends an answer. Without a body it has no content type.
func (s *Server) write(w http.ResponseWriter, r *http.Request, status int, contentType string, body []byte) {
	h := w.Header()
	if contentType != "" {
		h.Set("Content-Type", contentType)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	s.setHeaders(h, r)
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that is gone is noticed by its next request, or the lack of it
}
