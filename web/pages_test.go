package web

import (
	"compress/gzip"
	"io"
	"strings"
	"testing"
	"testing/fstest"
)

func TestPages(t *testing.T) {
	w := newWorld(t)
	index := string(publicFiles["index.html"].Data)
	tests := []struct {
		path        string
		status      int
		contentType string
		body        string // empty: not compared
		packed      bool   // where the client can take it
	}{
		{"/", 200, "text/html; charset=utf-8", index, true},
		{"/index.html", 200, "text/html; charset=utf-8", index, true},
		{"/jobs/01K9ZQ8V5M9S2T7X4W3E6R1B0C", 200, "text/html; charset=utf-8", index, true},
		{"/app/style.css", 200, "text/css; charset=utf-8", "body{}", false},
		{"/vendor/io.js", 200, "text/javascript; charset=utf-8", "", true},
		{"/vendor/logo.png", 200, "image/png", "", false},
		{"/nothing", 404, "text/html; charset=utf-8", notFoundPage, true},
		{"/.hidden", 404, "text/html; charset=utf-8", notFoundPage, true},
		{"/jobs/a.b", 404, "text/html; charset=utf-8", notFoundPage, true},
		{"/jobs/", 404, "text/html; charset=utf-8", notFoundPage, true},
		{"/vendor/", 404, "text/html; charset=utf-8", notFoundPage, true},
		{"/jobs/a/b", 404, "text/html; charset=utf-8", notFoundPage, true},
		{"/../web.go", 404, "text/html; charset=utf-8", notFoundPage, true},
		{"/%2e%2e/web.go", 404, "text/html; charset=utf-8", notFoundPage, true},
	}
	for _, tt := range tests {
		resp := w.get(tt.path)
		if got := resp.header.Get("Content-Type"); resp.status != tt.status || got != tt.contentType {
			t.Errorf("%s: got %d %s, want %d %s", tt.path, resp.status, got, tt.status, tt.contentType)
		}
		if tt.body != "" && resp.text() != tt.body {
			t.Errorf("%s: got %.80q", tt.path, resp.text())
		}
		if got := resp.header.Get("Content-Encoding"); got != "" {
			t.Errorf("%s: got it as %s, which was not asked for", tt.path, got)
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache", "Content-Security-Policy": securityPolicy,
		} {
			if got := resp.header.Get(name); got != want {
				t.Errorf("%s: %s: got %q, want %q", tt.path, name, got, want)
			}
		}
		head := w.do("HEAD", tt.path, "")
		if head.status != tt.status || head.text() != "" || head.header.Get("Content-Length") != resp.header.Get("Content-Length") {
			t.Errorf("HEAD %s: got %d %q %v", tt.path, head.status, head.text(), head.header)
		}
		packed := w.get(tt.path, "Accept-Encoding", "br, gzip;q=0.5")
		if got := packed.header.Get("Content-Encoding") == "gzip"; got != tt.packed {
			t.Errorf("%s with Accept-Encoding: packed %v, want %v", tt.path, got, tt.packed)
		}
		if tt.packed {
			if got := unpack(t, packed.text()); got != resp.text() {
				t.Errorf("%s: packed %.80q, plain %.80q", tt.path, got, resp.text())
			}
			if refused := w.get(tt.path, "Accept-Encoding", "gzip;q=0"); refused.header.Get("Content-Encoding") != "" {
				t.Errorf("%s: packed for a client that refuses it", tt.path)
			}
		}
		if tt.status != 200 {
			continue
		}
		for kind, answer := range map[string]*response{"plain": resp, "gzip": packed} {
			tag := answer.header.Get("ETag")
			again := w.get(tt.path, "If-None-Match", tag, "Accept-Encoding", kind)
			if tag == "" || again.status != 304 || again.text() != "" || again.header.Get("ETag") != tag {
				t.Errorf("%s with its %s ETag %s: got %d with %s, want 304", tt.path, kind, tag, again.status, again.header.Get("ETag"))
			}
		}
		if plain, gz := resp.header.Get("ETag"), packed.header.Get("ETag"); (plain == gz) == tt.packed {
			t.Errorf("%s: ETags %s and %s", tt.path, plain, gz)
		}
		if other := w.get(tt.path, "If-None-Match", `"other"`); other.status != 200 {
			t.Errorf("%s with another ETag: got %d, want 200", tt.path, other.status)
		}
	}
}

func unpack(t *testing.T, packed string) string {
	t.Helper()
	r, err := gzip.NewReader(strings.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestOwnNotFoundPage(t *testing.T) {
	w := newWorld(t, func(cfg *Config) {
		cfg.Public = fstest.MapFS{"index.html": {Data: []byte("index")}, "404.html": {Data: []byte("lost")}}
	})
	if resp := w.get("/nothing"); resp.status != 404 || resp.text() != "lost" {
		t.Errorf("got %d %q, want the page of the public files", resp.status, resp.text())
	}
}

func TestPagesWithoutIndexAreRefused(t *testing.T) {
	if _, err := loadPages(fstest.MapFS{"a.html": {}}); err == nil {
		t.Error("got no error")
	}
	if _, err := loadPages(fstest.MapFS{"index.html": {}, "a:b": {}}); err == nil {
		t.Error("a name that is a pattern: got no error")
	}
}
