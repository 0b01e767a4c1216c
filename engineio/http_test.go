package engineio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/engineio/cors"
)

func TestRefusals(t *testing.T) {
	cfg := Config{DisableRevision3: true, AllowRequest: func(r *http.Request) error {
		if r.URL.Query().Get("token") == "bad" {
			return &RequestError{Message: "token is bad"}
		}
		return nil
	}}
	upgrade := []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13",
		"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}
	tests := []struct {
		name, method, query string
		header              []string
		status              int
		body                string
	}{
		{"no transport", "GET", "?EIO=4", nil, 400, `{"code":0,"message":"Transport unknown"}`},
		{"an unknown transport", "GET", "?EIO=4&transport=carrier", nil, 400, `{"code":0,"message":"Transport unknown"}`},
		{"an unknown session", "GET", "?EIO=4&transport=polling&sid=nobody", nil, 400, `{"code":1,"message":"Session ID unknown"}`},
		{"an unknown session on WebSocket", "GET", "?EIO=4&transport=websocket&sid=nobody", upgrade, 400, `{"code":1,"message":"Session ID unknown"}`},
		{"a handshake by POST", "POST", "?EIO=4&transport=polling", nil, 400, `{"code":2,"message":"Bad handshake method"}`},
		{"WebSocket without upgrade", "GET", "?EIO=4&transport=websocket", nil, 400, `{"code":3,"message":"Bad request"}`},
		{"an upgrade to polling", "GET", "?EIO=4&transport=polling", upgrade, 400, `{"code":3,"message":"Bad request"}`},
		{"an upgrade of another version", "GET", "?EIO=4&transport=websocket", append(slices.Clone(upgrade), "Sec-WebSocket-Version", "8"), 400, `{"code":3,"message":"Bad request: the field Sec-WebSocket-Version must be there once, with the value 13"}`},
		{"an upgrade with a bad key", "GET", "?EIO=4&transport=websocket", append(slices.Clone(upgrade), "Sec-WebSocket-Key", "short"), 400, `{"code":3,"message":"Bad request: the field Sec-WebSocket-Key must be there once, with 16 bytes in base64"}`},
		{"a request that is not allowed", "GET", "?EIO=4&transport=polling&token=bad", nil, 403, `{"code":4,"message":"token is bad"}`},
		{"a WebSocket that is not allowed", "GET", "?EIO=4&transport=websocket&token=bad", upgrade, 403, `{"code":4,"message":"token is bad"}`},
		{"a foreign origin", "GET", "?EIO=4&transport=polling", []string{"Origin", "https://evil.test"}, 403,
			`{"code":4,"message":"origin \"https://evil.test\" is not allowed: add it to the server's list of allowed origins"}`},
		{"revision 3", "GET", "?EIO=3&transport=polling", nil, 400, `{"code":5,"message":"Unsupported protocol version"}`},
		{"no revision", "GET", "?transport=polling", nil, 400, `{"code":5,"message":"Unsupported protocol version"}`},
		{"revision 3 on WebSocket", "GET", "?EIO=3&transport=websocket", upgrade, 400, `{"code":5,"message":"Unsupported protocol version"}`},
	}
	inBubble(t, cfg, func(e *env) {
		for _, tt := range tests {
			resp, body := e.do(tt.method, tt.query, "", tt.header...)
			if resp.StatusCode != tt.status || body != tt.body {
				e.t.Errorf("%s: got %d %s, want %d %s", tt.name, resp.StatusCode, body, tt.status, tt.body)
			}
			if got := resp.Header.Get("Content-Type"); got != "application/json" {
				e.t.Errorf("%s: got content type %q, want JSON", tt.name, got)
			}
			if tt.header != nil && tt.header[0] == "Connection" && !resp.Close {
				e.t.Errorf("%s: got no Connection: close", tt.name)
			}
		}
		sid := e.open()
		for _, query := range []string{"?EIO=3&transport=polling", "?transport=polling", "?EIO=4&transport=websocket"} {
			if resp, body := e.do("GET", query+"&sid="+sid, ""); resp.StatusCode != 400 || !strings.Contains(body, `"code":3`) {
				e.t.Errorf("%s for a session: got %d %s, want 400 and code 3", query, resp.StatusCode, body)
			}
		}
		e.wantPost(sid, "4still here", 200, "ok")
		e.wantPoll(sid, 200, "4still here")
	})
}

// An Origin with a control character does not pass net/http, but a server may be mounted elsewhere.
func TestOriginWithControlCharacter(t *testing.T) {
	s := NewServer(Config{Accept: func(s *Session) Handler { return echoHandler{s} }, CORS: cors.Config{Origins: []string{"*"}}})
	r := httptest.NewRequest("GET", base+pollingQuery, nil)
	r.Header.Set("Origin", "https://a\x01b")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != 400 || !strings.Contains(w.Body.String(), `"code":3`) {
		t.Errorf("got %d %s, want 400 and code 3", w.Code, w.Body)
	}
}

func TestOrigins(t *testing.T) {
	tests := []struct {
		name    string
		allowed []string
		origin  string
		status  int
		allow   string // Access-Control-Allow-Origin
	}{
		{"none is sent", nil, "", 200, ""},
		{"its own", nil, "http://engine.test", 200, "http://engine.test"},
		{"its own behind a proxy", nil, "https://ENGINE.test:443", 200, "https://ENGINE.test:443"},
		{"its own host on another port", nil, "http://engine.test:8080", 403, ""},
		{"foreign", nil, "https://a.test", 403, ""},
		{"null", nil, "null", 403, ""},
		{"listed", []string{"https://a.test/"}, "https://a.test", 200, "https://a.test"},
		{"not listed", []string{"https://a.test"}, "https://b.test", 403, ""},
		{"listed with another scheme", []string{"https://a.test"}, "http://a.test", 403, ""},
		{"any", []string{"*"}, "https://a.test", 200, "*"},
		{"any, null", []string{"*"}, "null", 200, "*"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			anyOrigin := slices.Contains(tt.allowed, "*")
			inBubble(t, Config{CORS: cors.Config{Origins: tt.allowed, Credentials: !anyOrigin}}, func(e *env) {
				var header []string
				if tt.origin != "" {
					header = []string{"Origin", tt.origin}
				}
				resp, body := e.do("GET", pollingQuery, "", header...)
				if got := resp.Header.Get("Access-Control-Allow-Origin"); resp.StatusCode != tt.status || got != tt.allow {
					e.t.Errorf("got %d, allowed %q, want %d, %q (%s)", resp.StatusCode, got, tt.status, tt.allow, body)
				}
				if credentials := resp.Header.Get("Access-Control-Allow-Credentials") == "true"; credentials != (tt.allow != "" && tt.allow != "*") {
					e.t.Errorf("got credentials allowed: %v", credentials)
				}
				if tt.status == 200 { // errors must be readable for the page as well
					resp, _ = e.do("GET", pollingQuery+"&sid=nobody", "", header...)
					if got := resp.Header.Get("Access-Control-Allow-Origin"); got != tt.allow {
						e.t.Errorf("on an error: got allowed %q, want %q", got, tt.allow)
					}
				}
				resp, _ = e.do("OPTIONS", pollingQuery, "", append(header, "Access-Control-Request-Method", "POST",
					"Access-Control-Request-Headers", "x-token")...)
				if tt.status == 403 {
					if resp.StatusCode != 403 {
						e.t.Errorf("preflight: got %d, want 403", resp.StatusCode)
					}
					return
				}
				h := resp.Header
				if tt.allowed == nil { // there is nothing to ask
					if resp.StatusCode != 400 || h.Get("Access-Control-Allow-Methods") != "" {
						e.t.Errorf("preflight: got %d %v, want 400", resp.StatusCode, h)
					}
					return
				}
				if resp.StatusCode != 204 || h.Get("Access-Control-Allow-Methods") != "GET,HEAD,PUT,PATCH,POST,DELETE" ||
					h.Get("Access-Control-Allow-Headers") != "x-token" || !slices.Contains(h.Values("Vary"), "Access-Control-Request-Headers") {
					e.t.Errorf("preflight: got %d %v", resp.StatusCode, h)
				}
			})
		})
	}
}

func TestAnswersHaveTheReferencesFields(t *testing.T) {
	inBubble(t, Config{DisableRevision3: true}, func(e *env) {
		check := func(resp *http.Response, contentType string) {
			e.t.Helper()
			if got := resp.Header.Get("Content-Type"); got != contentType {
				e.t.Errorf("got content type %q, want %q", got, contentType)
			}
			if got := resp.Header.Get("Cache-Control"); got != "no-store" {
				e.t.Errorf("got Cache-Control %q, want no-store", got)
			}
		}
		resp, body := e.do("GET", pollingQuery, "")
		check(resp, "text/plain; charset=UTF-8")
		sid := parseOpen(e.t, body).SID
		resp, _ = e.do("POST", pollingQuery+"&sid="+sid, "4€")
		check(resp, "text/html")
		resp, body = e.do("GET", pollingQuery+"&sid="+sid, "")
		check(resp, "text/plain; charset=UTF-8")
		if body != "4€" || resp.ContentLength != 4 {
			e.t.Errorf("got %q with length %d, want 4€ with its length in bytes", body, resp.ContentLength)
		}
	})
}

func TestPostOverLimitKeepsSession(t *testing.T) {
	inBubble(t, Config{MaxPayloadBytes: 1000, DisableRevision3: true}, func(e *env) {
		sid := e.open()
		query := pollingQuery + "&sid=" + sid
		if resp, body := e.do("POST", query, "4"+strings.Repeat("x", 1000)); resp.StatusCode != 413 || body != "" {
			e.t.Errorf("got %d %q, want 413 and nothing", resp.StatusCode, body)
		}
		// Without a length, sent in pieces; the rest never comes.
		r, w := io.Pipe()
		sent := e.async(func() {
			for range 3 {
				io.WriteString(w, strings.Repeat("4", 400))
			}
		})
		req, err := http.NewRequest("POST", base+query, r)
		if err != nil {
			e.t.Fatal(err)
		}
		resp, err := e.client.Do(req)
		if err != nil || resp.StatusCode != 413 {
			e.t.Fatalf("in chunks: got %v, %v, want 413", resp, err)
		}
		resp.Body.Close()
		w.Close()
		<-sent
		e.wantPost(sid, "4"+strings.Repeat("x", 999), 200, "ok")
		e.wantPoll(sid, 200, "4"+strings.Repeat("x", 999))
	})
}

func TestBinaryPostClosesSession(t *testing.T) {
	cfg, sessions := accepting(Config{DisableRevision3: true})
	inBubble(t, cfg, func(e *env) {
		sid := e.open()
		resp, _ := e.do("POST", pollingQuery+"&sid="+sid, "4hello", "Content-Type", "application/octet-stream")
		if resp.StatusCode != 400 {
			e.t.Errorf("got %d, want 400", resp.StatusCode)
		}
		wantClosed(e.t, <-sessions, TransportError)
		e.wantPoll(sid, 400, "")
	})
}

func wantClosed(t *testing.T, r *recorder, reason Reason) {
	t.Helper()
	if got := <-r.closed; got != reason {
		t.Errorf("closed: got %q, want %q", got, reason)
	}
}

func TestDuplicatePostClosesSession(t *testing.T) {
	cfg, sessions := accepting(Config{})
	inBubble(t, cfg, func(e *env) {
		sid := e.open()
		body, w := io.Pipe()
		first := e.async(func() {
			resp, err := e.client.Post(base+e.query(pollingQuery)+"&sid="+sid, "text/plain", body)
			if err == nil {
				resp.Body.Close()
			}
		})
		io.WriteString(w, "4hel")
		synctest.Wait()
		e.wantPost(sid, "4second", 400, "")
		r := <-sessions
		wantClosed(e.t, r, TransportError)
		w.Close()
		<-first
		if got := r.messages(); len(got) > 0 {
			e.t.Errorf("got messages %q after the session has ended", got)
		}
	})
}

// What ends a session tells a GET that waits, and the handler.
func TestReasons(t *testing.T) {
	tests := []struct {
		name    string
		payload string
		poll    string // what the waiting GET gets
		reason  Reason
	}{
		{"the client says goodbye", "1", "6", TransportClose},
		{"a bad packet", "4a\x1eabc", "1", ParseError},
		{"text that is not UTF-8", "4a\x1e4\xff", "1", ParseError},
		{"a ping from the client", "4a\x1e2", "1", TransportError},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg, sessions := accepting(Config{})
			inBubble(t, cfg, func(e *env) {
				tt := tt
				if e.eio == "3" {
					tt.payload = strings.Replace(tt.payload, "\x1e2", "\x1e3", 1) // the wrong direction is the other one
				}
				sid := e.open()
				poll := e.async(func() { e.wantPoll(sid, 200, tt.poll) })
				synctest.Wait()
				e.wantPost(sid, tt.payload, 200, "ok")
				<-poll
				r := <-sessions
				wantClosed(e.t, r, tt.reason)
				if want := strings.Count(tt.payload, "4a"); len(r.messages()) != want {
					e.t.Errorf("got %d messages before the end, want %d", len(r.messages()), want)
				}
				if err := r.session.Send(NewFrame(Message{})); !errors.Is(err, ErrClosed) {
					e.t.Errorf("Send: got %v, want ErrClosed", err)
				}
				e.wantPoll(sid, 400, "")
			})
		})
	}
}

func TestAnsweredPollMayBeCancelled(t *testing.T) {
	cfg, sessions := accepting(Config{})
	inBubble(t, cfg, func(e *env) {
		sid := e.open()
		s := (<-sessions).session
		ctx, cancel := context.WithCancel(e.t.Context())
		poll := e.async(func() {
			if _, body := e.doContext(ctx, "GET", pollingQuery+"&sid="+sid, ""); body != "4one" {
				e.t.Errorf("got %q, want the message", body)
			}
		})
		synctest.Wait()
		s.Send(NewFrame(Message{Data: []byte("one")}))
		<-poll
		cancel()
		synctest.Wait()
		s.Send(NewFrame(Message{Data: []byte("two")}))
		e.wantPoll(sid, 200, "4two")
	})
}

func TestSilentClientIsDropped(t *testing.T) {
	cfg, sessions := accepting(Config{})
	inBubble(t, cfg, func(e *env) {
		start := time.Now()
		e.open()
		c, _ := e.openWebSocket()
		for range 2 {
			wantClosed(e.t, <-sessions, PingTimeout)
			if got := time.Since(start); got != 45*time.Second {
				e.t.Errorf("got dropped after %v, want after 45s", got)
			}
		}
		c.waitClosed()
	})
}

// The client counts from ping to ping, so they come on time whenever the pongs do.
func TestPingsAreOnTime(t *testing.T) {
	cfg, sessions := accepting(Config{PingInterval: 10 * time.Second, PingTimeout: 8 * time.Second, DisableRevision3: true})
	inBubble(t, cfg, func(e *env) {
		start := time.Now()
		c, _ := e.openWebSocket()
		c.conn.SetDeadline(time.Time{})
		for i := range 5 {
			c.wantText("2")
			if got, want := time.Since(start), time.Duration(i+1)*10*time.Second; got != want {
				e.t.Errorf("ping %d: got it after %v, want %v", i, got, want)
			}
			time.Sleep(7 * time.Second)
			c.send("3")
		}
		c.wantText("2")
		time.Sleep(7 * time.Second)
		c.send("4late, but alive") // gives the pong its whole time again, once
		time.Sleep(7 * time.Second)
		c.send("4once more")
		last := time.Now()
		wantClosed(e.t, <-sessions, PingTimeout)
		if got := time.Since(last); got != time.Second {
			e.t.Errorf("got dropped %v after the last message, want 1s", got)
		}
		c.waitClosed()
	})
}

func TestTooManySessions(t *testing.T) {
	inBubble(t, Config{MaxSessions: 2}, func(e *env) {
		e.open()
		sid := e.open()
		if resp, body := e.do("GET", pollingQuery, ""); resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
			e.t.Errorf("got %d %s, want 503 and when to come back", resp.StatusCode, body)
		}
		if _, err := e.tryWebSocket(webSocketQuery); !errors.Is(err, errRefused(503)) {
			e.t.Errorf("got %v, want 503", err)
		}
		e.wantPost(sid, "1", 200, "ok")
		e.open()
	})
}

func TestHandshakeIsKept(t *testing.T) {
	cfg, sessions := accepting(Config{})
	inBubble(t, cfg, func(e *env) {
		resp, _ := e.do("GET", pollingQuery+"&room=a", "", "Cookie", "k=v")
		h := (<-sessions).session.Handshake()
		got := fmt.Sprint(resp.StatusCode, h.Header.Get("Cookie"), h.Query.Get("room"), h.Host, h.RemoteAddr, h.Secure, time.Since(h.Time))
		if want := fmt.Sprint(200, "k=v", "a", "engine.test", "pipe", false, time.Duration(0)); got != want {
			e.t.Errorf("got %s, want %s", got, want)
		}

		c := e.webSocket(webSocketQuery)
		defer c.close()
		s := (<-sessions).session
		if got := fmt.Sprint(s.Handshake().Header); got != "map[]" {
			e.t.Errorf("got fields %s, want none of those that open a WebSocket", got)
		}
	})
}
