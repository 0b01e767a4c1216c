package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/socketio"
	"jobcast/socketio/client"
)

var (
	never   = socketio.NewCall[struct{}, struct{}]("never")
	fails   = socketio.NewCall[string, int]("fails")
	askBack = socketio.NewCall[string, string]("ask back")
	confirm = socketio.NewCall[string, string]("confirm")
)

func withCalls(server *socketio.Server) {
	server.Of("/").Handle(
		never.OnAnswer(func(context.Context, *socketio.Socket, struct{}, func(struct{}) error) error { return nil }),
		fails.On(func(context.Context, *socketio.Socket, string) (int, error) {
			return 0, &socketio.EventError{Code: "too_long", Message: "name is too long", Data: []int{64}}
		}),
		askBack.On(func(ctx context.Context, s *socketio.Socket, text string) (string, error) {
			return confirm.Ask(ctx, s, text)
		}),
	)
}

func TestAckTimeout(t *testing.T) {
	inBubble(t, withCalls, func(t *testing.T, w *world) {
		c, s := w.connect(w.config())
		defer c.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		for want, ctx := range map[time.Duration]context.Context{2 * time.Second: ctx, 30 * time.Second: t.Context()} {
			begin := time.Now()
			_, err := client.Call(ctx, s, never, struct{}{})
			if d := time.Since(begin); !errors.Is(err, context.DeadlineExceeded) || d > want {
				t.Errorf("got %v after %v, want the end of the wait after %v", err, d, want)
			}
		}
	})
}

func TestCallErrors(t *testing.T) {
	inBubble(t, withCalls, func(t *testing.T, w *world) {
		c, s := w.connect(w.config())
		defer c.Close()
		_, err := client.Call(t.Context(), s, fails, "x")
		failed, ok := errors.AsType[*client.CallError](err)
		if !ok || failed.Event != "fails" || failed.Code != "too_long" || failed.Message != "name is too long" || string(failed.Data) != "[64]" {
			t.Errorf("got %v, want the server's error", err)
		}
		if want := `call fails: too_long: name is too long`; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		_, err = client.Call(t.Context(), s, socketio.NewCall[int, int]("fails"), 5)
		if failed, ok := errors.AsType[*client.CallError](err); !ok || failed.Code != "bad_request" {
			t.Errorf("got %v, want the server's error", err)
		}
		_, err = client.Call(t.Context(), s, socketio.NewCall[string, int]("unheard of"), "x")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v of an event that nothing handles, want no answer", err)
		}
		raw, err := client.Call(t.Context(), s, socketio.NewCall[string, json.RawMessage]("fails"), "x")
		if err != nil || !strings.HasPrefix(string(raw), `{"ok":false,"error":{`) {
			t.Errorf("got %s, %v, want the acknowledgement as it is", raw, err)
		}
		// An answer that only resembles an error is none.
		for _, answer := range []string{`{"ok":false}`, `{"ok":true,"error":{}}`, `{"error":{"code":"x"}}`, `{"ok":false,"error":null}`} {
			got, err := client.Call(t.Context(), s, socketio.NewCall[json.RawMessage, map[string]any]("echo"), json.RawMessage(answer))
			if err != nil || got == nil {
				t.Errorf("%s: got %v, %v", answer, got, err)
			}
		}
		_, err = client.Call(t.Context(), s, socketio.NewCall[string, int]("echo"), "x")
		if e, ok := errors.AsType[*socketio.PayloadError](err); !ok || e.Event != "echo" {
			t.Errorf("got %v, want a payload that does not fit", err)
		}
		if _, err = client.Call(t.Context(), s, socketio.NewCall[func(), int]("echo"), nil); err == nil {
			t.Error("a function was encoded")
		}
	})
}

// A server with errors of another form has a client that knows it.
func TestDecodeError(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		sad := errors.New("sad")
		cfg := w.config()
		cfg.DecodeError = func(event string, ack socketio.Args) error {
			if event == "echo" && string(ack.JSON[0]) == `"sad"` {
				return sad
			}
			return nil
		}
		c, s := w.connect(cfg)
		defer c.Close()
		feel := socketio.NewCall[string, string]("echo")
		if got, err := client.Call(t.Context(), s, feel, "well"); got != "well" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		if _, err := client.Call(t.Context(), s, feel, "sad"); !errors.Is(err, sad) {
			t.Errorf("got %v, want %v", err, sad)
		}
	})
}

// A call that was sent fails with its connection, since nobody knows whether it arrived. One that has not
// left yet goes out on the next.
func TestCallsAndLostConnection(t *testing.T) {
	inBubble(t, withCalls, func(t *testing.T, w *world) {
		c, s := w.connect(w.config())
		defer c.Close()
		sent := make(chan error)
		go func() {
			_, err := client.Call(t.Context(), s, never, struct{}{})
			sent <- err
		}()
		synctest.Wait()
		w.stop()
		if err := <-sent; !errors.Is(err, socketio.ErrDisconnected) || !errors.Is(err, socketio.TransportClose) {
			t.Errorf("got %v", err)
		}
		waiting := make(chan error)
		go func() {
			res, err := client.Call(t.Context(), s, greet, "you")
			if err == nil && res != "hello you" {
				err = fmt.Errorf("got %q", res)
			}
			waiting <- err
		}()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := client.Call(ctx, s, socketio.NewCall[string, string]("tell"), "given up"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		var got list
		client.On(s, told, func(_ context.Context, text string) { got.add("told %s", text) })
		w.start()
		if err := <-waiting; err != nil {
			t.Error(err)
		}
		got.want(t) // what was given up was not sent

		go func() {
			_, err := client.Call(t.Context(), s, never, struct{}{})
			sent <- err
		}()
		synctest.Wait()
		s.Disconnect()
		if err := <-sent; !errors.Is(err, socketio.ErrDisconnected) || !errors.Is(err, client.ClientDisconnect) {
			t.Errorf("got %v", err)
		}
	})
}

// panicking is data that cannot be encoded, in the worst way.
type panicking struct{}

func (panicking) MarshalJSON() ([]byte, error) { panic("a secret") }

// The server asks its client, while the client's own call waits for that.
func TestAnswer(t *testing.T) {
	inBubble(t, withCalls, func(t *testing.T, w *world) {
		c, s := w.connect(w.config())
		defer c.Close()
		client.Answer(s, confirm, func(ctx context.Context, text string) (string, error) {
			switch text {
			case "refuse":
				return "", &socketio.EventError{Code: "no", Message: "not now", Data: 7}
			case "bad data":
				return "", &socketio.EventError{Code: "no", Message: "not now", Data: func() {}}
			case "panicking data":
				return "", &socketio.EventError{Code: "no", Message: "not now", Data: panicking{}}
			case "fail":
				return "", errors.New("a secret")
			case "panic":
				panic("a secret")
			case "call":
				return client.Call(ctx, s, greet, "handler") // the answer comes over the same connection
			}
			return text + "!", nil
		})
		raw := socketio.NewCall[string, json.RawMessage](askBack.Name())
		for text, want := range map[string]string{"yes": `"yes!"`, "no": `"no!"`} {
			if got, err := client.Call(t.Context(), s, raw, text); string(got) != want || err != nil {
				t.Errorf("%s: got %s, %v, want %s", text, got, err, want)
			}
		}
		for s := range w.server.Of("/").Sockets() {
			for text, want := range map[string]string{
				"call":           `"hello handler"`,
				"refuse":         `{"ok":false,"error":{"code":"no","message":"not now","data":7}}`,
				"bad data":       `{"ok":false,"error":{"code":"no","message":"not now"}}`,
				"fail":           `{"ok":false,"error":{"code":"internal","message":"internal error"}}`,
				"panic":          `{"ok":false,"error":{"code":"internal","message":"internal error"}}`,
				"panicking data": `{"ok":false,"error":{"code":"internal","message":"internal error"}}`,
			} {
				got, err := socketio.NewCall[string, json.RawMessage](confirm.Name()).Ask(t.Context(), s, text)
				if string(got) != want || err != nil {
					t.Errorf("%s: got %s, %v, want %s", text, got, err, want)
				}
			}
			const want = `{"ok":false,"error":{"code":"bad_request","message":"event confirm: want string, got number"}}`
			got, err := socketio.NewCall[int, json.RawMessage](confirm.Name()).Ask(t.Context(), s, 7)
			if string(got) != want || err != nil {
				t.Errorf("got %s, %v, want %s", got, err, want)
			}
			got, err = socketio.NewCall[int, json.RawMessage]("unheard").Ask(t.Context(), s, 7)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %s, %v of an event that nothing handles, want no answer", got, err)
			}
		}
	})
}

func TestHandleAny(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		c, s := w.connect(w.config())
		defer c.Close()
		var got list
		s.HandleAny(func(_ context.Context, event string, args socketio.Args) (socketio.Args, error) {
			got.add("%s %s", event, args.JSON)
			return args, nil
		})
		client.On(s, told, func(_ context.Context, text string) { got.add("told %s", text) })
		for s := range w.server.Of("/").Sockets() {
			answer, err := socketio.NewCall[int, int]("anything").Ask(t.Context(), s, 7)
			if answer != 7 || err != nil {
				t.Errorf("got %d, %v", answer, err)
			}
			if err := told.Emit(s, "x"); err != nil {
				t.Error(err)
			}
		}
		got.want(t, "anything [7]", "told x")
		defer func() {
			if recover() == nil {
				t.Error("an event is handled twice")
			}
		}()
		client.On(s, told, func(context.Context, string) {})
	})
}
