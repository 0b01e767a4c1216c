package socketio

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/engineio"
)

func count(sockets iter.Seq[*Socket]) (n int) {
	for range sockets {
		n++
	}
	return n
}

func TestEventsRunInOrder(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		var got, want []int
		ns := srv.Of("/")
		ns.Handle(NewEvent[int]("n").On(func(_ context.Context, _ *Socket, n int) error {
			if n%10 == 0 {
				time.Sleep(time.Millisecond)
			}
			got = append(got, n)
			return nil
		}))
		done := make(chan struct{})
		ns.OnDisconnect(func(*Socket, Reason) { close(done) })
		p, _ := join(t, srv, "/")
		for i := range 1000 {
			p.send(fmt.Sprintf(`2["n",%d]`, i))
			want = append(want, i)
		}
		p.send(`1`) // what was sent before is still handled
		<-done
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %v, want them in order", got)
		}
	})
}

// While a handler waits for its own client, its emits are out, acknowledgements come in and other
// sockets are served; its own next event waits.
func TestHandlerBlocks(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		for _, name := range []string{"/", "/other"} {
			srv.Of(name).Handle(
				note.On(func(ctx context.Context, s *Socket, _ string) error {
					note.Emit(s, "wait")
					sum, err := add.Ask(ctx, s, []int{1, 2})
					if err != nil {
						return err
					}
					return note.Emit(s, fmt.Sprint(sum))
				}),
				plain.On(func(_ context.Context, s *Socket, _ struct{}) error { return plain.Emit(s, struct{}{}) }),
			)
		}
		p, _ := join(t, srv, "/")
		other, _ := join(t, srv, "/")
		p.send(`0/other,`)
		p.want(`0/other,{"sid":"SID"}`)
		p.send(`2["note","x"]`, `2["plain"]`)
		p.want(`2["note","wait"]`, `20["add",[1,2]]`)
		p.send(`2/other,["plain"]`)
		p.want(`2/other,["plain"]`)
		other.send(`2["plain"]`)
		other.want(`2["plain"]`)
		p.send(`30[3]`)
		p.want(`2["note","3"]`, `2["plain"]`)
	})
}

func TestInboxOverflowClosesSession(t *testing.T) {
	for _, tt := range []struct {
		name   string
		events int // that fit while a handler blocks
		event  string
	}{
		{"events", 5, `2["note","x"]`},
		{"bytes", 16, `2["note","` + strings.Repeat("x", 1_000_000) + `"]`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			most := 5
			if tt.name == "bytes" {
				most = 0
			}
			bubble(t, Config{MaxPendingEvents: most}, func(t *testing.T, srv *Server) {
				handled := 0
				var got list
				ns := srv.Of("/")
				ns.Handle(note.On(func(ctx context.Context, _ *Socket, text string) error {
					if handled++; text == "block" {
						<-ctx.Done()
					}
					return nil
				}))
				ns.OnDisconnect(func(s *Socket, reason Reason) { got.add("%s", reason) })
				p, _ := join(t, srv, "/")
				for range 3 * tt.events { // one at a time they fit
					p.send(tt.event)
					synctest.Wait()
				}
				handled = 0
				p.send(`2["note","block"]`)
				synctest.Wait()
				for range tt.events {
					p.send(tt.event)
				}
				p.wantClosed("")
				p.send(tt.event, tt.event)
				p.wantClosed(TooManyEvents)
				got.want(t, string(TooManyEvents))
				if handled != 1 {
					t.Errorf("%d events were handled, want only the first: the others were dropped", handled)
				}
			})
		})
	}
}

// What a client said as it went is handled, but not all that it has poured in.
func TestInboxOfGoneSessionIsNotWorkedOff(t *testing.T) {
	for _, tt := range []struct {
		name  string
		sent  int
		close func(t *testing.T, srv *Server, p *pipe)
		want  int // handled after the one that was at work
	}{
		{"few, and the client goes", 5, func(_ *testing.T, _ *Server, p *pipe) { p.Close(engineio.TransportClose) }, 5},
		{"many, and the client goes", 9900, func(_ *testing.T, _ *Server, p *pipe) { p.Close(engineio.TransportClose) }, maxLate},
		{"many, and it is silent", 9900, func(_ *testing.T, _ *Server, p *pipe) { p.Close(engineio.PingTimeout) }, maxLate},
		{"many, and it leaves and stays", 500, func(_ *testing.T, _ *Server, p *pipe) { p.send(`1`) }, 500},
		{"many, and it leaves and goes", 9900, func(_ *testing.T, _ *Server, p *pipe) {
			p.send(`1`)
			p.Close(engineio.TransportClose)
		}, maxLate},
		{"many, and it is sent away", 9900, func(_ *testing.T, srv *Server, p *pipe) {
			for s := range srv.Of("/").Sockets() {
				s.Disconnect(true)
			}
		}, maxLate},
		{"few, and the server closes", 5, func(t *testing.T, srv *Server, p *pipe) {
			p.Close(engineio.ServerShutdown) // as the engine would; this session is not among its own
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			srv.Close(ctx) // which a handler still holds up
		}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, Config{}, func(t *testing.T, srv *Server) {
				handled, left := 0, false
				gate := make(chan struct{})
				ns := srv.Of("/")
				ns.Handle(note.On(func(_ context.Context, _ *Socket, text string) error {
					if text == "block" {
						<-gate
						return nil
					}
					handled++
					return nil
				}))
				ns.OnDisconnect(func(*Socket, Reason) { left = true })
				p, _ := join(t, srv, "/")
				p.send(`2["note","block"]`)
				for range tt.sent {
					p.send(`2["note","x"]`)
				}
				synctest.Wait()
				tt.close(t, srv, p)
				synctest.Wait()
				close(gate)
				synctest.Wait()
				if handled != tt.want || !left {
					t.Errorf("%d of %d events were handled, want %d; the socket's end was told: %t", handled, tt.sent, tt.want, left)
				}
			})
		})
	}
}

func TestPanicCostsOneCall(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		var got list
		ns := srv.Of("/")
		ns.OnConnect(func(_ context.Context, s *Socket) {
			s.Go(func(context.Context) { panic("in Go") })
			panic("in OnConnect")
		})
		ns.OnConnect(func(context.Context, *Socket) { got.add("second OnConnect") })
		ns.OnDisconnect(func(*Socket, Reason) { panic("in OnDisconnect") })
		ns.OnDisconnect(func(*Socket, Reason) { got.add("second OnDisconnect") })
		ns.HandleAny(func(_ context.Context, _ *Socket, event string, _ Args) (Args, error) {
			switch event {
			case "bad":
				panic("in HandleAny")
			case "goexit":
				runtime.Goexit()
			}
			got.add("%s", event)
			return Args{}, nil
		})
		p, _ := join(t, srv, "/")
		p.send(`20["bad"]`, `2["goexit"]`, `21["good"]`)
		p.want(`30[{"ok":false,"error":{"code":"internal","message":"internal error"}}]`, `31[]`)
		p.send(`1`)
		got.want(t, "second OnConnect", "good", "second OnDisconnect")
		p.wantClosed("")
	})
}

func TestCloseWaits(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		var got list
		slow := func(ctx context.Context, what string) {
			<-ctx.Done()
			time.Sleep(time.Second)
			got.add("%s ended: %v", what, context.Cause(ctx))
		}
		srv.Of("/").Handle(note.On(func(ctx context.Context, s *Socket, _ string) error {
			s.Go(func(ctx context.Context) { time.Sleep(time.Second); slow(ctx, "goroutine") })
			slow(ctx, "handler")
			return nil
		}))
		p, s := join(t, srv, "/")
		p.send(`2["note","x"]`)
		synctest.Wait()

		// The engine closes its sessions; this one is not among them.
		p.Close(engineio.ServerShutdown)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		if err := srv.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close with half a second: got %v, want %v", err, context.DeadlineExceeded)
		}
		other := make(chan error)
		go func() { other <- srv.Close(t.Context()) }()
		if err := srv.Close(t.Context()); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := <-other; err != nil {
			t.Errorf("Close beside it: %v", err)
		}
		got.want(t, "handler ended: server shutting down", "goroutine ended: server shutting down")
		s.Go(func(context.Context) { t.Error("runs after Close") })
	})
}

// panicking is data that cannot be encoded, in the worst way.
type panicking struct{}

func (panicking) MarshalJSON() ([]byte, error) { panic("in MarshalJSON") }

// What the error of a handler or a middleware does when it is encoded costs that call only, too.
func TestPanicOfAnErrorCostsOneCall(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		ns := srv.Of("/ns")
		ns.HandleAny(func(context.Context, *Socket, string, Args) (Args, error) {
			return Args{}, &EventError{Code: "bad", Message: "bad", Data: panicking{}}
		})
		p, _ := join(t, srv, "/ns")
		p.send(`2/ns,1["bad"]`)
		p.want(`3/ns,1[{"ok":false,"error":{"code":"internal","message":"internal error"}}]`)

		srv.Of("/closed").Use(func(context.Context, *Socket) error { return &ConnectError{"no", panicking{}} })
		p.send(`0/closed,`)
		p.wantRefusal("/closed", "internal error", ``)
	})
}
