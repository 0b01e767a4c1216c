package main

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// maxOrigins is how many origins the log names.
const maxOrigins = 100

func TestAForeignPageIsNamedInTheLogOnceWithTheFlag(t *testing.T) {
	p := startServer(t, "--origin=https://friend.example")
	ask := func(path, origin string) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", origin)
		if strings.HasPrefix(path, "/ws/") {
			for name, value := range map[string]string{
				"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
			} {
				req.Header.Set(name, value)
			}
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	const poll = "/socket.io/?EIO=4&transport=polling"
	for range 3 {
		for _, path := range []string{poll, "/ws/echo", "/ws/chat", "/ws/chat/Ada"} {
			if status := ask(path, "https://shop.example:8443"); status != http.StatusForbidden {
				t.Fatalf("%s: got %d, want 403", path, status)
			}
		}
		if status := ask("/ws/chat/Ada", "http://other.example"); status != http.StatusForbidden {
			t.Fatalf("got %d", status)
		}
		if status := ask(poll, "null"); status != http.StatusForbidden {
			t.Fatalf("got %d", status)
		}
	}
	for path, origin := range map[string]string{poll: "https://friend.example", poll + "&x": p.url, "/readyz": "https://reader.example"} {
		if status := ask(path, origin); status != http.StatusOK {
			t.Fatalf("%s of %s: got %d", path, origin, status)
		}
	}
	for i := range 2 * maxOrigins {
		if status := ask(poll, fmt.Sprintf("https://%d.example", i)); status != http.StatusForbidden {
			t.Fatalf("got %d", status)
		}
	}
	p.stderr.await(t, "pages of further origins")
	log := p.stderr.String()
	for text, want := range map[string]int{
		"--origin https://shop.example:8443": 1, "--origin http://other.example": 1, "origin=null": 1, "https://0.example": 2, // and in the flag
		"friend.example": 0, "reader.example": 0, "level=WARN": maxOrigins + 1, "pages of further origins": 1,
	} {
		if got := strings.Count(log, text); got != want {
			t.Errorf("%q: got %d times, want %d", text, got, want)
		}
	}
}

func TestAnAddressThatOthersReachIsNotedAtTheStart(t *testing.T) {
	for listen, want := range map[string]bool{"0.0.0.0:0": true, "127.0.0.1:0": false, "[::1]:0": false} {
		p := startServer(t, "--listen="+listen)
		p.signal(syscall.SIGTERM)
		if err := p.wait(time.Minute); err != nil {
			t.Error(err)
		}
		got := strings.Count(p.stderr.String(), "everybody who reaches this address may do everything")
		if (got == 1) != want || got > 1 {
			t.Errorf("%s: got %d times: %s", listen, got, p.stderr)
		}
	}
}
