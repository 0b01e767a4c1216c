package socketio

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/engineio"
)

// crowd is a namespace with sockets that have joined the rooms that their names are made of.
func crowd(t *testing.T, srv *Server, names ...string) (pipes map[string]*pipe, sockets map[string]*Socket) {
	t.Helper()
	pipes, sockets = map[string]*pipe{}, map[string]*Socket{}
	for _, name := range names {
		pipes[name], sockets[name] = join(t, srv, "/")
		sockets[name].Join(strings.Split(name, "")...)
	}
	return pipes, sockets
}

func TestTargets(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		ns := srv.Of("/")
		pipes, sockets := crowd(t, srv, "a", "b", "ab", "abc", "c", "")
		for _, tt := range []struct {
			what string
			to   Emitter
			want string
		}{
			{"everybody", ns, " a ab abc b c"},
			{"room", ns.To("a"), "a ab abc"},
			{"two rooms", ns.To("a", "b"), "a ab abc b"},
			{"two rooms, chained", ns.To("a").To("b"), "a ab abc b"},
			{"the same room twice", ns.To("a", "a"), "a ab abc"},
			{"three rooms", ns.To("a", "b", "c"), "a ab abc b c"},
			{"nobody is there", ns.To("z"), "-"},
			{"no room", ns.To(), "-"},
			{"no room, then one", ns.To().To("c"), "abc c"},
			{"all but a room", ns.Except("a"), " b c"},
			{"all but two", ns.Except("a").Except("b"), " c"},
			{"all but nobody", ns.Except(), " a ab abc b c"},
			{"a room but another", ns.To("a").Except("b"), "a"},
			{"others", sockets["a"].Broadcast(), " ab abc b c"},
			{"others in a room", sockets["ab"].To("a"), "a abc"},
			{"others in a room but another", sockets["ab"].To("a").Except("c"), "a"},
			{"a socket", ns.To(sockets["b"].ID()), "b"},
			{"a socket and a room", ns.To(sockets["b"].ID(), "b"), "ab abc b"},
			{"all but a socket", ns.Except(sockets["b"].ID()), " a ab abc c"},
			{"in a room", ns.In("a"), "a ab abc"},
			{"in a room, chained", ns.Except("b").In("a"), "a"},
			{"others in", sockets["a"].In("a"), "ab abc"},
			{"others in none", sockets["a"].Except("b"), " c"},
			{"local", ns.Local().To("c").Local(), "abc c"},
			{"volatile", ns.Volatile().To("c"), "abc c"},
			{"oneself", sockets["c"], "c"},
			{"oneself, volatile", sockets["c"].Volatile(), "c"},
		} {
			if err := note.Emit(tt.to, tt.what); err != nil {
				t.Errorf("%s: %v", tt.what, err)
			}
			var got, yielded []string
			for name, p := range pipes {
				sent := p.take()
				if len(sent) > 1 || len(sent) == 1 && sent[0] != `2["note","`+tt.what+`"]` {
					t.Errorf("%s: %s got %q", tt.what, name, sent)
				}
				if len(sent) > 0 {
					got = append(got, name)
				}
			}
			slices.Sort(got)
			if list := strings.Join(got, " "); list != tt.want && (tt.want != "-" || len(got) > 0) {
				t.Errorf("%s: got %q, want %q", tt.what, list, tt.want)
			}
			target, ok := tt.to.(Target)
			if !ok {
				continue
			}
			for s := range target.Sockets() {
				yielded = append(yielded, strings.Join(s.Rooms(), ""))
			}
			if slices.Sort(yielded); !slices.Equal(yielded, got) {
				t.Errorf("%s: Sockets gave %q, want %q", tt.what, yielded, got)
			}
		}
	})
}

// A Target is a value: what is derived from it does not change it, whoever derives at the same time.
func TestTargetFlagsDoNotLeak(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		ns := srv.Of("/")
		pipes, _ := crowd(t, srv, "a", "b", "c")
		base := ns.To("a")
		base.rooms = slices.Grow(base.rooms, 8) // room that a careless append would share
		b, c := base.To("b"), base.To("c")
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				note.Emit(base.Volatile().Except(fmt.Sprint(i)).To("c"), "volatile")
			})
		}
		wg.Wait()
		for _, p := range pipes {
			p.take()
			p.stalled = true
		}
		note.Emit(base, "1")
		note.Emit(b, "2")
		note.Emit(c, "3")
		note.Emit(base.Volatile(), "dropped")
		pipes["a"].want(`2["note","1"]`, `2["note","2"]`, `2["note","3"]`)
		pipes["b"].want(`2["note","2"]`)
		pipes["c"].want(`2["note","3"]`)
	})
}

func TestVolatileDrops(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		p, s := join(t, srv, "/")
		p.stalled = true
		if err := note.Emit(s.Volatile(), "x"); err != nil {
			t.Errorf("got %v, want a silent drop", err)
		}
		note.Emit(srv.Of("/").Volatile(), "x")
		note.Emit(s, "y")
		p.want(`2["note","y"]`)
		p.Close(engineio.TransportClose)
		synctest.Wait()
		if err := note.Emit(s.Volatile(), "x"); !errors.Is(err, ErrDisconnected) {
			t.Errorf("got %v, want %v", err, ErrDisconnected)
		}
	})
}

// One packet is one frame, whoever gets it.
func TestBroadcastEncodesOnce(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		crowd(t, srv, "a", "a", "ab")
		calls := 0
		if err := NewEvent[counted]("x").Emit(srv.Of("/"), counted{&calls}); err != nil || calls != 1 {
			t.Errorf("encoded %d times, %v, want once", calls, err)
		}
	})
}

type counted struct{ calls *int }

func (c counted) MarshalJSON() ([]byte, error) { *c.calls++; return []byte("1"), nil }

// One socket that fails does not keep the others from the broadcast.
func TestBroadcastPastFailures(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		pipes, sockets := crowd(t, srv, "a", "ab", "abc")
		pipes["ab"].err = engineio.ErrSlow
		if err := note.Emit(srv.Of("/").To("a"), "x"); err != nil {
			t.Errorf("got %v, want none", err)
		}
		pipes["a"].want(`2["note","x"]`)
		pipes["abc"].want(`2["note","x"]`)
		if err := note.Emit(sockets["ab"], "x"); !errors.Is(err, engineio.ErrSlow) {
			t.Errorf("got %v, want %v", err, engineio.ErrSlow)
		}
	})
}

// Joining, leaving, disconnecting and emitting are allowed inside an iteration and inside callbacks.
func TestChangesInsideIteration(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		ns := srv.Of("/")
		ns.OnConnect(func(_ context.Context, s *Socket) {
			s.Join("new")
			for other := range ns.Sockets() {
				other.Join("met")
			}
		})
		ns.OnDisconnecting(func(s *Socket, _ Reason) {
			note.Emit(s.To(s.Rooms()...), "left")
			s.Leave("met")
			s.Disconnect(true)
		})
		pipes, sockets := crowd(t, srv, "a", "b", "c")
		n := 0
		for s := range ns.To("met").Sockets() {
			n++
			s.Leave("met")
			s.Join("met", "d")
			if s == sockets["a"] || s == sockets["b"] {
				s.Disconnect(false)
			}
		}
		if n != 3 {
			t.Errorf("visited %d, want 3", n)
		}
		synctest.Wait()
		if got := count(ns.To("met").Sockets()); got != 1 {
			t.Errorf("%d left in the room, want 1", got)
		}
		pipes["c"].want(`2["note","left"]`, `2["note","left"]`)
		for range ns.Sockets() {
			break // stopping early is allowed too
		}
	})
}

// Rooms stay right through many changes, with snapshots out.
func TestRoomsUnderChange(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		ns := srv.Of("/")
		_, sockets := crowd(t, srv, "a", "b", "c", "d", "e", "f")
		want := map[string]map[string]bool{}
		for step := range 500 {
			for name, s := range sockets {
				room := fmt.Sprint((step*7 + int(name[0])*3) % 5)
				if want[room] == nil {
					want[room] = map[string]bool{}
				}
				if (step+int(name[0]))%3 == 0 {
					s.Leave(room)
					delete(want[room], name)
				} else {
					s.Join(room)
					want[room][name] = true
				}
			}
			for room, members := range want {
				if step%2 == 0 {
					continue // no snapshot in this step
				}
				if got := count(ns.To(room).Sockets()); got != len(members) {
					t.Fatalf("step %d: room %s has %d, want %v", step, room, got, members)
				}
				for s := range ns.To(room).Sockets() {
					if !slices.Contains(s.Rooms(), room) {
						t.Fatalf("step %d: a socket of room %s does not know it: %v", step, room, s.Rooms())
					}
				}
			}
		}
		for _, s := range sockets {
			s.Disconnect(true)
		}
		synctest.Wait()
		if len(ns.rooms) != 0 || len(ns.all.sockets) != 0 || len(ns.sockets) != 0 {
			t.Errorf("rooms %v, sockets %v are left behind", ns.rooms, ns.sockets)
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		ns := srv.Of("/")
		var handled atomic.Int32
		ns.Handle(note.On(func(_ context.Context, s *Socket, room string) error {
			handled.Add(1)
			s.Join(room)
			note.Emit(s.To(room), "x")
			s.Leave(room)
			return nil
		}))
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				p := dial(t, srv)
				p.send(`0`)
				time.Sleep(time.Millisecond) // the others need no time
				for j := range 50 {
					p.send(fmt.Sprintf(`2["note","%d"]`, j%3))
				}
				if i%2 == 0 {
					for s := range ns.Sockets() {
						note.Emit(s, "y")
					}
				}
				p.Close(engineio.TransportClose)
			})
		}
		wg.Wait()
		synctest.Wait()
		if n := handled.Load(); n != 20*50 || len(ns.rooms) != 0 || len(ns.sockets) != 0 {
			t.Errorf("%d events were handled, %d rooms and %d sockets are left, want 1000, 0 and 0", n, len(ns.rooms), len(ns.sockets))
		}
	})
}

// What is done to a Target is done to all its sockets, and to no other.
func TestTargetChangesRooms(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		ns := srv.Of("/")
		pipes, sockets := crowd(t, srv, "a", "ab", "b", "c")
		check := func(want ...string) {
			t.Helper()
			var got []string
			for name, s := range sockets {
				got = append(got, name+":"+strings.Join(s.Rooms(), ""))
			}
			if slices.Sort(got); !slices.Equal(got, want) {
				t.Errorf("got rooms %q, want %q", got, want)
			}
		}
		ns.In("a").Except("b").Join("x", "y")
		check("a:axy", "ab:ab", "b:b", "c:c")
		ns.Join("z")
		check("a:axyz", "ab:abz", "b:bz", "c:cz")
		ns.In("a", "b").Leave("z", "x", "b", "none")
		check("a:ay", "ab:a", "b:", "c:cz")
		ns.Leave("a")
		check("a:y", "ab:", "b:", "c:cz")
		ns.To().Join("nobody")
		ns.To("nobody").Join("nobody")
		if got := ns.Rooms(); !slices.Equal(got, []string{"c", "y", "z"}) {
			t.Errorf("got rooms %q of the namespace, want c, y, z", got)
		}
		sockets["c"].LeaveAll()
		sockets["c"].LeaveAll()
		check("a:y", "ab:", "b:", "c:")
		sockets["c"].Join("w") // it may come again
		check("a:y", "ab:", "b:", "c:w")

		sockets["a"].Broadcast().Except("w").Disconnect(false)
		pipes["ab"].want(`1`)
		pipes["b"].want(`1`)
		pipes["b"].wantClosed("")
		ns.In("w").Disconnect(true)
		pipes["c"].want(`1`)
		pipes["c"].wantClosed(ForcedServerClose)
		ns.Disconnect(true)
		pipes["a"].want(`1`)
		pipes["a"].wantClosed(ForcedServerClose)
		if n := count(ns.Sockets()); n != 0 || len(ns.Rooms()) != 0 {
			t.Errorf("got %d sockets and rooms %q, want none", n, ns.Rooms())
		}
	})
}
