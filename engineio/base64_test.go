package engineio

import (
	"bytes"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// A client may send binary as it is, or in base64 within text, on every transport, and may have asked that this
// transport carry no binary to it: the stock client's forceBase64.
func TestBinaryInEveryForm(t *testing.T) {
	const data = "\x00\xfftwo"
	type form struct {
		op      ws.OpCode
		message string
	}
	forms := map[string]map[bool]form{ // by revision, and whether it is base64
		"4": {false: {ws.OpBinary, data}, true: {ws.OpText, "bAP90d28="}},
		"3": {false: {ws.OpBinary, "\x04" + data}, true: {ws.OpText, "b4AP90d28="}},
	}
	cfg, sessions := accepting(Config{})
	run := func(e *env) {
		for len(sessions) > 0 {
			<-sessions
		}
		// wantBoth sends both forms to the server, and has it send first, so that no answer repeats what came.
		wantBoth := func(name string, c *wsClient, r *recorder, base64 bool) {
			e.t.Helper()
			for range 2 {
				if err := r.session.Send(NewFrame(Message{Binary: true, Data: []byte(data)})); err != nil {
					e.t.Errorf("%s: send: %v", name, err)
				}
				want := forms[e.eio][base64]
				if op, got, err := c.read(); err != nil || op != want.op || got != want.message {
					e.t.Errorf("%s: got opcode %x %q, %v, want %x %q", name, op, got, err, want.op, want.message)
				}
			}
			for _, sent := range forms[e.eio] {
				c.write(clientFrame(true, sent.op, sent.message))
			}
			c.write(clientFrame(false, ws.OpText, forms[e.eio][true].message[:4])) // in two frames
			c.write(clientFrame(true, ws.OpContinuation, forms[e.eio][true].message[4:]))
			empty := map[string]string{"4": "b", "3": "b4"}[e.eio]
			c.write(clientFrame(true, ws.OpText, empty))
			c.write(clientFrame(true, ws.OpText, "4last"))
			waitFor(e.t, func() bool { return len(r.messages()) == 5 })
			for i, want := range []string{data, data, data, "", "last"} {
				if got := r.messages()[i]; got != want {
					e.t.Errorf("%s: message %d is %q, want %q", name, i, got, want)
				}
			}
			c.close()
		}
		for query, base64 := range map[string]bool{"": false, "&b64=1": true, "&b64=": false} {
			c := e.webSocket(webSocketQuery + query)
			parseOpen(e.t, c.text())
			wantBoth("from the start, "+query, c, <-sessions, base64)
		}
		// The transports of one session each have what was asked for them; in revision 3 the first speaks for all.
		for _, first := range []string{"", "&b64=1"} {
			for second, base64 := range map[string]bool{"": false, "&b64=1": true} {
				base64 := base64 || first != "" && e.eio == "3"
				_, body := e.do("GET", pollingQuery+first, "")
				sid := parseOpen(e.t, body).SID
				r := <-sessions
				if err := r.session.Send(NewFrame(Message{Binary: true, Data: []byte(data)})); err != nil {
					e.t.Error(err)
				}
				c := e.webSocket(webSocketQuery + "&sid=" + sid + second)
				c.send("2probe")
				c.wantText("3probe")
				c.send("5")
				want := forms[e.eio][base64]
				if op, got, err := c.read(); err != nil || op != want.op || got != want.message { // it has waited
					e.t.Errorf("upgraded %q to %q: got opcode %x %q, %v, want %x %q", first, second, op, got, err, want.op, want.message)
				}
				wantBoth("upgraded, "+first+", "+second, c, r, base64)
			}
		}
		sid := e.open()
		r := <-sessions
		e.wantPost(sid, "bAP90d28=\x1eb\x1e4last", 200, "ok")
		waitFor(e.t, func() bool { return len(r.messages()) == 3 })
		if got := r.messages(); got[0] != data || got[1] != "" {
			e.t.Errorf("while polling: got %q", got)
		}
	}
	t.Run("pipe", func(t *testing.T) { inBubble(t, cfg, run) })
	t.Run("loopback", func(t *testing.T) { onLoopback(t, cfg, run) })
}

// A message in base64 is text, and compressed like any other.
func TestBase64IsDeflated(t *testing.T) {
	data := bytes.Repeat([]byte("abc"), 1000)
	cfg, sessions := accepting(Config{PerMessageDeflate: deflateOn})
	inBubble(t, cfg, func(e *env) {
		c, _ := e.deflateSocket(webSocketQuery+"&b64=1", browserOffer)
		defer c.close()
		c.readDeflated()
		r := <-sessions
		if err := r.session.Send(NewFrame(Message{Binary: true, Data: data})); err != nil {
			e.t.Error(err)
		}
		m := c.readDeflated()
		head := map[string]string{"4": "b", "3": "b4"}[e.eio]
		if want := len(head) + 4000; m.op != ws.OpText || !m.deflated || len(m.data) != want || m.data[:len(head)+4] != head+"YWJj" {
			e.t.Errorf("got %.40q of %d bytes, opcode %x, deflated %v, want %d", m.data, len(m.data), m.op, m.deflated, want)
		}
	})
}

func TestBadBase64IsAParseError(t *testing.T) {
	cfg, sessions := accepting(Config{})
	inBubble(t, cfg, func(e *env) {
		c, _ := e.openWebSocket()
		r := <-sessions
		c.send(map[string]string{"4": "b!!!!", "3": "b4!!!!"}[e.eio])
		wantClosed(e.t, r, ParseError)
		c.waitClosed()
	})
	streams, clients := withStreams(cfg)
	inBubbleWith(t, "4", streams, func(e *env) {
		c, _ := e.openStream(clients)
		r := <-sessions
		c.send(false, "bAP90d28=", "b", "4last")
		waitFor(e.t, func() bool { return len(r.messages()) == 3 })
		if got := r.messages(); got[0] != "\x00\xfftwo" || got[1] != "" {
			e.t.Errorf("on a WebTransport: got %q", got)
		}
		c.send(false, "b!!!!")
		wantClosed(e.t, r, ParseError)
	})
}

// waitFor waits until a condition holds that other goroutines bring about.
func waitFor(t *testing.T, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain")
		}
	}
}
