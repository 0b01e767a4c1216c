package socketio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/engineio"
)

// children are the names of a parent's namespaces.
func children(parent *Namespace) string {
	var names []string
	for n := range parent.Children() {
		names = append(names, n.Name())
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func wantChildren(t *testing.T, parent *Namespace, want string) {
	t.Helper()
	synctest.Wait()
	if got := children(parent); got != want {
		t.Errorf("got children %q, want %q", got, want)
	}
}

func TestPattern(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		var got list
		srv.Of("/room-9")
		parent := srv.OfPattern(regexp.MustCompile(`^/room-\d+$`))
		parent.Use(func(_ context.Context, s *Socket) error {
			if string(s.Auth()) == `{"as":"nobody"}` {
				return &ConnectError{"refused", 5}
			}
			s.Join("all")
			return nil
		})
		parent.UseEvents(func(_ context.Context, s *Socket, event string, _ Args) error {
			got.add("%s sees %s", s.Namespace().Name(), event)
			return nil
		})
		parent.OnConnect(func(_ context.Context, s *Socket) { note.Emit(s, s.Namespace().Name()) })
		parent.OnDisconnecting(func(s *Socket, _ Reason) { got.add("%s loses %s", s.Namespace().Name(), s.Rooms()) })
		parent.OnDisconnect(func(s *Socket, reason Reason) { got.add("%s: %s", s.Namespace().Name(), reason) })
		parent.Handle(add.On(func(_ context.Context, _ *Socket, n []int) (int, error) { return n[0] + n[1], nil }))

		p := dial(t, srv)
		p.send(`0/room-1,`)
		p.want(`0/room-1,{"sid":"SID"}`, `2/room-1,["note","/room-1"]`)
		p.send(`2/room-1,5["add",[1,2]]`)
		p.want(`3/room-1,5[3]`)
		got.want(t, `/room-1 sees add`)
		p.send(`0/room-2,{"as":"nobody"}`)
		p.wantRefusal("/room-2", "refused", `5`)
		p.send(`0/room-x,`)
		p.wantRefusal("/room-x", "Invalid namespace", ``)
		p.send(`0/room-9,`) // declared before the pattern
		p.want(`0/room-9,{"sid":"SID"}`)
		q := dial(t, srv)
		q.send(`0/room-1,`, `0/room-2,`)
		q.take()
		wantChildren(t, parent, "/room-1 /room-2")
		for n := range parent.Children() {
			if n != srv.lookupAny(n.name) || n != parent.Child(n.name) {
				t.Errorf("%s is not the one that was made", n.name)
			}
		}
		if parent.Child("/room-9") != nil || parent.Child("/none") != nil || srv.Of("/").Child("/room-1") != nil || children(srv.Of("/")) != "" {
			t.Error("a child of somebody else")
		}

		note.Emit(parent, "everybody")
		p.want(`2/room-1,["note","everybody"]`)
		want := []string{`2/room-1,["note","everybody"]`, `2/room-2,["note","everybody"]`}
		if sent := q.take(); len(sent) != 2 || !slices.Contains(sent, want[0]) || !slices.Contains(sent, want[1]) {
			t.Errorf("got %q, want %q", sent, want)
		}
		first, _ := p.conn.find("/room-1")
		note.Emit(parent.To("all").Except(first.ID()).Volatile(), "some")
		p.want()
		if n := len(q.take()); n != 2 {
			t.Errorf("got %d events, want 2", n)
		}
		note.Emit(first.Broadcast(), "others")
		p.want()
		q.want(`2/room-1,["note","others"]`)
		parent.In("all").Join("more")
		if n, m := count(parent.Sockets()), count(parent.To("more").Sockets()); n != 3 || m != 3 {
			t.Errorf("got %d sockets, %d of them in the room, want 3", n, m)
		}
		if NewEvent[func()]("f").Emit(parent, nil) == nil {
			t.Error("a function was encoded")
		}

		answers := background(func() ([]Answer[int], error) { return add.AskAll(t.Context(), parent.To("all"), nil) })
		for _, p := range []*pipe{p, q} {
			for _, asked := range p.take() {
				namespace, _, _ := strings.Cut(asked, ",")
				p.send("3" + namespace[1:] + `,0[7]`)
			}
		}
		if got, err := answers(); len(got) != 3 || err != nil {
			t.Errorf("got %v, %v, want three answers", got, err)
		}

		got.items = nil
		p.send(`1/room-1,`)
		got.want(t, `/room-1 loses [all more]`, `/room-1: client namespace disconnect`)
		parent.Disconnect(false)
		if n := len(q.take()); n != 2 || count(parent.Sockets()) != 0 {
			t.Errorf("%d sockets were disconnected, %d are left, want 2 and 0", n, count(parent.Sockets()))
		}
		wantChildren(t, parent, "")
	})
}

// lookupAny returns a namespace that there is, or nil.
func (s *Server) lookupAny(name string) *Namespace {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.namespaces[name]
}

func TestFunc(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		var got list
		gate := make(chan struct{})
		first := srv.OfFunc(func(ctx context.Context, name string, h *engineio.Handshake, auth json.RawMessage) error {
			got.add("%s %s %s", name, auth, h.Header.Get("X-From"))
			switch name {
			case "/refused":
				return &ConnectError{"not you", map[string]int{"retry": 5}}
			case "/bug":
				panic("a bug")
			case "/slow":
				select {
				case <-gate:
				case <-ctx.Done():
					got.add("%v", context.Cause(ctx))
				}
			case "/second", "/third":
				return fmt.Errorf("not mine: %w", ErrInvalidNamespace)
			}
			return nil
		})
		second := srv.OfPattern(regexp.MustCompile("second"))
		second.OnConnect(func(context.Context, *Socket) { got.add("second's") })
		first.Handle(plain.On(func(context.Context, *Socket, struct{}) error { return nil }))
		p := dial(t, srv)
		p.send(`0/a,{"token":"x"}`)
		p.want(`0/a,{"sid":"SID"}`)
		got.want(t, `/a {"token":"x"} pipe`)
		other := dial(t, srv)
		other.send(`0/a,{"token":"y"}`) // everybody is asked about
		other.want(`0/a,{"sid":"SID"}`)
		got.want(t, `/a {"token":"x"} pipe`, `/a {"token":"y"} pipe`)
		p.send(`0/refused,`)
		p.wantRefusal("/refused", "not you", `{"retry":5}`)
		p.send(`0/bug,`)
		p.wantRefusal("/bug", "internal error", ``)
		p.send(`0/third,`)
		p.wantRefusal("/third", "Invalid namespace", ``)
		got.items = nil
		p.send(`0/second,`)
		p.want(`0/second,{"sid":"SID"}`)
		got.want(t, `/second  pipe`, `second's`)

		p.send(`0/slow,`)
		p.want()
		p.send(`2/a,5["plain","x"]`) // meanwhile
		p.want(`3/a,5[]`)
		close(gate)
		p.want(`0/slow,{"sid":"SID"}`)
		wantChildren(t, first, "/a /slow")
		wantChildren(t, second, "/second")

		gate = make(chan struct{})
		got.items = nil
		other.send(`0/slow,`)
		synctest.Wait()
		other.Close(engineio.TransportClose)
		got.want(t, `/slow  pipe`, `transport close`)
		p.Close(engineio.TransportClose)
		wantChildren(t, first, "")
	})
}

func TestChildrenWithoutSocketsGo(t *testing.T) {
	pattern := regexp.MustCompile("^/c")
	test := func(keep bool) func(*testing.T, *Server) {
		return func(t *testing.T, srv *Server) {
			parent := srv.OfPattern(pattern)
			parent.Use(func(_ context.Context, s *Socket) error {
				if strings.HasSuffix(s.Namespace().Name(), "-no") {
					return errors.New("no")
				}
				return nil
			})
			p, q := dial(t, srv), dial(t, srv)
			p.send(`0/c1,`, `0/c2,`)
			q.send(`0/c1,`, `0/c-no,`)
			kept := srv.Of("/c3")
			p.send(`0/c3,`)
			synctest.Wait()
			all := "/c1 /c2 /c3"
			if keep {
				all = "/c-no /c1 /c2 /c3"
			}
			wantChildren(t, parent, all)
			p.send(`1/c1,`, `1/c2,`, `1/c3,`)
			if !keep {
				all = "/c1 /c3"
			}
			wantChildren(t, parent, all)
			q.Close(engineio.TransportClose)
			if !keep {
				all = "/c3"
			}
			wantChildren(t, parent, all)
			p.send(`0/c3,`)
			synctest.Wait()
			if s, _ := p.conn.find("/c3"); s == nil || s.Namespace() != kept {
				t.Error("the namespace that Of gave out is not that of its clients")
			}
		}
	}
	bubble(t, Config{}, test(false))
	bubble(t, Config{KeepNamespaces: true}, test(true))
}

func TestTooManyNamespaces(t *testing.T) {
	bubble(t, Config{MaxNamespaces: 3}, func(t *testing.T, srv *Server) {
		parent := srv.OfPattern(regexp.MustCompile("^/c"))
		p, q := dial(t, srv), dial(t, srv)
		p.send(`0/c1,`, `0/c2,`, `0/c3,`)
		p.take()
		q.send(`0/c4,`)
		q.wantRefusal("/c4", "Too many namespaces", ``)
		q.send(`0/c1,`) // it is there
		q.want(`0/c1,{"sid":"SID"}`)
		p.send(`1/c2,`)
		wantChildren(t, parent, "/c1 /c3")
		q.send(`0/c4,`)
		q.want(`0/c4,{"sid":"SID"}`)
	})
}

func TestChildIsMadeOnce(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		parent := srv.OfFunc(func(context.Context, string, *engineio.Handshake, json.RawMessage) error {
			time.Sleep(time.Millisecond) // all have asked by then
			return nil
		})
		pipes := make([]*pipe, 30)
		for i := range pipes {
			pipes[i] = dial(t, srv)
			pipes[i].send(`0/one,`)
		}
		time.Sleep(time.Second)
		if got := children(parent); got != "/one" || count(parent.Child("/one").Sockets()) != len(pipes) {
			t.Fatalf("got children %q with %d sockets, want one with all", got, count(parent.Sockets()))
		}

		// They come and go at the same time.
		var wg sync.WaitGroup
		for i, p := range pipes {
			wg.Go(func() {
				for j := range 20 {
					p.send(`1/one,`)
					if time.Sleep(time.Millisecond); j%3 == i%3 {
						note.Emit(parent, "x")
					}
					p.send(`0/one,`)
					time.Sleep(2 * time.Millisecond)
				}
				p.send(`1/one,`)
			})
		}
		wg.Wait()
		wantChildren(t, parent, "")
		if srv.children != 0 || len(srv.namespaces) != 1 {
			t.Errorf("got %d children and %d namespaces, want 0 and 1", srv.children, len(srv.namespaces))
		}
	})
}

func TestRemove(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		var got list
		gate := make(chan struct{})
		static, parent := srv.Of("/static"), srv.OfPattern(regexp.MustCompile("^/c"))
		for _, n := range []*Namespace{static, parent} {
			n.OnDisconnect(func(s *Socket, reason Reason) { got.add("%s: %s", s.Namespace().Name(), reason) })
			n.Use(func(_ context.Context, s *Socket) error {
				if s.Auth() != nil {
					<-gate
				}
				return nil
			})
		}
		p, slow := dial(t, srv), dial(t, srv)
		p.send(`0/static,`, `0/c1,`, `0/c2,`)
		slow.send(`0/static,{"x":"1"}`)
		p.take()
		static.Remove()
		static.Remove()
		p.want(`1/static,`)
		got.want(t, "/static: server namespace disconnect")
		p.send(`2/static,["crossing"]`)
		p.send(`0/static,`)
		p.wantRefusal("/static", "Invalid namespace", ``)
		close(gate)
		slow.wantRefusal("/static", "Invalid namespace", ``)
		if n := count(static.Sockets()); n != 0 {
			t.Errorf("%d sockets are left, want none", n)
		}
		if again := srv.Of("/static"); again == static {
			t.Error("Of returns what was removed")
		}
		p.send(`0/static,`)
		p.want(`0/static,{"sid":"SID"}`)

		parent.Child("/c1").Remove()
		p.want(`1/c1,`)
		wantChildren(t, parent, "/c2")
		p.send(`0/c1,`) // its name still fits
		p.want(`0/c1,{"sid":"SID"}`)
		gate = make(chan struct{})
		slow.send(`0/c9,{"x":"1"}`)
		slow.want()
		parent.Remove()
		if sent := p.take(); len(sent) != 2 {
			t.Errorf("got %q, want two to be disconnected", sent)
		}
		wantChildren(t, parent, "")
		p.send(`0/c1,`)
		p.wantRefusal("/c1", "Invalid namespace", ``)
		close(gate)
		slow.wantRefusal("/c9", "Invalid namespace", ``)
		if srv.children != 0 || len(srv.namespaces) != 2 {
			t.Errorf("got %d children and %d namespaces, want 0 and 2", srv.children, len(srv.namespaces))
		}
		p.wantClosed("")
	})
}

// A parent that is removed while it is asked has no child by that.
func TestRemoveWhileAsked(t *testing.T) {
	bubble(t, Config{KeepNamespaces: true}, func(t *testing.T, srv *Server) {
		gate := make(chan struct{})
		parent := srv.OfFunc(func(context.Context, string, *engineio.Handshake, json.RawMessage) error { <-gate; return nil })
		p := dial(t, srv)
		p.send(`0/c,`)
		p.want()
		parent.Remove()
		close(gate)
		p.wantRefusal("/c", "Invalid namespace", ``)
		if len(srv.namespaces) != 1 {
			t.Errorf("got %d namespaces, want the main one", len(srv.namespaces))
		}
	})
}

func TestChildHasItsParentsRules(t *testing.T) {
	srv := New(Config{})
	parent := srv.OfPattern(regexp.MustCompile("^/c"))
	child := srv.Of("/c1")
	if parent.Child("/c1") != child {
		t.Error("Of made no child")
	}
	for name, f := range map[string]func(){
		"Handle":          func() { child.Handle(plain.On(nil)) },
		"HandleAny":       func() { child.HandleAny(nil) },
		"Use":             func() { child.Use(nil) },
		"UseEvents":       func() { child.UseEvents(nil) },
		"OnConnect":       func() { child.OnConnect(nil) },
		"OnDisconnecting": func() { child.OnDisconnecting(nil) },
		"OnDisconnect":    func() { child.OnDisconnect(nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

// A client that one parent has refused does not get into that parent's child because another has accepted it.
func TestChildOfAnotherParentMeanwhile(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		gate := make(chan struct{})
		members := srv.OfFunc(func(_ context.Context, _ string, _ *engineio.Handshake, auth json.RawMessage) error {
			if !strings.Contains(string(auth), "member") {
				return ErrInvalidNamespace
			}
			return nil
		})
		srv.OfFunc(func(context.Context, string, *engineio.Handshake, json.RawMessage) error { <-gate; return nil })
		stranger := dial(t, srv)
		stranger.send(`0/c,`)
		stranger.want()
		member := dial(t, srv)
		member.send(`0/c,{"as":"member"}`)
		member.want(`0/c,{"sid":"SID"}`)
		close(gate)
		stranger.wantRefusal("/c", "Invalid namespace", ``)
		if n := count(members.Sockets()); n != 1 {
			t.Errorf("got %d sockets, want the member", n)
		}
	})
}
