//go:build unix

package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws/wsutil"
)

// startLimited starts a server that may have so many descriptors.
func startLimited(t *testing.T, descriptors int, args ...string) *process {
	t.Helper()
	script := filepath.Join(t.TempDir(), "limited")
	if err := os.WriteFile(script, fmt.Appendf(nil, "#!/bin/sh\nulimit -n %d\nexec %s \"$@\"\n", descriptors, binary), 0o700); err != nil {
		t.Fatal(err)
	}
	whole := binary
	defer func() { binary = whole }()
	binary = script
	return startServer(t, args...)
}

// TestIdleConnectionsPushNobodyOut opens more connections than the server may have descriptors, most of which
// never say a word, and keeps them open. Real clients are served all the same, and the store goes on to write.
func TestIdleConnectionsPushNobodyOut(t *testing.T) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < 2000 {
		t.Fatalf("this test opens 1,300 connections, and may have %d descriptors (%v); raise the limit with ulimit -n 4096", limit.Cur, err)
	}
	p := startLimited(t, 1024)
	address := strings.TrimPrefix(p.url, "http://")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	defer client.CloseIdleConnections()
	start := func(when string) {
		t.Helper()
		resp, err := client.Post(p.url+"/api/jobs", "application/json", strings.NewReader(`{"kind":"checksum","args":{"path":"."}}`))
		if err != nil {
			t.Errorf("%s: %v", when, err)
			return
		}
		defer resp.Body.Close()
		if body, err := io.ReadAll(resp.Body); resp.StatusCode != http.StatusAccepted {
			t.Errorf("%s: start a job: got %s %s, %v", when, resp.Status, body, err)
		}
	}
	talker := dialRaw(t, p, "/ws/echo") // a real client that was there before
	var idle []net.Conn
	defer func() {
		for _, conn := range idle {
			conn.Close()
		}
	}()
	for i := range 1300 {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		idle = append(idle, conn)
		if i%3 == 0 { // some have been real once
			if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
				t.Fatal(err)
			}
		}
		if i > 1000 && i%50 == 0 {
			start(fmt.Sprintf("beside %d connections", i))
		}
	}
	for range 20 {
		start("beside all of them")
	}
	talker.SetDeadline(time.Now().Add(time.Minute))
	if err := wsutil.WriteClientText(talker, []byte("still here")); err != nil {
		t.Errorf("the client that was there before: %v", err)
	}
	if got, err := wsutil.ReadServerText(talker); err != nil || string(got) != "still here" {
		t.Errorf("the client that was there before: got %q, %v", got, err)
	}
	for _, path := range []string{"/readyz", "/healthz"} {
		resp, err := client.Get(p.url + path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if resp.Body.Close(); resp.StatusCode != http.StatusOK {
			t.Errorf("%s beside all of them: got %s", path, resp.Status)
		}
	}
	if log := p.stderr.String(); !strings.Contains(log, "idle ones are closed") || strings.Contains(log, "level=ERROR") {
		t.Errorf("got %q, want a warning that tells of closed connections, and no error", tail(log, 2000))
	}
}
