package engineio

import (
	"testing"

	"github.com/gobwas/ws"
)

// TestProtocol3 has the titles of the official test suite of the third revision. Payloads are written as
// in revision 4, and translated by the client; where the coding is the point, they are not.
func TestProtocol3(t *testing.T) {
	const polling, webSocket = "?EIO=3&transport=polling", "?EIO=3&transport=websocket"
	runSuite(t, "3", 24, []group{
		{"handshake/HTTP long-polling", []test{
			{"successfully opens a session", func(e *env) {
				resp, body := e.do("GET", polling, "")
				if resp.StatusCode != 200 {
					e.t.Errorf("got status %d, want 200", resp.StatusCode)
				}
				checkHandshake(e, body, "websocket")
			}},
			{"fails with an invalid 'transport' query parameter", func(e *env) {
				e.wantStatus("GET", "?EIO=3", 400)
				e.wantStatus("GET", "?EIO=3&transport=abc", 400)
			}},
			{"fails with an invalid request method", func(e *env) {
				e.wantStatus("POST", polling, 400)
			}},
		}},
		{"handshake/WebSocket", []test{
			{"successfully opens a session", func(e *env) {
				c := e.webSocket(webSocket)
				defer c.close()
				checkHandshake(e, c.text())
			}},
			{"fails with an invalid 'EIO' query parameter", func(e *env) {
				// The suite only says that the connection ends; without a number it is of revision 3.
				c := e.webSocket("?transport=websocket")
				checkHandshake(e, c.text())
				c.waitClosed()
				e.wantNoWebSocket("?EIO=abc&transport=websocket")
			}},
			{"fails with an invalid 'transport' query parameter", func(e *env) {
				e.wantNoWebSocket("?EIO=3")
				e.wantNoWebSocket("?EIO=3&transport=abc")
			}},
		}},
		{"message/HTTP long-polling", []test{
			{"sends and receives a payload containing one plain text packet", func(e *env) {
				e.wantRawEcho("&b64=1", "6:4hello", "6:4hello")
			}},
			{"sends and receives a payload containing several plain text packets", func(e *env) {
				e.wantRawEcho("&b64=1", "6:4test16:4test26:4test3", "6:4test16:4test26:4test3")
			}},
			{"sends and receives a payload containing plain text and binary packets (base64 encoded)", func(e *env) {
				e.wantRawEcho("&b64=1", "6:4hello10:b4AQIDBA==", "6:4hello10:b4AQIDBA==")
			}},
			{"sends and receives a payload containing plain text and binary packets (binary)", func(e *env) {
				e.wantRawEcho("", "6:4hello10:b4AQIDBA==", "\x00\x06\xff4hello\x01\x05\xff\x04\x01\x02\x03\x04")
			}},
			{"closes the session upon invalid packet format", func(e *env) {
				sid := e.open()
				e.rawPost(polling+"&sid="+sid, "abc")
				e.wantPoll(sid, 400, "")
			}},
			{"closes the session upon duplicate poll requests", func(e *env) {
				sid := e.open()
				first := e.async(func() { e.wantPoll(sid, 200, "1") })
				e.waitForPoll(sid)
				e.wantPoll(sid, 400, "")
				<-first
				e.wantPoll(sid, 400, "")
			}},
		}},
		{"message/WebSocket", []test{
			{"sends and receives a plain text packet", func(e *env) {
				c, _ := e.openWebSocket()
				defer c.close()
				c.send("4hello")
				c.wantText("4hello")
			}},
			{"sends and receives a binary packet", func(e *env) {
				c, _ := e.openWebSocket()
				defer c.close()
				c.write(clientFrame(true, ws.OpBinary, "\x04\x01\x02\x03\x04"))
				if op, p, err := c.read(); op != ws.OpBinary || p != "\x04\x01\x02\x03\x04" {
					e.t.Errorf("got opcode %x, %q, %v, want the type and the four bytes", op, p, err)
				}
			}},
			{"closes the session upon invalid packet format", func(e *env) {
				c, _ := e.openWebSocket()
				c.send("abc")
				c.waitClosed()
			}},
		}},
		{"heartbeat/HTTP long-polling", []test{
			{"sends ping/pong packets", func(e *env) {
				sid := e.open()
				for range 3 {
					e.wantPost(sid, "2", 200, "ok")
					e.wantPoll(sid, 200, "3")
				}
			}},
			{"closes the session upon ping timeout", func(e *env) {
				sid := e.open()
				e.waitForEnd(sid)
				e.wantPost(sid, "2", 400, "")
			}},
		}},
		{"heartbeat/WebSocket", []test{
			{"sends ping/pong packets", func(e *env) {
				c, _ := e.openWebSocket()
				defer c.close()
				for range 3 {
					c.send("2")
					c.wantText("3")
				}
			}},
			{"closes the session upon ping timeout", func(e *env) {
				c, _ := e.openWebSocket()
				c.waitClosed()
			}},
		}},
		{"close/HTTP long-polling", []test{
			{"forcefully closes the session", func(e *env) {
				sid := e.open()
				poll := e.async(func() { e.wantPoll(sid, 200, "6") })
				e.wantPost(sid, "1", 200, "ok")
				<-poll
				e.wantPoll(sid, 400, "")
			}},
		}},
		{"close/WebSocket", []test{
			{"forcefully closes the session", func(e *env) {
				c, _ := e.openWebSocket()
				c.send("1")
				c.waitClosed()
			}},
		}},
		{"upgrade", []test{
			{"successfully upgrades from HTTP long-polling to WebSocket", func(e *env) {
				sid := e.open()
				c := e.webSocket(webSocket + "&sid=" + sid)
				defer c.close()
				c.send("2probe")
				c.wantText("3probe")
				e.wantPoll(sid, 200, "6")
				c.send("5")
				c.send("4hello")
				c.wantText("4hello")
			}},
			{"ignores HTTP requests with same sid after upgrade", func(e *env) {
				sid := e.open()
				c := e.upgrade(sid)
				defer c.close()
				e.wantPoll(sid, 400, "")
				c.send("4hello")
				c.wantText("4hello")
			}},
			{"ignores WebSocket connection with same sid after upgrade", func(e *env) {
				sid := e.open()
				c := e.upgrade(sid)
				defer c.close()
				second := e.webSocket(webSocket + "&sid=" + sid)
				second.waitClosed()
				c.send("4hello")
				c.wantText("4hello")
			}},
		}},
	})
}
