package engineio

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
)

func TestNoopsUntilTheUpgradeIsDone(t *testing.T) {
	inBubble(t, Config{}, func(e *env) {
		sid := e.open()
		start := time.Now()
		waiting := e.async(func() { e.wantPoll(sid, 200, "6") }) // waits since before the probe
		synctest.Wait()
		c := e.webSocket(webSocketQuery + "&sid=" + sid)
		defer c.close()
		time.Sleep(3 * time.Second) // nothing happens before the probe
		c.send("2probe")
		c.wantText("3probe")
		<-waiting
		for range 3 {
			e.wantPoll(sid, 200, "6")
		}
		if got, want := time.Since(start), 3*time.Second+4*noopPeriod; got != want {
			e.t.Errorf("got four NOOPs in %v, want %v", got, want)
		}
		// Polling still works in both directions.
		e.wantPost(sid, "4by post", 200, "ok")
		e.wantPoll(sid, 200, "4by post")
		c.send("5")
		c.send("4by websocket")
		c.wantText("4by websocket")
		e.wantPoll(sid, 400, "")
		e.wantPost(sid, "4by post", 400, "")
	})
}

func TestUpgradeEndsAPollThatWaits(t *testing.T) {
	inBubble(t, Config{}, func(e *env) {
		sid := e.open()
		waiting := e.async(func() { e.wantPoll(sid, 200, "6") })
		synctest.Wait()
		c := e.upgrade(sid) // without a pause
		defer c.close()
		<-waiting
	})
}

func TestUpgradeThatFailsLeavesPolling(t *testing.T) {
	tests := []struct {
		name string
		fail func(*env, *wsClient)
	}{
		{"nothing comes in time", func(e *env, c *wsClient) { c.waitClosed() }},
		{"no UPGRADE after the probe", func(e *env, c *wsClient) {
			c.send("2probe")
			c.wantText("3probe")
			c.waitClosed()
		}},
		{"a message before UPGRADE", func(e *env, c *wsClient) {
			c.send("4hello")
			c.wantCloseFrame(ws.StatusPolicyViolation)
			c.waitClosed()
		}},
		{"a binary message", func(e *env, c *wsClient) {
			c.write(clientFrame(true, ws.OpBinary, "5"))
			c.wantCloseFrame(ws.StatusPolicyViolation)
			c.waitClosed()
		}},
		{"a broken frame", func(e *env, c *wsClient) {
			c.write(header(ws.OpText, 1<<30))
			c.wantCloseFrame(ws.StatusMessageTooBig)
			c.waitClosed()
		}},
		{"a close frame", func(e *env, c *wsClient) {
			c.write(clientFrame(true, ws.OpClose, ""))
			c.wantCloseFrame(0)
			c.waitClosed()
		}},
		{"the connection breaks", func(e *env, c *wsClient) { c.close() }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, Config{UpgradeTimeout: 3 * time.Second}, func(e *env) {
				sid := e.open()
				c := e.webSocket(webSocketQuery + "&sid=" + sid)
				tt.fail(e, c)
				synctest.Wait()
				e.wantPost(sid, "4still polling", 200, "ok")
				e.wantPoll(sid, 200, "4still polling")
				c = e.upgrade(sid) // and the next attempt may succeed
				defer c.close()
				c.send("4at last")
				c.wantText("4at last")
			})
		})
	}
}

func TestSecondWebSocketIsClosed(t *testing.T) {
	inBubble(t, Config{}, func(e *env) {
		sid := e.open()
		first := e.webSocket(webSocketQuery + "&sid=" + sid)
		defer first.close()
		synctest.Wait() // the server has seen it, though the second may be faster
		second := e.webSocket(webSocketQuery + "&sid=" + sid)
		second.wantCloseFrame(ws.StatusPolicyViolation)
		start := time.Now()
		second.write(clientFrame(true, ws.OpClose, "\x03\xf0"))
		second.waitClosed()
		if d := time.Since(start); d != 0 { // a browser says that it is closed only then
			e.t.Errorf("got the end %v after the close frame, want it at once", d)
		}
		first.send("2probe")
		first.wantText("3probe")
		first.send("5")
		first.send("4hello")
		first.wantText("4hello")

		c, h := e.openWebSocket() // it has never polled
		defer c.close()
		second = e.webSocket(webSocketQuery + "&sid=" + h.SID)
		second.waitClosed()
		c.send("4hello")
		c.wantText("4hello")
	})
}

// A session that ends while it is being upgraded takes the probe with it.
func TestCloseDuringUpgrade(t *testing.T) {
	cfg, sessions := accepting(Config{})
	inBubble(t, cfg, func(e *env) {
		sid := e.open()
		c := e.webSocket(webSocketQuery + "&sid=" + sid)
		c.send("2probe")
		c.wantText("3probe")
		r := <-sessions
		r.session.Send(NewFrame(Message{Data: []byte("last words")}))
		r.session.Close(ForcedClose)
		c.waitClosed()
		e.wantPoll(sid, 200, "4last words")
		e.wantPoll(sid, 200, "1")
		wantClosed(e.t, r, ForcedClose)
	})
}

// TestUpgradeUnderLoad upgrades sessions while both sides send without a break. Nothing is lost and
// nothing changes places.
func TestUpgradeUnderLoad(t *testing.T) {
	const clients, each = 20, 400
	// These clients answer no pings, and over TCP they may take long.
	cfg, sessions := accepting(Config{PingTimeout: time.Hour, UpgradeTimeout: time.Hour})
	f := func(e *env) {
		var done []<-chan struct{}
		for range clients {
			sid := e.open()
			r := <-sessions
			done = append(done, e.async(func() {
				for i := range each {
					if err := r.session.Send(NewFrame(Message{Data: []byte(strconv.Itoa(i))})); err != nil {
						e.t.Errorf("send: %v", err)
						return
					}
					if i%10 == 0 {
						time.Sleep(time.Millisecond)
					}
				}
			}), e.async(func() { upgradeWhileReceiving(e, sid, r, each) }))
		}
		for _, d := range done {
			<-d
		}
	}
	t.Run("pipe", func(t *testing.T) { inBubble(t, cfg, f) })
	t.Run("tcp", func(t *testing.T) { onLoopback(t, cfg, f) })
}

// upgradeWhileReceiving does what the reference client does: it polls, probes, ends its poll, and goes on
// over WebSocket. It posts meanwhile.
func upgradeWhileReceiving(e *env, sid string, r *recorder, each int) {
	var got, sent []string
	take := func(payload string) {
		for p := range strings.SplitSeq(payload, "\x1e") {
			if p != "6" && p != "2" {
				got = append(got, strings.TrimPrefix(p, "4"))
			}
		}
	}
	post := func() {
		s := fmt.Sprintf("up %d", len(sent))
		sent = append(sent, s)
		e.wantPost(sid, "4"+s, 200, "ok")
	}
	for range 3 {
		post()
		if len(got) == each {
			continue // a client that came late has all: there is nothing to poll for
		}
		_, body := e.poll(sid)
		take(body)
	}
	c := e.webSocket(webSocketQuery + "&sid=" + sid)
	defer c.close()
	c.send("2probe")
	polled := e.async(func() { _, body := e.poll(sid); take(body) })
	c.wantText("3probe")
	post()
	<-polled
	c.send("5")
	for range 3 {
		s := fmt.Sprintf("up %d", len(sent))
		sent = append(sent, s)
		c.send("4" + s)
	}
	for len(got) < each {
		take(c.text())
	}
	for i, m := range got {
		if m != strconv.Itoa(i) {
			e.t.Errorf("got %q as message %d", m, i)
			return
		}
	}
	c.send("1")
	<-r.closed
	if up := r.messages(); !slices.Equal(up, sent) {
		e.t.Errorf("the server got %q, want %q", up, sent)
	}
}
