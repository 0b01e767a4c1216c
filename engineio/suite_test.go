package engineio

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// suiteConfig is the contract of the protocol's official test suites. That of revision 4 takes a request
// that names no revision for a mistake.
func suiteConfig(eio string) Config {
	return Config{PingInterval: 300 * time.Millisecond, PingTimeout: 200 * time.Millisecond, MaxPayloadBytes: 1e6,
		DisableRevision3: eio == "4"}
}

const (
	pollingQuery   = "?EIO=4&transport=polling"
	webSocketQuery = "?EIO=4&transport=websocket"
)

// TestProtocol4 has the titles of the protocol's official test suite, so that the two can be laid side by
// side. Each test runs in fake time over pipes, and over TCP.
func TestProtocol4(t *testing.T) { runSuite(t, "4", 25) }

// TestProtocol3 has those of the suite of the third revision. Queries and payloads are written as in revision 4,
// and translated by the client, but where the coding is the point.
func TestProtocol3(t *testing.T) { runSuite(t, "3", 24) }

// A group is some of a suite's tests.
type group struct {
	title string
	tests []test
}

type test struct {
	title string
	f     func(*env)
	only  string // the revision whose suite has it; "" for both
}

var suite = []group{
	{"handshake/HTTP long-polling", []test{
		{"successfully opens a session", func(e *env) {
			resp, body := e.do("GET", pollingQuery, "")
			if resp.StatusCode != 200 {
				e.t.Errorf("got status %d, want 200", resp.StatusCode)
			}
			checkHandshake(e, body, "websocket")
		}, ""},
		{"fails with an invalid 'EIO' query parameter", func(e *env) {
			e.wantStatus("GET", "?transport=polling", 400)
			e.wantStatus("GET", "?EIO=abc&transport=polling", 400)
		}, "4"},
		{"fails with an invalid 'transport' query parameter", func(e *env) {
			e.wantStatus("GET", "?EIO=4", 400)
			e.wantStatus("GET", "?EIO=4&transport=abc", 400)
		}, ""},
		{"fails with an invalid request method", func(e *env) {
			e.wantStatus("POST", pollingQuery, 400)
			if e.eio == "4" {
				e.wantStatus("PUT", pollingQuery, 400)
			}
		}, ""},
	}},
	{"handshake/WebSocket", []test{
		{"successfully opens a session", func(e *env) {
			c := e.webSocket(webSocketQuery)
			defer c.close()
			checkHandshake(e, c.text())
		}, ""},
		{"fails with an invalid 'EIO' query parameter", func(e *env) {
			if e.eio == "4" {
				e.wantNoWebSocket("?transport=websocket")
			} else { // the suite only says that the connection ends; without a number it is of revision 3
				c := e.webSocket("?transport=websocket")
				checkHandshake(e, c.text())
				c.waitClosed()
			}
			e.wantNoWebSocket("?EIO=abc&transport=websocket")
		}, ""},
		{"fails with an invalid 'transport' query parameter", func(e *env) {
			e.wantNoWebSocket("?EIO=4")
			e.wantNoWebSocket("?EIO=4&transport=abc")
		}, ""},
	}},
	{"message/HTTP long-polling", []test{
		{"sends and receives a payload containing one plain text packet", func(e *env) {
			e.wantEcho("&b64=1", e.either("4hello", "6:4hello"), "")
		}, ""},
		{"sends and receives a payload containing several plain text packets", func(e *env) {
			e.wantEcho("&b64=1", e.either("4test1\x1e4test2\x1e4test3", "6:4test16:4test26:4test3"), "")
		}, ""},
		{"sends and receives a payload containing plain text and binary packets", func(e *env) {
			e.wantEcho("", "4hello\x1ebAQIDBA==", "")
		}, "4"},
		{"sends and receives a payload containing plain text and binary packets (base64 encoded)", func(e *env) {
			e.wantEcho("&b64=1", "6:4hello10:b4AQIDBA==", "")
		}, "3"},
		{"sends and receives a payload containing plain text and binary packets (binary)", func(e *env) {
			e.wantEcho("", "6:4hello10:b4AQIDBA==", "\x00\x06\xff4hello\x01\x05\xff\x04\x01\x02\x03\x04")
		}, "3"},
		{"closes the session upon invalid packet format", func(e *env) {
			sid := e.open()
			e.rawPost(e.query(pollingQuery)+"&sid="+sid, "abc") // the suite takes a refusal or an abort as well
			e.wantPoll(sid, 400, "")
		}, ""},
		{"closes the session upon duplicate poll requests", func(e *env) {
			sid := e.open()
			first := e.async(func() { e.wantPoll(sid, 200, "1") })
			e.waitForPoll(sid)
			e.wantPoll(sid, 400, "")
			<-first
			e.wantPoll(sid, 400, "")
		}, ""},
		{"closes the session upon cancelled polling request", func(e *env) {
			sid := e.open()
			e.abortPoll(sid)
			e.wantPoll(sid, 400, "")
		}, "4"},
	}},
	{"message/WebSocket", []test{
		{"sends and receives a plain text packet", func(e *env) {
			c, _ := e.openWebSocket()
			defer c.close()
			c.send("4hello")
			c.wantText("4hello")
		}, ""},
		{"sends and receives a binary packet", func(e *env) {
			c, _ := e.openWebSocket()
			defer c.close()
			want := e.either("\x01\x02\x03\x04", "\x04\x01\x02\x03\x04") // revision 3 puts the type before the four bytes
			c.write(clientFrame(true, ws.OpBinary, want))
			if op, p, err := c.read(); op != ws.OpBinary || p != want {
				e.t.Errorf("got opcode %x, %q, %v, want %q", op, p, err, want)
			}
		}, ""},
		{"closes the session upon invalid packet format", func(e *env) {
			c, _ := e.openWebSocket()
			c.send("abc")
			c.waitClosed()
		}, ""},
	}},
	{"heartbeat/HTTP long-polling", []test{
		{"sends ping/pong packets", func(e *env) {
			sid := e.open()
			for range 3 {
				if e.eio == "4" { // it is the server that pings
					e.wantPoll(sid, 200, "2")
					e.wantPost(sid, "3", 200, "ok")
				} else {
					e.wantPost(sid, "2", 200, "ok")
					e.wantPoll(sid, 200, "3")
				}
			}
		}, ""},
		{"closes the session upon ping timeout", func(e *env) {
			sid := e.open()
			e.waitForEnd(sid)
			if e.eio == "4" {
				e.wantPoll(sid, 400, "")
			} else {
				e.wantPost(sid, "2", 400, "")
			}
		}, ""},
	}},
	{"heartbeat/WebSocket", []test{
		{"sends ping/pong packets", func(e *env) {
			c, _ := e.openWebSocket()
			defer c.close()
			for range 3 {
				if e.eio == "4" {
					c.wantText("2")
					c.send("3")
				} else {
					c.send("2")
					c.wantText("3")
				}
			}
		}, ""},
		{"closes the session upon ping timeout", func(e *env) {
			c, _ := e.openWebSocket()
			if e.eio == "4" {
				c.wantText("2")
			}
			c.waitClosed()
		}, ""},
	}},
	{"close/HTTP long-polling", []test{
		{"forcefully closes the session", func(e *env) {
			sid := e.open()
			poll := e.async(func() { e.wantPoll(sid, 200, "6") })
			e.wantPost(sid, "1", 200, "ok")
			<-poll
			e.wantPoll(sid, 400, "")
		}, ""},
	}},
	{"close/WebSocket", []test{
		{"forcefully closes the session", func(e *env) {
			c, _ := e.openWebSocket()
			c.send("1")
			c.waitClosed()
		}, ""},
	}},
	{"upgrade", []test{
		{"successfully upgrades from HTTP long-polling to WebSocket", func(e *env) {
			sid := e.open()
			c := e.webSocket(webSocketQuery + "&sid=" + sid)
			defer c.close()
			c.send("2probe")
			c.wantText("3probe")
			e.wantPoll(sid, 200, "6")
			c.send("5")
			c.send("4hello")
			c.wantText("4hello")
		}, ""},
		{"ignores HTTP requests with same sid after upgrade", func(e *env) {
			sid := e.open()
			c := e.upgrade(sid)
			defer c.close()
			e.wantPoll(sid, 400, "")
			c.send("4hello")
			c.wantText("4hello")
		}, ""},
		{"ignores WebSocket connection with same sid after upgrade", func(e *env) {
			sid := e.open()
			c := e.upgrade(sid)
			defer c.close()
			second := e.webSocket(webSocketQuery + "&sid=" + sid)
			second.waitClosed()
			c.send("4hello")
			c.wantText("4hello")
		}, ""},
	}},
}

func runSuite(t *testing.T, eio string, want int) {
	cfg, count := suiteConfig(eio), 0
	patient := cfg // over TCP the time is real, and the client may be late
	patient.PingTimeout = 3 * time.Second
	for _, g := range suite {
		for _, tt := range g.tests {
			if tt.only != "" && tt.only != eio {
				continue
			}
			count++
			name := g.title + "/" + tt.title
			t.Run(name+"/pipe", func(t *testing.T) { inBubbleWith(t, eio, cfg, tt.f) })
			t.Run(name+"/tcp", func(t *testing.T) {
				t.Parallel()
				onLoopbackWith(t, eio, patient, tt.f)
			})
		}
	}
	if count != want {
		t.Errorf("got %d tests, want the suite's %d", count, want)
	}
}

// either returns what the revision under test has of two.
func (e *env) either(revision4, revision3 string) string {
	if e.eio == "4" {
		return revision4
	}
	return revision3
}

// wantEcho posts a payload as it is, and wants it back: as it is too, or in another form. flags are of revision 3.
func (e *env) wantEcho(flags, payload, back string) {
	e.t.Helper()
	if back == "" {
		back = payload
	}
	if e.eio == "3" {
		e.wantRawEcho(flags, payload, back)
		return
	}
	sid := e.open()
	e.wantPost(sid, payload, 200, "ok")
	e.wantPoll(sid, 200, back)
}

func checkHandshake(e *env, packet string, upgrades ...string) {
	t := e.t
	t.Helper()
	h := parseOpen(t, packet)
	want, maxPayload := []string{"maxPayload", "pingInterval", "pingTimeout", "sid", "upgrades"}, 1_000_000
	if e.eio == "3" {
		want, maxPayload = want[1:], 0
	}
	if len(h.SID) != 20 || h.PingInterval != 300 || h.PingTimeout != int(e.server.cfg.PingTimeout.Milliseconds()) || h.MaxPayload != maxPayload ||
		!slices.Equal(h.Upgrades, upgrades) {
		t.Errorf("got %+v, want an id of 20 characters, the upgrades %q, and the configured limits", h, upgrades)
	}
	var fields map[string]any
	if err := json.Unmarshal([]byte(packet[1:]), &fields); err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(fields)); !slices.Equal(got, want) || fields["upgrades"] == nil {
		t.Errorf("got fields %q, want %q", got, want)
	}
}

func (e *env) wantStatus(method, query string, status int) {
	e.t.Helper()
	if resp, body := e.do(method, query, ""); resp.StatusCode != status {
		e.t.Errorf("%s %s: got %d %q, want %d", method, query, resp.StatusCode, body, status)
	}
}

func (e *env) wantNoWebSocket(query string) {
	e.t.Helper()
	if _, err := e.tryWebSocket(query); !errors.Is(err, errRefused(400)) {
		e.t.Errorf("%s: got %v, want a refusal with status 400", query, err)
	}
}

// async runs f beside the test.
func (e *env) async(f func()) (done <-chan struct{}) {
	ch := make(chan struct{})
	go func() {
		defer close(ch)
		f()
	}()
	return ch
}

// abortPoll sends a GET, and goes away while it waits.
func (e *env) abortPoll(sid string) {
	e.t.Helper()
	conn, err := e.dial()
	if err != nil {
		e.t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "GET /engine.io/"+e.query(pollingQuery)+"&sid="+sid+" HTTP/1.1\r\nHost: engine.test\r\n\r\n"); err != nil {
		e.t.Fatal(err)
	}
	e.waitForPoll(sid)
	conn.Close()
	e.waitForEnd(sid)
}

// waitForPoll returns when a GET of the session waits in the server.
func (e *env) waitForPoll(sid string) {
	e.t.Helper()
	e.waitUntil(func() bool {
		s := e.server.lookup(sid)
		if s == nil {
			e.t.Errorf("session %s ended before its poll was seen", sid)
			return true
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.poll != nil
	})
}

// waitForEnd returns when the server knows the session no longer.
func (e *env) waitForEnd(sid string) {
	e.t.Helper()
	e.waitUntil(func() bool { return e.server.lookup(sid) == nil })
}

func (e *env) waitUntil(done func() bool) {
	e.t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			e.t.Fatal("waited for a minute")
		}
	}
}

// upgrade upgrades a session that polls.
func (e *env) upgrade(sid string) *wsClient {
	e.t.Helper()
	c := e.webSocket(webSocketQuery + "&sid=" + sid)
	c.send("2probe")
	c.wantText("3probe")
	c.send("5")
	return c
}
