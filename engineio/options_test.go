package engineio

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"jobcast/engineio/cors"
)

// upgradeFields ask for a WebSocket.
var upgradeFields = []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13",
	"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}

// answer returns the answer to a request as it is, and hangs up if that is a WebSocket.
func (e *env) answer(method, query string, header ...string) (*http.Response, string) {
	e.t.Helper()
	r, err := http.NewRequest(method, base+e.query(query), nil)
	if err != nil {
		e.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := e.client.Do(r)
	if err != nil {
		e.t.Fatalf("%s %s: %v", method, query, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return resp, ""
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		e.t.Fatalf("%s %s: %v", method, query, err)
	}
	return resp, string(body)
}

func TestTransports(t *testing.T) {
	const (
		unknown = `{"code":0,"message":"Transport unknown"}`
		onlyWS  = `{"code":0,"message":"Transport unknown: polling is not among those of this server, websocket"}`
		onlyXHR = `{"code":0,"message":"Transport unknown: websocket is not among those of this server, polling"}`
	)
	tests := []struct {
		name       string
		cfg        Config
		upgrades   string // what a client that polls is told, or what it is refused with
		webSocket  string // what a client on WebSocket is refused with
		upgradeEnd string // what an upgrade is refused with
	}{
		{"by default", Config{}, "[websocket]", "", ""},
		{"both", Config{Transports: []string{"websocket", "polling"}}, "[websocket]", "", ""},
		{"polling", Config{Transports: []string{"polling"}}, "[]", onlyXHR, onlyXHR},
		{"WebSocket", Config{Transports: []string{"websocket"}}, onlyWS, "", ""},
		{"no upgrades", Config{DisableUpgrades: true}, "[]", "", `{"code":3,"message":"Bad request"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, tt.cfg, func(e *env) {
				if _, body := e.answer("GET", "?EIO=4&transport=carrier"); body != unknown {
					e.t.Errorf("an unknown transport: got %s", body)
				}
				resp, body := e.answer("GET", webSocketQuery, upgradeFields...)
				if body != tt.webSocket || (resp.StatusCode == 101) != (tt.webSocket == "") {
					e.t.Errorf("WebSocket: got %d %s, want %q", resp.StatusCode, body, tt.webSocket)
				}
				if tt.webSocket == "" {
					if _, h := e.openWebSocket(); h.Upgrades == nil || len(h.Upgrades) > 0 {
						e.t.Errorf("WebSocket: got upgrades %v, want an empty list", h.Upgrades)
					}
				}
				resp, body = e.do("GET", pollingQuery, "")
				if strings.HasPrefix(tt.upgrades, "{") {
					if resp.StatusCode != 400 || body != tt.upgrades {
						e.t.Errorf("polling: got %d %s, want %s", resp.StatusCode, body, tt.upgrades)
					}
					return
				}
				h := parseOpen(e.t, body)
				if got := fmt.Sprint(h.Upgrades); got != tt.upgrades || h.Upgrades == nil {
					e.t.Errorf("polling: got upgrades %#v, want %s", h.Upgrades, tt.upgrades)
				}
				resp, body = e.answer("GET", webSocketQuery+"&sid="+h.SID, upgradeFields...)
				if body != tt.upgradeEnd || (resp.StatusCode == 101) != (tt.upgradeEnd == "") {
					e.t.Errorf("upgrade: got %d %s, want %q", resp.StatusCode, body, tt.upgradeEnd)
				}
				e.wantPost(h.SID, "4still here", 200, "ok")
				e.wantPoll(h.SID, 200, "4still here")
			})
		})
	}
}

func TestBadConfigPanics(t *testing.T) {
	accept := func(s *Session) Handler { return echoHandler{s} }
	for name, cfg := range map[string]Config{
		"no Accept":             {},
		"an unknown transport":  {Accept: accept, Transports: []string{"polling", "sse"}},
		"a cookie without name": {Accept: accept, Cookie: &http.Cookie{Path: "/"}},
		"a cookie that is none": {Accept: accept, Cookie: &http.Cookie{Name: "a b"}},
		"credentials for all":   {Accept: accept, CORS: cors.Config{Origins: []string{"*"}, Credentials: true}},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: NewServer does not panic", name)
				}
			}()
			NewServer(cfg)
		}()
	}
}

func TestAllowRequest(t *testing.T) {
	tests := []struct {
		name   string
		err    error
		status int
		body   string
	}{
		{"an error", errors.New(`dial tcp 10.1.2.3:5432: no "seats"`), 403, `{"code":4,"message":"Forbidden"}`},
		{"made for the client", &RequestError{Message: `no "seats"`}, 403, `{"code":4,"message":"no \"seats\""}`},
		{"one with another inside", errors.Join(errors.New("read the token"), &RequestError{Message: "who?"}), 403, `{"code":4,"message":"who?"}`},
		{"without a text", errors.New(""), 403, `{"code":4,"message":"Forbidden"}`},
		{"with a status", &RequestError{Status: 401, Message: "who are you?"}, 401, `{"code":4,"message":"who are you?"}`},
		{"wrapped", fmt.Errorf("read the token: %w", &RequestError{Status: 503, Message: "try later"}), 503, `{"code":4,"message":"try later"}`},
		{"with nothing", &RequestError{}, 403, `{"code":4,"message":"Forbidden"}`},
		{"with a status of success", &RequestError{Status: 200, Message: "no"}, 403, `{"code":4,"message":"no"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var asked int
			cfg, sessions := accepting(Config{AllowRequest: func(r *http.Request) error {
				asked++
				if r.URL.Query().Get("sid") != "" || r.URL.Query().Get("transport") == "" {
					t.Errorf("asked about %s", r.URL)
				}
				if r.Header.Get("X-Ticket") != "" {
					return nil
				}
				return tt.err
			}})
			inBubble(t, cfg, func(e *env) {
				asked = 0
				for _, answer := range []func() (*http.Response, string){
					func() (*http.Response, string) { return e.answer("GET", pollingQuery) },
					func() (*http.Response, string) { return e.answer("GET", webSocketQuery, upgradeFields...) },
				} {
					if resp, body := answer(); resp.StatusCode != tt.status || body != tt.body {
						e.t.Errorf("got %d %s, want %d %s", resp.StatusCode, body, tt.status, tt.body)
					}
				}
				resp, body := e.do("GET", pollingQuery, "", "X-Ticket", "yes")
				if resp.StatusCode != 200 {
					e.t.Fatalf("got %d %s for a request that is allowed", resp.StatusCode, body)
				}
				e.wantPost(parseOpen(e.t, body).SID, "4hello", 200, "ok")
				if asked != 3 {
					e.t.Errorf("asked %d times, want once for each handshake", asked)
				}
				if <-sessions; len(sessions) > 0 {
					e.t.Error("got a session for a request that was refused")
				}
			})
		})
	}
}

func TestHeaders(t *testing.T) {
	cfg := Config{
		CORS:         cors.Config{Origins: []string{"https://a.test"}},
		AllowRequest: func(r *http.Request) error { return refusedByHeader(r) },
		InitialHeaders: func(h http.Header, r *http.Request) {
			h.Set("X-Initial", r.URL.Query().Get("transport"))
			h.Set("X-Both", "initial")
			h.Del("Cache-Control")
		},
		Headers: func(h http.Header, r *http.Request) {
			h.Set("X-Every", r.Method)
			if h.Get("X-Both") != "" {
				h.Add("X-Both", "every")
			}
			h.Set("Set-Cookie", "mine=1\r\nX-Injected: yes")
		},
	}
	inBubble(t, cfg, func(e *env) {
		check := func(name string, resp *http.Response, status int, initial string, method string) {
			e.t.Helper()
			h := resp.Header
			if got := h.Get("X-Initial"); resp.StatusCode != status || got != initial || h.Get("X-Every") != method {
				e.t.Errorf("%s: got %d %v, want %d with %q and %q", name, resp.StatusCode, h, status, initial, method)
			}
			if got := strings.Join(h["X-Both"], " "); initial != "" && got != "initial every" {
				e.t.Errorf("%s: got the hooks in the order %q", name, got)
			}
			if h.Get("X-Injected") != "" {
				e.t.Errorf("%s: a line feed begins a field of its own: %v", name, h)
			}
		}
		resp, body := e.do("GET", pollingQuery, "", "Origin", "https://a.test")
		check("handshake", resp, 200, "polling", "GET")
		if got := resp.Header.Get("Access-Control-Allow-Origin"); got != "https://a.test" {
			e.t.Errorf("handshake: got allowed %q", got)
		}
		query := pollingQuery + "&sid=" + parseOpen(e.t, body).SID
		resp, _ = e.do("POST", query, "4hello")
		check("post", resp, 200, "", "POST")
		resp, _ = e.do("GET", query, "")
		check("poll", resp, 200, "", "GET")
		resp, _ = e.do("OPTIONS", query, "", "Origin", "https://a.test")
		check("preflight", resp, 204, "", "OPTIONS")
		resp, _ = e.do("POST", query, strings.Repeat("4", 1_000_001))
		check("too large", resp, 413, "", "POST")
		resp, _ = e.do("GET", pollingQuery, "", "X-Refuse", "yes")
		check("refused", resp, 403, "", "GET")
		resp, _ = e.answer("GET", webSocketQuery, append(upgradeFields, "X-Refuse", "yes")...)
		check("refused on WebSocket", resp, 403, "", "GET")
		resp, _ = e.answer("GET", webSocketQuery, append(upgradeFields, "Origin", "https://a.test")...)
		check("WebSocket", resp, 101, "websocket", "GET")
		if got := resp.Header.Get("Access-Control-Allow-Origin"); got != "https://a.test" {
			e.t.Errorf("WebSocket: got allowed %q", got)
		}
		resp, _ = e.answer("GET", strings.Replace(query, "polling", "websocket", 1), upgradeFields...)
		check("upgrade", resp, 101, "", "GET")
	})
}

func refusedByHeader(r *http.Request) error {
	if r.Header.Get("X-Refuse") != "" {
		return errors.New("refused")
	}
	return nil
}

func TestCookie(t *testing.T) {
	custom := DefaultCookie()
	custom.Name, custom.Path, custom.Domain = "affinity", "/custom", "a.test"
	custom.Secure, custom.HttpOnly, custom.SameSite, custom.MaxAge = true, false, http.SameSiteStrictMode, 60
	tests := []struct {
		name   string
		cookie *http.Cookie
		want   string // with SID for the id
	}{
		{"off by default", nil, ""},
		{"on", DefaultCookie(), "io=SID; Path=/; HttpOnly; SameSite=Lax"},
		{"with attributes of its own", custom, "affinity=SID; Path=/custom; Domain=a.test; Max-Age=60; Secure; SameSite=Strict"},
		{"bare", &http.Cookie{Name: "io", Value: "not mine"}, "io=SID"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg, sessions := accepting(Config{Cookie: tt.cookie, Headers: func(h http.Header, _ *http.Request) { h.Add("Set-Cookie", "mine=1") }})
			inBubble(t, cfg, func(e *env) {
				check := func(name string, resp *http.Response, want ...string) {
					e.t.Helper()
					if got := resp.Header["Set-Cookie"]; !slices.Equal(got, append(want, "mine=1")) {
						e.t.Errorf("%s: got cookies %q, want %q", name, got, want)
					}
				}
				var want []string
				resp, body := e.do("GET", pollingQuery, "")
				sid := parseOpen(e.t, body).SID
				<-sessions
				if tt.want != "" {
					want = []string{strings.Replace(tt.want, "SID", sid, 1)}
				}
				check("polling", resp, want...)
				resp, _ = e.do("POST", pollingQuery+"&sid="+sid, "4hello")
				check("post", resp)
				resp, _ = e.answer("GET", webSocketQuery+"&sid="+sid, upgradeFields...)
				check("upgrade", resp)
				resp, _ = e.answer("GET", webSocketQuery, upgradeFields...)
				if tt.want != "" {
					want = []string{strings.Replace(tt.want, "SID", (<-sessions).session.ID(), 1)}
				}
				check("WebSocket", resp, want...)
			})
		})
	}
}

// logged is a log whose text can be read.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf.Reset()
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func TestGenerateID(t *testing.T) {
	log := new(logged)
	cfg := Config{
		Logger: slog.New(slog.NewTextHandler(log, nil)),
		GenerateID: func(r *http.Request) (string, error) {
			switch id := r.Header.Get("X-ID"); id {
			case "fail":
				return "unused", errors.New("out of ids")
			case "panic":
				panic("no id")
			case "nul":
				return "a\x00b", nil
			default:
				return id, nil
			}
		},
	}
	tests := []struct {
		name, id string
		err      string // in the log; "" if the id is taken
	}{
		{"short", "a", ""},
		{"all that an id may have", "azAZ09-._~", ""},
		{"long", strings.Repeat("x", 128), ""},
		{"taken", "a", "in use"},
		{"taken again", "a", "in use"},
		{"empty", "", "is not 1 to 128"},
		{"too long", strings.Repeat("x", 129), "is not 1 to 128"},
		{"with a space", "a b", "is not 1 to 128"},
		{"with a slash", "a/b", "is not 1 to 128"},
		{"with a semicolon", "a;b", "is not 1 to 128"},
		{"with a letter outside ASCII", "ä", "is not 1 to 128"},
		{"with a control character", "nul", "is not 1 to 128"},
		{"that failed", "fail", "out of ids"},
		{"that panicked", "panic", "GenerateID panicked"},
	}
	inBubble(t, cfg, func(e *env) {
		for _, tt := range tests {
			before := len(log.String())
			resp, body := e.do("GET", pollingQuery, "", "X-ID", tt.id)
			if tt.err == "" {
				if got := parseOpen(e.t, body).SID; got != tt.id {
					e.t.Errorf("an id %s: got %q, want %q", tt.name, got, tt.id)
				}
				e.wantPost(tt.id, "4hello", 200, "ok")
				e.wantPoll(tt.id, 200, "4hello")
				continue
			}
			if resp.StatusCode != 400 || body != `{"code":3,"message":"Bad request"}` {
				e.t.Errorf("an id %s: got %d %s, want 400 and code 3", tt.name, resp.StatusCode, body)
			}
			if got := log.String()[before:]; !strings.Contains(got, tt.err) || !strings.Contains(got, "level=ERROR") {
				e.t.Errorf("an id %s: got %q in the log, want %q", tt.name, got, tt.err)
			}
			if resp, _ := e.answer("GET", webSocketQuery, append(upgradeFields, "X-ID", tt.id)...); resp.StatusCode != 400 {
				e.t.Errorf("an id %s on WebSocket: got %d, want 400", tt.name, resp.StatusCode)
			}
		}
		e.wantPost("a", "4whose?", 200, "ok") // the one who came first keeps it
		e.wantPoll("a", 200, "4whose?")
		e.wantPost("a", "1", 200, "ok")
		e.do("GET", pollingQuery+"&sid=a", "")
		if resp, body := e.do("GET", pollingQuery, "", "X-ID", "a"); resp.StatusCode != 200 {
			e.t.Errorf("an id that is free again: got %d %s", resp.StatusCode, body)
		}
	})
}

func TestHTTPCompression(t *testing.T) {
	tests := []struct {
		name   string
		cfg    Config
		accept string
		size   int
		want   string
	}{
		{"a large answer", Config{}, "gzip, deflate, br", 2000, "gzip"},
		{"a very large answer", Config{}, "gzip", 900_000, "gzip"},
		{"deflate", Config{}, "deflate", 2000, "deflate"},
		{"the client has a wish", Config{}, "gzip;q=0.1, deflate", 2000, "deflate"},
		{"at the threshold", Config{}, "gzip", 1024, "gzip"},
		{"below the threshold", Config{}, "gzip", 1000, ""},
		{"another threshold", Config{HTTPCompressionThreshold: 100}, "gzip", 120, "gzip"},
		{"below that", Config{HTTPCompressionThreshold: 5000}, "gzip", 4000, ""},
		{"the client takes none", Config{}, "identity", 2000, ""},
		{"the client takes another", Config{}, "br", 2000, ""},
		{"off", Config{DisableHTTPCompression: true}, "gzip", 2000, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, tt.cfg, func(e *env) {
				sid := e.open()
				query := pollingQuery + "&sid=" + sid
				text := strings.Repeat("x", tt.size-1)
				e.wantPost(sid, "4"+text, 200, "ok")
				resp, body := e.answer("GET", query, "Accept-Encoding", tt.accept)
				if got := resp.Header.Get("Content-Encoding"); got != tt.want || resp.ContentLength != int64(len(body)) {
					e.t.Fatalf("got encoding %q and length %d of %d, want %q", got, resp.ContentLength, len(body), tt.want)
				}
				var plain io.Reader = strings.NewReader(body)
				var err error
				switch tt.want {
				case "gzip":
					plain, err = gzip.NewReader(plain)
				case "deflate":
					plain, err = zlib.NewReader(plain)
				}
				if err != nil {
					e.t.Fatal(err)
				}
				payload, err := io.ReadAll(plain)
				if err != nil || !strings.HasSuffix(string(payload), "4"+text) {
					e.t.Errorf("got %.40q of %d bytes, %v", payload, len(payload), err)
				}
			})
		})
	}
}

func TestConnectionErrors(t *testing.T) {
	var got []ConnectionError
	noTicket, noID := errors.New("no ticket in /etc/tickets"), errors.New("no id")
	cfg := Config{
		DisableUpgrades: true,
		MaxSessions:     1,
		Hooks:           Hooks{Refused: func(e ConnectionError) { got = append(got, e) }},
		AllowRequest: func(r *http.Request) error {
			switch r.Header.Get("X-Refuse") {
			case "":
				return nil
			case "panic":
				panic("refuse")
			}
			return noTicket
		},
		GenerateID: func(r *http.Request) (string, error) {
			if r.Header.Get("X-Refuse-ID") != "" {
				return "", noID
			}
			return "0123456789abcdefghij", nil
		},
	}
	const ws, xhr = "websocket", "polling"
	tests := []struct {
		name          string
		method, query string // EIO=4 stands for the client's revision
		header        []string
		status        int
		want          ConnectionError // without the revision
	}{
		{"an unknown transport", "GET", "?EIO=4&transport=carrier", nil, 400,
			ConnectionError{Code: 0, Context: ErrorContext{Transport: "carrier"}}},
		{"none", "GET", "?EIO=4", upgradeFields, 400, ConnectionError{Code: 0}},
		{"an unknown session", "GET", "?EIO=4&transport=polling&sid=abcdefghijkl", nil, 400,
			ConnectionError{Code: 1, Context: ErrorContext{Transport: xhr, SID: "abcdef"}}},
		{"an unknown session on WebSocket", "GET", "?EIO=4&transport=websocket&sid=abc", upgradeFields, 400,
			ConnectionError{Code: 1, Context: ErrorContext{Transport: ws, SID: "abc"}}},
		{"a handshake by PUT", "PUT", "?EIO=4&transport=polling", nil, 400,
			ConnectionError{Code: 2, Context: ErrorContext{Transport: xhr, Method: "PUT"}}},
		{"a handshake by POST for a WebSocket", "POST", "?EIO=4&transport=websocket", upgradeFields, 400,
			ConnectionError{Code: 2, Context: ErrorContext{Transport: ws, Method: "POST"}}},
		{"WebSocket without upgrade", "GET", "?EIO=4&transport=websocket", nil, 400,
			ConnectionError{Code: 3, Context: ErrorContext{Transport: ws, Name: "TRANSPORT_HANDSHAKE_ERROR"}}},
		{"an upgrade of polling", "GET", "?EIO=4&transport=polling", upgradeFields, 400,
			ConnectionError{Code: 3, Context: ErrorContext{Transport: xhr, Name: "TRANSPORT_HANDSHAKE_ERROR"}}},
		{"no id", "GET", "?EIO=4&transport=polling", []string{"X-Refuse-ID", "yes"}, 400,
			ConnectionError{Code: 3, Context: ErrorContext{Transport: xhr, Name: "ID_GENERATION_ERROR", Err: noID}}},
		{"no id on WebSocket", "GET", "?EIO=4&transport=websocket", append(upgradeFields, "X-Refuse-ID", "yes"), 400,
			ConnectionError{Code: 3, Context: ErrorContext{Transport: ws, Name: "ID_GENERATION_ERROR", Err: noID}}},
		{"a foreign origin", "GET", "?EIO=4&transport=polling", []string{"Origin", "https://b.test"}, 403,
			ConnectionError{Code: 4, Context: ErrorContext{Transport: xhr, Name: "ORIGIN_NOT_ALLOWED", Origin: "https://b.test"}}},
		{"a foreign origin on WebSocket", "GET", "?EIO=4&transport=websocket", append(upgradeFields, "Origin", "https://b.test"), 403,
			ConnectionError{Code: 4, Context: ErrorContext{Transport: ws, Name: "ORIGIN_NOT_ALLOWED", Origin: "https://b.test"}}},
		{"refused", "GET", "?EIO=4&transport=polling", []string{"X-Refuse", "yes"}, 403,
			ConnectionError{Code: 4, Message: "Forbidden", Context: ErrorContext{Transport: xhr, Err: noTicket}}},
		{"refused on WebSocket", "GET", "?EIO=4&transport=websocket", append(upgradeFields, "X-Refuse", "yes"), 403,
			ConnectionError{Code: 4, Message: "Forbidden", Context: ErrorContext{Transport: ws, Err: noTicket}}},
		{"a panic", "GET", "?EIO=4&transport=polling", []string{"X-Refuse", "panic"}, 500,
			ConnectionError{Code: 3, Context: ErrorContext{Transport: xhr, Name: "INTERNAL_ERROR"}}},
		{"another revision", "GET", "?EIO=5&transport=polling", nil, 400,
			ConnectionError{Code: 5, Context: ErrorContext{Transport: xhr, Revision: "5"}}},
		{"another revision on WebSocket", "GET", "?EIO=5&transport=websocket", upgradeFields, 400,
			ConnectionError{Code: 5, Context: ErrorContext{Transport: ws, Revision: "5"}}},
	}
	messages := map[int]string{0: "Transport unknown", 1: "Session ID unknown", 2: "Bad handshake method", 3: "Bad request",
		5: "Unsupported protocol version"}
	inBubble(t, cfg, func(e *env) {
		check := func(name string, resp *http.Response, body string, status int, want ConnectionError) {
			e.t.Helper()
			if len(got) != 1 {
				e.t.Fatalf("%s: got %d reports for %d %s, want one", name, len(got), resp.StatusCode, body)
			}
			report := got[0]
			got = nil
			if report.Request == nil || report.Request.Method != want.Context.Method {
				e.t.Errorf("%s: got the request %v", name, report.Request)
			}
			if !strings.Contains(body, fmt.Sprintf(`"code":%d,`, report.Code)) || resp.StatusCode != status {
				e.t.Errorf("%s: got %d %s, want %d and code %d", name, resp.StatusCode, body, status, report.Code)
			}
			if want.Message == "" {
				want.Message = messages[want.Code]
			}
			if want.Context.Name == "INTERNAL_ERROR" || want.Code == 4 && want.Message == "" {
				want.Message = report.Message
			}
			if report.Request = nil; report != want {
				e.t.Errorf("%s: got %+v, want %+v", name, report, want)
			}
			if want.Context.Err != nil && !errors.Is(report, want.Context.Err) {
				e.t.Errorf("%s: got an error without its cause", name)
			}
		}
		got = nil
		for _, tt := range tests {
			want := tt.want
			if want.Context.Revision == "" {
				want.Context.Revision = e.eio
			}
			if want.Context.Method == "" {
				want.Context.Method = tt.method
			}
			resp, body := e.answer(tt.method, tt.query, tt.header...)
			check(tt.name, resp, body, tt.status, want)
		}

		sid := e.open()
		if len(got) > 0 {
			e.t.Errorf("got %+v for a good request", got)
		}
		context := ErrorContext{Method: "GET", Transport: ws, SID: "012345", Revision: e.eio, Name: "UPGRADE_NOT_ALLOWED"}
		resp, body := e.answer("GET", webSocketQuery+"&sid="+sid, upgradeFields...)
		check("an upgrade", resp, body, 400, ConnectionError{Code: 3, Context: context})
		context.Name = "TRANSPORT_MISMATCH"
		resp, body = e.answer("GET", webSocketQuery+"&sid="+sid)
		check("another transport", resp, body, 400, ConnectionError{Code: 3, Context: context})
		context.Name, context.Transport, context.Revision = "PROTOCOL_MISMATCH", xhr, "9"
		resp, body = e.answer("GET", "?EIO=9&transport=polling&sid="+sid)
		check("another revision for a session", resp, body, 400, ConnectionError{Code: 3, Context: context})
		context = ErrorContext{Method: "GET", Transport: xhr, Revision: e.eio, Name: "TOO_MANY_SESSIONS"}
		resp, body = e.answer("GET", pollingQuery)
		check("one session too many", resp, body, 503, ConnectionError{Code: 3, Message: "Too many sessions", Context: context})

		poll := e.async(func() { e.poll(sid) })
		time.Sleep(time.Second)
		context.Name, context.SID = "REQUEST_OVERLAP", "012345"
		resp, body = e.answer("GET", pollingQuery+"&sid="+sid)
		check("a second poll", resp, body, 400, ConnectionError{Code: 3, Context: context})
		<-poll
	})
}

func TestHooksPanic(t *testing.T) {
	log := new(logged)
	hook := func(http.Header, *http.Request) { panic("hook") }
	cfg := Config{
		Logger:         slog.New(slog.NewTextHandler(log, nil)),
		InitialHeaders: hook,
		Headers:        hook,
		Hooks:          Hooks{Refused: func(ConnectionError) { panic("hook") }},
	}
	inBubble(t, cfg, func(e *env) {
		sid := e.open()
		e.wantPost(sid, "4hello", 200, "ok")
		e.wantPoll(sid, 200, "4hello")
		c, _ := e.openWebSocket()
		c.send("4hello")
		c.wantText("4hello")
		c.close()
		if resp, body := e.do("GET", pollingQuery+"&sid=nobody", ""); resp.StatusCode != 400 || !strings.Contains(body, `"code":1`) {
			e.t.Errorf("got %d %s, want 400 and code 1", resp.StatusCode, body)
		}
	})
	for _, call := range []string{"InitialHeaders", "Headers", "Hooks.Refused"} {
		if !strings.Contains(log.String(), "call="+call) {
			t.Errorf("the log does not say that %s panicked", call)
		}
	}
}
