package client_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/socketio"
	"jobcast/socketio/client"
)

// Changes of mind and lost connections between a CONNECT and its answer, packet by packet.

func TestAnswerComesAfterDisconnect(t *testing.T) {
	var other *client.Socket
	sync := make(chan struct{})
	scripted(t, client.Config{}, func(t *testing.T, s *client.Socket) {
		sync = make(chan struct{}) // of this bubble
		other = s.Client().Of("/other")
		if err := s.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := other.Connect(ctx); err == nil {
			t.Error("connected without an answer")
		}
		sync <- struct{}{} // the answer comes now
		<-sync

		again, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := other.Connect(again); err == nil {
			t.Error("connected without an answer")
		}
		done := make(chan error)
		go func() { done <- other.Connect(t.Context()) }() // the first answer is as good for this
		synctest.Wait()
		sync <- struct{}{}
		if err := <-done; err != nil || other.ID() != "second" {
			t.Errorf("got %v and id %q", err, other.ID())
		}
		other.Disconnect()
		s.Disconnect()
	}, func(w *wire) {
		w.welcome()
		w.want("40/other,")
		<-sync
		w.send(`40/other,{"sid":"first"}`)
		w.want("41/other,")
		sync <- struct{}{}
		w.want("40/other,")
		<-sync
		w.send(`40/other,{"sid":"second"}`)
		w.want("41/other,", "41", "8 03e8")
	})
}

func TestConnectionIsLostBeforeTheAnswer(t *testing.T) {
	lose := func(w *wire) {
		w.send(open)
		w.want("40")
	}
	scripted(t, client.Config{}, func(t *testing.T, s *client.Socket) {
		err := s.Connect(t.Context())
		if !errors.Is(err, socketio.ErrDisconnected) || !errors.Is(err, socketio.TransportClose) {
			t.Errorf("got %v, want that the first attempt counts", err)
		}
	}, lose)
	scripted(t, client.Config{AwaitServer: true}, func(t *testing.T, s *client.Socket) {
		if err := s.Connect(t.Context()); err != nil || s.ID() != "socket" {
			t.Errorf("got %v and id %q", err, s.ID())
		}
	}, lose, func(w *wire) {
		w.welcome()
		w.want("41", "8 03e8")
	})
}

func TestDisconnectBeforeTheAnswer(t *testing.T) {
	scripted(t, client.Config{}, func(t *testing.T, s *client.Socket) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Connect(ctx); err == nil {
			t.Error("connected without an answer")
		}
		begin := time.Now()
		if err := s.Connect(t.Context()); err != nil || s.ID() != "socket" {
			t.Errorf("got %v and id %q", err, s.ID())
		}
		if d := time.Since(begin); d != 0 {
			t.Errorf("connected after %v: nothing was lost that had to wait", d)
		}
	}, func(w *wire) {
		w.send(open)
		w.want("40", "8 03e8")
	}, func(w *wire) {
		w.welcome()
		w.want("41", "8 03e8")
	})
}

// Credentials that took long do not belong to the connection that was made meanwhile.
func TestLateCredentials(t *testing.T) {
	var asked atomic.Int32
	cfg := client.Config{Auth: func(ctx context.Context, namespace string) (any, error) {
		n := asked.Add(1)
		if n == 2 {
			time.Sleep(time.Minute)
		}
		return map[string]int32{"n": n}, nil
	}}
	scripted(t, cfg, func(t *testing.T, s *client.Socket) {
		if err := s.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		other := s.Client().Of("/other")
		go other.Connect(t.Context())
		synctest.Wait()
		other.Disconnect()
		go other.Connect(t.Context())
		time.Sleep(time.Hour)
	}, func(w *wire) {
		w.send(open)
		w.want(`40{"n":1}`)
		w.send(`40{"sid":"socket"}`)
		w.want(`40/other,{"n":3}`)
		for i := range 144 {
			time.Sleep(25 * time.Second)
			w.send("2")
			if i < 143 {
				w.want("3")
			}
		}
		w.wantEnd()
	})
}

// A server that never pings is gone as well.
func TestServerNeverPings(t *testing.T) {
	reasons := make(chan socketio.Reason, 1)
	scripted(t, client.Config{DisableReconnect: true}, func(t *testing.T, s *client.Socket) {
		s.OnDisconnect(func(reason socketio.Reason) { reasons <- reason })
		if err := s.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(45*time.Second - 1)
		if !s.Connected() {
			t.Error("gave up too early")
		}
		time.Sleep(2 * time.Nanosecond)
		if reason := <-reasons; reason != socketio.PingTimeout {
			t.Errorf("got %q", reason)
		}
	}, func(w *wire) {
		w.welcome()
		w.wantEnd()
	})
}

// An acknowledgement belongs to the connection that asked for it: its number means another event on the
// next one.
func TestAnswerAfterReconnect(t *testing.T) {
	done := make(chan struct{})
	scripted(t, client.Config{}, func(t *testing.T, s *client.Socket) {
		done = make(chan struct{}) // of this bubble
		client.Answer(s, confirm, func(ctx context.Context, text string) (string, error) {
			defer close(done)
			time.Sleep(30 * time.Second)
			return text, context.Cause(ctx)
		})
		if err := s.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-done
		if !s.Connected() {
			t.Error("not connected again")
		}
	}, func(w *wire) {
		w.welcome()
		w.send(`427["confirm","x"]`)
	}, func(w *wire) {
		w.welcome()
		w.send("2")
		w.want("3", "41", "8 03e8")
	})
}

// While a handler of failures is busy, only the newest failure waits for it.
func TestFailuresDoNotPileUp(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		c, s := w.connect(w.config())
		defer c.Close()
		synctest.Wait()
		calls := 0
		s.OnConnectError(func(error) { calls++; time.Sleep(time.Minute) })
		w.stop()
		time.Sleep(90 * time.Second)
		w.start()
		if err := s.Connect(t.Context()); err != nil {
			t.Error(err)
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if calls != 3 { // one a minute, the last for what failed after the second had begun
			t.Errorf("got %d calls, want 3", calls)
		}
	})
}
