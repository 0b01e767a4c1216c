package engineio

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"jobcast/engineio/cors"
)

// raw sends a request and returns the answer as it is, without translating payloads.
func (e *env) raw(method, query, body string, header ...string) (status int, contentType, answer string) {
	e.t.Helper()
	r, err := http.NewRequest(method, base+query, strings.NewReader(body))
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
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		e.t.Fatalf("%s %s: %v", method, query, err)
	}
	return resp.StatusCode, resp.Header.Get("Content-Type"), string(b)
}

func (e *env) rawPost(query, body string, header ...string) {
	e.t.Helper()
	if status, _, answer := e.raw("POST", query, body, header...); status != 200 || answer != "ok" {
		e.t.Errorf("post %q: got %d %q, want ok", body, status, answer)
	}
}

func (e *env) rawPoll(query string, header ...string) (contentType, answer string) {
	e.t.Helper()
	status, contentType, answer := e.raw("GET", query, "", header...)
	if status != 200 {
		e.t.Errorf("poll: got %d %q, want 200", status, answer)
	}
	return contentType, answer
}

// openRaw opens a session of revision 3 with more in its query, and returns the query of its requests.
func (e *env) openRaw(more string) (query string) {
	e.t.Helper()
	_, body := e.rawPoll("?EIO=3&transport=polling" + more)
	_, packet, _ := strings.Cut(body, ":")
	return "?EIO=3&transport=polling&sid=" + parseOpen(e.t, packet).SID
}

// wantRawEcho opens a session that sends messages back, posts a payload, and compares what a poll gets.
func (e *env) wantRawEcho(more, payload, want string, header ...string) {
	e.t.Helper()
	query := e.openRaw(more)
	e.rawPost(query, payload, header...)
	contentType, got := e.rawPoll(query)
	wantType := "text/plain; charset=UTF-8"
	if strings.ContainsAny(want[:1], "\x00\x01") {
		wantType = "application/octet-stream"
	}
	if got != want || contentType != wantType {
		e.t.Errorf("%q came back as %s %q, want %s %q", payload, contentType, got, wantType, want)
	}
}

func TestRevision3Payloads(t *testing.T) {
	binary := []string{"Content-Type", "application/octet-stream"}
	inBubbleWith(t, "3", Config{}, func(e *env) {
		e.wantRawEcho("", "6:4hello", "6:4hello")
		e.wantRawEcho("", "\x00\x06\xff4hello", "6:4hello", binary...)
		e.wantRawEcho("", "\x01\x04\xff\x04\x00\xff\x1e", "\x01\x04\xff\x04\x00\xff\x1e", binary...)
		e.wantRawEcho("&b64=1", "\x01\x04\xff\x04\x00\xff\x1e", "6:b4AP8e", binary...)
		// Lengths are in UTF-16 units in text, and in bytes in a binary payload.
		e.wantRawEcho("&b64=1", "5:4€\U0001F600!", "5:4€\U0001F600!")
		e.wantRawEcho("", "5:4€\U0001F600!", "\x00\x09\xff4€\U0001F600!")
		// 1.x makes text UTF-8 twice over.
		e.wantRawEcho("", "6:4\u00c3\u00a9\u00e2\u0082\u00ac", "\x00\x06\xff4é€")
		e.wantRawEcho("", "6:4caf\u00e9€", "\x00\x09\xff4café€")
		e.wantRawEcho("", "5:4caf\u00e9", "\x00\x06\xff4café")
		e.wantRawEcho("", "\x00\x01\x02\xff4"+strings.Repeat("x", 11), "12:4"+strings.Repeat("x", 11), binary...)
	})
}

func TestRevision3BadPayloads(t *testing.T) {
	binary := []string{"Content-Type", "application/octet-stream"}
	for name, post := range map[string][]string{
		"a length that is too long":         {"7:4hello"},
		"an enormous length":                {"99999999999999999999999:4"},
		"no length":                         {":4"},
		"not a number":                      {"x:4"},
		"not UTF-8":                         {"3:4\xffa"},
		"half a character":                  {"2:4\U0001F600"},
		"a payload of revision 4":           {"4hello"},
		"a length alone":                    {"3"},
		"an enormous length in binary":      append([]string{"\x01\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\xff\x04"}, binary...),
		"no end of the length in binary":    append([]string{"\x01\x05"}, binary...),
		"no length in binary":               append([]string{"\x01\xff\x04"}, binary...),
		"a type that is not text or binary": append([]string{"\x02\x01\xff4"}, binary...),
		"binary that is not a message":      append([]string{"\x01\x01\xff\x02"}, binary...),
		"text that is not UTF-8 in binary":  append([]string{"\x00\x02\xff4\xff"}, binary...),
	} {
		t.Run(name, func(t *testing.T) {
			cfg, sessions := accepting(Config{})
			inBubbleWith(t, "3", cfg, func(e *env) {
				query := e.openRaw("")
				e.rawPost(query, post[0], post[1:]...)
				wantClosed(e.t, <-sessions, ParseError)
				e.wantStatus("GET", query, 400)
			})
		})
	}
}

func TestRevision3PostOverLimitKeepsSession(t *testing.T) {
	inBubbleWith(t, "3", Config{MaxPayloadBytes: 1000}, func(e *env) {
		query := e.openRaw("")
		if status, _, body := e.raw("POST", query, "996:4"+strings.Repeat("x", 996)); status != 413 || body != "" {
			e.t.Errorf("got %d %q, want 413 and nothing", status, body)
		}
		e.rawPost(query, "996:4"+strings.Repeat("x", 995))
		if _, body := e.rawPoll(query); len(body) != 1000 {
			e.t.Errorf("got %d bytes, want the message", len(body))
		}
	})
}

// Either revision may be asked for on the same path, and a session keeps to its own.
func TestRevisionIsChosenOnce(t *testing.T) {
	inBubbleWith(t, "4", Config{}, func(e *env) {
		old := e.openRaw("")
		if _, body := e.do("GET", "?transport=polling", ""); !strings.HasPrefix(body, "97:0{") {
			e.t.Errorf("got %q where no revision is named, want one of revision 3", body)
		}
		for _, query := range []string{"?EIO=5&transport=polling", "?EIO=abc&transport=polling"} {
			if resp, body := e.do("GET", query, ""); resp.StatusCode != 400 || !strings.Contains(body, `"code":5`) {
				e.t.Errorf("%s: got %d %s, want 400 and code 5", query, resp.StatusCode, body)
			}
		}
		sid := e.open()
		for _, query := range []string{"?EIO=3&transport=polling&sid=" + sid, "?transport=polling&sid=" + sid,
			strings.Replace(old, "EIO=3", "EIO=4", 1)} {
			if resp, body := e.do("GET", query, ""); resp.StatusCode != 400 || !strings.Contains(body, `"code":3`) {
				e.t.Errorf("%s: got %d %s, want 400 and code 3", query, resp.StatusCode, body)
			}
		}
		e.wantPost(sid, "4still here", 200, "ok")
		e.wantPoll(sid, 200, "4still here")
		e.rawPost(old, "11:4still here")
	})
}

// What waited while a session polled has the form of a WebSocket after the upgrade.
func TestRevision3BinaryAcrossUpgrade(t *testing.T) {
	for _, tt := range []struct{ more, want string }{
		{"", "\x04\x01\x02"},
		{"&b64=1", "b4AQI="},
	} {
		cfg, sessions := accepting(Config{})
		inBubbleWith(t, "3", cfg, func(e *env) {
			query := e.openRaw(tt.more)
			c := e.webSocket(strings.Replace(query, "polling", "websocket", 1))
			defer c.close()
			c.send("2probe")
			c.wantText("3probe")
			s := (<-sessions).session
			f := NewFrame(Message{Binary: true, Data: []byte{1, 2}})
			s.Send(f)
			c.send("5")
			s.Send(f)
			for range 2 {
				if _, got, err := c.read(); got != tt.want {
					e.t.Errorf("got %q, %v, want %q", got, err, tt.want)
				}
			}
			synctest.Wait()
			s.mu.Lock()
			waiting := s.out.Bytes()
			s.mu.Unlock()
			if waiting != 0 {
				e.t.Errorf("got %d bytes waiting, want none", waiting)
			}
		})
	}
}

func TestRevision3WebSocketPackets(t *testing.T) {
	for _, tt := range []struct {
		name  string
		frame []byte
	}{
		{"binary without a type", clientFrame(true, ws.OpBinary, "")},
		{"binary that is not a message", clientFrame(true, ws.OpBinary, "\x02")},
		{"binary with the type as text", clientFrame(true, ws.OpBinary, "4a")},
		{"base64 that is none", clientFrame(true, ws.OpText, "b4!")},
		{"base64 that is not a message", clientFrame(true, ws.OpText, "b2AQ==")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg, sessions := accepting(Config{})
			inBubbleWith(t, "3", cfg, func(e *env) {
				c, _ := e.openWebSocket()
				c.write(tt.frame)
				c.wantClose(ws.StatusInvalidFramePayloadData)
				wantClosed(e.t, <-sessions, ParseError)
			})
		})
	}
	inBubbleWith(t, "3", Config{}, func(e *env) {
		c, _ := e.openWebSocket()
		defer c.close()
		c.send("b4AQI=")
		if op, got, err := c.read(); op != ws.OpBinary || got != "\x04\x01\x02" {
			e.t.Errorf("got opcode %x, %q, %v, want the bytes", op, got, err)
		}
	})
}

// The client pings, and may be late with it as long as it sends something.
func TestRevision3Silence(t *testing.T) {
	cfg, sessions := accepting(Config{PingInterval: 10 * time.Second, PingTimeout: 8 * time.Second})
	inBubbleWith(t, "3", cfg, func(e *env) {
		c, _ := e.openWebSocket()
		c.conn.SetDeadline(time.Time{})
		for range 5 {
			time.Sleep(17 * time.Second)
			c.send("2")
			c.wantText("3")
		}
		time.Sleep(17 * time.Second)
		c.send("4hello")
		last := time.Now()
		wantClosed(e.t, <-sessions, PingTimeout)
		if got := time.Since(last); got != 18*time.Second {
			e.t.Errorf("got dropped %v after the last message, want 18s", got)
		}
		c.waitClosed()
	})
}

// jsonpHeader is what a browser says of a script on a page of the server itself.
var jsonpHeader = []string{"Referer", "http://engine.test/page?x=1"}

func TestJSONP(t *testing.T) {
	inBubbleWith(t, "3", Config{}, func(e *env) {
		t := e.t
		contentType, body := e.rawPoll("?EIO=3&transport=polling&b64=1&j=7", jsonpHeader...)
		if contentType != "text/javascript; charset=UTF-8" || !strings.HasPrefix(body, `___eio[7]("97:0{\"sid\":\"`) || !strings.HasSuffix(body, `}");`) {
			t.Fatalf("got %s %q, want the handshake in a script", contentType, body)
		}
		_, sid, _ := strings.Cut(body, `\"sid\":\"`)
		query := "?EIO=3&transport=polling&j=7&sid=" + sid[:20]
		post := func(payload string) {
			t.Helper()
			e.rawPost(query, url.Values{"d": {payload}}.Encode(), append(jsonpHeader, "Content-Type", "application/x-www-form-urlencoded")...)
		}
		want := func(want string) {
			t.Helper()
			if _, got := e.rawPoll(query, jsonpHeader...); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		post(`15:4a "string" & €`)
		want(`___eio[7]("15:4a \"string\" \u0026 €");`)
		post("6:4\u2028</s>")
		want(`___eio[7]("6:4\u2028\u003c/s\u003e");`)
		post("10:b4AQIDBA==")
		want(`___eio[7]("10:b4AQIDBA==");`)
		post(`4:4a\nb`) // a line feed
		want(`___eio[7]("4:4a\nb");`)
		post(`5:4a\\nb`) // a backslash and an n
		want(`___eio[7]("5:4a\\nb");`)

		poll := e.async(func() { want(`___eio[7]("1:6");`) })
		synctest.Wait()
		post("1:1")
		<-poll
	})
}

func TestJSONPIndexIsANumber(t *testing.T) {
	inBubbleWith(t, "3", Config{}, func(e *env) {
		_, body := e.rawPoll("?EIO=3&transport=polling&j=1%5D%3Balert(2)", jsonpHeader...)
		if !strings.HasPrefix(body, "___eio[12](") {
			e.t.Errorf("got %q, want nothing but the digits", body)
		}
	})
}

// A script may come from anywhere, so a request that does not say which page asks is taken for a foreign
// one.
func TestJSONPOrigins(t *testing.T) {
	for _, tt := range []struct {
		name    string
		allowed []string
		header  []string
		status  int
	}{
		{"its own page", nil, jsonpHeader, 200},
		{"same origin", nil, []string{"Sec-Fetch-Site", "same-origin"}, 200},
		{"a foreign page", nil, []string{"Referer", "https://evil.test/"}, 403},
		{"a foreign page that hides", nil, []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"nothing is said", nil, nil, 403},
		{"a listed page", []string{"https://a.test"}, []string{"Referer", "https://a.test/x"}, 200},
		{"an Origin", []string{"https://a.test"}, []string{"Origin", "https://a.test", "Referer", "https://evil.test/"}, 200},
		{"any", []string{"*"}, nil, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubbleWith(t, "3", Config{CORS: cors.Config{Origins: tt.allowed}}, func(e *env) {
				if status, _, body := e.raw("GET", "?EIO=3&transport=polling&j=0", "", tt.header...); status != tt.status {
					e.t.Errorf("got %d %s, want %d", status, body, tt.status)
				}
			})
		})
	}
}
