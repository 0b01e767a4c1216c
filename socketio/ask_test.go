package socketio

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/engineio"
)

// background starts f and returns who waits for what it returns.
func background[T any](f func() (T, error)) (wait func() (T, error)) {
	type result struct {
		value T
		err   error
	}
	c := make(chan result, 1)
	go func() {
		v, err := f()
		c <- result{v, err}
	}()
	synctest.Wait()
	return func() (T, error) {
		r := <-c
		return r.value, r.err
	}
}

// wantNoAsks fails if something is still kept for an answer.
func wantNoAsks(t *testing.T, sockets map[string]*Socket) {
	t.Helper()
	for name, s := range sockets {
		s.mu.Lock()
		if s.asks != nil {
			t.Errorf("%s: %d acknowledgements are still waited for", name, len(s.asks))
		}
		s.mu.Unlock()
	}
}

func TestAskAll(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		ns := srv.Of("/")
		pipes, sockets := crowd(t, srv, "a", "ab", "abc", "c")
		calls := 0
		counting := NewCall[counted, int]("count")
		wait := background(func() ([]Answer[int], error) {
			return counting.AskAll(t.Context(), ns.To("a", "b"), counted{&calls})
		})
		for _, name := range []string{"a", "ab", "abc"} {
			pipes[name].want(`20["count",1]`)
		}
		pipes["c"].want()
		pipes["abc"].send(`30[3]`, `30[4]`) // the second is ignored
		pipes["c"].send(`30[9]`)            // it was not asked
		synctest.Wait()
		pipes["a"].send(`30[1,"ignored"]`)
		synctest.Wait()
		pipes["ab"].send(`30[2]`)
		answers, err := wait()
		if want := []Answer[int]{{sockets["abc"], 3}, {sockets["a"], 1}, {sockets["ab"], 2}}; !slices.Equal(answers, want) || err != nil {
			t.Errorf("got %v, %v, want %v", answers, err, want)
		}
		if calls != 1 {
			t.Errorf("encoded %d times, want once", calls)
		}
		wantNoAsks(t, sockets)

		// The id is nobody's else.
		wait = background(func() ([]Answer[int], error) { return add.AskAll(t.Context(), ns.In("a").Except("b"), nil) })
		one := background(func() (int, error) { return add.Ask(t.Context(), sockets["a"], nil) })
		pipes["a"].want(`21["add",null]`, `22["add",null]`)
		pipes["a"].send(`32[6]`, `31[5]`)
		if answers, err := wait(); len(answers) != 1 || answers[0].Value != 5 || err != nil {
			t.Errorf("got %v, %v, want 5", answers, err)
		}
		if n, err := one(); n != 6 || err != nil {
			t.Errorf("got %d, %v, want 6", n, err)
		}

		for name, to := range map[string]Emitter{"a room": ns.To("none"), "others": sockets["c"].Broadcast().Except("a")} {
			if answers, err := add.AskAll(t.Context(), to, nil); len(answers) != 0 || err != nil {
				t.Errorf("nobody in %s: got %v, %v", name, answers, err)
			}
		}
		if _, err := NewCall[func(), int]("f").AskAll(t.Context(), ns, func() {}); err == nil {
			t.Error("a function was encoded")
		}
		wait = background(func() ([]Answer[int], error) { return add.AskAll(t.Context(), sockets["c"].Volatile(), []int{1}) })
		pipes["c"].want(`26["add",[1]]`)
		pipes["c"].send(`36[1]`)
		if answers, err := wait(); len(answers) != 1 || answers[0].Socket != sockets["c"] || err != nil {
			t.Errorf("a single socket: got %v, %v", answers, err)
		}
		wantNoAsks(t, sockets)
	})
}

// Who does not answer is named, with the reason, beside the answers of the others.
func TestAskAllPartly(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		ns := srv.Of("/")
		pipes, sockets := crowd(t, srv, "answers", "leaves", "closes", "thrown", "silent", "odd", "slow", "late")
		pipes["slow"].err = engineio.ErrSlow
		start := time.Now()
		wait := background(func() ([]Answer[int], error) { return add.AskAll(t.Context(), ns.Timeout(5*time.Second), nil) })
		pipes["answers"].send(`30[1]`)
		pipes["leaves"].send(`1`)
		pipes["closes"].Close(engineio.TransportClose)
		sockets["thrown"].Disconnect(false)
		pipes["odd"].send(`30["x"]`)
		answers, err := wait()
		if d := time.Since(start); d != 5*time.Second {
			t.Errorf("took %v, want 5s", d)
		}
		if want := []Answer[int]{{sockets["answers"], 1}}; !slices.Equal(answers, want) {
			t.Errorf("got %v, want %v", answers, want)
		}
		missing, ok := errors.AsType[*UnansweredError](err)
		if !ok || len(missing.Missing) != 7 || missing.Answered != 1 || err.Error() != "ask add: 7 of 8 sockets gave no answer" {
			t.Fatalf("got %v, want an error about seven", err)
		}
		for name, want := range map[string]error{
			"leaves": ClientNamespaceDisconnect,
			"closes": TransportClose,
			"thrown": ServerNamespaceDisconnect,
			"silent": context.DeadlineExceeded,
			"late":   context.DeadlineExceeded,
			"slow":   engineio.ErrSlow,
		} {
			got := missing.Missing[sockets[name]]
			_, left := errors.AsType[Reason](want)
			if !errors.Is(got, want) || errors.Is(got, ErrDisconnected) != left || !errors.Is(err, want) {
				t.Errorf("%s: got %v, want %v", name, got, want)
			}
		}
		if _, ok := errors.AsType[*PayloadError](missing.Missing[sockets["odd"]]); !ok {
			t.Errorf("odd: got %v, want a *PayloadError", missing.Missing[sockets["odd"]])
		}
		pipes["late"].send(`30[1]`)
		pipes["late"].wantClosed("")
		wantNoAsks(t, sockets)
	})
}

func TestAskEachStreams(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		ns := srv.Of("/ns")
		pipes, sockets := map[string]*pipe{}, map[string]*Socket{}
		for _, name := range []string{"a", "b", "c"} {
			pipes[name], sockets[name] = join(t, srv, "/ns")
		}
		var got list
		each := echo.AskEach(t.Context(), ns, Args{})
		pipes["a"].want() // the event goes out when the loop begins
		done := make(chan struct{})
		go func() {
			defer close(done)
			for a, err := range each {
				got.add("%s %x %v", a.Value.JSON, a.Value.Attachments, err)
				if string(a.Value.JSON[0]) == `"stop"` {
					break
				}
			}
		}()
		pipes["a"].want(`2/ns,0["echo"]`)
		pipes["b"].send(`61-/ns,0[{"_placeholder":true,"num":0}]`)
		pipes["b"].sendBinary(7)
		got.want(t, `[{"_placeholder":true,"num":0}] [07] <nil>`)
		pipes["a"].send(`3/ns,0["stop"]`)
		<-done
		wantNoAsks(t, sockets)
		pipes["c"].send(`3/ns,0["late"]`)
		got.want(t, `[{"_placeholder":true,"num":0}] [07] <nil>`, `["stop"] [] <nil>`)
		for _, p := range pipes {
			p.wantClosed("")
		}
	})
}

// The wait ends with the context, Target.Timeout or Config.AckTimeout, whichever was given.
func TestAskEachEnds(t *testing.T) {
	enough := errors.New("enough")
	bubble(t, Config{AckTimeout: 3 * time.Second}, func(t *testing.T, srv *Server) {
		ns := srv.Of("/")
		pipes, sockets := crowd(t, srv, "a", "b")
		ask := func(ctx context.Context, to Emitter) (took time.Duration, err error) {
			start := time.Now()
			_, err = add.AskAll(ctx, to, nil)
			wantNoAsks(t, sockets)
			return time.Since(start), err
		}
		long, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cancelled, stop := context.WithCancelCause(t.Context())
		stop(enough)
		pipes["a"].stalled, pipes["b"].stalled = true, true
		for _, tt := range []struct {
			name string
			ctx  context.Context
			to   Emitter
			took time.Duration
			want error
		}{
			{"a longer context", long, ns.Timeout(0), time.Minute, context.DeadlineExceeded},
			{"the default", t.Context(), ns, 3 * time.Second, context.DeadlineExceeded},
			{"a timeout", t.Context(), ns.Timeout(10 * time.Second).To("a"), 10 * time.Second, context.DeadlineExceeded},
			{"a cancelled context", cancelled, ns.Timeout(10 * time.Second), 0, enough},
			{"a volatile event", t.Context(), ns.Volatile(), 3 * time.Second, context.DeadlineExceeded},
		} {
			if took, err := ask(tt.ctx, tt.to); took != tt.took || !errors.Is(err, tt.want) {
				t.Errorf("%s: took %v, %v, want %v, %v", tt.name, took, err, tt.took, tt.want)
			}
		}
		pipes["a"].take()

		// One in a handler whose own client leaves.
		wait := background(func() (time.Duration, error) { return ask(sockets["a"].Context(), ns) })
		pipes["a"].send(`1`)
		if _, err := wait(); !errors.Is(err, ErrDisconnected) || !errors.Is(err, ClientNamespaceDisconnect) {
			t.Errorf("got %v, want %v", err, ClientNamespaceDisconnect)
		}
	})
}

// Many ask many while clients come and go: every question gets as many ends as it has sockets.
func TestAskEachConcurrently(t *testing.T) {
	bubble(t, Config{AckTimeout: time.Second}, func(t *testing.T, srv *Server) {
		ns := srv.Of("/")
		pipes, sockets := map[string]*pipe{}, map[string]*Socket{}
		for i := range 20 {
			name := fmt.Sprint(i)
			pipes[name], sockets[name] = join(t, srv, "/")
		}
		var waits []func() (int, error)
		for range 10 {
			waits = append(waits, background(func() (n int, _ error) {
				for a := range echo.AskEach(t.Context(), ns, Args{}) {
					if a.Socket == nil {
						t.Error("an end without a socket")
					}
					n++
				}
				return n, nil
			}))
		}
		for name, p := range pipes {
			i, _ := strconv.Atoi(name)
			go func() {
				for id := range 10 {
					if i%3 == 0 && id == i%7 {
						p.Close(engineio.TransportClose)
					}
					if i%4 != 0 {
						p.send(fmt.Sprintf(`3%d[]`, id))
					}
				}
			}()
		}
		for _, wait := range waits {
			if n, _ := wait(); n != 20 {
				t.Errorf("got %d ends, want 20", n)
			}
		}
		wantNoAsks(t, sockets)
	})
}
