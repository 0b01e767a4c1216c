package web

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/internal/systems/chat"
	"jobcast/internal/systems/journal"
	"jobcast/internal/systems/vote"
)

// Every route that changes something, by GET too, refuses a page of another origin, and nobody else.
func TestAPageOfAnotherOriginChangesNothing(t *testing.T) {
	synctest.Test(t, testForeignPages)
}

func testForeignPages(t *testing.T) {
	all, err := chat.Open(t.Context(), new(journal.Memory))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(all.Close)
	votes, err := vote.Open(t.Context(), new(journal.Memory))
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(cfg *Config) { cfg.Chat, cfg.Vote = all, votes })
	ask := func(method, path string, header ...string) int {
		req := httptest.NewRequest(method, "http://server.test:8080"+path, nil)
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second) // it waits for a message
		defer cancel()
		rec := httptest.NewRecorder()
		w.ServeHTTP(rec, req.WithContext(ctx))
		return rec.Code
	}
	changing := []struct{ method, path string }{
		{"GET", "/send/msg?text=x"}, {"GET", "/send/message?text=x"}, {"GET", "/get_msg/?name=x"}, {"GET", "/get/message?uid=x"},
		{"POST", "/send_msg/"}, {"POST", "/api/vote"}, {"POST", "/api/jobs"}, {"POST", "/api/jobs/x/cancel"},
		{"PUT", "/api/uploads/x"}, {"POST", "/api/uploads/x"},
	}
	foreign := [][]string{
		{"Sec-Fetch-Site", "cross-site"},
		{"Sec-Fetch-Site", "same-site"}, // another port
		{"Sec-Fetch-Site", "cross-site", "Origin", "http://server.test:8080"},
		{"Origin", "http://server.test:8081"},
		{"Origin", "null"},
		{"Origin", "http://evil.test", "Referer", "http://server.test:8080/chat/"},
		{"Referer", "http://server.test:8081/"},
		{"Referer", "http://evil.test/?http://server.test:8080/"},
		{"Referer", "http://server.test:8080@evil.test/"},
		{"Referer", "about:blank"},
		{"Referer", "%"},
	}
	own := [][]string{
		{},
		{"Sec-Fetch-Site", "same-origin"},
		{"Sec-Fetch-Site", "none"}, // typed by a person
		{"Sec-Fetch-Site", "same-origin", "Referer", "http://elsewhere.test/"},
		{"Origin", "http://server.test:8080"},
		{"Origin", "http://server.test:8080", "Referer", "http://elsewhere.test/"},
		{"Referer", "http://server.test:8080/chat/"},
		{"Referer", "http://SERVER.test:8080"},
	}
	for _, route := range changing {
		for _, header := range foreign {
			if got := ask(route.method, route.path, header...); got != http.StatusForbidden {
				t.Errorf("%s %s %q: got %d, want 403", route.method, route.path, header, got)
			}
		}
		for _, header := range own {
			if got := ask(route.method, route.path, header...); got == http.StatusForbidden {
				t.Errorf("%s %s %q: got 403", route.method, route.path, header)
			}
		}
	}
	for _, path := range []string{"/api/jobs", "/get/msg", "/", "/healthz"} {
		if got := ask("GET", path, "Sec-Fetch-Site", "cross-site"); got != http.StatusOK { // a link
			t.Errorf("GET %s from elsewhere: got %d, want 200", path, got)
		}
	}
}
