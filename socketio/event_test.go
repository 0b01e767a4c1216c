package socketio

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/engineio"
)

var (
	echo  = NewCall[Args, Args]("echo")
	add   = NewCall[[]int, int]("add")
	note  = NewEvent[string]("note")
	plain = NewEvent[struct{}]("plain")
)

func TestEvents(t *testing.T) {
	type point struct {
		X, Y int
	}
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		var got list
		ns := srv.Of("/")
		ns.Handle(
			note.On(func(_ context.Context, _ *Socket, text string) error { got.add("note %q", text); return nil }),
			plain.On(func(context.Context, *Socket, struct{}) error { got.add("plain"); return nil }),
			NewEvent[point]("point").On(func(_ context.Context, _ *Socket, p point) error { got.add("point %v", p); return nil }),
			NewEvent[json.RawMessage]("raw").On(func(_ context.Context, _ *Socket, raw json.RawMessage) error { got.add("raw %s", raw); return nil }),
			NewEvent[int]("7").On(func(_ context.Context, _ *Socket, n int) error { got.add("seven %d", n); return nil }),
			add.On(func(_ context.Context, _ *Socket, n []int) (int, error) { return n[0] + n[1], nil }),
		)
		p, s := join(t, srv, "/")
		p.send(`2["note"]`, `2["note",null]`, `2["note","a","too many"]`, `2["plain"]`, `2["plain",{}]`,
			`2["point",{"X":1,"Y":2,"Z":3}]`, `2["raw",{"n":12345678901234567890}]`, `2["raw"]`, `2[7,8]`)
		got.want(t, `note ""`, `note ""`, `note "a"`, `plain`, `plain`, `point {1 2}`, `raw {"n":12345678901234567890}`, `raw `, `seven 8`)
		p.want()
		p.send(`25["note","a"]`, `26["add",[1,2]]`, `27["plain"]`)
		p.want(`35[]`, `36[3]`, `37[]`)

		note.Emit(s, "<&>\u2028\xff")
		plain.Emit(s, struct{}{})
		NewEvent[point]("point").Emit(s, point{1, 2})
		NewEvent[*point](`a "quoted" name`).Emit(s, nil)
		NewEvent[json.RawMessage]("raw").Emit(s, json.RawMessage(`{"a":1}`))
		NewEvent[json.RawMessage]("raw").Emit(s, nil)
		NewEvent[Args]("args").Emit(s, Args{JSON: []json.RawMessage{[]byte(`1`), []byte(`"b"`)}})
		NewEvent[Args]("args").Emit(s, Args{})
		p.want(`2["note","<&>\u2028\ufffd"]`, `2["plain"]`, `2["point",{"X":1,"Y":2}]`, `2["a \"quoted\" name",null]`,
			`2["raw",{"a":1}]`, `2["raw",null]`, `2["args",1,"b"]`, `2["args"]`)

		for name, err := range map[string]error{
			"no JSON":              NewEvent[json.RawMessage]("raw").Emit(s, json.RawMessage(`{`)),
			"no JSON in Args":      NewEvent[Args]("args").Emit(s, Args{JSON: []json.RawMessage{[]byte(`1,2`)}}),
			"cannot be encoded":    NewEvent[func()]("f").Emit(s, func() {}),
			"missing attachment":   NewEvent[Args]("args").Emit(s, Args{JSON: []json.RawMessage{[]byte(`{"_placeholder":true,"num":1}`)}, Attachments: [][]byte{{1}}}),
			"too many attachments": NewEvent[Args]("args").Emit(s, Args{Attachments: make([][]byte, 11)}),
		} {
			if err == nil {
				t.Errorf("%s: got no error", name)
			}
		}
		p.want()
	})
}

func TestBinary(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		srv.Of("/ns").HandleAny(func(_ context.Context, s *Socket, event string, args Args) (Args, error) {
			return args, NewEvent[Args](event+"-back").Emit(s, args)
		})
		p, s := join(t, srv, "/ns")
		const two = `{"_placeholder":true,"num":0},{"a":{"_placeholder":true,"num":1}}`
		p.send(`52-/ns,9["bytes",` + two + `]`)
		p.sendBinary(1, 2)
		p.want()
		p.sendBinary(3)
		p.want(`52-/ns,["bytes-back",`+two+`]`, `b0102`, `b03`, `62-/ns,9[`+two+`]`, `b0102`, `b03`)

		done := make(chan struct{})
		go func() {
			defer close(done)
			res, err := echo.Ask(t.Context(), s, Args{JSON: []json.RawMessage{[]byte(`{"_placeholder":true,"num":0}`)}, Attachments: [][]byte{{4}}})
			if err != nil || len(res.Attachments) != 1 || string(res.Attachments[0]) != "\x05" {
				t.Errorf("Ask: got %v, %v", res, err)
			}
		}()
		p.want(`51-/ns,0["echo",{"_placeholder":true,"num":0}]`, `b04`)
		p.send(`61-/ns,0[{"_placeholder":true,"num":0}]`)
		p.sendBinary(5)
		<-done
	})
}

// Acknowledgements with errors, by the default encoding.
func TestErrors(t *testing.T) {
	type request struct {
		Args struct {
			Path string `json:"path"`
		} `json:"args"`
		N uint8 `json:"n"`
	}
	var log strings.Builder
	bubble(t, Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}, func(t *testing.T, srv *Server) {
		log.Reset()
		start := NewCall[request, string]("start")
		srv.Of("/").Handle(
			start.On(func(_ context.Context, _ *Socket, r request) (string, error) {
				switch r.N {
				case 1:
					return "", errors.New("the secret is 42")
				case 2:
					panic("a bug")
				case 3:
					return "", &PayloadError{Event: "start", Field: "n", Err: errors.New("must not be 3")}
				}
				return r.Args.Path, nil
			}),
			NewCall[int, func()]("odd").On(func(context.Context, *Socket, int) (func(), error) { return func() {}, nil }),
		)
		p, _ := join(t, srv, "/")
		bad := func(message string) string {
			return `{"ok":false,"error":{"code":"bad_request","message":"` + message + `"}}`
		}
		const internal = `{"ok":false,"error":{"code":"internal","message":"internal error"}}`
		p.send(`20["start",{"args":{"path":"/tmp"}}]`, `21["start",{"args":{"path":5}}]`, `22["start","x"]`, `23["start",{"n":300}]`,
			`24["start",{"n":3}]`, `25["none"]`, `2["none"]`, `2["start",[]]`)
		p.want(`30["/tmp"]`,
			`31[`+bad("event start: args.path: want string, got number")+`]`,
			`32[`+bad("event start: want object, got string")+`]`,
			`33[`+bad("event start: n: want unsigned integer, got number 300")+`]`,
			`34[`+bad("event start: n: must not be 3")+`]`) // and nothing of the one that nothing handles
		if log.Len() > 0 {
			t.Errorf("a client's mistakes were logged: %s", log.String())
		}
		p.send(`21["start",{"n":1}]`)
		p.want(`31[` + internal + `]`)
		if !strings.Contains(log.String(), `err="the secret is 42"`) || !strings.Contains(log.String(), "event=start") {
			t.Errorf("log: got %s", log.String())
		}
		if strings.Contains(log.String(), p.id) {
			t.Errorf("the session's id was logged: %s", log.String())
		}
		p.send(`22["start",{"n":2}]`, `2["start",{"n":2}]`, `24["odd"]`, `23["start"]`)
		p.want(`32[`+internal+`]`, `34[`+internal+`]`, `33[""]`)
		if !strings.Contains(log.String(), `err="a bug"`) || !strings.Contains(log.String(), "event_test.go") {
			t.Errorf("log without the panic's stack: got %s", log.String())
		}
	})
}

// A page that leaves while its handler works or asks it something is no failure of ours.
func TestLeavingIsNoFailure(t *testing.T) {
	var log strings.Builder
	bubble(t, Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}, func(t *testing.T, srv *Server) {
		log.Reset()
		srv.Of("/").Handle(
			NewEvent[struct{}]("ask").On(func(ctx context.Context, s *Socket, _ struct{}) error {
				_, err := add.Ask(ctx, s, nil)
				return err
			}),
			NewEvent[struct{}]("work").On(func(ctx context.Context, _ *Socket, _ struct{}) error { <-ctx.Done(); return ctx.Err() }),
			NewEvent[struct{}]("cause").On(func(ctx context.Context, _ *Socket, _ struct{}) error {
				<-ctx.Done()
				return context.Cause(ctx)
			}),
			NewEvent[struct{}]("other").On(func(context.Context, *Socket, struct{}) error { return context.Canceled }),
			NewEvent[struct{}]("quick").On(func(context.Context, *Socket, struct{}) error { return nil }),
		)
		// The session has ended, and nobody has told the socket yet.
		gone, _ := join(t, srv, "/")
		gone.mu.Lock()
		gone.err = engineio.ErrClosed
		gone.mu.Unlock()
		gone.send(`20["quick"]`)
		synctest.Wait()
		if log.Len() > 0 {
			t.Errorf("a client whose session has just ended was logged: %s", log.String())
		}
		for _, event := range []string{"ask", "work", "cause"} {
			p, _ := join(t, srv, "/")
			p.send(`20["` + event + `"]`)
			synctest.Wait()
			p.Close(engineio.TransportClose)
			synctest.Wait()
			if log.Len() > 0 {
				t.Errorf("%s: a client that left was logged: %s", event, log.String())
			}
		}
		p, _ := join(t, srv, "/")
		p.send(`2["other"]`)
		synctest.Wait()
		if !strings.Contains(log.String(), "level=ERROR") {
			t.Errorf("log: got %q, want the error of a client that is there", log.String())
		}
	})
}

func TestEncodeError(t *testing.T) {
	encode := func(err error) any {
		switch {
		case strings.Contains(err.Error(), "panic please"):
			panic("in EncodeError")
		case strings.Contains(err.Error(), "odd please"):
			return func() {}
		}
		return []string{"failed", err.Error()}
	}
	bubble(t, Config{EncodeError: encode}, func(t *testing.T, srv *Server) {
		srv.Of("/").Handle(note.On(func(_ context.Context, _ *Socket, text string) error { return errors.New(text) }))
		p, _ := join(t, srv, "/")
		p.send(`20["note","<x>"]`, `21["note",5]`, `22["note","panic please"]`, `23["note","odd please"]`)
		const internal = `{"ok":false,"error":{"code":"internal","message":"internal error"}}`
		p.want(`30[["failed","<x>"]]`, `31[["failed","event note: want string, got number"]]`, `32[`+internal+`]`, `33[`+internal+`]`)
	})
}

func TestPayloadErrorUnwraps(t *testing.T) {
	var v int
	err := decode("x", Args{JSON: []json.RawMessage{[]byte(`"s"`)}}, &v)
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); !ok || e.Value != "string" {
		t.Fatalf("got %#v, want a *json.UnmarshalTypeError inside", err)
	}
	var when time.Time
	err = decode("x", Args{JSON: []json.RawMessage{[]byte(`"yesterday"`)}}, &when)
	if e, ok := errors.AsType[*PayloadError](err); !ok || e.Event != "x" || !strings.Contains(e.Error(), `"yesterday"`) {
		t.Fatalf("got %v, want a *PayloadError about yesterday", err)
	}
}

// What a handler emits before and after its answer is so on the wire, and answering twice is an error.
func TestOnAnswer(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		srv.Of("/").Handle(
			add.OnAnswer(func(_ context.Context, s *Socket, n []int, answer func(int) error) error {
				if len(n) == 0 {
					return &PayloadError{Event: "add", Err: errors.New("nothing to add")}
				}
				note.Emit(s, "before")
				if err := answer(n[0] + n[1]); err != nil {
					t.Errorf("answer: %v", err)
				}
				note.Emit(s, "after")
				if err := answer(0); !errors.Is(err, ErrAnswered) {
					t.Errorf("second answer: got %v, want %v", err, ErrAnswered)
				}
				return errors.New("too late to tell")
			}),
			NewCall[int, int]("later").OnAnswer(func(_ context.Context, s *Socket, n int, answer func(int) error) error {
				s.Go(func(context.Context) {
					time.Sleep(time.Second)
					answer(n)
				})
				return nil
			}),
		)
		p, _ := join(t, srv, "/")
		p.send(`20["add",[1,2]]`)
		p.want(`2["note","before"]`, `30[3]`, `2["note","after"]`)
		p.send(`2["add",[1,2]]`)
		p.want(`2["note","before"]`, `2["note","after"]`)
		p.send(`21["add",[]]`)
		p.want(`31[{"ok":false,"error":{"code":"bad_request","message":"event add: nothing to add"}}]`)
		p.send(`22["later",5]`)
		p.want()
		time.Sleep(time.Second)
		p.want(`32[5]`)
	})
}

func TestWhatIsBegunLeavesInOrderAndIsWaitedForLater(t *testing.T) {
	bubble(t, Config{AckTimeout: 3 * time.Second}, func(t *testing.T, srv *Server) {
		p, s := join(t, srv, "/")
		one, two := add.Begin(s, []int{1}), add.Begin(s, []int{2})
		note.Emit(s, "three")
		p.want(`20["add",[1]]`, `21["add",[2]]`, `2["note","three"]`)
		p.send(`31[20]`, `30[10]`)
		time.Sleep(time.Minute) // the time begins with the wait
		for _, c := range []struct {
			wait func(context.Context) (int, error)
			want int
		}{{one, 10}, {two, 20}} {
			if sum, err := c.wait(t.Context()); sum != c.want || err != nil {
				t.Errorf("got %d, %v; want %d", sum, err, c.want)
			}
		}
		late := add.Begin(s, []int{3})
		start := time.Now()
		if _, err := late(t.Context()); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 3*time.Second {
			t.Errorf("got %v after %v, want a timeout after 3s", err, time.Since(start))
		}
		p.Close(engineio.TransportClose)
		synctest.Wait()
		if _, err := add.Begin(s, nil)(t.Context()); !errors.Is(err, ErrDisconnected) {
			t.Errorf("got %v, want %v", err, ErrDisconnected)
		}
		if len(s.asks) != 0 {
			t.Errorf("%d acknowledgements are still waited for", len(s.asks))
		}
	})
}

func TestAsk(t *testing.T) {
	bubble(t, Config{AckTimeout: 3 * time.Second}, func(t *testing.T, srv *Server) {
		p, s := join(t, srv, "/")
		type result struct {
			sum int
			err error
		}
		ask := func(ctx context.Context) <-chan result {
			c := make(chan result, 1)
			go func() {
				sum, err := add.Ask(ctx, s, []int{1, 2})
				c <- result{sum, err}
			}()
			synctest.Wait()
			return c
		}
		pending := func() int {
			s.mu.Lock()
			defer s.mu.Unlock()
			return len(s.asks)
		}

		one, two := ask(t.Context()), ask(t.Context())
		p.want(`20["add",[1,2]]`, `21["add",[1,2]]`)
		p.send(`31[4]`, `30[3,"ignored"]`, `30[9]`, `399[9]`) // repeated and unknown ones are ignored
		if r := <-one; r.sum != 3 || r.err != nil {
			t.Errorf("got %v, want 3", r)
		}
		if r := <-two; r.sum != 4 || r.err != nil {
			t.Errorf("got %v, want 4", r)
		}
		p.wantClosed("")
		s.expect(s.ns.nextAsk.Add(1)-1, make(chan reply, 1))
		p.send(`32[1]`, `32[1]`, `32[1]`) // nobody looks at the first yet: the reader must not wait

		c := ask(t.Context())
		p.send(`33["three"]`)
		if r := <-c; r.err == nil || r.err.Error() != "event add: want integer, got string" {
			t.Errorf("got %v, want a payload error", r.err)
		}

		c = ask(t.Context())
		start := time.Now()
		if r := <-c; !errors.Is(r.err, context.DeadlineExceeded) || time.Since(start) != 3*time.Second {
			t.Errorf("got %v after %v, want a timeout after 3s", r.err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		c = ask(ctx)
		time.Sleep(10 * time.Second)
		cause := errors.New("enough")
		cancel()
		if r := <-c; !errors.Is(r.err, context.Canceled) {
			t.Errorf("got %v, want %v", r.err, context.Canceled)
		}
		ctx2, cancel2 := context.WithCancelCause(t.Context())
		cancel2(cause)
		if r := <-ask(ctx2); !errors.Is(r.err, cause) {
			t.Errorf("got %v, want %v", r.err, cause)
		}
		if n := pending(); n != 0 {
			t.Errorf("%d acknowledgements are still waited for", n)
		}

		c = ask(t.Context())
		inHandler := ask(s.Context())
		p.Close(engineio.TransportClose)
		for _, c := range []<-chan result{c, inHandler} {
			r := <-c
			reason, _ := errors.AsType[Reason](r.err)
			if !errors.Is(r.err, ErrDisconnected) || reason != TransportClose {
				t.Errorf("got %v, want %v with %v", r.err, ErrDisconnected, TransportClose)
			}
		}
		if n := pending(); n != 0 {
			t.Errorf("%d acknowledgements are still waited for", n)
		}
		if r := <-ask(t.Context()); !errors.Is(r.err, ErrDisconnected) {
			t.Errorf("got %v, want %v", r.err, ErrDisconnected)
		}
	})
}

func TestRegistrationPanics(t *testing.T) {
	mustPanic := func(name string, f func()) {
		t.Helper()
		defer func() {
			if recover() == nil {
				t.Errorf("%s: no panic", name)
			}
		}()
		f()
	}
	ns := New(Config{}).Of("/")
	handler := note.On(func(context.Context, *Socket, string) error { return nil })
	ns.Handle(handler)
	ns.HandleAny(func(context.Context, *Socket, string, Args) (Args, error) { return Args{}, nil })
	mustPanic("reserved name", func() { NewEvent[int]("disconnect") })
	mustPanic("reserved name of a call", func() { NewCall[int, int]("connect") })
	mustPanic("handled twice", func() { ns.Handle(handler) })
	mustPanic("no handler", func() { ns.Handle(Handler{name: "x"}) })
	mustPanic("HandleAny twice", func() {
		ns.HandleAny(func(context.Context, *Socket, string, Args) (Args, error) { return Args{}, nil })
	})
	mustPanic("namespace without slash", func() { ns.srv.Of("x") })
	mustPanic("Accept set", func() {
		New(Config{Engine: engineio.Config{Accept: func(*engineio.Session) engineio.Handler { return nil }}})
	})
}

// What a client encodes is what a server would have sent, and the other way round.
func TestArgs(t *testing.T) {
	type point struct{ X, Y int }
	for _, tt := range []struct {
		encode func() (Args, error)
		want   string
	}{
		{func() (Args, error) { return EncodeArgs("<&>") }, `"<&>"`},
		{func() (Args, error) { return EncodeArgs(point{1, 2}) }, `{"X":1,"Y":2}`},
		{func() (Args, error) { return EncodeArgs(struct{}{}) }, ``},
		{func() (Args, error) { return EncodeArgs(json.RawMessage(nil)) }, `null`},
		{func() (Args, error) { return EncodeArgs(Args{JSON: []json.RawMessage{[]byte("1"), []byte("2")}}) }, `1,2`},
	} {
		args, err := tt.encode()
		var got []string
		for _, a := range args.JSON {
			got = append(got, string(a))
		}
		if strings.Join(got, ",") != tt.want || err != nil {
			t.Errorf("got %q, %v, want %s", got, err, tt.want)
		}
	}
	if _, err := EncodeArgs(Args{JSON: []json.RawMessage{[]byte("1,2")}}); !errors.Is(err, errArgs) {
		t.Errorf("got %v, want %v", err, errArgs)
	}
	if _, err := EncodeArgs(func() {}); err == nil {
		t.Error("a function was encoded")
	}
	if p, err := DecodeArgs[point]("move", Args{JSON: []json.RawMessage{[]byte(`{"X":1}`)}}); p != (point{X: 1}) || err != nil {
		t.Errorf("got %v, %v", p, err)
	}
	_, err := DecodeArgs[point]("move", Args{JSON: []json.RawMessage{[]byte(`{"X":"1"}`)}})
	if e, ok := errors.AsType[*PayloadError](err); !ok || e.Event != "move" || e.Field != "X" {
		t.Errorf("got %v, want an error that names the event and the field", err)
	}
}
