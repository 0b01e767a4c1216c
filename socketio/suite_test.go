package socketio_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The titles are those of the official test suite of socket.io-protocol v5, one test of ours for each,
// over HTTP and WebSocket on connections in memory.
func TestSuite(t *testing.T) {
	run := func(title string, test func(t *testing.T, w *world)) {
		t.Run(title, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, newWorld(t)) })
		})
	}

	wantOpen := func(t *testing.T, packet string, upgrades int) {
		t.Helper()
		var open struct {
			SID                                   string
			Upgrades                              []string
			PingInterval, PingTimeout, MaxPayload int
		}
		body, ok := strings.CutPrefix(packet, "0")
		keys := map[string]json.RawMessage{}
		if !ok || json.Unmarshal([]byte(body), &open) != nil || json.Unmarshal([]byte(body), &keys) != nil {
			t.Fatalf("got %q, want an OPEN packet", packet)
		}
		if got := slices.Sorted(maps.Keys(keys)); !slices.Equal(got, []string{"maxPayload", "pingInterval", "pingTimeout", "sid", "upgrades"}) {
			t.Errorf("got keys %q", got)
		}
		if open.SID == "" || open.Upgrades == nil || len(open.Upgrades) != upgrades || open.PingInterval != 300 || open.PingTimeout != 200 || open.MaxPayload != 1e6 {
			t.Errorf("got %s", packet)
		}
	}

	run("Engine.IO protocol/handshake/HTTP long-polling/should successfully open a session", func(t *testing.T, w *world) {
		status, body := w.request("GET", "EIO=4&transport=polling", "")
		if status != 200 {
			t.Errorf("got status %d, want 200", status)
		}
		wantOpen(t, body, 1)
	})
	refusedRequests := func(method string, queries ...string) func(*testing.T, *world) {
		return func(t *testing.T, w *world) {
			for _, q := range queries {
				if status, _ := w.request(method, q, ""); status != 400 {
					t.Errorf("%s %s: got status %d, want 400", method, q, status)
				}
			}
		}
	}
	run("Engine.IO protocol/handshake/HTTP long-polling/should fail with an invalid 'EIO' query parameter",
		refusedRequests("GET", "transport=polling", "EIO=abc&transport=polling"))
	run("Engine.IO protocol/handshake/HTTP long-polling/should fail with an invalid 'transport' query parameter",
		refusedRequests("GET", "EIO=4", "EIO=4&transport=abc"))
	run("Engine.IO protocol/handshake/HTTP long-polling/should fail with an invalid request method", func(t *testing.T, w *world) {
		refusedRequests("POST", "EIO=4&transport=polling")(t, w)
		refusedRequests("PUT", "EIO=4&transport=polling")(t, w)
	})

	run("Engine.IO protocol/handshake/WebSocket/should successfully open a session", func(t *testing.T, w *world) {
		wantOpen(t, w.dial("").receive(), 0)
	})
	refusedDials := func(queries ...string) func(*testing.T, *world) {
		return func(t *testing.T, w *world) {
			for _, q := range queries {
				if c, err := w.dialQuery(q); err == nil {
					c.wantClosed()
				}
			}
		}
	}
	run("Engine.IO protocol/handshake/WebSocket/should fail with an invalid 'EIO' query parameter",
		refusedDials("transport=websocket", "EIO=abc&transport=websocket"))
	run("Engine.IO protocol/handshake/WebSocket/should fail with an invalid 'transport' query parameter",
		refusedDials("EIO=4", "EIO=4&transport=abc"))

	run("Engine.IO protocol/heartbeat/HTTP long-polling/should send ping/pong packets", func(t *testing.T, w *world) {
		sid := w.open()
		for range 3 {
			start := time.Now()
			w.wantPoll(sid, 200, "2")
			if d := time.Since(start); d != 300*time.Millisecond {
				t.Errorf("ping after %v, want 300ms", d)
			}
			w.post(sid, "3")
		}
	})
	run("Engine.IO protocol/heartbeat/HTTP long-polling/should close the session upon ping timeout", func(t *testing.T, w *world) {
		sid := w.open()
		time.Sleep(500 * time.Millisecond)
		w.wantPoll(sid, 400, "")
	})
	run("Engine.IO protocol/heartbeat/WebSocket/should send ping/pong packets", func(t *testing.T, w *world) {
		c := w.dial("")
		c.receive()
		for range 3 {
			c.want("2")
			c.send("3")
		}
	})
	run("Engine.IO protocol/heartbeat/WebSocket/should close the session upon ping timeout", func(t *testing.T, w *world) {
		c := w.dial("")
		c.receive()
		c.want("2")
		c.wantClosed()
	})

	run("Engine.IO protocol/close/HTTP long-polling/should forcefully close the session", func(t *testing.T, w *world) {
		sid := w.open()
		polled := make(chan struct{})
		go func() {
			defer close(polled)
			w.wantPoll(sid, 200, "6")
		}()
		synctest.Wait()
		w.post(sid, "1")
		<-polled
		w.wantPoll(sid, 400, "")
	})
	run("Engine.IO protocol/close/WebSocket/should forcefully close the session", func(t *testing.T, w *world) {
		c := w.dial("")
		c.receive()
		c.send("1")
		c.wantClosed()
	})

	run("Engine.IO protocol/upgrade/should successfully upgrade from HTTP long-polling to WebSocket", func(t *testing.T, w *world) {
		c := w.upgrade(w.open())
		c.send("40")
		c.wantPrefix(`40{"sid":"`)
	})
	run("Engine.IO protocol/upgrade/should ignore HTTP requests with same sid after upgrade", func(t *testing.T, w *world) {
		sid := w.open()
		w.upgrade(sid)
		w.wantPoll(sid, 400, "")
	})
	run("Engine.IO protocol/upgrade/should ignore WebSocket connection with same sid after upgrade", func(t *testing.T, w *world) {
		sid := w.open()
		c := w.upgrade(sid)
		if other, err := w.dialQuery("EIO=4&transport=websocket&sid=" + sid); err == nil {
			other.wantClosed()
		}
		c.send("40")
		c.wantPrefix(`40{"sid":"`)
	})

	connected := func(connect, answer, auth string) func(*testing.T, *world) {
		return func(t *testing.T, w *world) {
			c := w.dial("")
			c.receive()
			c.send(connect)
			body, ok := strings.CutPrefix(c.receive(), answer)
			var handshake map[string]string
			if err := json.Unmarshal([]byte(body), &handshake); !ok || err != nil || len(handshake) != 1 || handshake["sid"] == "" {
				t.Errorf("got %s, want %s with a sid", body, answer)
			}
			c.want(auth)
		}
	}
	run("Socket.IO protocol/connect/should allow connection to the main namespace",
		connected(`40`, `40`, `42["auth",{}]`))
	run("Socket.IO protocol/connect/should allow connection to the main namespace with a payload",
		connected(`40{"token":"123"}`, `40`, `42["auth",{"token":"123"}]`))
	run("Socket.IO protocol/connect/should allow connection to a custom namespace",
		connected(`40/custom,`, `40/custom,`, `42/custom,["auth",{}]`))
	run("Socket.IO protocol/connect/should allow connection to a custom namespace with a payload",
		connected(`40/custom,{"token":"abc"}`, `40/custom,`, `42/custom,["auth",{"token":"abc"}]`))
	run("Socket.IO protocol/connect/should disallow connection to an unknown namespace", func(t *testing.T, w *world) {
		c := w.dial("")
		c.receive()
		c.send("40/random")
		c.want(`44/random,{"message":"Invalid namespace"}`)
	})
	run("Socket.IO protocol/connect/should disallow connection with an invalid handshake", func(t *testing.T, w *world) {
		c := w.dial("")
		c.receive()
		c.send("4abc")
		c.wantClosed()
	})
	run("Socket.IO protocol/connect/should close the connection if no handshake is received", func(t *testing.T, w *world) {
		c := w.dial("")
		c.receive()
		start := time.Now()
		for range 3 { // alive in every other way
			c.want("2")
			c.send("3")
		}
		c.wantClosed()
		if d := time.Since(start); d != time.Second {
			t.Errorf("closed after %v, want 1s", d)
		}
	})

	run("Socket.IO protocol/disconnect/should disconnect from the main namespace", func(t *testing.T, w *world) {
		c := w.connect()
		c.send("41")
		c.want("2")
	})
	run("Socket.IO protocol/disconnect/should connect then disconnect from a custom namespace", func(t *testing.T, w *world) {
		c := w.connect()
		c.want("2")
		c.send("3")
		c.send("40/custom")
		c.wantPrefix(`40/custom,{"sid":"`)
		c.want(`42/custom,["auth",{}]`)
		c.send("41/custom")
		c.send(`42["message","message to main namespace"]`)
		c.want(`42["message-back","message to main namespace"]`)
	})

	run("Socket.IO protocol/message/should send a plain-text packet", func(t *testing.T, w *world) {
		c := w.connect()
		c.send(`42["message",1,"2",{"3":[true]}]`)
		c.want(`42["message-back",1,"2",{"3":[true]}]`)
	})
	const two = `{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}`
	run("Socket.IO protocol/message/should send a packet with binary attachments", func(t *testing.T, w *world) {
		c := w.connect()
		c.send(`452-["message",` + two + `]`)
		c.sendBinary(1, 2, 3)
		c.sendBinary(4, 5, 6)
		c.want(`452-["message-back",`+two+`]`, "binary 010203", "binary 040506")
	})
	run("Socket.IO protocol/message/should send a plain-text packet with an ack", func(t *testing.T, w *world) {
		c := w.connect()
		c.send(`42456["message-with-ack",1,"2",{"3":[false]}]`)
		c.want(`43456[1,"2",{"3":[false]}]`)
	})
	run("Socket.IO protocol/message/should send a packet with binary attachments and an ack", func(t *testing.T, w *world) {
		c := w.connect()
		c.send(`452-789["message-with-ack",` + two + `]`)
		c.sendBinary(1, 2, 3)
		c.sendBinary(4, 5, 6)
		c.want(`462-789[`+two+`]`, "binary 010203", "binary 040506")
	})
	invalid := func(message string) func(*testing.T, *world) {
		return func(t *testing.T, w *world) {
			c := w.connect()
			c.send(message)
			c.wantClosed()
		}
	}
	run("Socket.IO protocol/message/should close the connection upon invalid format (unknown packet type)", invalid(`4abc`))
	run("Socket.IO protocol/message/should close the connection upon invalid format (invalid payload format)", invalid(`42{}`))
	run("Socket.IO protocol/message/should close the connection upon invalid format (invalid ack id)",
		invalid(`42abc["message-with-ack",1,"2",{"3":[false]}]`))
}
