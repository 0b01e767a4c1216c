package engineio

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"jobcast/engineio/cors"
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
	cfg := Config{Hooks: Hooks{Refused: func(e ConnectionError) { reports = append(reports, e) }}, PerMessageDeflate: deflateOn}
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

// A browser gives up a WebSocket for which it has offered subprotocols and got none. Node chooses the first.
func TestSubprotocol(t *testing.T) {
	lines := "Connection: Upgrade\nUpgrade: websocket\n" + keyLine + versionLine
	for _, mine := range []string{"", "mine"} {
		cfg := Config{Headers: func(h http.Header, r *http.Request) {
			if mine != "" {
				h.Set("Sec-WebSocket-Protocol", mine)
			}
		}}
		inBubble(t, cfg, func(e *env) {
			for offer, want := range map[string]string{"": "", "Sec-WebSocket-Protocol: v2.chat, v1.chat\n": "v2.chat"} {
				resp, _ := e.rawRequest(fmt.Sprintf("GET /engine.io/%s HTTP/1.1\nHost: engine.test\n%s%s\n", e.query(webSocketQuery), lines, offer))
				if got := resp.Header.Values("Sec-WebSocket-Protocol"); resp.StatusCode != 101 || strings.Join(got, "|") != cmp.Or(mine, want) {
					e.t.Errorf("%q: got %d %q, want %q", offer, resp.StatusCode, got, cmp.Or(mine, want))
				}
			}
		})
	}
}

// A server may be mounted where a connection cannot be taken over. The client learns that as it learns of every
// other refusal, and no session stays.
func TestConnectionThatCannotBeTaken(t *testing.T) {
	var reports []ConnectionError
	cfg, sessions := accepting(Config{Hooks: Hooks{Refused: func(e ConnectionError) { reports = append(reports, e) }}})
	cfg.Logger = slog.New(slog.DiscardHandler)
	s := NewServer(cfg)
	r := httptest.NewRequest("GET", base+webSocketQuery, nil)
	for i := 0; i < len(upgradeFields); i += 2 {
		r.Header.Set(upgradeFields[i], upgradeFields[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if want := `{"code":3,"message":"Internal error"}`; w.Code != 500 || w.Body.String() != want {
		t.Errorf("got %d %s, want 500 %s", w.Code, w.Body, want)
	}
	if len(reports) != 1 || reports[0].Context.Name != "INTERNAL_ERROR" || !errors.Is(reports[0], http.ErrNotSupported) {
		t.Errorf("reported %+v, want the error once", reports)
	}
	if len(sessions) > 0 {
		t.Error("a session was accepted")
	}
	if err := s.Close(t.Context()); err != nil {
		t.Errorf("close: %v", err)
	}
}

// Every request that is refused leaves one line at Debug that says why, and what it was.
func TestRefusalsAreLogged(t *testing.T) {
	log := new(logged)
	cfg := Config{
		Logger:          slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		MaxPayloadBytes: 100,
		AllowRequest: func(r *http.Request) error {
			if r.Header.Get("X-Ticket") == "bad" {
				return errors.New("ticket office is closed")
			}
			return nil
		},
	}
	inBubble(t, cfg, func(e *env) {
		sid := e.open()
		short, eio := sid[:6], " eio="+e.eio
		keys := "Connection: Upgrade\nUpgrade: websocket\n" + keyLine + keyLine + versionLine
		for _, tt := range []struct {
			name string
			do   func()
			want string
		}{
			{"an unknown transport", func() { e.answer("GET", "?EIO=4&transport=carrier") },
				`code=0 why="Transport unknown" method=GET transport=carrier` + eio + ` remote=pipe`},
			{"an unknown session", func() { e.answer("GET", pollingQuery+"&sid=abcdefghij") },
				`code=1 why="Session ID unknown" method=GET transport=polling sid=abcdef` + eio + ` remote=pipe`},
			{"not allowed", func() { e.answer("GET", pollingQuery, "X-Ticket", "bad") },
				`code=4 why=Forbidden err="ticket office is closed" method=GET transport=polling` + eio + ` remote=pipe`},
			{"a foreign origin", func() { e.answer("GET", pollingQuery, "Origin", "https://a.test") },
				`code=4 why="origin \"https://a.test\" is not allowed: add it to the server's list of allowed origins" name=ORIGIN_NOT_ALLOWED method=GET transport=polling` + eio + ` origin=https://a.test remote=pipe`},
			{"two keys", func() {
				e.rawRequest("GET /engine.io/" + e.query(webSocketQuery) + " HTTP/1.1\nHost: engine.test\n" + keys + "\n")
			},
				`code=3 why="Bad request: the field Sec-WebSocket-Key must be there once, with 16 bytes in base64" name=TRANSPORT_HANDSHAKE_ERROR err="the field Sec-WebSocket-Key must be there once, with 16 bytes in base64" method=GET transport=websocket` + eio + ` remote=pipe`},
			{"a body over the limit", func() { e.post(sid, "4"+strings.Repeat("x", 200)) },
				`status=413 why="the body is over the limit" method=POST transport=polling sid=` + short + eio + ` remote=pipe`},
		} {
			log.reset()
			tt.do()
			var refused []string
			for line := range strings.Lines(log.String()) {
				if _, rest, ok := strings.Cut(line, `level=DEBUG msg="request refused" `); ok {
					refused = append(refused, strings.TrimSpace(rest))
				}
			}
			if len(refused) != 1 || refused[0] != tt.want {
				e.t.Errorf("%s: logged %q, want %q", tt.name, refused, tt.want)
			}
		}
		e.wantPost(sid, "4still here", 200, "ok")
	})
}

// What is served here is what clients have said: no browser is to guess its type.
func TestNoSniff(t *testing.T) {
	inBubble(t, Config{CORS: cors.Config{Origins: []string{"https://a.test"}}}, func(e *env) {
		check := func(name string, resp *http.Response, status int) {
			e.t.Helper()
			if got := resp.Header.Values("X-Content-Type-Options"); resp.StatusCode != status || len(got) != 1 || got[0] != "nosniff" {
				e.t.Errorf("%s: got %d %q, want %d nosniff", name, resp.StatusCode, got, status)
			}
		}
		resp, body := e.do("GET", pollingQuery, "")
		check("handshake", resp, 200)
		query := pollingQuery + "&sid=" + parseOpen(e.t, body).SID
		resp, _ = e.do("POST", query, "4hello")
		check("post", resp, 200)
		resp, _ = e.do("GET", query, "")
		check("poll", resp, 200)
		resp, _ = e.do("POST", query, "4"+strings.Repeat("x", 1<<20))
		check("a post over the limit", resp, 413)
		resp, _ = e.answer("GET", pollingQuery+"&sid=nobody")
		check("an unknown session", resp, 400)
		resp, _ = e.answer("OPTIONS", pollingQuery, "Origin", "https://a.test")
		check("preflight", resp, 204)
		resp, _ = e.answer("GET", pollingQuery, "Origin", "https://b.test")
		check("a foreign origin", resp, 403)
		resp, _ = e.answer("GET", webSocketQuery, upgradeFields...)
		check("a WebSocket", resp, 101)
		resp, _ = e.answer("GET", webSocketQuery)
		check("a WebSocket without an upgrade", resp, 400)
	})
}

// Without CORS there is no preflight: OPTIONS is a method that no session and no handshake has, as in Node.
func TestOptionsWithoutCORS(t *testing.T) {
	for _, withCORS := range []bool{false, true} {
		var cfg Config
		if withCORS {
			cfg.CORS.AllowOrigin = func(*http.Request, string) bool { return false }
		}
		inBubble(t, cfg, func(e *env) {
			sid := e.open()
			for query, want := range map[string]string{"": "0", pollingQuery: "2", webSocketQuery: "2", pollingQuery + "&sid=" + sid: "3"} {
				resp, body := e.answer("OPTIONS", query)
				if withCORS {
					if resp.StatusCode != 204 {
						e.t.Errorf("OPTIONS %s with CORS: got %d %s, want 204", query, resp.StatusCode, body)
					}
				} else if resp.StatusCode != 400 || !strings.HasPrefix(body, `{"code":`+want+",") || resp.Header.Get("Access-Control-Allow-Methods") != "" {
					e.t.Errorf("OPTIONS %s: got %d %s, want 400 and code %s", query, resp.StatusCode, body, want)
				}
			}
			e.wantPost(sid, "4still here", 200, "ok")
		})
	}
}
