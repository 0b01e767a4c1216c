package main

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// overTLS starts the server with a certificate, and returns a client that speaks HTTP/2 with it over one connection.
func overTLS(t *testing.T, args ...string) (*process, *http.Client, *tls.Config) {
	t.Helper()
	cert, key, pool := certificateFiles(t)
	p := startServer(t, append(args, "--tls-cert", cert, "--tls-key", key)...)
	trust := &tls.Config{RootCAs: pool}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: trust.Clone(), ForceAttemptHTTP2: true, MaxConnsPerHost: 1}}
	t.Cleanup(client.CloseIdleConnections)
	return p, client, trust
}

// exchange returns the answer and its body, and fails unless it came over HTTP/2.
func exchange(t *testing.T, client *http.Client, method, url, contentType, body string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.ProtoMajor != 2 {
		t.Fatalf("%s %s: got %s, %v, want HTTP/2", method, url, resp.Proto, err)
	}
	return resp, string(text)
}

// connectionOf returns the client's address of the connection that a request takes.
func connectionOf(t *testing.T, client *http.Client, url string) (address string) {
	t.Helper()
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { address = c.Conn.LocalAddr().String() }})
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return address
}

// openPolling opens a session of the engine, and returns where it is polled.
func openPolling(t *testing.T, client *http.Client, p *process) string {
	t.Helper()
	at := p.url + "/socket.io/?EIO=4&transport=polling"
	_, handshake := exchange(t, client, "GET", at, "", "")
	var session struct{ SID string }
	if err := json.Unmarshal([]byte(strings.TrimPrefix(handshake, "0")), &session); err != nil || session.SID == "" {
		t.Fatalf("handshake: got %s, %v", handshake, err)
	}
	return at + "&sid=" + session.SID
}

// dialOverTLS opens a session of the engine over a WebSocket.
func dialOverTLS(t *testing.T, p *process, trust *tls.Config) net.Conn {
	t.Helper()
	dialer := ws.Dialer{TLSConfig: trust}
	conn, _, _, err := dialer.Dial(t.Context(), "wss"+strings.TrimPrefix(p.url, "https")+"/socket.io/?EIO=4&transport=websocket")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// TestHTTP2 uses everything that a page uses over one connection of HTTP/2, while streams of events are open on it.
func TestHTTP2(t *testing.T) {
	p, client, _ := overTLS(t)
	before := connectionOf(t, client, p.url+"/healthz")
	const streams = 8 // more than a browser has connections over HTTP/1.1
	_, body := exchange(t, client, "POST", p.url+"/api/jobs", "application/json", `{"kind":"task","args":{"param":"value"}}`)
	var started struct {
		Job struct{ ID string }
	}
	if err := json.Unmarshal([]byte(body), &started); err != nil || started.Job.ID == "" {
		t.Fatalf("start: got %s, %v", body, err)
	}
	var open []*bufio.Reader
	for range streams {
		req, err := http.NewRequestWithContext(t.Context(), "GET", p.url+"/api/jobs/"+started.Job.ID+"/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", "text/event-stream")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.ProtoMajor != 2 {
			t.Fatalf("a stream came over %s", resp.Proto)
		}
		open = append(open, bufio.NewReader(resp.Body))
	}
	if _, page := exchange(t, client, "GET", p.url+"/", "", ""); !strings.Contains(page, "</html>") {
		t.Errorf("the page: got %s", page)
	}
	// A session that polls, and is answered by another request.
	at := openPolling(t, client, p)
	exchange(t, client, "POST", at, "text/plain", "40")
	if _, answer := exchange(t, client, "GET", at, "", ""); !strings.HasPrefix(answer, `40{"sid":`) {
		t.Errorf("connect: got %s", answer)
	}
	exchange(t, client, "POST", at, "text/plain", `421["echo","hello"]`)
	if _, answer := exchange(t, client, "GET", at, "", ""); !strings.HasSuffix(answer, `431["hello"]`) {
		t.Errorf("echo: got %s", answer)
	}
	if resp, answer := exchange(t, client, "PUT", p.url+"/api/uploads/a.csv", "text/csv", "a,b\n1,2\n"); resp.StatusCode/100 != 2 {
		t.Errorf("upload: got %d %s", resp.StatusCode, answer)
	}
	// There is no WebSocket over HTTP/2: each is refused in its own way, and nothing hangs.
	if resp, answer := exchange(t, client, "GET", p.url+"/socket.io/?EIO=4&transport=websocket", "", ""); resp.StatusCode != http.StatusBadRequest || !json.Valid([]byte(answer)) {
		t.Errorf("a WebSocket of the engine: got %d %s", resp.StatusCode, answer)
	}
	if resp, answer := exchange(t, client, "GET", p.url+"/ws/vote", "", ""); resp.StatusCode/100 != 4 {
		t.Errorf("a raw WebSocket: got %d %s", resp.StatusCode, answer)
	}
	// A request that is too large ends alone: others go on over the same connection.
	large := strings.Repeat("x", 3_000_000)
	if resp, _ := exchange(t, client, "POST", at, "text/plain", large); resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("3 MB to a session: got %d", resp.StatusCode)
	}
	if got := connectionOf(t, client, p.url+"/healthz"); got != before {
		t.Errorf("after it the connection is %s, want %s", got, before)
	}
	for i, stream := range open {
		for ended := false; !ended; {
			line, err := stream.ReadString('\n')
			if err != nil {
				t.Fatalf("stream %d: %v", i, err)
			}
			ended = strings.HasPrefix(line, "event: end")
		}
	}
}

// TestWebSocketsOverTLS speaks HTTP/1.1 for them, as browsers do on a connection of its own.
func TestWebSocketsOverTLS(t *testing.T) {
	p, _, trust := overTLS(t)
	conn := dialOverTLS(t, p, trust)
	if text, err := wsutil.ReadServerText(conn); err != nil || !strings.HasPrefix(string(text), `0{"sid":`) {
		t.Errorf("got %s, %v", text, err)
	}
}

// TestNoWebSocketsInsideHTTP2 reads the server's settings: it does not offer RFC 8441, by which a browser would open
// WebSockets as streams, which nothing here could take over.
func TestNoWebSocketsInsideHTTP2(t *testing.T) {
	p, _, trust := overTLS(t)
	trust.NextProtos = []string{"h2"}
	conn, err := tls.Dial("tcp", strings.TrimPrefix(p.url, "https://"), trust)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := conn.ConnectionState().NegotiatedProtocol; got != "h2" {
		t.Fatalf("negotiated %q", got)
	}
	const empty = "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	if _, err := io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+empty); err != nil {
		t.Fatal(err)
	}
	var header [9]byte // RFC 9113, section 4.1: length, type, flags, stream
	if _, err := io.ReadFull(conn, header[:]); err != nil || header[3] != 4 {
		t.Fatalf("got a frame %x, %v, want SETTINGS", header, err)
	}
	settings := make([]byte, int(header[0])<<16|int(header[1])<<8|int(header[2]))
	if _, err := io.ReadFull(conn, settings); err != nil || len(settings) == 0 {
		t.Fatalf("got settings %x, %v", settings, err)
	}
	for ; len(settings) >= 6; settings = settings[6:] {
		const enableConnectProtocol = 8
		if settings[0] == 0 && settings[1] == enableConnectProtocol && string(settings[2:6]) != "\x00\x00\x00\x00" {
			t.Error("the server offers the extended CONNECT")
		}
	}
}

// TestDrainEndsHTTP2 stops a server with an open stream, a waiting poll and an idle connection.
func TestDrainEndsHTTP2(t *testing.T) {
	p, client, trust := overTLS(t)
	at := openPolling(t, client, p)
	// get sends how an answer ends, after it has sent whether there is one.
	get := func(url, accept string) (began chan bool, ended chan error) {
		began, ended = make(chan bool, 1), make(chan error, 1)
		go func() {
			req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
			var resp *http.Response
			if err == nil {
				req.Header.Set("Accept", accept)
				resp, err = client.Do(req)
			}
			began <- err == nil
			if err == nil {
				_, err = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
			ended <- err
		}()
		return began, ended
	}
	streaming, stream := get(p.url+"/api/vote", "text/event-stream")
	_, poll := get(at, "*/*")
	if !<-streaming {
		t.Fatal(<-stream)
	}
	idle, err := (&tls.Dialer{Config: &tls.Config{RootCAs: trust.RootCAs, NextProtos: []string{"h2"}}}).
		DialContext(t.Context(), "tcp", strings.TrimPrefix(p.url, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	p.signal(syscall.SIGTERM)
	if err := p.wait(2 * time.Minute); err != nil {
		t.Errorf("SIGTERM: got %v, want exit code 0: %s", err, p.stderr)
	}
	if err := <-stream; err != nil {
		t.Errorf("the stream: got %v, want it to end in order", err)
	}
	<-poll                           // how it ends depends on whether it had come before the signal
	_, _ = io.Copy(io.Discard, idle) // ends with the connection
}

// TestSharedConnectionsAreNotMeasured asks for the figures of a comparison whose requests came over HTTP/2.
func TestSharedConnectionsAreNotMeasured(t *testing.T) {
	p, client, trust := overTLS(t)
	conn := dialOverTLS(t, p, trust)
	say := func(packet, want string) string {
		t.Helper()
		if packet != "" {
			if err := wsutil.WriteClientText(conn, []byte(packet)); err != nil {
				t.Fatal(err)
			}
		}
		for {
			text, err := wsutil.ReadServerText(conn)
			if err != nil {
				t.Fatalf("waiting for %s: %v", want, err)
			}
			if rest, ok := strings.CutPrefix(string(text), want); ok {
				return rest
			}
		}
	}
	say("", "0{")
	say("40/compare,", "40/compare,")
	var opened []struct{ Run string }
	answer := say(`42/compare,1["compare:open",{"rate":1,"size":64}]`, "43/compare,1")
	if err := json.Unmarshal([]byte(answer), &opened); err != nil || opened[0].Run == "" {
		t.Fatalf("open: got %s, %v", answer, err)
	}
	figures := func() (f struct {
		Counted bool
		Lines   map[string]struct{ Requests, In, Out int64 }
	}) {
		t.Helper()
		var acks []json.RawMessage
		answer := say(`42/compare,2["compare:figures",{}]`, "43/compare,2")
		if err := json.Unmarshal([]byte(answer), &acks); err != nil {
			t.Fatalf("figures: got %s, %v", answer, err)
		}
		if err := json.Unmarshal(acks[0], &f); err != nil {
			t.Fatalf("figures: got %s, %v", answer, err)
		}
		return f
	}
	exchange(t, client, "GET", p.url+"/api/compare?after=0&line=short&run="+opened[0].Run, "", "")
	f := figures()
	if line := f.Lines["short"]; f.Counted || line.Requests != 1 || line.In != 0 || line.Out != 0 {
		t.Errorf("got %+v, want one request whose bytes are not counted", f)
	}
}
