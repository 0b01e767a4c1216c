package socketio_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/engineio"
	"jobcast/socketio"
)

// A client that is told nothing but that its session has ended reconnects by itself; after a DISCONNECT
// it would not.
func TestCloseLetsClientsReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		reasons := make(chan socketio.Reason, 2)
		w.server.Of("/").OnDisconnect(func(_ *socketio.Socket, reason socketio.Reason) { reasons <- reason })

		overWebSocket := w.connect()
		polling := w.open()
		w.post(polling, "40")
		w.request("GET", "EIO=4&transport=polling&sid="+polling, "")
		polled := make(chan struct{})
		go func() {
			defer close(polled)
			w.wantPoll(polling, 200, "1")
		}()
		synctest.Wait()

		if err := w.server.Close(t.Context()); err != nil {
			t.Errorf("Close: %v", err)
		}
		overWebSocket.wantClosed()
		<-polled
		for range 2 {
			if reason := <-reasons; reason != socketio.ServerShutdown {
				t.Errorf("got reason %q, want %q", reason, socketio.ServerShutdown)
			}
		}
	})
}

// A handler that blocks delays neither the heartbeat nor another namespace of the same session.
func TestBlockedHandlerKeepsHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.server.Of("/").Handle(socketio.NewCall[struct{}, string]("block").On(
			func(ctx context.Context, _ *socketio.Socket, _ struct{}) (string, error) {
				time.Sleep(3050 * time.Millisecond)
				return "done", nil
			}))
		c := w.connect()
		c.send("40/custom")
		c.wantPrefix("40/custom")
		c.want(`42/custom,["auth",{}]`)
		c.send(`420["block"]`)
		for range 10 {
			c.want("2")
			c.send("3")
			c.send(`42/custom,["message",1]`)
			c.want(`42/custom,["message-back",1]`)
		}
		c.want(`430["done"]`)
	})
}

// A client that was sent away with its session hears of it in a poll of its own, before the end.
func TestDisconnectReachesPollingClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.server.Of("/").Handle(socketio.NewEvent[struct{}]("leave").On(
			func(_ context.Context, s *socketio.Socket, _ struct{}) error { s.Disconnect(true); return nil }))
		sid := w.open()
		w.post(sid, "40")
		w.request("GET", "EIO=4&transport=polling&sid="+sid, "")
		w.post(sid, `42["leave"]`)
		synctest.Wait()
		w.wantPoll(sid, 200, "41")
		w.wantPoll(sid, 200, "1")
		w.wantPoll(sid, 400, "")
	})
}

// An old client over its own transports: the server joins the main namespace, the client pings, and binary
// has its type.
func TestOldClientOverHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorldWith(t, engineio.Config{PingInterval: 300 * time.Millisecond, PingTimeout: 200 * time.Millisecond})
		_, body := w.request("GET", "EIO=3&transport=polling", "")
		_, sid, _ := strings.Cut(body, `"sid":"`)
		query := "EIO=3&transport=polling&sid=" + sid[:20]
		synctest.Wait()
		want := func(want string) {
			t.Helper()
			if _, got := w.request("GET", query, ""); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		post := func(payload string) {
			t.Helper()
			if status, got := w.request("POST", query, payload); status != 200 {
				t.Errorf("post %q: got %d %s", payload, status, got)
			}
		}
		want(`2:4013:42["auth",{}]`)
		post(`26:40/custom?token=a%20b&x=1,`)
		synctest.Wait()
		want(`10:40/custom,42:42/custom,["auth",{"token":"a b","x":"1"}]`)
		post(`49:451-["message",{"_placeholder":true,"num":0},"€"]6:b4AQID`)
		synctest.Wait()
		post(`1:2`)
		want("\x00\x05\x06\xff451-[\"message-back\",{\"_placeholder\":true,\"num\":0},\"€\"]\x01\x04\xff\x04\x01\x02\x03\x00\x01\xff3")

		c, err := w.dialQuery("EIO=3&transport=websocket&sid=" + sid[:20])
		if err != nil {
			t.Fatal(err)
		}
		c.send("2probe")
		c.want("3probe")
		c.send("5")
		c.send(`451-7["message-with-ack",{"_placeholder":true,"num":0}]`)
		c.sendBinary(4, 1, 2, 3)
		c.want(`461-7[{"_placeholder":true,"num":0}]`, "binary 04010203")
		start := time.Now()
		c.wantClosed() // it has not pinged
		if d := time.Since(start); d != 500*time.Millisecond {
			t.Errorf("closed after %v, want 500ms", d)
		}
	})
}
