package socketio

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/engineio"
)

// heard calls f, on another goroutine, when the server sends the client a message that begins with prefix.
func (p *pipe) heard(prefix string, f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listening = func(message string) {
		if strings.HasPrefix(message, prefix) {
			p.listening = nil
			go f()
		}
	}
}

// At the moment when a client hears that it is connected it is in its namespace, and in the rooms that OnConnect
// has joined: whoever emits from then on reaches it.
func TestConnectedMeansJoined(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		ns := srv.Of("/ns")
		ns.OnConnect(func(_ context.Context, s *Socket) {
			note.Emit(s, "hello")
			time.Sleep(10 * time.Millisecond)
			s.Join("room")
		})
		p := dial(t, srv)
		p.heard("0/ns,", func() {
			note.Emit(ns, "all")
			note.Emit(ns.To("room"), "room")
		})
		p.send(`0/ns,`)
		time.Sleep(10 * time.Millisecond)
		p.want(`0/ns,{"sid":"SID"}`, `2/ns,["note","hello"]`, `2/ns,["note","all"]`, `2/ns,["note","room"]`)
	})
}

// What is emitted while OnConnect runs comes after the CONNECT, in order, and nothing of it is lost.
func TestEmitsWaitForTheConnect(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		ns, gate := srv.Of("/ns"), make(chan struct{})
		ns.Use(func(_ context.Context, s *Socket) error { s.Join("early"); return nil })
		ns.OnConnect(func(_ context.Context, s *Socket) {
			note.Emit(s, "1")
			<-gate
			note.Emit(ns.To("early"), "4")
			if err := note.Emit(s.Volatile(), "5"); err != nil {
				t.Error(err)
			}
		})
		p := dial(t, srv)
		p.send(`0/ns,`)
		synctest.Wait()
		note.Emit(ns, "2")
		NewEvent[filePart]("part").Emit(ns.To("early"), filePart{"3", []byte{3}})
		p.want()
		if n := count(ns.Sockets()); n != 1 {
			t.Errorf("got %d sockets while OnConnect runs, want 1", n)
		}
		close(gate)
		p.want(`0/ns,{"sid":"SID"}`, `2/ns,["note","1"]`, `2/ns,["note","2"]`,
			`51-/ns,["part",{"name":"3","data":{"_placeholder":true,"num":0}}]`, "b03",
			`2/ns,["note","4"]`, `2/ns,["note","5"]`)
		note.Emit(ns, "6")
		p.want(`2/ns,["note","6"]`)
	})
}

// An OnConnect that asks its client, or takes long, or more than is held back, does not keep it waiting.
func TestConnectDoesNotWaitForever(t *testing.T) {
	t.Run("it asks", func(t *testing.T) {
		bubble(t, Config{}, func(t *testing.T, srv *Server) {
			var got list
			srv.Of("/ns").OnConnect(func(ctx context.Context, s *Socket) {
				n, err := NewCall[string, int]("ask").Ask(ctx, s, "x")
				got.add("%d %v", n, err)
			})
			p := dial(t, srv)
			p.send(`0/ns,`)
			p.want(`0/ns,{"sid":"SID"}`, `2/ns,0["ask","x"]`)
			p.send(`3/ns,0[4]`)
			got.want(t, "4 <nil>")
		})
	})
	t.Run("it asks all", func(t *testing.T) {
		bubble(t, Config{}, func(t *testing.T, srv *Server) {
			var got list
			ns := srv.Of("/ns")
			ns.OnConnect(func(ctx context.Context, s *Socket) {
				answers, err := NewCall[string, int]("ask").AskAll(ctx, ns.Timeout(maxWelcome/2), "x")
				got.add("%d answers, %v", len(answers), err)
			})
			p := dial(t, srv)
			p.send(`0/ns,`)
			p.want(`0/ns,{"sid":"SID"}`, `2/ns,0["ask","x"]`)
			p.send(`3/ns,0[4]`)
			got.want(t, "1 answers, <nil>")
		})
	})
	t.Run("it asks others", func(t *testing.T) {
		bubble(t, Config{}, func(t *testing.T, srv *Server) {
			ns := srv.Of("/ns")
			ns.OnConnect(func(ctx context.Context, s *Socket) {
				NewCall[string, int]("ask").AskAll(ctx, s.Broadcast().Timeout(maxWelcome/2), "x")
			})
			first, _ := join(t, srv, "/ns")
			first.take()
			p := dial(t, srv)
			p.send(`0/ns,`)
			first.want(`2/ns,1["ask","x"]`)
			p.want()
			first.send(`3/ns,1[4]`)
			p.want(`0/ns,{"sid":"SID"}`)
		})
	})
	t.Run("it blocks", func(t *testing.T) {
		bubble(t, Config{}, func(t *testing.T, srv *Server) {
			srv.Of("/ns").OnConnect(func(ctx context.Context, s *Socket) {
				note.Emit(s, "1")
				<-ctx.Done()
			})
			p := dial(t, srv)
			p.send(`0/ns,`)
			time.Sleep(maxWelcome)
			p.want(`0/ns,{"sid":"SID"}`, `2/ns,["note","1"]`)
			note.Emit(srv.Of("/ns"), "2")
			p.want(`2/ns,["note","2"]`)
		})
	})
	t.Run("it emits without end", func(t *testing.T) {
		for _, tt := range []struct {
			name, text string
			most       int
		}{
			{"many", "x", maxHeld},
			{"large", strings.Repeat("x", maxHeldBytes/4), 4},
		} {
			t.Run(tt.name, func(t *testing.T) {
				bubble(t, Config{}, func(t *testing.T, srv *Server) {
					gate := make(chan struct{})
					srv.Of("/ns").OnConnect(func(_ context.Context, s *Socket) {
						for range tt.most {
							note.Emit(s, tt.text)
						}
						<-gate
					})
					p := dial(t, srv)
					p.send(`0/ns,`)
					if got := p.take(); len(got) != tt.most+1 || got[0] != `0/ns,{"sid":"SID"}` {
						t.Errorf("got %d messages, want the CONNECT and %d", len(got), tt.most)
					}
					close(gate)
				})
			})
		}
	})
	t.Run("it ends its goroutine", func(t *testing.T) {
		bubble(t, Config{}, func(t *testing.T, srv *Server) {
			srv.Of("/ns").OnConnect(func(_ context.Context, s *Socket) { panic("a bug") })
			p := dial(t, srv)
			p.send(`0/ns,`)
			p.want(`0/ns,{"sid":"SID"}`)
		})
	})
}

// A client that goes, or is sent away, while OnConnect runs.
func TestEndDuringOnConnect(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(p *pipe, s *Socket)
		want []string
	}{
		{"client leaves", func(p *pipe, _ *Socket) { p.send(`1/ns,`) }, nil},
		{"client comes back", func(p *pipe, _ *Socket) { p.send(`1/ns,`, `0/ns,`) }, []string{`0/ns,{"sid":"SID"}`, `2/ns,["note","second"]`}},
		{"session ends", func(p *pipe, _ *Socket) { p.Close(engineio.TransportClose) }, nil},
		{"server disconnects", func(_ *pipe, s *Socket) { s.Disconnect(false) }, []string{`0/ns,{"sid":"SID"}`, `2/ns,["note","first"]`, `1/ns,`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, Config{}, func(t *testing.T, srv *Server) {
				ns, gate, first := srv.Of("/ns"), make(chan struct{}), true
				ns.OnConnect(func(_ context.Context, s *Socket) {
					if !first {
						note.Emit(s, "second")
						return
					}
					first = false
					note.Emit(s, "first")
					<-gate
					if err := note.Emit(s, "late"); !errors.Is(err, ErrDisconnected) {
						t.Errorf("got %v, want %v", err, ErrDisconnected)
					}
				})
				p := dial(t, srv)
				p.send(`0/ns,`)
				synctest.Wait()
				s, _ := p.conn.find("/ns")
				tt.end(p, s)
				synctest.Wait()
				close(gate)
				p.want(tt.want...)
			})
		})
	}
}

// While the server sends a client away, it may leave and come back by itself. Whoever is first: no session ends
// as a violation, and the last that the client hears of the namespace is true.
func TestDismissalCrossesReturn(t *testing.T) {
	srv := New(Config{})
	defer srv.Close(context.Background())
	srv.Of("/ns")
	for i := range 1000 {
		p := dial(t, srv)
		joined := make(chan struct{})
		p.heard("0/ns,", func() { close(joined) })
		p.send(`0/ns,`)
		<-joined
		s, _ := p.conn.find("/ns")
		var wg sync.WaitGroup
		wg.Go(func() { s.Disconnect(false) })
		wg.Go(func() { p.send(`1/ns,`, `0/ns,`) })
		wg.Wait()
		// Its new socket is there when it has been handled all the way.
		back, _ := p.conn.find("/ns")
		for back != nil && back.state.Load() < connected {
			time.Sleep(time.Microsecond)
		}
		p.mu.Lock()
		reason, last := p.reason, p.got[len(p.got)-1]
		p.mu.Unlock()
		if reason != "" {
			t.Fatalf("round %d: session closed with %q", i, reason)
		}
		if back == nil || !strings.HasPrefix(last, "0/ns,") {
			t.Fatalf("round %d: the client is back (%v), and was told last %q of %q", i, back != nil, last, p.got)
		}
		p.Close(engineio.TransportClose)
	}
}
