package socketio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// twoServers runs a test with a cluster of two, for clients of each dialect.
func twoServers(t *testing.T, test func(t *testing.T, a, b *Server)) {
	t.Helper()
	for _, old := range []bool{false, true} {
		cfg := Config{Cluster: new(Cluster)}
		name := "dialect 5"
		if old {
			name = "dialect 4"
		}
		t.Run(name, func(t *testing.T) {
			bubbleWith(t, old, cfg, func(t *testing.T, a *Server) {
				cfg := cfg
				cfg.Cluster, cfg.Logger = a.cfg.Cluster, a.log
				b := New(cfg)
				if old {
					oldClients.Store(b, true)
				}
				t.Cleanup(func() {
					oldClients.Delete(b)
					if err := b.Close(context.Background()); err != nil {
						t.Errorf("Close: %v", err)
					}
				})
				test(t, a, b)
			})
		})
	}
}

func TestClusterEmits(t *testing.T) {
	news := NewEvent[int]("news")
	twoServers(t, func(t *testing.T, a, b *Server) {
		for _, srv := range []*Server{a, b} {
			srv.Of("/ns")
		}
		a.Of("/only-here")
		one, sa := join(t, a, "/ns")
		two, sb := join(t, b, "/ns")
		three, sc := join(t, b, "/ns")
		sa.Join("room")
		sb.Join("room", "other")
		take := func(want ...string) {
			t.Helper()
			for i, p := range []*pipe{one, two, three} {
				p.want(slices.DeleteFunc([]string{want[i]}, func(s string) bool { return s == "" })...)
			}
		}
		emit := func(to Emitter, n int) {
			t.Helper()
			if err := news.Emit(to, n); err != nil {
				t.Error(err)
			}
		}
		ns := a.Of("/ns")
		emit(ns, 1)
		take(`2/ns,["news",1]`, `2/ns,["news",1]`, `2/ns,["news",1]`)
		emit(ns.Local(), 2)
		take(`2/ns,["news",2]`, "", "")
		emit(ns.To("room"), 3)
		take(`2/ns,["news",3]`, `2/ns,["news",3]`, "")
		emit(ns.To("room").Except("other"), 4)
		take(`2/ns,["news",4]`, "", "")
		emit(sa.To("room"), 5)
		take("", `2/ns,["news",5]`, "")
		emit(sa.Broadcast(), 6)
		take("", `2/ns,["news",6]`, `2/ns,["news",6]`)
		emit(ns.To(sc.ID()), 7)
		take("", "", `2/ns,["news",7]`)
		emit(sa, 8)
		take(`2/ns,["news",8]`, "", "")
		emit(a.Of("/only-here"), 9)
		take("", "", "")

		ns.To(sc.ID()).Join("room")
		if got := len(slices.Collect(ns.To("room").Sockets())); got != 3 {
			t.Errorf("got %d sockets in the room, want 3", got)
		}
		if got := len(slices.Collect(ns.To("room").Local().Sockets())); got != 1 {
			t.Errorf("got %d sockets of this server in the room, want 1", got)
		}
		ns.To("other").Disconnect(false)
		take("", "1/ns,", "")

		if err := b.Close(t.Context()); err != nil {
			t.Error(err)
		}
		emit(ns, 10)
		take(`2/ns,["news",10]`, "", "")
	})
}

func TestClusterOfParents(t *testing.T) {
	news := NewEvent[int]("news")
	twoServers(t, func(t *testing.T, a, b *Server) {
		parent := a.OfPattern(regexp.MustCompile(`^/room-\d+$`))
		b.OfPattern(regexp.MustCompile(`^/room-\d+$`))
		b.OfPattern(regexp.MustCompile(`^/else-\d+$`))
		one, _ := join(t, a, "/room-1")
		two, _ := join(t, b, "/room-2")
		three, _ := join(t, b, "/else-3")
		if err := news.Emit(parent, 1); err != nil {
			t.Error(err)
		}
		one.want(`2/room-1,["news",1]`)
		two.want(`2/room-2,["news",1]`)
		three.want()
	})
}

// The ids of questions differ from socket to socket, whatever server they come from.
func TestClusterAsks(t *testing.T) {
	who := NewCall[string, string]("who")
	twoServers(t, func(t *testing.T, a, b *Server) {
		for _, srv := range []*Server{a, b} {
			srv.Of("/ns")
		}
		one, sa := join(t, a, "/ns")
		two, sb := join(t, b, "/ns")
		own := make(chan string, 1)
		sb.Go(func(ctx context.Context) {
			answer, _ := who.Ask(ctx, sb, "yourself")
			own <- answer
		})
		two.want(`2/ns,0["who","yourself"]`)
		all := make(chan []Answer[string], 1)
		sa.Go(func(ctx context.Context) {
			answers, err := who.AskAll(ctx, a.Of("/ns"), "all")
			if err != nil {
				t.Error(err)
			}
			all <- answers
		})
		one.want(`2/ns,0["who","all"]`)
		two.want(`2/ns,1["who","all"]`)
		two.send(`3/ns,1["two"]`, `3/ns,0["two alone"]`)
		one.send(`3/ns,0["one"]`)
		answers := <-all
		got := map[*Socket]string{}
		for _, answer := range answers {
			got[answer.Socket] = answer.Value
		}
		if len(got) != 2 || got[sa] != "one" || got[sb] != "two" {
			t.Errorf("got %v", answers)
		}
		if got := <-own; got != "two alone" {
			t.Errorf("got %q for the other question", got)
		}
	})
}

func TestClusterListeners(t *testing.T) {
	news := NewEvent[int]("news")
	twoServers(t, func(t *testing.T, a, b *Server) {
		var seen list
		a.Of("/ns")
		b.Of("/ns").OnAnyOutgoing(func(_ *Socket, event string, args Args) { seen.add("%s %s", event, args.JSON) })
		join(t, b, "/ns")
		if err := news.Emit(a.Of("/ns"), 1); err != nil {
			t.Error(err)
		}
		seen.want(t, "news [1]")
	})
}

func TestServerEvents(t *testing.T) {
	forget := NewEvent[string]("cache:clear")
	count := NewCall[int, int]("count")
	fails := errors.New("cannot count")
	newServers := func(t *testing.T, test func(t *testing.T, from *Namespace, b, c *Server, seen *list)) {
		twoServers(t, func(t *testing.T, a, b *Server) {
			c := New(Config{Cluster: a.cfg.Cluster, Logger: a.log})
			t.Cleanup(func() { c.Close(context.Background()) })
			var seen list
			for name, srv := range map[string]*Server{"a": a, "b": b, "c": c} {
				ns := srv.Of("/ns")
				ns.HandleServers(forget.OnServers(func(_ context.Context, key string) error {
					seen.add("%s %s", name, key)
					if key == "panic" {
						panic("on purpose")
					}
					return nil
				}))
			}
			test(t, a.Of("/ns"), b, c, &seen)
		})
	}
	t.Run("reach the others in order", func(t *testing.T) {
		newServers(t, func(t *testing.T, from *Namespace, b, c *Server, seen *list) {
			c.Of("/ns").Remove()
			client, _ := join(t, b, "/ns")
			for _, key := range []string{"1", "panic", "2"} {
				if err := forget.EmitServers(from, key); err != nil {
					t.Error(err)
				}
			}
			seen.want(t, "b 1", "b panic", "b 2")
			client.want()
		})
	})
	t.Run("are answered", func(t *testing.T) {
		newServers(t, func(t *testing.T, from *Namespace, b, c *Server, _ *list) {
			b.Of("/ns").HandleServers(count.OnServers(func(_ context.Context, n int) (int, error) { return n + 1, nil }))
			if got, err := count.AskServers(t.Context(), from, 1); !slices.Equal(got, []int{2}) || err != nil {
				t.Errorf("got %v, %v, want 2 of the one that handles it", got, err)
			}
			c.Of("/ns").HandleServers(count.OnServers(func(_ context.Context, n int) (int, error) { return 0, fails }))
			got, err := count.AskServers(t.Context(), from, 1)
			if !slices.Equal(got, []int{2}) || !errors.Is(err, fails) || !strings.Contains(err.Error(), "1 of 2 servers") {
				t.Errorf("got %v, %v, want one answer and the other's error", got, err)
			}
		})
	})
	t.Run("are not waited for beyond the timeout", func(t *testing.T) {
		newServers(t, func(t *testing.T, from *Namespace, b, c *Server, _ *list) {
			ended := make(chan error, 1)
			b.Of("/ns").HandleServers(count.OnServers(func(ctx context.Context, n int) (int, error) {
				<-ctx.Done()
				ended <- ctx.Err()
				return 0, ctx.Err()
			}))
			c.Of("/ns").HandleServers(count.OnServers(func(_ context.Context, n int) (int, error) { return n, nil }))
			start := time.Now()
			got, err := count.AskServers(t.Context(), from, 7)
			if !slices.Equal(got, []int{7}) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, %v, want one answer and the deadline", got, err)
			}
			if d := time.Since(start); d != defaultAckTimeout {
				t.Errorf("waited %v, want %v", d, defaultAckTimeout)
			}
			<-ended
		})
	})
	t.Run("are bounded", func(t *testing.T) {
		newServers(t, func(t *testing.T, from *Namespace, b, c *Server, _ *list) {
			hold := make(chan struct{})
			n := NewEvent[struct{}]("n")
			b.Of("/ns").HandleServers(n.OnServers(func(context.Context, struct{}) error { <-hold; return nil }))
			var err error
			sent := 0
			for ; err == nil && sent < 2*maxServerEvents; sent++ {
				err = n.EmitServers(from, struct{}{})
				if sent == 0 {
					synctest.Wait() // the first is in its handler
				}
			}
			if !errors.Is(err, ErrServerBusy) || sent != maxServerEvents+2 {
				t.Errorf("got %v after %d events, want ErrServerBusy after %d", err, sent, maxServerEvents+2)
			}
			close(hold)
			synctest.Wait()
			if err := n.EmitServers(from, struct{}{}); err != nil {
				t.Errorf("after it has caught up: %v", err)
			}
		})
	})
	t.Run("give each handler what is its own", func(t *testing.T) {
		newServers(t, func(t *testing.T, from *Namespace, b, c *Server, _ *list) {
			type files struct{ Data []byte }
			raw, typed, verbatim := NewCall[Args, Args]("raw"), NewEvent[files]("typed"), NewEvent[json.RawMessage]("verbatim")
			kept := Args{JSON: []json.RawMessage{[]byte(`"kept"`)}, Attachments: [][]byte{{9}}}
			var got list
			for _, srv := range []*Server{b, c} {
				srv.Of("/ns").HandleServers(
					raw.OnServers(func(_ context.Context, args Args) (Args, error) {
						got.add("%s %v", args.JSON, args.Attachments)
						args.JSON[0][1], args.Attachments[0][0] = '!', 7
						return kept, nil
					}),
					typed.OnServers(func(_ context.Context, f files) error {
						got.add("%v", f.Data)
						f.Data[0] = 7
						return nil
					}),
					verbatim.OnServers(func(_ context.Context, text json.RawMessage) error {
						got.add("%s", text)
						text[1] = '!'
						return nil
					}),
				)
			}
			mine := Args{JSON: []json.RawMessage{[]byte(`"a"`)}, Attachments: [][]byte{{1}}}
			answers, err := raw.AskServers(t.Context(), from, mine)
			if err != nil || len(answers) != 2 {
				t.Fatalf("got %v, %v, want two answers", answers, err)
			}
			answers[0].JSON[0][1], answers[0].Attachments[0][0] = '!', 7
			for _, args := range []Args{answers[1], kept} {
				if got := fmt.Sprintf("%s %v", args.JSON, args.Attachments); got != `["kept"] [[9]]` {
					t.Errorf("got %s, want it unchanged by who got another", got)
				}
			}
			if err := errors.Join(typed.EmitServers(from, files{[]byte{2}}), verbatim.EmitServers(from, []byte(`"b"`))); err != nil {
				t.Error(err)
			}
			synctest.Wait()
			slices.Sort(got.items)
			got.want(t, `"b"`, `"b"`, `["a"] [[1]]`, `["a"] [[1]]`, `[2]`, `[2]`)
			if string(mine.JSON[0]) != `"a"` || mine.Attachments[0][0] != 1 {
				t.Errorf("the sender's own is changed: %s %v", mine.JSON, mine.Attachments)
			}
		})
	})
	t.Run("are not waited for at a server that has just closed", func(t *testing.T) {
		newServers(t, func(t *testing.T, from *Namespace, b, c *Server, _ *list) {
			for _, srv := range []*Server{b, c} {
				srv.Of("/ns").HandleServers(count.OnServers(func(_ context.Context, n int) (int, error) { return n, nil }))
			}
			if err := b.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			b.cfg.Cluster.join(b) // as who looked a moment ago saw it
			defer b.cfg.Cluster.leave(b)
			start := time.Now()
			got, err := count.AskServers(t.Context(), from, 7)
			if !slices.Equal(got, []int{7}) || !errors.Is(err, errServerGone) {
				t.Errorf("got %v, %v, want the answer of one and the end of the other", got, err)
			}
			if d := time.Since(start); d != 0 {
				t.Errorf("waited %v, want not at all", d)
			}
		})
	})
	t.Run("do not wait behind others at a server that closes", func(t *testing.T) {
		newServers(t, func(t *testing.T, from *Namespace, b, c *Server, _ *list) {
			gate := make(chan struct{})
			b.Of("/ns").HandleServers(
				NewEvent[int]("slow").OnServers(func(context.Context, int) error { <-gate; return nil }),
				count.OnServers(func(_ context.Context, n int) (int, error) { return n, nil }))
			NewEvent[int]("slow").EmitServers(from, 1)
			closed := make(chan error, 1)
			go func() {
				time.Sleep(time.Second)
				closed <- b.Close(context.Background())
			}()
			start := time.Now()
			if got, err := count.AskServers(t.Context(), from, 1); len(got) != 0 || !errors.Is(err, errServerGone) {
				t.Errorf("got %v, %v, want the end of the server", got, err)
			}
			if d := time.Since(start); d != time.Second {
				t.Errorf("waited %v, want until it closes", d)
			}
			close(gate)
			if err := <-closed; err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("end with their server", func(t *testing.T) {
		newServers(t, func(t *testing.T, from *Namespace, b, c *Server, _ *list) {
			b.Of("/ns").HandleServers(count.OnServers(func(ctx context.Context, n int) (int, error) {
				<-ctx.Done()
				return 0, context.Cause(ctx)
			}))
			closed := make(chan error, 1)
			go func() {
				time.Sleep(time.Second)
				closed <- b.Close(context.Background())
			}()
			if got, err := count.AskServers(t.Context(), from, 1); len(got) != 0 || !errors.Is(err, errServerGone) {
				t.Errorf("got %v, %v, want the end of the server", got, err)
			}
			if err := <-closed; err != nil {
				t.Error(err)
			}
		})
	})
}
