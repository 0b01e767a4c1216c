package engineio

import (
	"bufio"
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"jobcast/internal/websocket/wsframe"
)

var deflateOn = PerMessageDeflate{Enabled: true}

// deflateSocket opens a WebSocket whose client offers extensions, and returns what the server accepts.
func (e *env) deflateSocket(query, offer string) (*wsClient, string) {
	e.t.Helper()
	conn, err := e.dial()
	if err != nil {
		e.t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(time.Minute)) // lest a test hangs
	fmt.Fprintf(conn, "GET /engine.io/%s HTTP/1.1\r\nHost: engine.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: %s\r\n\r\n",
		e.query(query), offer)
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		e.t.Fatalf("got %v, %v", resp, err)
	}
	return &wsClient{e.t, conn, r}, resp.Header.Get("Sec-WebSocket-Extensions")
}

// A wireMessage is a message as it came.
type wireMessage struct {
	op       ws.OpCode
	deflated bool
	bytes    int // of its payload on the wire
	data     string
}

func (c *wsClient) readDeflated() wireMessage {
	c.t.Helper()
	h, err := ws.ReadHeader(c.r)
	if err != nil {
		c.t.Fatal(err)
	}
	p := make([]byte, h.Length)
	if _, err := io.ReadFull(c.r, p); err != nil {
		c.t.Fatal(err)
	}
	m := wireMessage{op: h.OpCode, deflated: h.Rsv1(), bytes: len(p)}
	if !h.Fin || h.Rsv2() || h.Rsv3() || h.Rsv1() && h.OpCode.IsControl() {
		c.t.Errorf("got a frame %+v", h)
	}
	if m.deflated {
		if p, err = io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(p), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff")))); err != nil {
			c.t.Fatalf("inflate: %v", err)
		}
	}
	m.data = string(p)
	return m
}

func (c *wsClient) sendDeflated(op ws.OpCode, data string) {
	c.t.Helper()
	h := ws.Header{Fin: true, Rsv: 4, OpCode: op, Masked: true, Mask: [4]byte{9, 8, 7, 6}}
	c.write(rawFrame(h, string(wsframe.Deflate([]byte(data)))))
}

// binaryType is what precedes the data of a binary message on a WebSocket.
func (e *env) binaryType() string {
	if e.eio == "3" {
		return "\x04"
	}
	return ""
}

const browserOffer = "permessage-deflate; client_max_window_bits"

func TestMessagesAreDeflated(t *testing.T) {
	long := strings.Repeat("all work and no play ", 500)
	run := func(e *env) {
		c, accepted := e.deflateSocket("?EIO=4&transport=websocket", browserOffer)
		defer c.close()
		if want := "permessage-deflate;server_no_context_takeover;client_no_context_takeover"; strings.ReplaceAll(accepted, " ", "") != want {
			e.t.Errorf("got the extensions %q, want %q", accepted, want)
		}
		if m := c.readDeflated(); m.deflated || !strings.HasPrefix(m.data, "0{") {
			e.t.Errorf("got %+v, want an OPEN packet as it is", m)
		}
		for _, test := range []struct {
			op       ws.OpCode
			data     string
			deflated bool
		}{
			{ws.OpText, "4" + long, true},
			{ws.OpBinary, e.binaryType() + long, true},
			{ws.OpText, "4short", false},
			{ws.OpText, "4" + strings.Repeat("x", 1022), false},
			{ws.OpText, "4" + strings.Repeat("x", 1023), true},
			{ws.OpText, "4" + long, true},
		} {
			for _, send := range []func(){
				func() { c.sendDeflated(test.op, test.data) },
				func() { c.write(clientFrame(true, test.op, test.data)) },
			} {
				send()
				m := c.readDeflated()
				if m.op != test.op || m.data != test.data || m.deflated != test.deflated || m.deflated && m.bytes > len(m.data)/10 {
					e.t.Errorf("%d bytes: got %d in %d, deflated %v", len(test.data), len(m.data), m.bytes, m.deflated)
				}
			}
		}
		// A ping is answered as it came, also inside a message.
		p := string(wsframe.Deflate([]byte("4" + long)))
		c.write(slices.Concat(rawFrame(ws.Header{Rsv: 4, OpCode: ws.OpText, Masked: true}, p[:5]),
			clientFrame(true, ws.OpPing, "?"), clientFrame(true, ws.OpContinuation, p[5:])))
		if m := c.readDeflated(); m.op != ws.OpPong || m.data != "?" || m.deflated {
			e.t.Errorf("got %+v, want a pong", m)
		}
		if m := c.readDeflated(); m.data != "4"+long {
			e.t.Errorf("got %d bytes", len(m.data))
		}
	}
	t.Run("pipe", func(t *testing.T) { inBubble(t, Config{PerMessageDeflate: deflateOn}, run) })
	t.Run("loopback", func(t *testing.T) { onLoopback(t, Config{PerMessageDeflate: deflateOn}, run) })
}

func TestMessagesAreNotDeflated(t *testing.T) {
	long := "4" + strings.Repeat("all work and no play ", 500)
	for _, test := range []struct {
		name  string
		cfg   Config
		offer string
	}{
		{"off", Config{}, browserOffer},
		{"not offered", Config{PerMessageDeflate: deflateOn}, "x-other"},
		{"a window that is too small for us", Config{PerMessageDeflate: deflateOn}, "permessage-deflate; server_max_window_bits=9"},
		{"an offer that makes no sense", Config{PerMessageDeflate: deflateOn}, "permessage-deflate; server_max_window_bits=99"},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, test.cfg, func(e *env) {
				c, accepted := e.deflateSocket("?EIO=4&transport=websocket", test.offer)
				defer c.close()
				if accepted != "" {
					t.Errorf("got the extensions %q", accepted)
				}
				c.readDeflated()
				c.send(long)
				if m := c.readDeflated(); m.deflated || m.data != long {
					t.Errorf("got %d bytes, deflated %v", len(m.data), m.deflated)
				}
				c.sendDeflated(ws.OpText, long)
				if m := c.readDeflated(); m.op != ws.OpClose || m.data[:2] != "\x03\xea" {
					t.Errorf("got %+v, want the close code 1002", m)
				}
			})
		})
	}
}

func TestNoCompress(t *testing.T) {
	cfg, sessions := accepting(Config{PerMessageDeflate: PerMessageDeflate{Enabled: true, Threshold: 10}})
	inBubble(t, cfg, func(e *env) {
		c, _ := e.deflateSocket("?EIO=4&transport=websocket", browserOffer)
		defer c.close()
		c.readDeflated()
		s := (<-sessions).session
		data := []byte(strings.Repeat("x", 100))
		for _, test := range []struct {
			m        Message
			deflated bool
		}{
			{Message{Data: data}, true},
			{Message{Data: data, NoCompress: true}, false},
			{Message{Data: data, Binary: true}, true},
			{Message{Data: data, Binary: true, NoCompress: true}, false},
			{Message{Data: data[:8]}, false},
			{Message{Data: data[:9]}, false}, // of 10 bytes with its type, but no smaller when compressed
		} {
			s.Send(NewFrame(test.m))
			if m := c.readDeflated(); m.deflated != test.deflated || !strings.HasSuffix(m.data, string(test.m.Data)) {
				e.t.Errorf("%+v: got %+v", test.m, m)
			}
		}
		s.Send(NewestFrames("k", Message{Data: data, NoCompress: true}, Message{Data: data})...)
		if a, b := c.readDeflated(), c.readDeflated(); a.deflated || !b.deflated {
			e.t.Errorf("got %+v and %+v", a, b)
		}
	})
}

// What is sent to many is compressed once, and a session that has not negotiated it gets it as it is.
func TestDeflatedFrameIsShared(t *testing.T) {
	cfg, sessions := accepting(Config{PerMessageDeflate: deflateOn})
	inBubble(t, cfg, func(e *env) {
		frame := NewFrame(Message{Data: []byte(strings.Repeat("news ", 1000))})
		var clients []*wsClient
		for i := range 6 {
			offer := browserOffer
			if i%2 == 1 {
				offer = "none"
			}
			c, _ := e.deflateSocket("?EIO=4&transport=websocket", offer)
			defer c.close()
			c.readDeflated()
			clients = append(clients, c)
			s := (<-sessions).session
			s.Send(frame)
		}
		for i, c := range clients {
			if m := c.readDeflated(); m.deflated != (i%2 == 0) || m.data != "4"+string(frame.Message().Data) {
				e.t.Errorf("client %d: got %d bytes, deflated %v", i, len(m.data), m.deflated)
			}
		}
		first := frame.Deflated(1024)
		if n := testing.AllocsPerRun(100, func() {
			if frame.Deflated(1024) != first {
				e.t.Error("compressed again")
			}
		}); n != 0 {
			e.t.Errorf("got %v allocations for another client", n)
		}
	})
}

// What waited for a poll goes out as it is, and what comes after the upgrade is compressed.
func TestDeflateAfterUpgrade(t *testing.T) {
	cfg, sessions := accepting(Config{PerMessageDeflate: deflateOn})
	inBubble(t, cfg, func(e *env) {
		sid := e.open()
		s := (<-sessions).session
		c, _ := e.deflateSocket("?EIO=4&transport=websocket&sid="+sid, browserOffer)
		defer c.close()
		c.send("2probe")
		if m := c.readDeflated(); m.data != "3probe" || m.deflated {
			e.t.Fatalf("got %+v", m)
		}
		data := strings.Repeat("news ", 1000)
		s.Send(NewFrame(text(data)))
		c.sendDeflated(ws.OpText, "5")
		for _, deflated := range []bool{false, true} {
			if m := c.readDeflated(); m.data != "4"+data || m.deflated != deflated {
				e.t.Errorf("got %d bytes, deflated %v, want %v", len(m.data), m.deflated, deflated)
			}
			s.Send(NewFrame(text(data)))
		}
	})
}

// What hostile clients compress ends their sessions with the code that fits, and costs others nothing.
func TestBadDeflateEndsTheSession(t *testing.T) {
	for _, test := range []struct {
		name string
		act  func(*wsClient)
		code ws.StatusCode
	}{
		{"a bomb", func(c *wsClient) { c.sendDeflated(ws.OpBinary, strings.Repeat("\x00", 20<<20)) }, ws.StatusMessageTooBig},
		{"no deflate data", func(c *wsClient) {
			c.write([]byte("\xc1\x82\x00\x00\x00\x00\xff\xff"))
		}, ws.StatusInvalidFramePayloadData},
		{"text that is none", func(c *wsClient) { c.sendDeflated(ws.OpText, "4\xff") }, ws.StatusInvalidFramePayloadData},
		{"a compressed ping", func(c *wsClient) { c.sendDeflated(ws.OpPing, "x") }, ws.StatusProtocolError},
		{"another reserved bit", func(c *wsClient) { c.write([]byte("\xa1\x81\x00\x00\x00\x00x")) }, ws.StatusProtocolError},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg, sessions := accepting(Config{PerMessageDeflate: deflateOn})
			inBubble(t, cfg, func(e *env) {
				c, _ := e.deflateSocket("?EIO=4&transport=websocket", browserOffer)
				c.readDeflated()
				r := <-sessions
				go test.act(c)
				c.wantClose(test.code)
				c.close()
				if got := <-r.closed; got != TransportError {
					t.Errorf("got the reason %q", got)
				}
			})
		})
	}
}

// A reader that stops is closed as slow, compressed or not.
func TestDeflateKeepsTheBound(t *testing.T) {
	cfg, sessions := accepting(Config{PerMessageDeflate: deflateOn, MaxQueueBytes: 100_000})
	inBubble(t, cfg, func(e *env) {
		c, _ := e.deflateSocket("?EIO=4&transport=websocket", browserOffer)
		defer c.close()
		c.readDeflated()
		r := <-sessions
		frame := NewFrame(text(strings.Repeat("x", 50_000)))
		sent := 0
		for ; sent < 10_000; sent++ {
			if err := r.session.Send(frame); err != nil {
				if !errors.Is(err, ErrSlow) {
					e.t.Errorf("got %v", err)
				}
				break
			}
		}
		// Two as they are; many more compressed.
		if sent < 100 || sent == 10_000 {
			e.t.Errorf("got %d messages queued", sent)
		}
	})
}
