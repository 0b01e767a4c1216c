package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"jobcast/socketio"
	"jobcast/socketio/client"
)

// withAdmin adds a namespace for those who have the secret.
func withAdmin(server *socketio.Server) {
	admin := server.Of("/admin")
	admin.Use(func(_ context.Context, s *socketio.Socket) error {
		if !strings.Contains(string(s.Auth()), "secret") {
			return &socketio.ConnectError{Message: "not authorized", Data: map[string]int{"code": 401}}
		}
		return nil
	})
	admin.Handle(tell.On(func(_ context.Context, s *socketio.Socket, text string) error { return told.Emit(s, "admin "+text) }))
}

// Namespaces share a connection, and each is connected, refused and disconnected on its own.
func TestNamespaces(t *testing.T) {
	inBubble(t, withAdmin, func(t *testing.T, w *world) {
		cfg := w.config()
		token := "wrong"
		cfg.Auth = func(_ context.Context, namespace string) (any, error) {
			if namespace == "/admin" {
				return map[string]string{"token": token}, nil
			}
			return nil, nil
		}
		c, s := w.connect(cfg)
		defer c.Close()
		var got list
		admin := c.Of("/admin")
		got.watch(admin)
		client.On(admin, told, func(_ context.Context, text string) { got.add("told %s", text) })

		err := admin.Connect(t.Context())
		refused, ok := errors.AsType[*client.ConnectError](err)
		if !ok || refused.Message != "not authorized" || string(refused.Data) != `{"code":401}` || refused.Namespace != "/admin" {
			t.Errorf("got %v, want the server's refusal", err)
		}
		got.want(t, "connect_error namespace /admin: not authorized")
		if err := client.Emit(admin, tell, "x"); !errors.Is(err, socketio.ErrDisconnected) {
			t.Errorf("emit on a refused socket: got %v", err)
		}

		token = "secret"
		if err := admin.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := client.Emit(admin, tell, "x"); err != nil {
			t.Error(err)
		}
		if _, err := client.Call(t.Context(), s, greet, "main"); err != nil {
			t.Error(err)
		}
		got.want(t, "connect", "told admin x")
		if n := w.handshakes; n != 1 {
			t.Errorf("got %d sessions, want one", n)
		}

		for s := range w.server.Of("/admin").Sockets() {
			s.Disconnect(false)
		}
		got.want(t, "disconnect io server disconnect")
		if !s.Connected() {
			t.Error("the other namespace was disconnected too")
		}
		unknown := c.Of("/unknown").Connect(t.Context())
		if e, ok := errors.AsType[*client.ConnectError](unknown); !ok || e.Message != "Invalid namespace" || e.Data != nil {
			t.Errorf("got %v", unknown)
		}
	})
}

func TestBinary(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		c, s := w.connect(w.config())
		defer c.Close()
		sent := socketio.Args{
			JSON:        []json.RawMessage{[]byte(`"a"`), []byte(`{"_placeholder":true,"num":0}`), []byte(`[{"_placeholder":true,"num":1}]`)},
			Attachments: [][]byte{{0, 1, 0xff}, make([]byte, 100_000)},
		}
		got, err := client.Call(t.Context(), s, echo, sent)
		if err != nil || len(got.Attachments) != 2 || string(got.Attachments[0]) != "\x00\x01\xff" || len(got.Attachments[1]) != 100_000 {
			t.Errorf("got %v, %v", got.JSON, err)
		}
		type file struct {
			Name string `json:"name"`
			Data []byte `json:"data"`
		}
		typed, err := client.Call(t.Context(), s, socketio.NewCall[file, file]("echo"), file{"a.bin", []byte{0, 1, 0xff}})
		if err != nil || typed.Name != "a.bin" || string(typed.Data) != "\x00\x01\xff" {
			t.Errorf("got %v, %v", typed, err)
		}
	})
}

// The same in MessagePack, where attachments have their place in the one message of a packet.
func TestMessagePack(t *testing.T) {
	inBubble(t, func(server *socketio.Server) {
		withAdmin(server)
		withCalls(server)
		server.Of("/").AllowMsgpack()
	}, func(t *testing.T, w *world) {
		cfg := w.config()
		cfg.MessagePack = true
		c, s := w.connect(cfg)
		defer c.Close()
		client.Answer(s, confirm, func(_ context.Context, text string) (string, error) { return text + "!", nil })
		if got, err := client.Call(t.Context(), s, askBack, "sure"); got != "sure!" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		sent := socketio.Args{
			JSON:        []json.RawMessage{[]byte(`[1,2.5,null,"é"]`), []byte(`{"_placeholder":true,"num":0}`)},
			Attachments: [][]byte{{0, 1, 0xff}},
		}
		got, err := client.Call(t.Context(), s, echo, sent)
		if err != nil || len(got.JSON) != 2 || string(got.JSON[0]) != string(sent.JSON[0]) || len(got.Attachments) != 1 || string(got.Attachments[0]) != "\x00\x01\xff" {
			t.Errorf("got %s with %v, %v", got.JSON, got.Attachments, err)
		}
		err = c.Of("/admin").Connect(t.Context())
		if refused, ok := errors.AsType[*client.ConnectError](err); !ok || !strings.Contains(refused.Message, "does not take msgpack") {
			t.Errorf("got %v, want a refusal", err)
		}
	})
}
