package web

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestTheClientBehindProxies(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("2001:db8::/32")}
	const proxy = "10.1.0.1:4000"
	for _, tt := range []struct {
		name, from     string
		xff, forwarded []string
		want           string
	}{
		{"no proxy", "203.0.113.7:5000", nil, nil, "203.0.113.7:5000"},
		{"a client that pretends", "203.0.113.7:5000", []string{"1.1.1.1"}, []string{"for=1.1.1.1"}, "203.0.113.7:5000"},
		{"one next to the trusted", "10.2.0.1:4000", []string{"1.1.1.1"}, nil, "10.2.0.1:4000"},
		{"a proxy that says nothing", proxy, nil, nil, proxy},
		{"no address at all", "@", []string{"1.1.1.1"}, nil, "@"},

		{"one hop", proxy, []string{"203.0.113.7"}, nil, "203.0.113.7:0"},
		{"what the client wrote before", proxy, []string{"1.1.1.1, 203.0.113.7"}, nil, "203.0.113.7:0"},
		{"on lines of their own", proxy, []string{"1.1.1.1", "203.0.113.7"}, nil, "203.0.113.7:0"},
		{"what the client wrote is a trusted one", proxy, []string{"1.1.1.1, 10.1.0.9, 203.0.113.7, 10.1.0.9"}, nil, "203.0.113.7:0"},
		{"two hops", proxy, []string{"1.1.1.1 , 203.0.113.7,10.1.0.9"}, nil, "203.0.113.7:0"},
		{"all are trusted", proxy, []string{"10.1.0.8, 10.1.0.9"}, nil, "10.1.0.8:0"},
		{"with a port", proxy, []string{"203.0.113.7:50123"}, nil, "203.0.113.7:0"},
		{"IPv6", proxy, []string{"2001:db9::1"}, nil, "[2001:db9::1]:0"},
		{"IPv6 in brackets", proxy, []string{"[2001:db9::1]"}, nil, "[2001:db9::1]:0"},
		{"IPv6 with a port", proxy, []string{"[2001:db9::1]:443"}, nil, "[2001:db9::1]:0"},
		{"IPv6 throughout", "[2001:db8::1]:4000", []string{"2001:db9::1, 2001:db8::2"}, nil, "[2001:db9::1]:0"},
		{"IPv4 as IPv6", "[::ffff:10.1.0.1]:4000", []string{"::ffff:203.0.113.7"}, nil, "203.0.113.7:0"},
		{"hidden", proxy, []string{"203.0.113.7, unknown"}, nil, proxy},
		{"hidden behind a second", proxy, []string{"1.1.1.1, junk, 10.1.0.9"}, nil, "10.1.0.9:0"},
		{"empty", proxy, []string{""}, nil, proxy},
		{"junk to the left of the client", proxy, []string{"<script>, 203.0.113.7"}, nil, "203.0.113.7:0"},

		{"Forwarded", proxy, nil, []string{"for=203.0.113.7"}, "203.0.113.7:0"},
		{"Forwarded with all there is", proxy, nil, []string{`for=1.1.1.1, By=10.1.0.1; FOR="203.0.113.7:99" ;proto=https;host="a.test"`}, "203.0.113.7:0"},
		{"Forwarded with IPv6", proxy, nil, []string{`for="[2001:db9::1]:443", for=10.1.0.9`}, "[2001:db9::1]:0"},
		{"Forwarded on two lines", proxy, nil, []string{"for=1.1.1.1", "for=203.0.113.7"}, "203.0.113.7:0"},
		{"Forwarded, hidden", proxy, nil, []string{"for=1.1.1.1, for=_secret"}, proxy},
		{"Forwarded without for", proxy, nil, []string{"for=1.1.1.1, proto=https"}, proxy},
		{"Forwarded that is none", proxy, nil, []string{"1.1.1.1"}, proxy},
		{"a host that has a hop in it", proxy, nil, []string{`for=203.0.113.7;host="x, for=1.1.1.1;a="`}, "203.0.113.7:0"},
		{"an escaped quote in it", proxy, nil, []string{`for=203.0.113.7;host="x\", for=1.1.1.1"`}, "203.0.113.7:0"},
		{"a quote that does not end, from the client", proxy, nil, []string{`for="1.1.1.1, for=203.0.113.7`}, proxy},
		{"the same on a line of its own", proxy, nil, []string{`for="1.1.1.1`, "for=203.0.113.7"}, "203.0.113.7:0"},
		{"an escape that does not end", proxy, nil, []string{`for="1.1.1.1\`}, proxy},

		{"both say the same", proxy, []string{"1.1.1.1, 203.0.113.7"}, []string{"for=203.0.113.7"}, "203.0.113.7:0"},
		{"the client wrote the one that the proxy leaves alone", proxy, []string{"203.0.113.7"}, []string{"for=1.1.1.1"}, proxy},
		{"or the other", proxy, []string{"1.1.1.1"}, []string{"for=203.0.113.7"}, proxy},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = tt.from
		for _, line := range tt.xff {
			r.Header.Add("X-Forwarded-For", line)
		}
		for _, line := range tt.forwarded {
			r.Header.Add("Forwarded", line)
		}
		if got := clientOf(r, trusted); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
		if got := clientOf(r, nil); got != tt.from {
			t.Errorf("%s: got %s where nobody is trusted", tt.name, got)
		}
	}
}

// The sockets, which are behind no middleware, see the client's address too.
func TestAllHandlersSeeTheClientsAddress(t *testing.T) {
	var seen string
	w := newWorld(t, func(cfg *Config) {
		cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}
		cfg.Sockets = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r.RemoteAddr })
	})
	r := httptest.NewRequest("GET", "/socket.io/", nil)
	r.RemoteAddr = "10.1.0.1:4000"
	r.Header.Set("X-Forwarded-For", "203.0.113.7")
	w.ServeHTTP(httptest.NewRecorder(), r)
	if seen != "203.0.113.7:0" {
		t.Errorf("got %s", seen)
	}
	if r.RemoteAddr != "10.1.0.1:4000" {
		t.Errorf("the request of net/http was changed: %s", r.RemoteAddr)
	}
}

func FuzzForwarded(f *testing.F) {
	f.Add(`for=1.1.1.1, by=x;for="[::1]:9";host="a\"b"`)
	f.Add(`for="`)
	f.Fuzz(func(t *testing.T, line string) {
		// Whatever a client writes, what a proxy adds on a line of its own is what counts.
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = "10.1.0.1:4000"
		r.Header["Forwarded"] = []string{line, "for=203.0.113.7"}
		if got := clientOf(r, []netip.Prefix{netip.MustParsePrefix("10.1.0.1/32")}); got != "203.0.113.7:0" {
			t.Errorf("%q: got %s", line, got)
		}
		// And on the same line it may at most hide itself behind the proxy.
		r.Header["Forwarded"] = []string{line + ", for=203.0.113.7"}
		if got := clientOf(r, []netip.Prefix{netip.MustParsePrefix("10.1.0.1/32")}); got != "203.0.113.7:0" && got != r.RemoteAddr {
			t.Errorf("%q: got %s", line, got)
		}
	})
}
