package app

import (
	"log/slog"
	"net"
	"net/http"
	"sync"

	"jobcast/engineio"
	"jobcast/engineio/cors"
	"jobcast/internal/limit"
)

const (
	// maxOrigins bounds the origins that are named in the log; of more nothing is said.
	maxOrigins = 100
	// maxOriginBytes is what is said of one.
	maxOriginBytes = 200
)

// foreignOrigins tells in the log which pages of other origins were refused, each origin once, so that whoever
// forgot to admit an origin reads of it where the server runs: a browser tells its own user only.
type foreignOrigins struct {
	log  *slog.Logger
	flag string // what admits an origin

	mu   sync.Mutex // protects the field below
	seen map[string]bool
}

// refused is told of a socket that was refused.
func (f *foreignOrigins) refused(e engineio.ConnectionError) {
	if e.Context.Name == "ORIGIN_NOT_ALLOWED" {
		f.warn(e.Request)
	}
}

// warn is told of any other request that was refused for its origin.
func (f *foreignOrigins) warn(r *http.Request) {
	origin := r.Header.Get("Origin")
	origin = origin[:min(len(origin), maxOriginBytes)]
	f.mu.Lock()
	known := f.seen[origin] || len(f.seen) == maxOrigins
	if !known {
		if f.seen == nil {
			f.seen = make(map[string]bool)
		}
		f.seen[origin] = true
	}
	last := len(f.seen) == maxOrigins
	f.mu.Unlock()
	if known {
		return
	}
	address := limit.Address(r.RemoteAddr)
	if allowed, err := cors.ParseOrigin(origin); err == nil {
		f.log.Warn("a page of another origin may not connect; if it is one of yours, the flag admits it",
			"origin", origin, "flag", f.flag+" "+allowed, "path", r.URL.Path, "address", address)
	} else {
		f.log.Warn("a page without an origin, such as a file, may not connect; only the flag would admit it, and every other page with it",
			"flag", f.flag+" *", "origin", origin, "path", r.URL.Path, "address", address)
	}
	if last {
		f.log.Warn("pages of further origins are refused without a word here", "origins", maxOrigins)
	}
}

// warnOpen says what it means that others reach the server.
func (s *Server) warnOpen() {
	if address, ok := s.listener.Addr().(*net.TCPAddr); ok && address.IP.IsLoopback() {
		return
	}
	s.log.Warn("everybody who reaches this address may do everything here: start and cancel jobs, read what lies below the roots and what others have uploaded",
		"listen", s.listener.Addr().String(), "roots", s.cfg.Roots)
}
