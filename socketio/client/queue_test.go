package client_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/socketio"
	"jobcast/socketio/client"
)

// What waits while the server is away is bounded, and what was refused is all that is missing.
func TestOfflineQueueIsBounded(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		cfg := w.config()
		cfg.MaxQueueBytes = 10_000
		c, s := w.connect(cfg)
		defer c.Close()
		received := 0
		client.On(s, told, func(context.Context, string) { received++ })
		w.stop()
		synctest.Wait()
		text := strings.Repeat("x", 900)
		kept := 0
		for ; client.Emit(s, tell, text) == nil; kept++ {
		}
		if err := client.Emit(s, tell, text); !errors.Is(err, client.ErrQueueFull) || kept < 8 || kept > 11 {
			t.Errorf("got %v after %d events of 900 bytes", err, kept)
		}
		w.start()
		if err := s.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if received != kept {
			t.Errorf("got %d of %d events", received, kept)
		}
		for range 100 { // what has left does not count any more
			if err := client.Emit(s, tell, text); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
	})
}

// What has gathered leaves in pieces that the server takes.
func TestLongQueue(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		c, s := w.connect(w.config())
		defer c.Close()
		received := 0
		client.On(s, told, func(context.Context, string) { received++ })
		w.stop()
		synctest.Wait()
		const n = 60
		for range n { // three times the server's maxPayload
			if err := client.Emit(s, tell, strings.Repeat("x", 50_000)); err != nil {
				t.Fatal(err)
			}
		}
		w.start()
		if err := s.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Call(t.Context(), s, greet, "you"); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if received != n {
			t.Errorf("got %d of %d events", received, n)
		}
	})
}

// A server that reads nothing costs a bounded queue, nothing waits for it, and Close does not either.
func TestStalledServer(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		cfg := w.config()
		cfg.MaxQueueBytes = 10_000
		c, s := w.connect(cfg)
		if err := client.Emit(s.Volatile(), tell, "in time"); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		w.stall()
		var err error
		for n := 0; err == nil && n < 1000; n++ {
			err = client.Emit(s, tell, strings.Repeat("x", 900))
		}
		if !errors.Is(err, client.ErrQueueFull) {
			t.Errorf("got %v", err)
		}
		if err := client.Emit(s.Volatile(), tell, strings.Repeat("x", 900)); err != nil {
			t.Errorf("got %v, want what is volatile to be dropped", err)
		}
		begin := time.Now()
		c.Close()
		if d := time.Since(begin); d > 5*time.Second {
			t.Errorf("Close took %v", d)
		}
	})
}

// Close sends what was emitted before it, and the server sees a goodbye.
func TestCloseSendsWhatWaits(t *testing.T) {
	var got list
	inBubble(t, func(server *socketio.Server) {
		server.Of("/").Handle(socketio.NewEvent[int]("n").On(func(_ context.Context, _ *socketio.Socket, n int) error {
			got.add("%d", n)
			return nil
		}))
		server.Of("/").OnDisconnect(func(_ *socketio.Socket, reason socketio.Reason) { got.add("%s", reason) })
	}, func(t *testing.T, w *world) {
		c, s := w.connect(w.config())
		for n := range 3 {
			if err := client.Emit(s, socketio.NewEvent[int]("n"), n); err != nil {
				t.Error(err)
			}
		}
		begin := time.Now()
		c.Close()
		c.Close()
		if d := time.Since(begin); d > time.Second {
			t.Errorf("Close took %v", d)
		}
		got.want(t, "0", "1", "2", "client namespace disconnect")
		if err := client.Emit(s, tell, "x"); !errors.Is(err, client.ErrClosed) {
			t.Errorf("emit: got %v", err)
		}
		if err := s.Connect(t.Context()); !errors.Is(err, client.ErrClosed) {
			t.Errorf("connect: got %v", err)
		}
	})
}

// The events of a socket are handled in order while one of them blocks; a socket that cannot keep up loses
// its connection rather than the memory of the process.
func TestSlowHandler(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		cfg := w.config()
		cfg.MaxPendingEvents = 10
		c, s := w.connect(cfg)
		defer c.Close()
		synctest.Wait()
		var got list
		got.watch(s)
		block := make(chan struct{})
		client.On(s, told, func(ctx context.Context, text string) {
			<-block
			got.add("told %s, %v", text, context.Cause(ctx))
		})
		emit := func(text string) {
			for s := range w.server.Of("/").Sockets() {
				if err := told.Emit(s, text); err != nil {
					t.Error(err)
				}
			}
		}
		emit("first")
		synctest.Wait()
		for range 9 {
			emit("more")
		}
		time.Sleep(time.Minute)
		if _, err := client.Call(t.Context(), s, greet, "beside"); err != nil {
			t.Errorf("call beside a handler that blocks: %v", err)
		}
		emit("last")
		emit("too many")
		time.Sleep(time.Minute)
		if s.Connected() {
			t.Error("connected, though nothing has room")
		}
		close(block)
		want := []string{"told first, too many pending events"}
		for range 9 {
			want = append(want, "told more, too many pending events")
		}
		want = append(want, "told last, too many pending events", "disconnect too many pending events")
		got.want(t, want...)
		if err := s.Connect(t.Context()); err != nil {
			t.Error(err)
		}
		got.want(t, "connect")
	})
}
