package client_test

import (
	"context"
	"testing"

	"jobcast/socketio/client"
)

func TestEmitAndCall(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		var got list
		c := client.New(w.config())
		defer c.Close()
		s := c.Of("/")
		got.watch(s)
		client.On(s, told, func(_ context.Context, text string) { got.add("told %s", text) })
		if err := s.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s.ID() == "" || !s.Connected() {
			t.Errorf("got id %q, connected %v", s.ID(), s.Connected())
		}
		for _, text := range []string{"a", "b", "c"} {
			if err := client.Emit(s, tell, text); err != nil {
				t.Error(err)
			}
		}
		if res, err := client.Call(t.Context(), s, greet, "you"); res != "hello you" || err != nil {
			t.Errorf("got %q, %v", res, err)
		}
		got.want(t, "connect", "told a", "told b", "told c")
		s.Disconnect()
		got.want(t, "disconnect io client disconnect")
	})
}
