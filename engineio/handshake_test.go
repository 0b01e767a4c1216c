package engineio

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// rawRequest sends a request of which the test writes every line, and returns the answer.
func (e *env) rawRequest(request string) (*http.Response, string) {
	e.t.Helper()
	conn, err := e.dial()
	if err != nil {
		e.t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute)) // lest a test hangs
	sent := e.async(func() { io.WriteString(conn, strings.ReplaceAll(request, "\n", "\r\n")) })
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		e.t.Fatalf("%q: %v", request, err)
	}
	<-sent
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return resp, ""
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		e.t.Fatalf("%q: %v", request, err)
	}
	return resp, string(body)
}

// The header lines of a WebSocket handshake, and how each may be written.
const (
	keyLine     = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n"
	versionLine = "Sec-WebSocket-Version: 13\n"
)

// Proxies write the same header in many ways. Each is read once and the same everywhere, for a handshake and for
// an upgrade alike; what is refused is refused before the connection is taken over, with the protocol's JSON.
func TestWebSocketHeaders(t *testing.T) {
	const good = "Connection: Upgrade\nUpgrade: websocket\n" + keyLine + versionLine
	tests := []struct {
		name, lines string
		refused     string // why; "" for a handshake that is good
	}{
		{"as browsers send it", good, ""},
		{"two lines", "Connection: keep-alive\n" + good, ""},
		{"two lines, the other way round", good + "Connection: keep-alive\n", ""},
		{"a tab in the list", strings.Replace(good, "Connection: Upgrade", "Connection: keep-alive,\tUpgrade", 1), ""},
		{"blanks, tabs and empty elements", strings.Replace(good, "Connection: Upgrade", "Connection: ,\t keep-alive \t,,upGRADE\t", 1), ""},
		{"a list of upgrades", strings.Replace(good, "Upgrade: websocket", "Upgrade: h2c,\tWebSocket", 1), ""},
		{"two lines of upgrades", "Upgrade: h2c\n" + good, ""},
		{"two keys", good + keyLine, "Sec-WebSocket-Key"},
		{"two keys in a list", strings.Replace(good, "ZQ==", "ZQ==, dGhlIHNhbXBsZSBub25jZQ==", 1), "Sec-WebSocket-Key"},
		{"no key", strings.Replace(good, keyLine, "", 1), "Sec-WebSocket-Key"},
		{"a key that is not base64", strings.Replace(good, "dGhl", "!!!!", 1), "Sec-WebSocket-Key"},
		{"a key of other base64", strings.Replace(good, "dGhl", "__--", 1), "Sec-WebSocket-Key"},
		{"a key of 17 bytes", strings.Replace(good, "ZQ==", "ZWU=", 1), "Sec-WebSocket-Key"},
		{"two versions", good + versionLine, "Sec-WebSocket-Version"},
		{"two versions in a list", strings.Replace(good, "13", "13, 13", 1), "Sec-WebSocket-Version"},
		{"another version", strings.Replace(good, "13", "8", 1), "Sec-WebSocket-Version"},
		{"no version", strings.Replace(good, versionLine, "", 1), "Sec-WebSocket-Version"},
		{"extensions that are no list", good + "Sec-WebSocket-Extensions: permessage-deflate; =\n", "Sec-WebSocket-Extensions"},
	}
	var reports []ConnectionError
	cfg := Config{OnConnectionError: func(e ConnectionError) { reports = append(reports, e) }, PerMessageDeflate: deflateOn}
	inBubble(t, cfg, func(e *env) {
		for _, tt := range tests {
			sid := e.open()
			for _, query := range []string{webSocketQuery, webSocketQuery + "&sid=" + sid} {
				reports = nil
				resp, body := e.rawRequest(fmt.Sprintf("GET /engine.io/%s HTTP/1.1\nHost: engine.test\n%s\n", e.query(query), tt.lines))
				if tt.refused == "" {
					if resp.StatusCode != 101 || len(reports) > 0 {
						e.t.Errorf("%s: got %d %s, reported %v, want 101", tt.name, resp.StatusCode, body, reports)
					}
					continue
				}
				if resp.StatusCode != 400 || !strings.HasPrefix(body, `{"code":3,"message":"Bad request`) || !strings.Contains(body, tt.refused) {
					e.t.Errorf("%s: got %d %s, want 400, code 3 and %s", tt.name, resp.StatusCode, body, tt.refused)
				}
				if got := resp.Header.Get("Content-Type"); got != "application/json" || !resp.Close {
					e.t.Errorf("%s: got content type %q, close %v, want JSON and a connection that closes", tt.name, got, resp.Close)
				}
				if got, want := resp.Header.Get("Sec-WebSocket-Version") == "13", tt.refused == "Sec-WebSocket-Version"; got != want {
					e.t.Errorf("%s: told the version: %v, want %v", tt.name, got, want)
				}
				if len(reports) != 1 || reports[0].Code != 3 || reports[0].Context.Name != "TRANSPORT_HANDSHAKE_ERROR" || reports[0].Context.Err == nil {
					e.t.Errorf("%s: reported %+v, want one of code 3 with its reason", tt.name, reports)
				}
			}
		}
	})
}
