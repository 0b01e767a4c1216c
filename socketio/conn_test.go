package socketio

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/engineio"
)

func TestConnect(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		srv.Of("/custom").OnConnect(func(ctx context.Context, s *Socket) {
			if s.Namespace().Name() != "/custom" || string(s.Auth()) != `{"token":"abc"}` || s.Transport() != "pipe" || s.Handshake().Header.Get("X-From") != "pipe" {
				t.Errorf("got socket of %s with auth %s over %s from %v", s.Namespace().Name(), s.Auth(), s.Transport(), s.Handshake())
			}
			NewEvent[string]("hello").Emit(s, "<b>")
		})
		p := dial(t, srv)
		p.send(`0`)
		p.want(`0{"sid":"SID"}`)
		p.send(`0/custom,{"token":"abc"}`)
		p.want(`0/custom,{"sid":"SID"}`, `2/custom,["hello","<b>"]`)
		p.send(`0/none,{"token":"abc"}`)
		p.wantRefusal("/none", "Invalid namespace", ``)
		p.wantClosed("")
	})
}

// Every violation closes the session, whatever else it carries.
func TestViolationClosesSession(t *testing.T) {
	for _, tt := range []struct{ name, packets string }{
		{"event before connect", `2/custom,["x"]`},
		{"ack before connect", `3/custom,0[]`},
		{"disconnect before connect", `1/custom,`},
		{"event to a namespace that was not joined", `0 2/custom,["x"]`},
		{"event to a namespace that is not there", `0 2/none,["x"]`},
		{"second connect", `0 0`},
		{"second connect to a custom namespace", `0/custom, 0/custom`},
		{"unknown type", `0 9`},
		{"not a packet", `0 abc`},
		{"empty", `0 `},
		{"bad payload", `0 2{}`},
		{"bad JSON", `0 2["x",]`},
		{"connect error from a client", `0 4{"message":"x"}`},
		{"bad id", `0 2abc["x"]`},
		{"reserved name", `0 2["disconnect"]`},
		{"too many attachments", `0 511-["x"]`},
		{"very many attachments", `0 599999999999999-["echo","x"]`},
		{"placeholder without attachment", `0 51-["x",{"_placeholder":true,"num":1}]`},
		{"text inside a binary packet", `0 51-["x",{"_placeholder":true,"num":0}] 2["x"]`},
		{"event after leaving", `0 1 2["x"]`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, Config{}, func(t *testing.T, srv *Server) {
				srv.Of("/custom")
				srv.Of("/").HandleAny(func(context.Context, *Socket, string, Args) (Args, error) {
					t.Error("the handler was called")
					return Args{}, nil
				})
				p := dial(t, srv)
				packets := strings.Split(tt.packets, " ")
				for _, packet := range packets[:len(packets)-1] {
					p.send(packet)
					p.wantClosed("")
				}
				p.send(packets[len(packets)-1], `2["x"]`, `0/custom,`) // all that one read may bring
				p.wantClosed(ParseError)
			})
		})
	}

	t.Run("attachment without its packet", func(t *testing.T) {
		bubble(t, Config{}, func(t *testing.T, srv *Server) {
			p, _ := join(t, srv, "/")
			p.sendBinary(1)
			p.wantClosed(ParseError)
		})
	})
}

// Where the server does not join the main namespace for the client.
func TestConnectTimeout(t *testing.T) {
	bubbleWith(t, false, Config{ConnectTimeout: time.Second}, func(t *testing.T, srv *Server) {
		var causes list
		srv.Of("/slow").Use(func(ctx context.Context, s *Socket) error {
			<-ctx.Done()
			causes.add("%v", context.Cause(ctx))
			return context.Cause(ctx)
		})
		idle, slow, refused := dial(t, srv), dial(t, srv), dial(t, srv)
		joined, _ := join(t, srv, "/")
		slow.send(`0/slow,`)
		refused.send(`0/none,`)
		time.Sleep(time.Second - 1)
		idle.wantClosed("")
		time.Sleep(time.Nanosecond)
		idle.wantClosed(ForcedServerClose)
		slow.wantClosed(ForcedServerClose)
		causes.want(t, string(ForcedServerClose))
		refused.wantClosed(ForcedServerClose)
		joined.wantClosed("")
	})
}

func TestReasons(t *testing.T) {
	disconnectFromServer := NewEvent[bool]("go away")
	for _, tt := range []struct {
		name string
		end  func(p *pipe)
		want Reason
		sent []string
	}{
		{"client leaves the namespace", func(p *pipe) { p.send(`1/ns,`) }, ClientNamespaceDisconnect, nil},
		{"server disconnects", func(p *pipe) { p.send(`2/ns,["go away",false]`) }, ServerNamespaceDisconnect, []string{`1/ns,`}},
		{"server closes the session", func(p *pipe) { p.send(`2/ns,["go away",true]`) }, ServerNamespaceDisconnect, []string{`1/ns,`}},
		{"client closes", func(p *pipe) { p.Close(engineio.TransportClose) }, TransportClose, nil},
		{"transport breaks", func(p *pipe) { p.Close(engineio.TransportError) }, TransportError, nil},
		{"session is closed by force", func(p *pipe) { p.Close(engineio.ForcedClose) }, ForcedClose, nil},
		{"client is silent", func(p *pipe) { p.Close(engineio.PingTimeout) }, PingTimeout, nil},
		{"violation", func(p *pipe) { p.send(`abc`) }, ParseError, nil},
		{"server closes", func(p *pipe) { p.Close(engineio.ServerShutdown) }, ServerShutdown, nil},
		{"client is slow", func(p *pipe) { p.Close(engineio.SlowConsumer) }, SlowConsumer, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, Config{}, func(t *testing.T, srv *Server) {
				var got list
				ns := srv.Of("/ns")
				ns.Handle(disconnectFromServer.On(func(_ context.Context, s *Socket, closeEngine bool) error {
					s.Disconnect(closeEngine)
					s.Disconnect(closeEngine)
					return nil
				}))
				ns.OnDisconnect(func(s *Socket, reason Reason) {
					got.add("after %s %v %d", reason, s.Rooms(), count(ns.Sockets()))
				})
				ns.OnDisconnecting(func(s *Socket, reason Reason) {
					got.add("%s %v %v %d", reason, context.Cause(s.Context()), s.Rooms(), count(ns.Sockets()))
				})
				p, s := join(t, srv, "/ns")
				s.Join("b", "a")
				tt.end(p)
				got.want(t, string(tt.want)+" "+string(tt.want)+" [a b] 0", "after "+string(tt.want)+" [] 0")
				if p.old && tt.name == "server closes the session" {
					tt.sent = append(tt.sent, `1`) // it was in the main namespace as well
				}
				if sent := p.take(); strings.Join(sent, " ") != strings.Join(tt.sent, " ") {
					t.Errorf("client got %q, want %q", sent, tt.sent)
				}
				if err := disconnectFromServer.Emit(s, true); !errors.Is(err, ErrDisconnected) {
					t.Errorf("Emit: got %v, want %v", err, ErrDisconnected)
				}
				if s.Join("c"); len(s.Rooms()) != 0 {
					t.Errorf("got rooms %v of a socket that has left", s.Rooms())
				}
			})
		})
	}
}

// Who holds on to a socket that has left must not end what its client does since.
func TestDisconnectOfSocketThatLeft(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		srv.Of("/other")
		gate := make(chan struct{})
		ns := srv.Of("/ns")
		ns.OnConnect(func(_ context.Context, s *Socket) {
			s.Go(func(ctx context.Context) {
				<-ctx.Done()
				s.Disconnect(true)
				<-gate
				s.Disconnect(true)
			})
		})
		ns.OnDisconnect(func(s *Socket, _ Reason) { s.Disconnect(true) })
		p, _ := join(t, srv, "/ns")
		p.send(`0/other,`, `1/ns,`)
		p.want(`0/other,{"sid":"SID"}`)
		p.send(`0/ns,`)
		p.want(`0/ns,{"sid":"SID"}`)
		close(gate)
		p.want()
		p.wantClosed("")
	})
}

func TestDisconnectClosesSession(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		srv.Of("/ns")
		p, s := join(t, srv, "/ns")
		p.send(`0`)
		p.want(`0{"sid":"SID"}`)
		s.Disconnect(true)
		p.want(`1/ns,`, `1`)
		p.wantClosed(ForcedServerClose)
	})
}

// What a client sent before it knew that the server has disconnected it is no violation, and it may come
// back.
func TestPacketsCrossingDisconnect(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		p, s := join(t, srv, "/")
		s.Disconnect(false)
		p.want(`1`)
		p.send(`2["x"]`, `30[]`, `1`)
		p.wantClosed("")
		p.send(`0`)
		p.want(`0{"sid":"SID"}`)
		if n := len(p.conn.sockets); n != 1 {
			t.Errorf("the session knows %d sockets, want 1", n)
		}
		p.send(`0`)
		p.wantClosed(ParseError)
	})
}

func TestMiddleware(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		var got list
		gate := make(chan struct{})
		ns := srv.Of("/ns")
		ns.Use(func(_ context.Context, s *Socket) error {
			got.add("first %s", s.Auth())
			switch string(s.Auth()) {
			case `{"as":"nobody"}`:
				return errors.New("who <are> you?")
			case `{"as":"known"}`:
				return &ConnectError{"refused", map[string]int{"retry": 5}}
			case `{"as":"odd"}`:
				return &ConnectError{"refused", func() {}}
			case `{"as":"bug"}`:
				panic("bug")
			case `{"as":"unwanted"}`:
				s.Disconnect(false)
			}
			if err := NewEvent[int]("x").Emit(s, 1); !errors.Is(err, ErrDisconnected) {
				t.Errorf("Emit in a middleware: got %v, want %v", err, ErrDisconnected)
			}
			s.Join("room")
			return nil
		})
		ns.Use(func(_ context.Context, s *Socket) error { got.add("second"); <-gate; return nil })
		ns.OnConnect(func(context.Context, *Socket) { got.add("connected") })
		ns.OnDisconnect(func(*Socket, Reason) { got.add("disconnected") })

		p := dial(t, srv)
		p.send(`0/ns,{"as":"nobody"}`)
		p.wantRefusal("/ns", "who <are> you?", ``)
		p.send(`0/ns,{"as":"known"}`)
		p.wantRefusal("/ns", "refused", `{"retry":5}`)
		p.send(`0/ns,{"as":"odd"}`)
		p.wantRefusal("/ns", "refused", ``)
		p.send(`0/ns,{"as":"bug"}`)
		p.wantRefusal("/ns", "internal error", ``)
		got.items = nil

		p.send(`0/ns,{"as":"friend"}`)
		p.want() // while the second one blocks
		NewEvent[int]("x").Emit(ns.To("room"), 1)
		p.want()
		close(gate)
		p.want(`0/ns,{"sid":"SID"}`)
		NewEvent[int]("x").Emit(ns.To("room"), 2)
		p.want(`2/ns,["x",2]`)
		got.want(t, `first {"as":"friend"}`, "second", "connected")

		p = dial(t, srv)
		p.send(`0/ns,{"as":"unwanted"}`)
		p.wantRefusal("/ns", "server namespace disconnect", ``)
		if n := len(ns.rooms["room"].sockets); n != 1 {
			t.Errorf("got %d in the room, want 1: the one that was refused has left", n)
		}
	})
}

// A client that is gone before its middleware is done was never connected.
func TestLeaveDuringMiddleware(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		var got list
		ns := srv.Of("/ns")
		ns.Use(func(ctx context.Context, s *Socket) error { <-ctx.Done(); return nil })
		ns.OnConnect(func(context.Context, *Socket) { got.add("connected") })
		ns.OnDisconnect(func(*Socket, Reason) { got.add("disconnected") })
		p := dial(t, srv)
		p.send(`0/ns,`, `1/ns,`)
		p.want()
		p.send(`0/ns,`, `2/ns,["early"]`) // nobody is connected yet
		p.wantClosed(ParseError)
		got.want(t)
	})
}

// A client that joins and leaves again and again does not pile up what its middleware has to do.
func TestConnectFlood(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		gate := make(chan struct{})
		srv.Of("/ns").Use(func(context.Context, *Socket) error { <-gate; return nil })
		p := dial(t, srv)
		joined := 0
		if p.old {
			joined = 1 // the main namespace
		}
		for range maxSockets - joined {
			p.send(`0/ns,`, `1/ns,`)
		}
		p.wantClosed("")
		p.send(`0/ns,`)
		p.wantClosed(TooManyEvents)
		close(gate)

		p = dial(t, srv)
		for range 2 * maxSockets {
			p.send(`0/ns,`, `1/ns,`)
			synctest.Wait()
		}
		p.wantClosed("")
	})
}

// A middleware that fails because its client has left refuses nobody: the client may be joining again.
func TestRefusalOfWhoLeft(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		ns, first := srv.Of("/ns"), true
		ns.Use(func(ctx context.Context, s *Socket) error {
			if !first {
				return nil
			}
			first = false
			<-ctx.Done()
			return ctx.Err()
		})
		p := dial(t, srv)
		p.send(`0/ns,`, `1/ns,`)
		p.want()
		p.send(`0/ns,`)
		p.want(`0/ns,{"sid":"SID"}`)
	})
}

// A session does not remember for ever from which namespaces its client was sent away.
func TestNamesOfWhoWasSentAwayAreBounded(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		srv.OfPattern(regexp.MustCompile(`^/n[0-9]+$`)).OnConnect(func(_ context.Context, s *Socket) { s.Disconnect(false) })
		p := dial(t, srv)
		for i := range 4 * maxSockets {
			p.send(fmt.Sprintf(`0/n%d,`, i))
			synctest.Wait()
		}
		if n := len(p.conn.sockets); n > maxNames {
			t.Errorf("got %d names, want at most %d", n, maxNames)
		}
		p.send(fmt.Sprintf(`2/n%d,["late"]`, 4*maxSockets-1))
		p.wantClosed("")
	})
}
