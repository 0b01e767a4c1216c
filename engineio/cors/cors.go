// Package cors decides which pages of other origins may read the answers of a server, and tells browsers so
// (Fetch Standard, "CORS protocol"). A page of the server's own origin always may. It answers nothing
// itself: it sets header fields. It runs no goroutine.
package cors

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Config configures a Policy. The zero value admits the server's own origin only.
type Config struct {
	// Origins are the foreign origins that are admitted, such as "https://example.com". "*" admits every
	// one. Nil means none.
	Origins []string
	// AllowOrigin, if set, is asked about each origin that is neither the server's own nor one of Origins,
	// and may admit it. It may be called by many goroutines at once.
	AllowOrigin func(r *http.Request, origin string) bool
	// Credentials lets pages of admitted origins send cookies and the like along. Browsers do not take it
	// together with the origin "*". False means that they may not.
	Credentials bool
	// Methods are those that a preflight names. Nil means GET, HEAD, PUT, PATCH, POST and DELETE.
	Methods []string
	// AllowedHeaders are the request's fields that a preflight names. Nil means those that it asks for.
	AllowedHeaders []string
	// ExposedHeaders are the answer's fields that a page may read beside the simple ones. Nil means none.
	ExposedHeaders []string
	// MaxAge is how long a browser may keep the answer to a preflight, in whole seconds. Zero means that
	// it is not told, and that browsers take five seconds.
	MaxAge time.Duration
}

// A Policy is a Config made ready. It is immutable.
type Policy struct {
	own       Config
	any       bool
	origins   map[string]bool // lower case, without a slash at the end
	methods   string
	requested string // the fields that a preflight names; "" for those that it asks for
	exposed   string
	maxAge    string // "" if it is not told
}

// New returns the policy of cfg. It panics if cfg has both the origin "*" and Credentials: no browser would
// let a page read anything.
func New(cfg Config) *Policy {
	p := &Policy{
		own:       cfg,
		origins:   make(map[string]bool),
		methods:   "GET,HEAD,PUT,PATCH,POST,DELETE",
		requested: strings.Join(cfg.AllowedHeaders, ","),
		exposed:   strings.Join(cfg.ExposedHeaders, ","),
	}
	for _, o := range cfg.Origins {
		p.any = p.any || o == "*"
		p.origins[strings.ToLower(strings.TrimSuffix(o, "/"))] = true
	}
	if p.any && cfg.Credentials {
		panic(`cors: Credentials with the origin "*": name the origins, or admit them with AllowOrigin`)
	}
	if len(cfg.Methods) > 0 {
		p.methods = strings.Join(cfg.Methods, ",")
	}
	if cfg.MaxAge > 0 {
		p.maxAge = strconv.FormatInt(int64(cfg.MaxAge/time.Second), 10)
	}
	return p
}

// Valid reports whether origin may be in a header field: it has no control character.
func Valid(origin string) bool {
	for i := range len(origin) {
		if c := origin[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// Allow reports whether a page of that origin, which must be valid, may read the answer to r, and sets the
// fields of the answer that say so. Without an origin there is nothing to say.
func (p *Policy) Allow(h http.Header, r *http.Request, origin string) bool {
	if origin == "" {
		return true
	}
	if p.any {
		h.Set("Access-Control-Allow-Origin", "*")
	} else {
		h.Add("Vary", "Origin")
		if !p.Admits(r, origin) {
			return false
		}
		h.Set("Access-Control-Allow-Origin", origin)
	}
	if p.own.Credentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	if p.exposed != "" {
		h.Set("Access-Control-Expose-Headers", p.exposed)
	}
	return true
}

// Admits is Allow without the fields: it reports whether a page of that origin may do what r asks for. It is what a
// server of WebSockets asks, whose handshakes browsers do not hold to the protocol (RFC 6455, "Origin Considerations").
func (p *Policy) Admits(r *http.Request, origin string) bool {
	return origin == "" || p.any || p.origins[strings.ToLower(origin)] || sameHost(origin, r.Host) ||
		p.own.AllowOrigin != nil && p.own.AllowOrigin(r, origin)
}

// Preflight sets what a browser asks before it sends a request for a page of another origin, beside what
// Allow has set.
func (p *Policy) Preflight(h http.Header, r *http.Request) {
	h.Set("Access-Control-Allow-Methods", p.methods)
	fields := p.requested
	if fields == "" {
		h.Add("Vary", "Access-Control-Request-Headers")
		fields = r.Header.Get("Access-Control-Request-Headers")
	}
	if fields != "" {
		h.Set("Access-Control-Allow-Headers", fields)
	}
	if p.maxAge != "" {
		h.Set("Access-Control-Max-Age", p.maxAge)
	}
}

// Foreign reports whether a page of another origin may ever be admitted: only then is there a preflight to answer.
func (p *Policy) Foreign() bool { return len(p.origins) > 0 || p.own.AllowOrigin != nil }

// Varies reports whether the answers to requests of different origins differ, so that a cache must keep
// them apart.
func (p *Policy) Varies() bool { return !p.any }

// sameHost reports whether the origin is that of the server itself. The scheme is not compared: behind a
// proxy that ends TLS it differs.
func sameHost(origin, host string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false
	}
	port := map[string]string{"http": ":80", "https": ":443"}[u.Scheme]
	return strings.EqualFold(strings.TrimSuffix(u.Host, port), strings.TrimSuffix(host, port))
}
