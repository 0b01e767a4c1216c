package web

import (
	"testing"
	"testing/fstest"
)

func TestSourceIsServedAsText(t *testing.T) {
	w := newWorld(t, func(cfg *Config) {
		cfg.Source = fstest.MapFS{
			"namespaces/vote.go":      {Data: []byte("package namespaces\n")},
			"namespaces/vote_test.go": {Data: []byte("package namespaces\n")},
			"namespaces/notes.txt":    {Data: []byte("notes")},
		}
	})
	resp := w.get("/source/namespaces/vote.go")
	if got := resp.header.Get("Content-Type"); resp.status != 200 || got != "text/plain; charset=utf-8" || resp.text() != "package namespaces\n" {
		t.Errorf("got %d %s %q", resp.status, got, resp.text())
	}
	for _, path := range []string{"/source/", "/source/namespaces/", "/source/namespaces/vote_test.go", "/source/namespaces/notes.txt", "/source/main.go"} {
		if resp := w.get(path); resp.status != 404 {
			t.Errorf("%s: got %d, want 404", path, resp.status)
		}
	}
}

func TestWithoutSourceNothingIsServed(t *testing.T) {
	if resp := newWorld(t).get("/source/namespaces/vote.go"); resp.status != 404 {
		t.Errorf("got %d, want 404", resp.status)
	}
}
