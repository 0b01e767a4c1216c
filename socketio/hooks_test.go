package socketio

import (
	"context"
	"errors"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/engineio"
)

// An event that nothing handles is not acknowledged: who waits for it must not take an answer for a success.
func TestUnhandledEventIsNotAcknowledged(t *testing.T) {
	var log strings.Builder
	cfg := Config{
		EncodeError: func(err error) any { t.Errorf("EncodeError(%v)", err); return nil },
		Logger:      slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	bubble(t, cfg, func(t *testing.T, srv *Server) {
		log.Reset()
		p, _ := join(t, srv, "/")
		name := strings.Repeat("x", 500)
		p.send(`21["` + name + `"]`)
		p.want()
		p.wantClosed("")
		if got := log.String(); !strings.Contains(got, `msg="nothing handles an event" nsp=/`) || strings.Contains(got, name) {
			t.Errorf("got log %q, want the event, cut", got)
		}
	})
}

// A handler knows whether it was asked, and may answer later, or never.
func TestAck(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		var got list
		var kept []Ack[Args]
		ns := srv.Of("/")
		ns.HandleAnyAck(func(_ context.Context, _ *Socket, event string, args Args, ack Ack[Args]) error {
			got.add("%s %v", event, ack.Wanted())
			switch event {
			case "later":
				kept = append(kept, ack)
			case "now":
				return ack.Send(args)
			case "refuse":
				return &EventError{Code: "no", Message: "not now"}
			}
			return nil
		})
		ns.Handle(add.OnAck(func(_ context.Context, _ *Socket, n []int, ack Ack[int]) error {
			got.add("add %v", ack.Wanted())
			if err := ack.Send(n[0] + n[1]); err != nil {
				return err
			}
			if err := ack.Send(0); !errors.Is(err, ErrAnswered) {
				t.Errorf("second answer: got %v, want %v", err, ErrAnswered)
			}
			return nil
		}))
		p, _ := join(t, srv, "/")
		p.send(`21["later","x"]`, `22["never"]`, `23["now",1,2]`, `2["now",1]`, `24["refuse"]`, `25["add",[1,2]]`, `2["add",[1,2]]`)
		p.want(`33[1,2]`, `34[{"ok":false,"error":{"code":"no","message":"not now"}}]`, `35[3]`)
		got.want(t, "later true", "never true", "now true", "now false", "refuse true", "add true", "add false")
		if err := kept[0].Send(Args{}); err != nil {
			t.Error(err)
		}
		p.want(`31[]`)
	})
}

// A middleware may say something else in an event's place.
func TestRewriteEvents(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		var seen list
		ns := srv.Of("/")
		ns.OnAny(func(_ *Socket, event string, args Args) { seen.add("any %s %s", event, args.JSON) })
		ns.RewriteEvents(func(_ context.Context, _ *Socket, event string, args Args) (string, Args, error) {
			if event == "bad" {
				return "add", args, &EventError{Code: "no", Message: "not this"}
			}
			return strings.TrimPrefix(event, "v2:"), args, nil
		})
		ns.UseEvents(func(_ context.Context, _ *Socket, event string, args Args) error {
			seen.add("%s %s", event, args.JSON)
			return nil
		})
		ns.OnConnect(func(_ context.Context, s *Socket) {
			s.Rewrite(func(_ context.Context, _ *Socket, event string, args Args) (string, Args, error) {
				return event, Args{JSON: append(slices.Clip(args.JSON[1:]), args.JSON[0])}, nil
			})
		})
		ns.Handle(add.On(func(_ context.Context, _ *Socket, n []int) (int, error) { return n[0] + n[1], nil }))
		p, _ := join(t, srv, "/")
		p.send(`21["v2:add","drop",[1,2]]`, `22["bad",[1,2]]`)
		p.want(`31[3]`, `32[{"ok":false,"error":{"code":"no","message":"not this"}}]`)
		seen.want(t, `any v2:add ["drop" [1,2]]`, `add ["drop" [1,2]]`, `any bad [[1,2]]`)
	})
}

func TestPrependAny(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		var got list
		say := func(who string) Listener {
			return func(_ *Socket, event string, _ Args) { got.add("%s %s", who, event) }
		}
		p, s := join(t, srv, "/")
		s.OnAny(say("2"))
		remove := s.PrependAny(say("1"))
		s.PrependAny(say("0"))
		s.OnAnyOutgoing(say("b"))
		s.PrependAnyOutgoing(say("a"))
		p.send(`2["in"]`)
		synctest.Wait()
		remove()
		p.send(`2["again"]`)
		synctest.Wait()
		note.Emit(s, "x")
		got.want(t, "0 in", "1 in", "2 in", "0 again", "2 again", "a note", "b note")
	})
}

type traceKey struct{}

// Hooks hear of all that happens, with the namespace, the socket and the event.
func TestHooks(t *testing.T) {
	var got list
	var log strings.Builder
	cfg := Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}
	cfg.Hooks = Hooks{
		NamespaceMade: func(n *Namespace) { got.add("namespace %s", n.Name()) },
		Connected:     func(s *Socket, took time.Duration) { got.add("connected %s after %s", s.Namespace().Name(), took) },
		Refused: func(s *Socket, namespace string, err error) {
			got.add("refused %s: %v, by a namespace %v", namespace, err, s != nil)
		},
		Disconnected: func(s *Socket, reason Reason) { got.add("disconnected %s: %s", s.Namespace().Name(), reason) },
		EventBegan: func(ctx context.Context, s *Socket, event string) (context.Context, func(error)) {
			begin := time.Now()
			return context.WithValue(ctx, traceKey{}, event), func(err error) {
				got.add("event %s %s took %s: %v", s.Namespace().Name(), event, time.Since(begin), err)
			}
		},
		EventFailed: func(ctx context.Context, s *Socket, event string, err error) {
			got.add("failed %s %s in %v: %v", s.Namespace().Name(), event, ctx.Value(traceKey{}), err)
		},
		Emitted: func(n *Namespace, event string, sockets int) {
			got.add("emitted %s %s to %d", n.Name(), event, sockets)
		},
	}
	bubbleWith(t, false, cfg, func(t *testing.T, srv *Server) {
		parent := srv.OfPattern(regexp.MustCompile(`^/room-\d$`))
		ns := srv.Of("/ns")
		ns.Use(func(_ context.Context, s *Socket) error {
			time.Sleep(3 * time.Second)
			if s.Auth() != nil {
				return errors.New("not you")
			}
			return nil
		})
		ns.Handle(add.On(func(ctx context.Context, _ *Socket, n []int) (int, error) {
			time.Sleep(time.Second)
			if ctx.Value(traceKey{}) != "add" {
				t.Error("the handler has not the context of the hook")
			}
			if n[0] == 0 {
				return 0, errors.New("the secret is 42")
			}
			return n[0], nil
		}))
		p := dial(t, srv)
		p.send(`0/ns,`, `0/none,`, `0/room-1,`)
		time.Sleep(3 * time.Second)
		got.want(t, "namespace /", "namespace /ns", "refused /none: Invalid namespace, by a namespace true",
			"namespace /room-1", "connected /room-1 after 0s", "connected /ns after 3s")
		_ = parent
		got.items = nil
		q := dial(t, srv)
		q.send(`0/ns,{"as":"x"}`)
		time.Sleep(3 * time.Second)
		p.send(`2/ns,1["add",[1]]`, `2/ns,2["add",[0]]`, `2/ns,3["none"]`)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		note.Emit(ns, "x")
		note.Emit(ns.To("nobody"), "x")
		p.Close(engineio.TransportClose)
		got.want(t, "refused /ns: not you, by a namespace true",
			"event /ns add took 1s: <nil>",
			"failed /ns add in add: the secret is 42", "event /ns add took 1s: the secret is 42",
			"event /ns none took 0s: "+ErrUnhandled.Error(),
			"emitted /ns note to 1", "emitted /ns note to 0",
			"disconnected /ns: transport close", "disconnected /room-1: transport close")
		if log.Len() > 0 {
			t.Errorf("got log %s, want it left to the hook", log.String())
		}
	})
}
