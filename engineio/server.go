package engineio

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"jobcast/engineio/outbox"
	"jobcast/engineio/parser"
)

// A Server accepts Engine.IO sessions over HTTP. It is an http.Handler that answers on every path it is
// mounted at.
//
// Its goroutines: one that reads for each WebSocket; as many flushers as there are processors, while there
// is something to write; and the momentary ones that Session lists. Close waits for all of them.
type Server struct {
	cfg       Config
	log       *slog.Logger
	anyOrigin bool
	origins   map[string]bool // lower case

	flushers flushers
	timers   timers
	wg       sync.WaitGroup // sessions, goroutines, and the timer while it is set

	mu       sync.Mutex // guards the fields below
	sessions map[string]*Session
	closing  bool
}

// NewServer returns a server. It panics if cfg.Accept is nil.
func NewServer(cfg Config) *Server {
	if cfg.Accept == nil {
		panic("engineio: Config.Accept is nil")
	}
	setDefault(&cfg.PingInterval, 25*time.Second)
	setDefault(&cfg.PingTimeout, 20*time.Second)
	setDefault(&cfg.UpgradeTimeout, 10*time.Second)
	setDefault(&cfg.MaxPayloadBytes, 1_000_000)
	setDefault(&cfg.MaxQueueBytes, 4<<20)
	setDefault(&cfg.MaxSessions, 100_000)
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	s := &Server{
		cfg:      cfg,
		log:      cfg.Logger,
		origins:  make(map[string]bool),
		sessions: make(map[string]*Session),
	}
	for _, o := range cfg.Origins {
		if o == "*" {
			s.anyOrigin = true
		}
		s.origins[strings.ToLower(strings.TrimSuffix(o, "/"))] = true
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
		preflight(w, r)
		return
	}
	transport := query.Get("transport")
	if transport != transportPolling && transport != transportWebSocket {
		s.refuse(w, r, errTransport)
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
		s.refuse(w, r, errBadRequest)
	case !spoken:
		s.refuse(w, r, errRevision)
	default:
		if s.cfg.AllowRequest != nil {
			if err := s.cfg.AllowRequest(r); err != nil {
				s.refuse(w, r, errForbidden(err.Error()))
				return
			}
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
	case revisionNumber(query) != session.rev.number(), upgrade != (query.Get("transport") == transportWebSocket):
		s.refuse(w, r, errBadRequest)
	case upgrade && !checkUpgrade(r):
		s.refuse(w, r, errBadRequest)
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
		w.Header().Set("Retry-After", "5")
		s.refuse(w, r, e)
		return
	}
	hello := parser.Handshake{
		SID:          session.id,
		PingInterval: s.cfg.PingInterval,
		PingTimeout:  s.cfg.PingTimeout,
		MaxPayload:   s.cfg.MaxPayloadBytes,
	}
	if query.Get("transport") == transportPolling {
		hello.Upgrades = []string{transportWebSocket}
		if !session.accept() {
			s.refuse(w, r, refusal{http.StatusInternalServerError, errBadRequest.code, "Internal error"})
			return
		}
		body, contentType := rev.appendPayload(nil, []*Frame{outbox.NewPacket(rev.open(hello))})
		s.respond(w, contentType, body)
		return
	}
	c, ahead, err := s.upgradeConn(w, r)
	if err != nil {
		s.log.Debug("websocket handshake failed", "err", err)
		session.fail(TransportError, 0)
		return
	}
	session.mu.Lock()
	session.ws, c.transport = c, true
	session.out.Push(outbox.NewPacket(rev.open(hello)))
	if session.state.Load() != stateOpen { // the server was closed meanwhile
		session.out.Push(outbox.NewClose(closeCode(session.reason), string(session.reason)))
	}
	session.mu.Unlock()
	// The reader is needed even if the handler was not to be had: it sees the connection end.
	session.accept()
	s.wg.Go(func() { c.serve(session, ahead) })
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
	var random [15]byte
	rand.Read(random[:]) // never fails
	session := &Session{
		server:     s,
		id:         base64.RawURLEncoding.EncodeToString(random[:]),
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
func (s *Server) respond(w http.ResponseWriter, contentType string, body []byte) {
	if len(body) >= largeAnswer {
		rc := http.NewResponseController(w)
		// Not every ResponseWriter has deadlines; those of net/http do.
		_ = rc.SetWriteDeadline(time.Now().Add(s.cfg.PingInterval + s.cfg.PingTimeout))
		defer func() { _ = rc.SetWriteDeadline(time.Time{}) }()
	}
	write(w, http.StatusOK, contentType, body)
}

func write(w http.ResponseWriter, status int, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that is gone is noticed by its next request, or the lack of it
}
