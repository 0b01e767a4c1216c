package socketio_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

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
