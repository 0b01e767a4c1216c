package client_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/socketio"
	"jobcast/socketio/client"
)

// A server that is restarted gets its clients back, and what they emitted meanwhile, in order.
func TestReconnectAfterRestart(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		var got list
		c := client.New(w.config())
		defer c.Close()
		s := c.Of("/")
		got.watch(s)
		client.On(s, told, func(_ context.Context, text string) { got.add("told %s", text) })
		if err := s.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		id := s.ID()
		w.stop()
		got.want(t, "connect", "disconnect transport close")
		for _, text := range []string{"a", "b"} {
			if err := client.Emit(s, tell, text); err != nil {
				t.Error(err)
			}
		}
		if err := client.Emit(s.Volatile(), tell, "volatile"); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		w.start()
		if err := s.Connect(t.Context()); err != nil || s.ID() == id || s.ID() == "" {
			t.Errorf("got %v and id %q, before %q", err, s.ID(), id)
		}
		if res, err := client.Call(t.Context(), s, greet, "again"); res != "hello again" || err != nil {
			t.Errorf("got %q, %v", res, err)
		}
		synctest.Wait()
		got.mu.Lock()
		failures := len(got.got) - 3
		got.got = got.got[max(0, failures):]
		got.mu.Unlock()
		// 60 s with waits of 0.5 to 5 s, the shorter ones at the beginning.
		if failures < 11 || failures > 24 {
			t.Errorf("got %d attempts that failed in a minute", failures)
		}
		got.want(t, "connect", "told a", "told b")
	})
}

// A connection that goes quiet is given up when the server's next ping is overdue, not before.
func TestSilenceEndsConnection(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		reasons := make(chan socketio.Reason, 1)
		c, s := w.connect(w.config())
		defer c.Close()
		s.OnDisconnect(func(reason socketio.Reason) { reasons <- reason })
		time.Sleep(10 * pingInterval)
		if !s.Connected() {
			t.Fatal("disconnected while the server pinged")
		}
		w.freeze()
		begin := time.Now()
		if reason := <-reasons; reason != socketio.PingTimeout {
			t.Errorf("got reason %q, want %q", reason, socketio.PingTimeout)
		}
		if d := time.Since(begin); d > pingInterval+pingTimeout || d < pingTimeout {
			t.Errorf("gave up after %v", d)
		}
		w.thaw()
		if err := s.Connect(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A connection that breaks without a goodbye costs nothing but the time of a reconnect: every call is
// either answered or fails with its connection, and the sockets of both sides are the same in the end.
func TestBrokenConnections(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		c, s := w.connect(w.config())
		defer c.Close()
		done := make(chan int)
		go func() {
			failed := 0
			for range 1000 {
				res, err := client.Call(t.Context(), s, greet, "you")
				switch {
				case err == nil && res == "hello you":
				case errors.Is(err, socketio.ErrDisconnected):
					failed++
				default:
					t.Errorf("got %q, %v", res, err)
				}
				time.Sleep(10 * time.Millisecond)
			}
			done <- failed
		}()
		for range 5 {
			time.Sleep(2 * time.Second)
			w.cut()
		}
		if failed := <-done; failed > 5 {
			t.Errorf("got %d calls that failed with 5 broken connections", failed)
		}
		time.Sleep(pingInterval + pingTimeout) // the server may have to miss a pong
		n := 0
		for range w.server.Of("/").Sockets() {
			n++
		}
		if n != 1 || !s.Connected() {
			t.Errorf("got %d sockets on the server, connected %v", n, s.Connected())
		}
	})
}
