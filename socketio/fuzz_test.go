package socketio

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/engineio"
	"jobcast/socketio/internal/parser"
)

// messageEnd is between the messages of a fuzzed session. One that begins with binaryMark is binary. The
// server is idle before each, but those that have hurryMark before them.
const (
	messageEnd = 0x1e
	binaryMark = 0x01
	hurryMark  = 0x02
)

// FuzzSession has a client say anything to a server with handlers of every sort. Whatever that is, the
// server does not panic, sends nothing that its own parser would not take, leaves no goroutine behind,
// and answers everyone else.
func FuzzSession(f *testing.F) {
	for _, seed := range []string{
		"0/a,",
		"0/a,\x1e\x022/a,[\"leave\"]\x1e\x022/a,2[\"echo\"]\x1e\x020/a,",
		"0/a,{\"token\":1}\x1e2/a,1[\"echo\",1]\x1e2/a,[\"leave\"]\x1e2/a,2[\"echo\"]",
		"0\x1e0/a,\x1e1/a,\x1e0/a,\x1e1\x1e21[\"echo\",{}]",
		"0/a,\x1e51-/a,3[\"echo\",{\"_placeholder\":true,\"num\":0}]\x1e\x01\x00\x01\x02",
		"0/a,\x1e52-/a,[\"echo\",{\"_placeholder\":true,\"num\":1},{\"_placeholder\":true,\"num\":0}]\x1e\x01a\x1e\x01b",
		"0/a,\x1e2/a,[\"ask\"]\x1e3/a,0[1]\x1e3/a,0[1]\x1e3/a,9[]",
		"0/a,\x1e51-/a,[\"echo\",{\"_placeholder\":true,\"num\":0}]\x1e2/a,[\"echo\"]",
		"4599999999999999-[\"echo\",\"x\"]",
		"0/a?x=1,\x1e2/a,[\"connect\"]",
		"0/a,\x1e2/a,[1]\x1e2/a,[\"any\",[[[[{}]]]]]",
		"0/refused,{}\x1e2/refused,[\"echo\"]\x1e0/unknown,",
		"0/a,\x1e2/a,5[\"panic\"]\x1e2/a,[\"room\",\"r\"]\x1e2/a,6[\"go\"]",
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, said []byte, old bool) {
		synctest.Test(t, func(t *testing.T) {
			srv := New(Config{Logger: slog.New(slog.DiscardHandler), MaxPendingEvents: 8})
			if old {
				oldClients.Store(srv, true)
				defer oldClients.Delete(srv)
			}
			everySort(srv.Of("/"))
			everySort(srv.Of("/a"))
			srv.Of("/refused").Use(func(context.Context, *Socket) error {
				return &ConnectError{Message: "no", Data: map[string]int{"code": 1}}
			})
			bystander, _ := join(t, srv, "/a")

			hostile := dial(t, srv)
			for m := range bytes.SplitSeq(said, []byte{messageEnd}) {
				m, hurry := bytes.CutPrefix(m, []byte{hurryMark})
				if !hurry {
					synctest.Wait()
				}
				if data, binary := bytes.CutPrefix(m, []byte{binaryMark}); binary {
					hostile.message(engineio.Message{Binary: true, Data: data})
				} else if m = bytes.ToValidUTF8(m, nil); len(m) > 0 { // the engine sees to that
					hostile.message(engineio.Message{Data: m})
				}
			}
			synctest.Wait()
			hostile.checkSent()

			bystander.take()
			bystander.send(`2/a,7["echo",[1]]`)
			bystander.want(`3/a,7[[1]]`)
			hostile.Close(engineio.TransportClose)
			bystander.Close(engineio.TransportClose)
			if err := srv.Close(context.Background()); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	})
}

// everySort registers handlers that do what handlers do.
func everySort(ns *Namespace) {
	ask := NewCall[Args, Args]("question")
	ns.Handle(
		NewCall[Args, Args]("echo").On(func(_ context.Context, _ *Socket, args Args) (Args, error) { return args, nil }),
		NewEvent[struct{}]("leave").On(func(_ context.Context, s *Socket, _ struct{}) error { s.Disconnect(false); return nil }),
		NewEvent[struct{}]("panic").On(func(context.Context, *Socket, struct{}) error { panic("on purpose") }),
		NewEvent[string]("room").On(func(_ context.Context, s *Socket, room string) error {
			s.Join(room)
			return NewEvent[string]("joined").Emit(ns.To(room), room)
		}),
		NewEvent[struct{}]("ask").On(func(ctx context.Context, s *Socket, _ struct{}) error {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			_, err := ask.Ask(ctx, s, Args{})
			return err
		}),
		NewEvent[struct{}]("go").On(func(_ context.Context, s *Socket, _ struct{}) error {
			s.Go(func(ctx context.Context) { <-ctx.Done(); s.Disconnect(true) })
			return errors.New("failed")
		}),
	)
	ns.HandleAny(func(_ context.Context, _ *Socket, event string, args Args) (Args, error) {
		return args, NewEvent[Args]("any").Emit(ns, args)
	})
}

// checkSent checks that what the server has sent is what a client takes.
func (p *pipe) checkSent() {
	p.t.Helper()
	var d parser.Decoder
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.got {
		var err error
		if m[0] == 'b' {
			_, _, err = d.Binary([]byte(m))
		} else if p.old && m[0] == '4' {
			continue // its refusals are strings, which the newer dialect does not know
		} else {
			_, _, err = d.Text([]byte(m))
		}
		if err != nil {
			p.t.Errorf("the server sent %q: %v", m, err)
		}
	}
}
