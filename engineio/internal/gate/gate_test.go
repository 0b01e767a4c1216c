package gate

import (
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

func newGate(cfg Config) *Gate {
	cfg.Transports = []string{Polling, WebSocket}
	cfg.Logger = slog.New(slog.DiscardHandler)
	return New(cfg)
}

// A refusal wins that is of less use to whoever looks for weak places.
func TestOrderOfRefusals(t *testing.T) {
	g := newGate(Config{AllowRequest: func(*http.Request) error { return errors.New("nobody may") }})
	handshake := func(method, origin, transport string, spoken bool) string {
		r := httptest.NewRequest(method, "http://engine.test/", nil)
		w := httptest.NewRecorder()
		if g.Admit(w, r, origin, transport) && g.AdmitHandshake(w, r, transport, spoken) {
			t.Errorf("%s %s %s: got it admitted", method, origin, transport)
		}
		code, _, _ := strings.Cut(strings.TrimPrefix(w.Body.String(), `{"code":`), ",")
		return code
	}
	tests := []struct {
		method, origin, transport string
		spoken                    bool
		code                      string
	}{
		{"POST", "https://a\x01b", "carrier", false, "3"},
		{"POST", "https://a.test", "carrier", false, "4"},
		{"OPTIONS", "https://a.test", "carrier", false, "4"},
		{"OPTIONS", "http://engine.test", "carrier", false, "0"}, // no other origin may, so there is nothing to ask
		{"OPTIONS", "", "polling", false, "2"},
		{"POST", "http://engine.test", "carrier", false, "0"},
		{"POST", "", "websocket", false, "2"},
		{"GET", "", "websocket", false, "3"},
		{"GET", "", "polling", false, "5"},
		{"GET", "", "polling", true, "4"},
	}
	for _, tt := range tests {
		if got := handshake(tt.method, tt.origin, tt.transport, tt.spoken); got != tt.code {
			t.Errorf("%+v: got code %s", tt, got)
		}
	}
}

func TestReport(t *testing.T) {
	var got ConnectionError
	g := newGate(Config{Refused: func(e ConnectionError) { got = e }})
	r := httptest.NewRequest("CONNECT", "http://engine.test/", nil)
	r.Header.Set("Origin", "https://a.test")
	g.Report(r, UpgradeNotAllowed)
	want := ErrorContext{Name: "UPGRADE_NOT_ALLOWED", Method: "CONNECT", Transport: "webtransport", Origin: "https://a.test"}
	if got.Code != 3 || got.Message != "Bad request" || got.Context != want || got.Request != r {
		t.Errorf("got %+v, want code 3 with %+v", got, want)
	}
}

func TestNewID(t *testing.T) {
	seen := make(map[string]bool)
	for range 1000 {
		id, _, ok := newGate(Config{}).NewID(nil)
		if !ok || len(id) != 20 || !validID(id) || seen[id] {
			t.Fatalf("got %q, %v, want 20 characters that were not seen before", id, ok)
		}
		seen[id] = true
	}
	g := newGate(Config{GenerateID: func(r *http.Request) (string, error) { return r.Host, nil }})
	if id, _, ok := g.NewID(httptest.NewRequest("GET", "http://engine.test/", nil)); !ok || id != "engine.test" {
		t.Errorf("got %q, %v, want what the function made", id, ok)
	}
	if _, e, ok := g.NewID(httptest.NewRequest("GET", "http://a:80/", nil)); ok || !errors.Is(e.err, errBadID) {
		t.Errorf("got %v for an id with a colon, want errBadID", e.err)
	}
}

func TestHandshakeIsKeptWhole(t *testing.T) {
	r := httptest.NewRequest("GET", "https://engine.test/?a=1&a=2&b=%F0%9F%98%80&c", nil)
	r.Header = http.Header{"X-Many": {"one", "", "three"}, "Sec-Websocket-Protocol": {"chat"}, "Cookie": {strings.Repeat("k=v; ", 1000)}}
	kept := KeepHandshake(r)
	h := kept.Handshake()
	if !maps.EqualFunc(h.Header, r.Header, slices.Equal) || !maps.EqualFunc(h.Query, r.URL.Query(), slices.Equal) {
		t.Errorf("got %v, %v, want %v, %v", h.Header, h.Query, r.Header, r.URL.Query())
	}
	if h.Host != r.Host || h.RemoteAddr != r.RemoteAddr || !h.Secure {
		t.Errorf("got %q, %q, secure %v, want %q, %q, true", h.Host, h.RemoteAddr, h.Secure, r.Host, r.RemoteAddr)
	}
	if want := "/?a=1&a=2&b=%F0%9F%98%80&c"; h.URL != want {
		t.Errorf("got the URL %q, want %q", h.URL, want)
	}
	h.Header.Set("X-Many", "changed")
	if got := kept.Handshake().Header.Get("X-Many"); got != "one" {
		t.Errorf("got %q after another caller's change, want one", got)
	}
}
