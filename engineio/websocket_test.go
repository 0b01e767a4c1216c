package engineio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
)

// A peer that breaks RFC 6455 is told so and dropped, on every kind of connection; what it sends after
// that does not matter.
func TestHostileFrames(t *testing.T) {
	unmasked := rawFrame(ws.Header{Fin: true, OpCode: ws.OpText}, "4hello")
	tests := []struct {
		name string
		in   []byte
		code ws.StatusCode
	}{
		{"unmasked", unmasked, ws.StatusProtocolError},
		{"oversize", header(ws.OpText, 2000), ws.StatusMessageTooBig},
		{"oversize in fragments", slices.Concat(clientFrame(false, ws.OpText, "4"+strings.Repeat("x", 900)),
			clientFrame(true, ws.OpContinuation, strings.Repeat("x", 900))), ws.StatusMessageTooBig},
		{"bad UTF-8", clientFrame(true, ws.OpText, "4\xff"), ws.StatusInvalidFramePayloadData},
		{"reserved bits", rawFrame(ws.Header{Fin: true, Rsv: 4, OpCode: ws.OpText, Masked: true}, "4hello"),
			ws.StatusProtocolError},
		{"bad opcode", rawFrame(ws.Header{Fin: true, OpCode: 5, Masked: true}, ""), ws.StatusProtocolError},
		{"continuation of nothing", clientFrame(true, ws.OpContinuation, "x"), ws.StatusProtocolError},
		{"bad close code", clientFrame(true, ws.OpClose, "\x00\x01"), ws.StatusProtocolError},
	}
	for _, tt := range tests {
		cfg, sessions := accepting(Config{MaxPayloadBytes: 1000})
		f := func(e *env) {
			c, _ := e.openWebSocket()
			c.write(slices.Concat(clientFrame(true, ws.OpText, "4before"), tt.in, clientFrame(true, ws.OpText, "4after")))
			wrote := e.async(func() { io.WriteString(c.conn, strings.Repeat("more", 1000)) })
			r := <-sessions
			wantClosed(e.t, r, TransportError)
			c.wantCloseFrame(tt.code)
			c.close()
			<-wrote
			if got := r.messages(); !slices.Equal(got, []string{"before"}) {
				e.t.Errorf("got messages %q, want only the first", got)
			}
		}
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, cfg, f)
			onLoopback(t, cfg, f)
		})
	}
}

// wantCloseFrame reads until the server says goodbye with that code, and with no text where the client has broken
// RFC 6455.
func (c *wsClient) wantCloseFrame(code ws.StatusCode) {
	c.t.Helper()
	var err error
	for err == nil {
		_, _, err = c.read()
	}
	if closed, ok := errors.AsType[errClosed](err); !ok || closed.code != code {
		c.t.Errorf("got %v, want close code %d", err, code)
	} else if closed.reason != "" && slices.Contains([]ws.StatusCode{ws.StatusProtocolError, ws.StatusInvalidFramePayloadData, ws.StatusMessageTooBig}, code) {
		c.t.Errorf("got the text %q with close code %d, want none", closed.reason, code)
	}
}

func TestWebSocketPackets(t *testing.T) {
	tests := []struct {
		name   string
		in     string
		code   ws.StatusCode
		reason Reason
	}{
		{"a ping from the client, or a pong", "2", ws.StatusPolicyViolation, TransportError},
		{"a packet of no type", "x", ws.StatusInvalidFramePayloadData, ParseError},
		{"an empty packet", "", ws.StatusInvalidFramePayloadData, ParseError},
		{"goodbye", "1", ws.StatusNormalClosure, TransportClose},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg, sessions := accepting(Config{})
			inBubble(t, cfg, func(e *env) {
				tt := tt
				c, _ := e.openWebSocket()
				c.send("6") // means nothing
				c.send("5") // means nothing any more
				if e.eio == "4" {
					c.send("3") // nor does this: no pong is due
				} else if tt.in == "2" {
					tt.in = "3"
				}
				c.send(tt.in)
				c.wantClose(tt.code)
				wantClosed(e.t, <-sessions, tt.reason)
			})
		})
	}
}

func TestFragmentsWithControlFramesBetween(t *testing.T) {
	f := func(e *env) {
		c, _ := e.openWebSocket()
		defer c.close()
		c.write(clientFrame(false, ws.OpText, "4\xe2"))
		c.write(clientFrame(true, ws.OpPing, "are you there?"))
		if op, p, err := c.read(); op != ws.OpPong || p != "are you there?" {
			e.t.Errorf("got opcode %x, %q, %v, want the pong", op, p, err)
		}
		c.write(clientFrame(false, ws.OpContinuation, "\x82"))
		c.write(clientFrame(true, ws.OpContinuation, "\xac"))
		c.wantText("4€")
	}
	inBubble(t, Config{}, f)
	onLoopback(t, Config{}, f)
}

func TestCloseHandshake(t *testing.T) {
	t.Run("by the client", func(t *testing.T) {
		cfg, sessions := accepting(Config{})
		inBubble(t, cfg, func(e *env) {
			c, _ := e.openWebSocket()
			c.write(clientFrame(true, ws.OpClose, "\x0b\xb8bye"))
			c.wantClose(3000)
			wantClosed(e.t, <-sessions, TransportClose)
		})
	})
	t.Run("by the client, without a code", func(t *testing.T) {
		cfg, sessions := accepting(Config{})
		inBubble(t, cfg, func(e *env) {
			c, _ := e.openWebSocket()
			c.write(clientFrame(true, ws.OpClose, ""))
			c.wantClose(0)
			wantClosed(e.t, <-sessions, TransportClose)
		})
	})
	t.Run("by the server, which waits for the answer", func(t *testing.T) {
		cfg, sessions := accepting(Config{})
		inBubble(t, cfg, func(e *env) {
			c, _ := e.openWebSocket()
			r := <-sessions
			r.session.Send(NewFrame(Message{Data: []byte("last words")}))
			r.session.Close(ForcedClose)
			r.session.Close(ServerShutdown) // only the first reason counts
			wantClosed(e.t, r, ForcedClose)
			c.wantText("4last words")
			_, p, err := c.read()
			if closed, ok := errors.AsType[errClosed](err); !ok || closed.code != ws.StatusNormalClosure || closed.reason != "forced close" {
				e.t.Errorf("got %q, %v, want the reason", p, err)
			}
			c.send("4too late")
			c.write(clientFrame(true, ws.OpClose, "\x03\xe8"))
			if _, _, err := c.read(); !errors.Is(err, io.EOF) {
				e.t.Errorf("got %v, want EOF", err)
			}
			if got := r.messages(); len(got) > 0 {
				e.t.Errorf("got %q after the end", got)
			}
		})
	})
	t.Run("by the server, which does not wait for ever", func(t *testing.T) {
		cfg, sessions := accepting(Config{})
		inBubble(t, cfg, func(e *env) {
			c, _ := e.openWebSocket()
			synctest.Wait() // OPEN has left
			(<-sessions).session.Close(ForcedClose)
			start := time.Now()
			c.wantClose(ws.StatusNormalClosure)
			if got := time.Since(start); got != closeNowTimeout {
				e.t.Errorf("got the end after %v, want %v", got, closeNowTimeout)
			}
		})
	})
	t.Run("by a connection that breaks", func(t *testing.T) {
		cfg, sessions := accepting(Config{})
		inBubble(t, cfg, func(e *env) {
			c, _ := e.openWebSocket()
			c.close()
			wantClosed(e.t, <-sessions, TransportClose)
		})
	})
}

// Frames that come in the packet of the handshake, before the 101 was read, are not lost.
func TestFramesRightBehindTheHandshake(t *testing.T) {
	f := func(e *env) {
		conn, err := e.dial()
		if err != nil {
			e.t.Fatal(err)
		}
		defer conn.Close()
		sent := e.async(func() {
			io.WriteString(conn, "GET /"+e.query(webSocketQuery)+" HTTP/1.1\r\nHost: engine.test\r\nConnection: Upgrade\r\n"+
				"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"+
				string(clientFrame(true, ws.OpText, "4early")))
		})
		var got strings.Builder
		buf := make([]byte, 4096)
		for !strings.HasSuffix(got.String(), "\x81\x064early") {
			n, err := conn.Read(buf)
			got.Write(buf[:n])
			if err != nil {
				e.t.Fatalf("got %q, %v, want the echo at its end", got.String(), err)
			}
		}
		<-sent
	}
	inBubble(t, Config{}, f)
	onLoopback(t, Config{}, f)
}

func TestLargeMessages(t *testing.T) {
	large := func(e *env) {
		c, _ := e.openWebSocket()
		defer c.close()
		for _, size := range []int{125, 126, 65_534, 65_535, 65_536, 1_000_000} {
			text := "4" + strings.Repeat("x", size-1)
			sent := e.async(func() { c.send(text) })
			if got := c.text(); got != text {
				e.t.Errorf("%d bytes: got %d", size, len(got))
			}
			<-sent
		}
	}
	inBubble(t, Config{}, large)
	onLoopback(t, Config{}, large)
}

// A handler that panics costs the one call.
func TestHandlerPanics(t *testing.T) {
	cfg := Config{Accept: func(s *Session) Handler { return panicker{echoHandler{s}} }}
	inBubble(t, cfg, func(e *env) {
		c, _ := e.openWebSocket()
		c.send("4panic")
		c.send("4hello")
		c.wantText("4hello")
		c.close()
		sid := e.open()
		e.wantPost(sid, "4panic\x1e4hello", 200, "ok")
		e.wantPoll(sid, 200, "4hello")
	})
}

type panicker struct{ echoHandler }

func (p panicker) Receive(m Message) {
	if string(m.Data) == "panic" {
		panic("as asked")
	}
	p.echoHandler.Receive(m)
}

func (p panicker) Closed(Reason) { panic("to the end") }

func TestAcceptPanics(t *testing.T) {
	inBubble(t, Config{Accept: func(*Session) Handler { panic("no") }}, func(e *env) {
		if resp, body := e.do("GET", pollingQuery, ""); resp.StatusCode != 500 {
			e.t.Errorf("got %d %s, want 500", resp.StatusCode, body)
		}
		c := e.webSocket(webSocketQuery)
		c.waitClosed()
	})
}

// Accept may already send, and even close: OPEN comes first.
func TestAcceptSends(t *testing.T) {
	for _, closing := range []bool{false, true} {
		t.Run(fmt.Sprint(closing), func(t *testing.T) {
			var r *recorder
			cfg := Config{Accept: func(s *Session) Handler {
				r = newRecorder(s)
				s.Send(NewFrame(Message{Data: []byte("welcome")}))
				if closing {
					s.Close(ForcedClose)
				}
				return r
			}}
			inBubble(t, cfg, func(e *env) {
				c, _ := e.openWebSocket()
				c.wantText("4welcome")
				if closing {
					c.wantClose(ws.StatusNormalClosure)
					wantClosed(e.t, r, ForcedClose)
				}
				c.close()
				sid := e.open()
				e.wantPoll(sid, 200, "4welcome")
				if closing {
					e.wantPoll(sid, 200, "1")
					wantClosed(e.t, r, ForcedClose)
				}
			})
		})
	}
}

// Everything may be called from inside the handler.
func TestHandlerCallsBack(t *testing.T) {
	cfg := Config{Accept: func(s *Session) Handler { return closer{s} }}
	f := func(e *env) {
		c, _ := e.openWebSocket()
		c.write(slices.Concat(clientFrame(true, ws.OpText, "4one"), clientFrame(true, ws.OpText, "4two")))
		c.wantText("4websocket")
		c.wantClose(ws.StatusNormalClosure)
		sid := e.open()
		e.wantPost(sid, "4one\x1e4two", 200, "ok")
		e.wantPoll(sid, 200, "4polling")
		e.wantPoll(sid, 200, "1")
		e.wantPoll(sid, 400, "")
	}
	inBubble(t, cfg, f)
	onLoopback(t, cfg, f)
}

type closer struct{ session *Session }

func (h closer) Receive(Message) {
	h.session.Send(NewFrame(Message{Data: []byte(h.session.Transport())}))
	h.session.Close(ForcedClose)
}

func (h closer) Closed(Reason) { h.session.Close(ForcedClose) }

// A handler that blocks holds up its own session's messages, but neither pings nor anyone else.
func TestBlockedHandlerDelaysNobody(t *testing.T) {
	var release chan struct{}
	cfg := Config{PingInterval: 10 * time.Second, DisableRevision3: true}
	cfg.Accept = func(s *Session) Handler { return blocker{echoHandler{s}, release} }
	inBubble(t, cfg, func(e *env) {
		release = make(chan struct{})
		start := time.Now()
		blocked, _ := e.openWebSocket()
		defer blocked.close()
		other, _ := e.openWebSocket()
		defer other.close()
		blocked.send("4block")
		other.send("4hello")
		other.wantText("4hello")
		other.wantText("2")
		blocked.wantText("2")
		if got := time.Since(start); got != 10*time.Second {
			e.t.Errorf("got the pings after %v, want 10s", got)
		}
		close(release)
		blocked.wantText("4block")
	})
}

type blocker struct {
	echoHandler
	release chan struct{}
}

func (b blocker) Receive(m Message) {
	if string(m.Data) == "block" {
		<-b.release
	}
	b.echoHandler.Receive(m)
}

// Who measures a connection is told what has become of it when the poller takes it over.
func TestAdoptedConnectionIsTold(t *testing.T) {
	got := make(chan syscall.RawConn, 1)
	cfg := Config{Hooks: Hooks{Adopted: func(ctx context.Context, c syscall.RawConn) {
		if ctx.Value(http.LocalAddrContextKey) == nil {
			t.Error("the context is not that of the request")
		}
		got <- c
	}}}
	onLoopback(t, cfg, func(e *env) {
		if e.server.cfg.DisablePoller || runtime.GOOS != "linux" {
			return
		}
		for _, open := range []func() *wsClient{
			func() *wsClient { c, _ := e.openWebSocket(); return c },
			func() *wsClient { return e.upgrade(e.open()) },
		} {
			c := open()
			raw := <-got
			port := 0
			err := raw.Control(func(fd uintptr) {
				if peer, err := syscall.Getpeername(int(fd)); err == nil {
					port = peer.(*syscall.SockaddrInet4).Port
				}
			})
			if want := c.conn.LocalAddr().(*net.TCPAddr).Port; err != nil || port != want {
				e.t.Errorf("got a connection with port %d, %v, want %d", port, err, want)
			}
			c.close()
		}
	})
}
