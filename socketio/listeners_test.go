package socketio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestEventMiddleware(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		var got list
		ns := srv.Of("/ns")
		say := func(who string) EventMiddleware {
			return func(ctx context.Context, s *Socket, event string, args Args) error {
				got.add("%s %s %s %d", who, event, args.JSON, len(args.Attachments))
				if ctx != s.Context() || s.Namespace() != ns {
					t.Errorf("got a socket of %s with another context", s.Namespace().Name())
				}
				return nil
			}
		}
		ns.UseEvents(say("first"))
		ns.UseEvents(func(_ context.Context, _ *Socket, event string, args Args) error {
			switch event {
			case "slow":
				time.Sleep(time.Second)
			case "forbidden":
				return &EventError{Code: "forbidden", Message: "not <you>", Data: map[string]int{"level": 5}}
			case "secret":
				return errors.New("the secret is 42")
			case "bug":
				panic("a bug")
			}
			return nil
		})
		ns.HandleAny(func(_ context.Context, _ *Socket, event string, args Args) (Args, error) {
			got.add("handler %s", event)
			return args, nil
		})
		ns.OnConnect(func(_ context.Context, s *Socket) {
			s.Use(say("own"))
			s.Use(func(_ context.Context, _ *Socket, event string, _ Args) error {
				if event == "bad" {
					return &PayloadError{Event: event, Field: "x", Err: errors.New("must not be")}
				}
				return nil
			})
		})
		p := dial(t, srv)
		p.send(`0/ns,`, `0`)
		p.take()
		p.send(`2/ns,1["slow",1]`, `51-/ns,2["b",{"_placeholder":true,"num":0}]`)
		p.sendBinary(7)
		p.want()
		time.Sleep(time.Second)
		p.want(`3/ns,1[1]`, `61-/ns,2[{"_placeholder":true,"num":0}]`, `b07`)
		got.want(t, `first slow [1] 0`, `own slow [1] 0`, `handler slow`,
			`first b [{"_placeholder":true,"num":0}] 1`, `own b [{"_placeholder":true,"num":0}] 1`, `handler b`)
		got.items = nil

		p.send(`2/ns,1["forbidden"]`, `2/ns,["forbidden"]`, `2/ns,2["secret"]`, `2/ns,3["bug"]`, `2/ns,4["bad",5]`)
		p.want(`3/ns,1[{"ok":false,"error":{"code":"forbidden","message":"not <you>","data":{"level":5}}}]`,
			`3/ns,2[{"ok":false,"error":{"code":"internal","message":"internal error"}}]`,
			`3/ns,3[{"ok":false,"error":{"code":"internal","message":"internal error"}}]`,
			`3/ns,4[{"ok":false,"error":{"code":"bad_request","message":"event bad: x: must not be"}}]`)
		srv.Of("/").Handle(plain.On(func(context.Context, *Socket, struct{}) error { return nil }))
		p.send(`25["plain","x"]`) // another namespace's events pass
		p.want(`35[]`)
		got.want(t, `first forbidden [] 0`, `first forbidden [] 0`, `first secret [] 0`, `first bug [] 0`, `first bad [5] 0`, `own bad [5] 0`)
	})
}

// What Config.EncodeError makes of a middleware's error is the acknowledgement.
func TestEventMiddlewareEncodesErrors(t *testing.T) {
	encode := func(err error) any {
		e, _ := errors.AsType[*EventError](err)
		return []any{"refused", e.Data}
	}
	bubble(t, Config{EncodeError: encode}, func(t *testing.T, srv *Server) {
		srv.Of("/").UseEvents(func(context.Context, *Socket, string, Args) error { return &EventError{Data: 5} })
		p, _ := join(t, srv, "/")
		p.send(`20["x"]`)
		p.want(`30[["refused",5]]`)
	})
}

func TestData(t *testing.T) {
	type user struct{ name string }
	var (
		current = NewData[*user]("user")
		visits  = NewData[int]("visits")
		odd     = NewData[string]("visits")
	)
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		var got list
		ns := srv.Of("/ns")
		ns.Use(func(_ context.Context, s *Socket) error {
			current.Set(s, &user{string(s.Auth())})
			return nil
		})
		ns.OnDisconnect(func(s *Socket, _ Reason) {
			u, ok := current.Get(s)
			got.add("%s %t", u.name, ok)
		})
		p := dial(t, srv)
		p.send(`0/ns,{"as":"me"}`)
		p.take()
		s, _ := p.conn.find("/ns")
		_, other := join(t, srv, "/ns")
		check := func(s *Socket, wantN int, wantOK bool) {
			t.Helper()
			if n, ok := visits.Get(s); n != wantN || ok != wantOK {
				t.Errorf("got %d, %t, want %d, %t", n, ok, wantN, wantOK)
			}
		}
		check(s, 0, false)
		visits.Set(s, 5)
		check(s, 5, true)
		visits.Set(s, 0)
		check(s, 0, true)
		check(other, 0, false)
		if v, ok := odd.Get(s); v != "" || ok {
			t.Errorf("got %q, %t of another type, want nothing", v, ok)
		}
		NewData[int]("visits").Set(s, 6) // the same
		check(s, 6, true)
		odd.Set(s, "x")
		check(s, 0, false)
		if _, plain := join(t, srv, "/"); plain.data != nil || plain.listeners.Load() != nil || plain.asks != nil {
			t.Error("a socket without data has memory for it")
		}
		p.Close("gone")
		got.want(t, `{"as":"me"} true`)
	})
}

func TestDataFromManyGoroutines(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		_, s := join(t, srv, "/")
		done := make(chan struct{})
		for i := range 8 {
			go func() {
				defer func() { done <- struct{}{} }()
				n := NewData[int](fmt.Sprint(i % 4))
				for j := range 100 {
					n.Set(s, j)
					if _, ok := n.Get(s); !ok {
						t.Error("a value is gone")
					}
				}
			}()
		}
		for range 8 {
			<-done
		}
		n := 0
		for d := s.data; d != nil; d = d.next {
			n++
		}
		if n != 4 {
			t.Errorf("got %d values, want 4", n)
		}
	})
}

// What the stock client's send() says, and what it gets.
func TestMessage(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		srv.Of("/").Handle(MessageEvent.On(func(_ context.Context, s *Socket, args Args) error {
			args.JSON = append(args.JSON, json.RawMessage(`"back"`))
			return MessageEvent.Emit(s.Namespace(), args)
		}))
		p, _ := join(t, srv, "/")
		p.send(`21["message",1,{"_placeholder":false},"x"]`, `2["message"]`)
		p.want(`2["message",1,{"_placeholder":false},"x","back"]`, `31[]`, `2["message","back"]`)
	})
}

func TestOnAny(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		var got list
		listener := func(who string) Listener {
			return func(_ *Socket, event string, args Args) { got.add("%s: %s%s", who, event, args.JSON) }
		}
		ns := srv.Of("/")
		ns.OnAny(listener("all"))
		ns.OnAny(func(*Socket, string, Args) { panic("a bug") })
		ns.UseEvents(func(_ context.Context, _ *Socket, event string, _ Args) error {
			got.add("middleware")
			if event == "refused" {
				return errors.New("no")
			}
			return nil
		})
		ns.Handle(note.On(func(context.Context, *Socket, string) error { got.add("handler"); return nil }))
		p, s := join(t, srv, "/")
		removeFirst := s.OnAny(listener("first"))
		s.OnAny(listener("second"))
		p.send(`2["note","a"]`)
		got.want(t, `all: note["a"]`, `first: note["a"]`, `second: note["a"]`, "middleware", "handler")
		got.items = nil
		removeFirst()
		removeFirst()
		p.send(`20["refused",1,2]`, `2["none"]`, `39[]`)
		got.want(t, `all: refused[1 2]`, `second: refused[1 2]`, "middleware", `all: none[]`, `second: none[]`, "middleware")
		p.want(`30[{"ok":false,"error":{"code":"internal","message":"internal error"}}]`)
	})
}

func TestOnAnyOutgoing(t *testing.T) {
	bubble(t, Config{AckTimeout: time.Second}, func(t *testing.T, srv *Server) {
		var got list
		names := map[*Socket]string{}
		listener := func(who string) Listener {
			return func(s *Socket, event string, args Args) {
				got.add("%s: %s%s %x to %s", who, event, args.JSON, args.Attachments, names[s])
			}
		}
		srv.Of("/all").OnAnyOutgoing(listener("all"))
		ns := srv.Of("/")
		pipes, sockets := crowd(t, srv, "a", "ab")
		for name, s := range sockets {
			names[s] = name
		}
		calls := 0
		counting := NewEvent[counted]("n")
		counting.Emit(ns, counted{&calls})
		if calls != 1 {
			t.Errorf("encoded %d times while nobody listens, want once", calls)
		}
		remove := sockets["a"].OnAnyOutgoing(listener("own"))
		counting.Emit(ns, counted{&calls})
		plain.Emit(sockets["a"], struct{}{})
		plain.Emit(sockets["ab"], struct{}{})
		pipes["a"].stalled = true
		note.Emit(ns.To("b").Volatile(), "b")
		note.Emit(ns.To("a").Volatile(), "a")
		NewEvent[Args]("bytes").Emit(sockets["a"].Volatile(), Args{JSON: []json.RawMessage{[]byte(`{"_placeholder":true,"num":0}`)}, Attachments: [][]byte{{1, 2}}})
		add.Ask(t.Context(), sockets["a"], []int{1})
		add.AskAll(t.Context(), ns.To("a"), []int{2})
		pipes["a"].send(`20["unknown"]`) // the acknowledgement is no event
		got.want(t, `own: n[1] [] to a`, `own: plain[] [] to a`, `own: note["a"] [] to a`,
			`own: bytes[{"_placeholder":true,"num":0}] [0102] to a`, `own: add[[1]] [] to a`, `own: add[[2]] [] to a`)
		got.items = nil
		remove()
		remove()
		note.Emit(ns, "x")
		if n := ns.outgoingListeners.Load(); n != 0 {
			t.Errorf("%d listeners are counted, want none", n)
		}

		all, s := join(t, srv, "/all")
		names[s] = "s"
		s.OnAnyOutgoing(func(*Socket, string, Args) { panic("a bug") })
		s.OnAnyOutgoing(listener("own"))
		note.Emit(srv.Of("/all"), "y")
		got.want(t, `all: note["y"] [] to s`, `own: note["y"] [] to s`)
		all.Close("gone")
		synctest.Wait()
		s.OnAnyOutgoing(listener("late"))()
		s.OnAnyOutgoing(listener("late"))
		if n := s.ns.outgoingListeners.Load(); n != 0 {
			t.Errorf("%d listeners are counted of a socket that has left, want none", n)
		}
	})
}

// Listeners come and go while events do.
func TestHooksConcurrently(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		ns := srv.Of("/")
		p, s := join(t, srv, "/")
		done := make(chan struct{})
		for range 4 {
			go func() {
				defer func() { done <- struct{}{} }()
				for range 100 {
					remove := s.OnAnyOutgoing(func(*Socket, string, Args) {})
					removeIn := s.OnAny(func(*Socket, string, Args) {})
					note.Emit(ns, "x")
					p.send(`2["x"]`)
					removeIn()
					remove()
				}
			}()
		}
		for range 4 {
			<-done
		}
		if h := s.listeners.Load(); ns.outgoingListeners.Load() != 0 || len(h.any)+len(h.outgoing) != 0 {
			t.Errorf("got %d outgoingListeners and %v, want none", ns.outgoingListeners.Load(), h)
		}
	})
}
