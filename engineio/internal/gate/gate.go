// Package gate decides which requests an Engine.IO server serves, as far as that takes no session to know,
// and writes its answers: good ones, which it compresses, and refusals, with the codes of the protocol. It
// calls the functions that the server's configuration has for that, and runs no goroutine.
package gate

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"jobcast/engineio/cors"
	"jobcast/internal/coding"
	"jobcast/internal/websocket/opening"
)

// The transports, by their names on the wire.
const (
	Polling      = "polling"
	WebSocket    = "websocket"
	WebTransport = "webtransport"
)

// AllTransports are the transports that there are.
var AllTransports = []string{Polling, WebSocket, WebTransport}

// Config configures a Gate. Its fields are those of engineio.Config with the same names, without defaults:
// Logger and Transports must be set.
type Config struct {
	Transports           []string
	CORS                 cors.Config
	AllowRequest         func(*http.Request) error
	GenerateID           func(*http.Request) (string, error)
	Cookie               *http.Cookie
	InitialHeaders       func(http.Header, *http.Request)
	Headers              func(http.Header, *http.Request)
	DisableCompression   bool
	CompressionThreshold int
	Refused              func(ConnectionError) // Hooks.Refused
	Logger               *slog.Logger
	// Patience is how long a client may take to read a large answer, or to send a body.
	Patience time.Duration
}

// A Gate admits requests and answers them. It is safe for use by many goroutines.
type Gate struct {
	cfg        Config
	cors       *cors.Policy
	compressor coding.Compressor
}

// New returns a gate. It panics if cfg.Transports has a name that is none, if cfg.Cookie cannot be one, or
// if no browser would take cfg.CORS.
func New(cfg Config) *Gate {
	for _, name := range cfg.Transports {
		if !slices.Contains(AllTransports, name) {
			panic(fmt.Sprintf("engineio: Config.Transports: there is no transport %q", name))
		}
	}
	if cfg.Cookie != nil {
		if err := cfg.Cookie.Valid(); err != nil {
			panic(fmt.Sprintf("engineio: Config.Cookie: %v", err))
		}
	}
	return &Gate{cfg: cfg, cors: cors.New(cfg.CORS)}
}

// Admit reports whether a request of a page of that origin, over that transport, may be served at all. If
// not, or if it only asks what is allowed, it has been answered.
func (g *Gate) Admit(w http.ResponseWriter, r *http.Request, origin, transport string) bool {
	e, ok := g.checkOrigin(w, r, origin)
	if ok && r.Method == http.MethodOptions && g.cors.Foreign() {
		g.cors.Preflight(w.Header(), r)
		g.SetHeaders(w.Header(), r)
		w.WriteHeader(http.StatusNoContent)
		return false
	}
	if ok {
		e, ok = g.checkTransport(r, transport)
	}
	if !ok {
		g.Refuse(w, r, e)
	}
	return ok
}

// AdmitHandshake reports whether a request that Admit has let pass may open a session over polling or
// WebSocket. If not, it has been answered. The caller knows whether its revision is spoken.
func (g *Gate) AdmitHandshake(w http.ResponseWriter, r *http.Request, transport string, spoken bool) bool {
	var e Refusal
	ok := false
	upgrade := opening.Asked(r)
	var bad error
	if upgrade {
		bad = opening.Check(r)
	}
	switch {
	case r.Method != http.MethodGet:
		e = BadMethod
	case upgrade != (transport == WebSocket):
		e = BadHandshake
	case bad != nil:
		e = BadOpening(bad)
	case !spoken:
		e = UnknownRevision
	default:
		e, ok = g.Allow(r)
	}
	if !ok {
		g.Refuse(w, r, e)
	}
	return ok
}

// RecoverHook is deferred around a call of one of the Config's functions.
func (g *Gate) RecoverHook(name string) {
	if v := recover(); v != nil {
		g.cfg.Logger.Error("hook panicked", "call", name, "err", v, "stack", string(debug.Stack()))
	}
}

// Allow asks AllowRequest. It returns what the request is refused with, if it is.
func (g *Gate) Allow(r *http.Request) (e Refusal, ok bool) {
	if g.cfg.AllowRequest == nil {
		return e, true
	}
	e = Internal // should it panic
	defer g.RecoverHook("AllowRequest")
	if err := g.cfg.AllowRequest(r); err != nil {
		return forbidden(err), false
	}
	return Refusal{}, true
}

// checkOrigin sets the fields of the answer that concern pages of other origins, and refuses those that may
// not connect.
func (g *Gate) checkOrigin(w http.ResponseWriter, r *http.Request, origin string) (Refusal, bool) {
	switch {
	case !cors.Valid(origin):
		return BadOrigin, false
	case !g.cors.Allow(w.Header(), r, origin):
		return foreign(origin), false
	}
	return Refusal{}, true
}

// checkTransport refuses a transport that clients may not use.
func (g *Gate) checkTransport(r *http.Request, transport string) (Refusal, bool) {
	switch {
	case transport == WebTransport && r.Method != http.MethodConnect: // it is not asked for in the query
		return UnknownTransport, false
	case slices.Contains(g.cfg.Transports, transport):
		return Refusal{}, true
	case slices.Contains(AllTransports, transport):
		e := UnknownTransport
		e.message += fmt.Sprintf(": %s is not among those of this server, %s", transport,
			strings.Join(g.cfg.Transports, " and "))
		return e, false
	}
	return UnknownTransport, false
}
