package engineio

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// The tests in this file are of mistakes that other servers of this protocol have made.

// A revision that is not spoken is code 5 with 400, whatever else may be wrong with the request: code 4
// tells a client that it may not, and clients act on the difference.
func TestUnsupportedRevisionIsNotReportedAsForbidden(t *testing.T) {
	cfg := Config{DisableRevision3: true, AllowRequest: func(*http.Request) error { return errors.New("nobody may") }}
	inBubble(t, cfg, func(e *env) {
		for _, eio := range []string{"", "EIO=3&", "EIO=2&", "EIO=5&", "EIO=04&", "EIO=four&"} {
			for _, transport := range []string{"polling", "websocket"} {
				var header []string
				if transport == "websocket" {
					header = upgradeFields
				}
				resp, body := e.answer("GET", "?"+eio+"transport="+transport, header...)
				if want := `{"code":5,"message":"Unsupported protocol version"}`; resp.StatusCode != 400 || body != want {
					e.t.Errorf("%s %s: got %d %s, want 400 %s", eio, transport, resp.StatusCode, body, want)
				}
			}
		}
		if resp, body := e.answer("GET", pollingQuery); resp.StatusCode != 403 || !strings.Contains(body, `"code":4`) {
			e.t.Errorf("a revision that is spoken: got %d %s, want 403 and code 4", resp.StatusCode, body)
		}
	})
}

// The value of the cookie is the id: without it a load balancer sends every client to the same server.
func TestCookieHasItsValue(t *testing.T) {
	cfg, sessions := accepting(Config{Cookie: DefaultCookie()})
	inBubble(t, cfg, func(e *env) {
		seen := make(map[string]bool)
		for range 2 {
			for _, handshake := range []func() *http.Response{
				func() *http.Response { resp, _ := e.answer("GET", pollingQuery); return resp },
				func() *http.Response { resp, _ := e.answer("GET", webSocketQuery, upgradeFields...); return resp },
			} {
				cookies := handshake().Cookies()
				id := (<-sessions).session.ID()
				if len(cookies) != 1 || cookies[0].Name != "io" || cookies[0].Value != id || seen[id] {
					e.t.Errorf("got cookies %v, want io=%s", cookies, id)
				}
				seen[id] = true
			}
		}
	})
}

// A POST in chunks that grows past the limit is refused as a whole, while it comes in: none of its packets
// is delivered, and what is under the limit is delivered whole.
func TestChunkedPostOverLimitIsRefusedNotCut(t *testing.T) {
	cfg, sessions := accepting(Config{MaxPayloadBytes: 1000})
	inBubble(t, cfg, func(e *env) {
		sid := e.open()
		r := <-sessions
		post := func(chunks ...string) (int, string) {
			e.t.Helper()
			conn, err := e.dial()
			if err != nil {
				e.t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(time.Minute))
			sent := e.async(func() {
				fmt.Fprintf(conn, "POST /engine.io/%s&sid=%s HTTP/1.1\r\nHost: engine.test\r\nTransfer-Encoding: chunked\r\n\r\n",
					e.query(pollingQuery), sid)
				for _, chunk := range chunks { // the last one, which is empty, is left out: the rest never comes
					if _, err := fmt.Fprintf(conn, "%x\r\n%s\r\n", len(chunk), chunk); err != nil {
						return
					}
				}
			})
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				e.t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				e.t.Fatal(err)
			}
			conn.Close()
			<-sent
			return resp.StatusCode, string(body)
		}
		payload := func(n int) string {
			p := "4" + strings.Repeat("x", n-1)
			if e.eio == "3" {
				p = toRevision3(p)
			}
			return p
		}
		small := payload(10)
		sep := ""
		if e.eio == "4" {
			sep = "\x1e"
		}
		whole := small + strings.Repeat(sep+small, 99)
		if status, body := post(whole[:400], whole[400:800], whole[800:]); status != 413 || body != "" {
			e.t.Errorf("over the limit: got %d %q, want 413 and nothing", status, body)
		}
		if got := r.messages(); len(got) > 0 {
			e.t.Errorf("got %d messages of a POST that was refused", len(got))
		}
		large := payload(990)
		if status, body := post(large[:500], large[500:], ""); status != 200 || body != "ok" {
			e.t.Errorf("under the limit: got %d %q, want ok", status, body)
		}
		if got := r.messages(); len(got) != 1 || len(got[0]) != 989 {
			e.t.Errorf("got %d messages, want the one, whole", len(got))
		}
	})
}
