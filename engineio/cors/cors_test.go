package cors

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// fields returns the fields of the answer to a request of that origin, in one line, and whether the origin
// is admitted.
func fields(p *Policy, origin string, preflight bool) (string, bool) {
	r := httptest.NewRequest("GET", "http://server.test/", nil)
	r.Header.Set("Access-Control-Request-Headers", "x-token, x-b")
	h := make(http.Header)
	ok := p.Allow(h, r, origin)
	if preflight && ok {
		p.Preflight(h, r)
	}
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(h)) {
		lines = append(lines, strings.TrimPrefix(name, "Access-Control-")+": "+strings.Join(h[name], ", "))
	}
	return strings.Join(lines, "; "), ok
}

func TestPolicy(t *testing.T) {
	const asked = "Allow-Headers: x-token, x-b; Allow-Methods: GET,HEAD,PUT,PATCH,POST,DELETE; "
	onlyB := func(_ *http.Request, origin string) bool { return origin == "https://b.test" }
	tests := []struct {
		name      string
		cfg       Config
		origin    string
		preflight bool
		ok        bool
		want      string
	}{
		{"no origin", Config{}, "", false, true, ""},
		{"its own", Config{}, "http://server.test", false, true, "Allow-Origin: http://server.test; Vary: Origin"},
		{"its own behind a proxy", Config{}, "https://SERVER.test:443", false, true, "Allow-Origin: https://SERVER.test:443; Vary: Origin"},
		{"its own host on another port", Config{}, "http://server.test:81", false, false, "Vary: Origin"},
		{"foreign", Config{}, "https://a.test", true, false, "Vary: Origin"},
		{"null", Config{}, "null", false, false, "Vary: Origin"},
		{"listed", Config{Origins: []string{"https://A.test/"}}, "https://a.test", false, true, "Allow-Origin: https://a.test; Vary: Origin"},
		{"not listed", Config{Origins: []string{"https://a.test"}}, "https://b.test", false, false, "Vary: Origin"},
		{"any", Config{Origins: []string{"https://b.test", "*"}}, "https://a.test", false, true, "Allow-Origin: *"},
		{"admitted by the function", Config{AllowOrigin: onlyB}, "https://b.test", false, true, "Allow-Origin: https://b.test; Vary: Origin"},
		{"not admitted by the function", Config{AllowOrigin: onlyB}, "https://c.test", false, false, "Vary: Origin"},
		{"listed beside the function", Config{AllowOrigin: onlyB, Origins: []string{"https://a.test"}}, "https://a.test", false, true,
			"Allow-Origin: https://a.test; Vary: Origin"},
		{"credentials and exposed fields", Config{Origins: []string{"https://a.test"}, Credentials: true, ExposedHeaders: []string{"X-A", "X-B"}},
			"https://a.test", false, true, "Allow-Credentials: true; Allow-Origin: https://a.test; Expose-Headers: X-A,X-B; Vary: Origin"},
		{"a preflight", Config{}, "http://server.test", true, true,
			asked + "Allow-Origin: http://server.test; Vary: Origin, Access-Control-Request-Headers"},
		{"a preflight with all that can be set", Config{
			Origins: []string{"https://a.test"}, Credentials: true, Methods: []string{"GET", "POST"},
			AllowedHeaders: []string{"X-Token"}, ExposedHeaders: []string{"X-A"}, MaxAge: 90 * time.Minute,
		}, "https://a.test", true, true, "Allow-Credentials: true; Allow-Headers: X-Token; Allow-Methods: GET,POST; " +
			"Allow-Origin: https://a.test; Expose-Headers: X-A; Max-Age: 5400; Vary: Origin"},
	}
	for _, tt := range tests {
		got, ok := fields(New(tt.cfg), tt.origin, tt.preflight)
		if got != tt.want || ok != tt.ok {
			t.Errorf("%s: got %v %q, want %v %q", tt.name, ok, got, tt.ok, tt.want)
		}
	}
}

func TestCredentialsForEveryOrigin(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a policy that no browser takes does not panic")
		}
	}()
	New(Config{Origins: []string{"*"}, Credentials: true})
}

func TestVaries(t *testing.T) {
	if New(Config{Origins: []string{"*"}}).Varies() {
		t.Error("got true for every origin, want false")
	}
	if !New(Config{}).Varies() {
		t.Error("got false for the own origin, want true")
	}
}

func TestValid(t *testing.T) {
	for origin, want := range map[string]bool{
		"": true, "https://a.test": true, "https://ä.test\t": true, "https://a\x01b": false, "a\x7f": false, "a\r\nb": false,
	} {
		if got := Valid(origin); got != want {
			t.Errorf("%q: got %v, want %v", origin, got, want)
		}
	}
}
