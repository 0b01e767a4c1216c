package engineio

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/engineio/internal/wtframe"
)

// withStreams gives a server WebTransports that are pipes. The client's ends arrive on the channel.
func withStreams(cfg Config) (Config, <-chan net.Conn) {
	clients := make(chan net.Conn, 1)
	cfg.WebTransport = func(http.ResponseWriter, *http.Request) (net.Conn, error) {
		client, server := net.Pipe()
		clients <- client
		return server, nil
	}
	return cfg, clients
}

// A streamClient is the client's end of a WebTransport.
type streamClient struct {
	t       *testing.T
	conn    net.Conn
	reader  wtframe.Reader
	ahead   []byte
	refused chan *httptest.ResponseRecorder // the answer, if there is no WebTransport
}

// stream asks for a WebTransport. A query is not usual.
func (e *env) stream(clients <-chan net.Conn, query string, header ...string) *streamClient {
	e.t.Helper()
	r := httptest.NewRequest(http.MethodConnect, base+query, nil)
	r.Host = "engine.test"
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answered := make(chan *httptest.ResponseRecorder, 1)
	go func() {
		w := httptest.NewRecorder()
		e.server.ServeHTTP(w, r)
		answered <- w
	}()
	c := &streamClient{t: e.t, reader: wtframe.Reader{Limit: 1e6}, refused: answered}
	synctest.Wait()
	select {
	case c.conn = <-clients:
	default:
	}
	return c
}

func (e *env) wantRefusal(c *streamClient, status int, body string) {
	e.t.Helper()
	if c.conn != nil {
		e.t.Fatal("got a WebTransport, want a refusal")
	}
	if w := <-c.refused; w.Code != status || !strings.Contains(w.Body.String(), body) {
		e.t.Errorf("got %d %s, want %d %s", w.Code, w.Body, status, body)
	}
}

func (c *streamClient) write(p []byte) {
	c.t.Helper()
	if _, err := c.conn.Write(p); err != nil {
		c.t.Errorf("write: %v", err)
	}
}

func (c *streamClient) send(isBinary bool, packets ...string) {
	c.t.Helper()
	var all []byte
	for _, p := range packets {
		all = append(wtframe.AppendHeader(all, isBinary, len(p)), p...)
	}
	c.write(all)
}

// read returns the next packet, with a b before it if it is binary.
func (c *streamClient) read() (string, error) {
	buf := make([]byte, 1000)
	for {
		p, rest, ok, err := c.reader.Next(c.ahead)
		if err != nil {
			return "", err
		}
		if ok {
			c.ahead = rest
			if p.Binary {
				return "b" + string(p.Data), nil
			}
			return string(p.Data), nil
		}
		n, err := c.conn.Read(buf)
		if err != nil {
			return "", err
		}
		c.ahead = append([]byte(nil), buf[:n]...)
	}
}

func (c *streamClient) want(packets ...string) {
	c.t.Helper()
	for _, want := range packets {
		if got, err := c.read(); err != nil || got != want {
			c.t.Fatalf("got %q, %v, want %q", got, err, want)
		}
	}
}

func (c *streamClient) wantClosed() {
	c.t.Helper()
	if p, err := c.read(); !errors.Is(err, io.EOF) {
		c.t.Errorf("got %q, %v, want the end of the stream", p, err)
	}
}

// openStream opens a session on a WebTransport.
func (e *env) openStream(clients <-chan net.Conn) (*streamClient, handshake) {
	e.t.Helper()
	c := e.stream(clients, "")
	c.send(false, "0")
	p, err := c.read()
	if err != nil {
		e.t.Fatal(err)
	}
	return c, parseOpen(e.t, p)
}

func TestWebTransportOpensASession(t *testing.T) {
	cfg, clients := withStreams(Config{MaxPayloadBytes: 500})
	inBubbleWith(t, "4", cfg, func(e *env) {
		c, h := e.openStream(clients)
		if h.SID == "" || len(h.Upgrades) != 0 || h.MaxPayload != 500 || h.PingInterval != 25000 {
			t.Errorf("got the handshake %+v", h)
		}
		long := strings.Repeat("x", 400)
		c.send(false, "4hello", "4", "4zażółć", "4"+long)
		c.send(true, "\x00\x01", long, "")
		// A binary message of no bytes comes back in base64: the stock client takes it so.
		c.want("4hello", "4", "4zażółć", "4"+long, "b\x00\x01", "b"+long, "b")

		start := time.Now()
		c.want("2")
		if waited := time.Since(start); waited != 25*time.Second {
			t.Errorf("the ping came after %v", waited)
		}
		c.send(false, "3")
		c.want("2")
		c.wantClosed() // for want of a pong
		if waited := time.Since(start); waited != 70*time.Second+streamLinger {
			t.Errorf("closed after %v", waited)
		}
	})
}

func TestWebTransportTransport(t *testing.T) {
	cfg, sessions := accepting(Config{})
	cfg, clients := withStreams(cfg)
	inBubbleWith(t, "4", cfg, func(e *env) {
		c, _ := e.openStream(clients)
		defer c.conn.Close()
		if got := (<-sessions).session.Transport(); got != "webtransport" {
			t.Errorf("got the transport %q", got)
		}
	})
}

func TestWebTransportIsOffered(t *testing.T) {
	on, _ := withStreams(Config{})
	for _, test := range []struct {
		name string
		cfg  Config
		want map[string]string // by revision
	}{
		{"off", Config{}, map[string]string{"4": "websocket", "3": "websocket"}},
		{"on", on, map[string]string{"4": "websocket webtransport", "3": "websocket"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, test.cfg, func(e *env) {
				_, body := e.do("GET", "?EIO=4&transport=polling", "")
				if got := strings.Join(parseOpen(t, body).Upgrades, " "); got != test.want[e.eio] {
					t.Errorf("got the upgrades %q, want %q", got, test.want[e.eio])
				}
			})
		})
	}
}

func TestWebTransportIsRefused(t *testing.T) {
	var errs []string
	cfg, clients := withStreams(Config{AllowRequest: func(r *http.Request) error {
		if r.Header.Get("Authorization") == "" {
			return nil
		}
		return errors.New("not today")
	}, Hooks: Hooks{Refused: func(e ConnectionError) { errs = append(errs, e.Error()) }}})
	inBubbleWith(t, "4", cfg, func(e *env) {
		for _, test := range []struct {
			query, origin string
			status        int
			body          string
		}{
			{"", "https://evil.example", 403, `"code":4`},
			{"?EIO=3", "", 400, `"code":5`},
		} {
			e.wantRefusal(e.stream(clients, test.query, "Origin", test.origin), test.status, test.body)
		}
		refused := e.stream(clients, "", "Authorization", "none")
		refused.send(false, "0")
		refused.wantClosed()
		unknown := e.stream(clients, "")
		unknown.send(false, `0{"sid":"nope"}`)
		unknown.wantClosed()
		c := e.stream(clients, "?EIO=4", "Origin", "https://engine.test")
		c.send(false, "0")
		if _, err := c.read(); err != nil {
			t.Errorf("the server's own origin: %v", err)
		}
		c.conn.Close()
		// Any other request for that transport is one for none.
		resp, body := e.do("GET", "?EIO=4&transport=webtransport", "")
		if resp.StatusCode != 400 || !strings.Contains(body, `"code":0`) {
			t.Errorf("GET: got %d %s", resp.StatusCode, body)
		}
		want := []string{`code 4: origin "https://evil.example" is not allowed: add it to the server's list of allowed origins`,
			"code 5: Unsupported protocol version", "code 4: Forbidden", "code 1: Session ID unknown", "code 0: Transport unknown"}
		if !slices.Equal(errs, want) {
			t.Errorf("got the errors %q, want %q", errs, want)
		}
	})
	inBubbleWith(t, "4", Config{}, func(e *env) {
		e.wantRefusal(e.stream(nil, "?EIO=4&transport=webtransport"), 400, `"code":0`)
	})
}

// What a client may do wrong before it has a session.
func TestWebTransportHandshakeFails(t *testing.T) {
	cfg, clients := withStreams(Config{MaxPayloadBytes: 1000})
	for name, act := range map[string]func(*streamClient){
		"another packet":      func(c *streamClient) { c.send(false, "4hello") },
		"binary":              func(c *streamClient) { c.send(true, "0") },
		"no packet":           func(c *streamClient) { c.send(false, "x") },
		"an unknown session":  func(c *streamClient) { c.send(false, `0{"sid":"nope"}`) },
		"a sid that is none":  func(c *streamClient) { c.send(false, `0{"sid":5}`) },
		"an empty sid":        func(c *streamClient) { c.send(false, `0{"sid":""}`) },
		"no JSON":             func(c *streamClient) { c.send(false, `0{`) },
		"a header of nothing": func(c *streamClient) { c.write([]byte{0}) },
		"a long packet":       func(c *streamClient) { c.write([]byte("\x7f\xff\xff\xff\xff\xff\xff\xff\xff")) },
		"half a packet":       func(c *streamClient) { c.write([]byte("\x050{")); time.Sleep(9 * time.Second) },
		"silence":             func(c *streamClient) { time.Sleep(9 * time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			inBubbleWith(t, "4", cfg, func(e *env) {
				c := e.stream(clients, "")
				start := time.Now()
				act(c)
				c.wantClosed()
				if waited := time.Since(start); waited > 10*time.Second {
					t.Errorf("closed after %v, want the upgrade timeout at most", waited)
				}
			})
		})
	}
	t.Run("a session that may not be upgraded", func(t *testing.T) {
		cfg, clients := withStreams(Config{DisableUpgrades: true})
		inBubble(t, cfg, func(e *env) {
			c := e.stream(clients, "")
			c.send(false, `0{"sid":"`+e.open()+`"}`)
			c.wantClosed()
		})
	})
	t.Run("a session of revision 3", func(t *testing.T) {
		inBubbleWith(t, "3", cfg, func(e *env) {
			c := e.stream(clients, "")
			c.send(false, `0{"sid":"`+e.open()+`"}`)
			c.wantClosed()
		})
	})
}

// What a client may do wrong in a session.
func TestWebTransportSessionFails(t *testing.T) {
	for _, test := range []struct {
		name   string
		act    func(*streamClient)
		reason Reason
	}{
		{"a packet over the limit", func(c *streamClient) { c.write([]byte("\x7e\x03\xe9")) }, TransportError},
		{"text without a type", func(c *streamClient) { c.write([]byte{0}) }, TransportError},
		{"text that is none", func(c *streamClient) { c.send(false, "4\xff") }, TransportError},
		{"no packet", func(c *streamClient) { c.send(false, "xyz") }, ParseError},
		{"a ping", func(c *streamClient) { c.send(false, "2") }, TransportError},
		{"goodbye", func(c *streamClient) { c.send(false, "1") }, TransportClose},
		{"the end", func(c *streamClient) { c.conn.Close() }, TransportClose},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg, sessions := accepting(Config{MaxPayloadBytes: 1000})
			cfg, clients := withStreams(cfg)
			inBubbleWith(t, "4", cfg, func(e *env) {
				c, _ := e.openStream(clients)
				r := <-sessions
				test.act(c)
				if got := <-r.closed; got != test.reason {
					t.Errorf("got the reason %q, want %q", got, test.reason)
				}
				start := time.Now()
				if _, err := c.read(); err == nil {
					t.Error("got a packet after the end")
				}
				if waited := time.Since(start); waited > streamLinger {
					t.Errorf("the stream was closed after %v", waited)
				}
			})
		})
	}
}

func TestPollingIsUpgradedToWebTransport(t *testing.T) {
	cfg, sessions := accepting(Config{})
	cfg, clients := withStreams(cfg)
	inBubbleWith(t, "4", cfg, func(e *env) {
		sid := e.open()
		r := <-sessions
		c := e.stream(clients, "")
		c.send(false, `0{"sid":"`+sid+`"}`)
		c.send(false, "2probe")
		c.want("3probe")

		other := e.stream(clients, "")
		other.send(false, `0{"sid":"`+sid+`"}`)
		other.wantClosed() // while the first one is at it

		e.wantPoll(sid, 200, "6")
		e.wantPost(sid, "4one", 200, "ok")
		r.session.Send(NewFrame(text("a")), NewFrame(Message{Binary: true, Data: []byte{1}}))
		c.send(false, "5", "4two")
		c.want("4a", "b\x01")
		r.session.Send(NewFrame(text("b")))
		c.want("4b")
		if got := strings.Join(r.messages(), " "); got != "one two" {
			t.Errorf("got the messages %q", got)
		}
		if got := r.session.Transport(); got != "webtransport" {
			t.Errorf("got the transport %q", got)
		}
		e.wantPoll(sid, 400, "")
		late := e.stream(clients, "")
		late.send(false, `0{"sid":"`+sid+`"}`)
		late.wantClosed()
		c.conn.Close()
		if got := <-r.closed; got != TransportClose {
			t.Errorf("got the reason %q", got)
		}
	})
}

// A probe that is not finished costs the session nothing.
func TestWebTransportProbeIsGivenUp(t *testing.T) {
	cfg, clients := withStreams(Config{UpgradeTimeout: 3 * time.Second})
	inBubbleWith(t, "4", cfg, func(e *env) {
		sid := e.open()
		for _, act := range []func(*streamClient){
			func(c *streamClient) { c.send(false, "4not yet") },
			func(c *streamClient) { c.write([]byte{0}) },
			func(*streamClient) {},
		} {
			c := e.stream(clients, "")
			c.send(false, `0{"sid":"`+sid+`"}`)
			c.send(false, "2probe")
			c.want("3probe")
			act(c)
			c.wantClosed()
		}
		e.wantPost(sid, "4still here", 200, "ok")
		e.wantPoll(sid, 200, "4still here")
	})
}

func TestWebTransportIsClosedByTheServer(t *testing.T) {
	cfg, sessions := accepting(Config{})
	cfg, clients := withStreams(cfg)
	for name, end := range map[string]func(*env, *Session){
		"the session": func(_ *env, s *Session) { s.Close(ForcedClose) },
		"the server":  func(e *env, _ *Session) { e.server.Close(e.t.Context()) },
	} {
		t.Run(name, func(t *testing.T) {
			inBubbleWith(t, "4", cfg, func(e *env) {
				c, _ := e.openStream(clients)
				r := <-sessions
				r.session.Send(NewFrame(text("last words")))
				go end(e, r.session)
				start := time.Now()
				c.want("4last words")
				c.wantClosed()
				if waited := time.Since(start); waited != streamLinger {
					t.Errorf("the stream was closed after %v, want %v", waited, streamLinger)
				}
			})
		})
	}
}

func TestWebTransportReaderThatStops(t *testing.T) {
	cfg, sessions := accepting(Config{MaxQueueBytes: 100_000})
	cfg, clients := withStreams(cfg)
	inBubbleWith(t, "4", cfg, func(e *env) {
		c, _ := e.openStream(clients)
		r := <-sessions
		if !r.session.SendVolatile(NewFrame(text("note"))) {
			t.Error("dropped while nothing waited")
		}
		synctest.Wait()
		large := NewFrame(Message{Data: make([]byte, volatileSlack)})
		if err := r.session.Send(large); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if r.session.SendVolatile(NewFrame(text("note"))) {
			t.Error("queued behind what the client does not take")
		}
		if err := r.session.Send(large); !errors.Is(err, ErrSlow) {
			t.Errorf("got %v, want ErrSlow", err)
		}
		if got := <-r.closed; got != SlowConsumer {
			t.Errorf("got the reason %q", got)
		}
		time.Sleep(closeNowTimeout)
		synctest.Wait()
		if _, err := c.read(); !errors.Is(err, io.EOF) {
			// What was being written, and then the end.
			for err == nil {
				_, err = c.read()
			}
		}
	})
}

// Servers hold no more sessions than they may, whatever they come on.
func TestWebTransportsAreCounted(t *testing.T) {
	cfg, clients := withStreams(Config{MaxSessions: 1})
	inBubbleWith(t, "4", cfg, func(e *env) {
		first, _ := e.openStream(clients)
		second := e.stream(clients, "")
		second.send(false, "0")
		second.wantClosed()
		first.conn.Close()
		synctest.Wait()
		third, _ := e.openStream(clients)
		third.conn.Close()
	})
}
