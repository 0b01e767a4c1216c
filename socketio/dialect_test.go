package socketio

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"jobcast/engineio"
)

// raw is what the server has sent, without translation.
func (p *pipe) raw() []string {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	got := p.got
	p.got = nil
	return got
}

func (p *pipe) wantRaw(want ...string) {
	p.t.Helper()
	if got := p.raw(); !slices.Equal(got, want) {
		p.t.Errorf("client got %q, want %q", got, want)
	}
}

// dialOld opens a session whose client is in the main namespace by the server's doing.
func dialOld(t *testing.T, srv *Server) *pipe {
	p := dial(t, srv)
	p.joinMain()
	return p
}

func TestOldClientJoins(t *testing.T) {
	bubbleWith(t, true, Config{}, func(t *testing.T, srv *Server) {
		var got list
		for _, name := range []string{"/", "/ns"} {
			ns := srv.Of(name)
			ns.OnConnect(func(_ context.Context, s *Socket) {
				got.add("%s %s", strings.ReplaceAll(s.ID(), s.conn.sess.ID(), "SID"), s.Auth())
			})
			ns.Handle(note.On(func(_ context.Context, s *Socket, text string) error { return note.Emit(s, text) }))
		}
		p := dialOld(t, srv)
		p.wantRaw(`0`)
		p.send(`2["note","hello"]`)
		p.wantRaw(`2["note","hello"]`)
		for _, connect := range []string{`0/ns`, `0/ns,`, `0/ns?token=a%20b&token=c&n=1`, `0/ns?token=%zz&x=<y>,`} {
			p.message(engineio.Message{Data: []byte(connect)})
			p.wantRaw(`0/ns,`)
			p.send(`2/ns?token=a,["note","hello"]`) // the reference takes it here as well
			p.wantRaw(`2/ns,["note","hello"]`)
			p.send(`1/ns,`)
			p.wantRaw()
		}
		got.want(t, `SID `, `/ns#SID `, `/ns#SID `, `/ns#SID {"n":"1","token":"c"}`, `/ns#SID {"x":"\u003cy\u003e"}`)
		p.message(engineio.Message{Data: []byte(`0`)})
		p.wantClosed(ParseError)
	})
}

// What a client says besides the query is not a credential.
func TestOldClientsPayloadIsIgnored(t *testing.T) {
	bubbleWith(t, true, Config{}, func(t *testing.T, srv *Server) {
		srv.Of("/ns").OnConnect(func(_ context.Context, s *Socket) {
			if s.Auth() != nil {
				t.Errorf("got auth %s, want none", s.Auth())
			}
		})
		p := dialOld(t, srv)
		p.wantRaw(`0`)
		p.message(engineio.Message{Data: []byte(`0/ns,{"token":"abc"}`)})
		p.wantRaw(`0/ns,`)
	})
}

func TestOldClientIsRefused(t *testing.T) {
	bubbleWith(t, true, Config{}, func(t *testing.T, srv *Server) {
		srv.Of("/").Use(func(context.Context, *Socket) error { return errors.New("who are you?") })
		srv.Of("/ns").Use(func(context.Context, *Socket) error {
			return &ConnectError{"not now", map[string]any{"retry": 5}}
		})
		p := dialOld(t, srv)
		p.wantRaw(`4"who are you?"`)
		p.send(`0/ns,`)
		p.wantRaw(`4/ns,{"retry":5}`)
		p.send(`0/none,`)
		p.wantRaw(`4/none,"Invalid namespace"`)
		p.wantClosed("")
	})
}

// An old client's id is the same when it comes back, which may be before its last events are handled.
func TestOldClientComesBack(t *testing.T) {
	bubbleWith(t, true, Config{}, func(t *testing.T, srv *Server) {
		ns := srv.Of("/ns")
		gate := make(chan struct{})
		ns.Handle(plain.On(func(context.Context, *Socket, struct{}) error { <-gate; return nil }))
		p, first := join(t, srv, "/ns")
		p.send(`2/ns,["plain"]`, `1/ns,`, `0/ns,`)
		p.want(`0/ns,{"sid":"SID"}`)
		close(gate)
		synctest.Wait()
		second, _ := p.conn.find("/ns")
		if second == first || second.ID() != first.ID() || count(ns.Sockets()) != 1 {
			t.Errorf("got %d sockets, want the new one", count(ns.Sockets()))
		}
		note.Emit(ns.To(second.ID()), "here")
		p.want(`2/ns,["note","here"]`)
	})
}

// Clients of both kinds share a room, and what is sent to it.
func TestRoomOfBothDialects(t *testing.T) {
	bubbleWith(t, true, Config{}, func(t *testing.T, srv *Server) {
		old := dialOld(t, srv)
		old.want(`0{"sid":"SID"}`)
		oldClients.Delete(srv)
		young, _ := join(t, srv, "/")
		ns := srv.Of("/")
		for s := range ns.Sockets() {
			s.Join("room")
		}
		to := ns.To("room")
		echoed := NewEvent[Args]("bytes")
		if err := echoed.Emit(to, Args{Attachments: [][]byte{{1, 2}}}); err != nil {
			t.Fatal(err)
		}
		for _, p := range []*pipe{old, young} {
			p.wantRaw(`51-["bytes"]`, "b0102")
		}
	})
}

// slowSession returns from the first Send when it is told to.
type slowSession struct {
	session
	gate <-chan struct{}
	sent atomic.Bool
}

func (s *slowSession) Send(frames ...*engineio.Frame) error {
	err := s.session.Send(frames...)
	if !s.sent.Swap(true) {
		<-s.gate
	}
	return err
}

// The socket of an old client that left as soon as it had joined does not take the id away from the next.
func TestOldClientComesBackAtOnce(t *testing.T) {
	bubbleWith(t, true, Config{}, func(t *testing.T, srv *Server) {
		ns := srv.Of("/ns")
		p := dial(t, srv)
		synctest.Wait()
		gate := make(chan struct{})
		p.conn.sess = &slowSession{session: p, gate: gate}
		p.send(`0/ns,`)
		p.want(`0/ns,{"sid":"SID"}`)
		p.send(`1/ns,`, `0/ns,`)
		p.want(`0/ns,{"sid":"SID"}`)
		close(gate)
		synctest.Wait()
		s, _ := p.conn.find("/ns")
		note.Emit(ns.To(s.ID()), "here")
		p.want(`2/ns,["note","here"]`)
	})
}
