// Command goclient runs the client of package socketio/client against a server of the reference, which
// client.test.js starts. It prints what it saw, a JSON array of name and value for each step, and leaves
// it to the test to judge.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"time"

	"jobcast/socketio"
	"jobcast/socketio/client"
)

// What the server in client.test.js understands and says.
var (
	echo    = socketio.NewCall[socketio.Args, socketio.Args]("echo")
	sum     = socketio.NewCall[[]int, int]("sum")
	ask     = socketio.NewCall[string, string]("ask")
	never   = socketio.NewCall[struct{}, struct{}]("never")
	flood   = socketio.NewEvent[int]("flood")
	item    = socketio.NewEvent[int]("item")
	cut     = socketio.NewEvent[struct{}]("cut")
	restart = socketio.NewEvent[struct{}]("restart")
	leave   = socketio.NewEvent[struct{}]("leave")
	confirm = socketio.NewCall[string, string]("confirm")
)

func main() {
	url := flag.String("url", "", "`URL` of the server")
	transport := flag.String("transport", "websocket", "`transport`, websocket or polling")
	msgpack := flag.Bool("msgpack", false, "write packets as MessagePack")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx, *url, client.Transport(*transport), *msgpack); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, url string, transport client.Transport, msgpack bool) error {
	out := json.NewEncoder(os.Stdout)
	say := func(name string, value any) { _ = out.Encode([]any{name, value}) }

	c := client.New(client.Config{
		URL:            url,
		Transport:      transport,
		MessagePack:    msgpack,
		ReconnectDelay: 50 * time.Millisecond,
		Logger:         slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Auth: func(_ context.Context, namespace string) (any, error) {
			if namespace == "/admin" {
				return map[string]string{"token": "guess"}, nil
			}
			return map[string]string{"token": "secret"}, nil
		},
	})
	defer c.Close()
	s := c.Of("/")
	connects, disconnects := make(chan bool, 10), make(chan socketio.Reason, 10)
	s.OnConnect(func(context.Context) { connects <- s.Recovered() })
	s.OnDisconnect(func(reason socketio.Reason) { disconnects <- reason })
	client.Answer(s, confirm, func(ctx context.Context, text string) (string, error) { return text + "!", nil })
	const items = 1000
	got := make(chan []int, 1)
	var seen []int
	client.On(s, item, func(_ context.Context, n int) {
		if seen = append(seen, n); len(seen) == items {
			got <- seen
			seen = nil
		}
	})
	if err := s.Connect(ctx); err != nil {
		return err
	}
	say("recovered", <-connects)

	args := socketio.Args{
		JSON:        []json.RawMessage{[]byte(`"<é😀>"`), []byte(`{"_placeholder":true,"num":1}`), []byte(`{"n":12345678901234567890,"b":{"_placeholder":true,"num":0}}`)},
		Attachments: [][]byte{{0, 1, 2, 255}, []byte("second")},
	}
	back, err := client.Call(ctx, s, echo, args)
	if err != nil {
		return err
	}
	say("echo", map[string]any{"args": back.JSON, "attachments": back.Attachments})
	total, err := client.Call(ctx, s, sum, []int{1, 2, 3})
	if err != nil {
		return err
	}
	say("sum", total)
	answer, err := client.Call(ctx, s, ask, "sure")
	if err != nil {
		return err
	}
	say("ask", answer)

	refused, _ := errors.AsType[*client.ConnectError](c.Of("/admin").Connect(ctx))
	say("refused", refused)
	unknown, _ := errors.AsType[*client.ConnectError](c.Of("/unknown").Connect(ctx))
	say("unknown", unknown)

	if err := client.Emit(s, flood, items); err != nil {
		return err
	}
	say("flood", inOrder(<-got))

	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	_, err = client.Call(short, s, never, struct{}{})
	say("never", errors.Is(err, context.DeadlineExceeded))
	time.Sleep(time.Second) // the server pings
	say("alive", s.Connected())

	// A connection that the server drops is taken up again, with what was missed.
	id := s.ID()
	if err := client.Emit(s, cut, struct{}{}); err != nil {
		return err
	}
	say("cut", <-disconnects)
	say("recovered", <-connects)
	say("same", s.ID() == id)
	say("missed", inOrder(<-got))

	// A server that is started anew knows nothing, and gets what was emitted meanwhile.
	if err := client.Emit(s, restart, struct{}{}); err != nil {
		return err
	}
	say("restart", <-disconnects)
	if err := client.Emit(s, flood, items); err != nil {
		return err
	}
	say("recovered", <-connects)
	say("flood", inOrder(<-got))

	if err := client.Emit(s, leave, struct{}{}); err != nil {
		return err
	}
	say("leave", <-disconnects)
	err = client.Emit(s, flood, 1)
	say("emit", errors.Is(err, socketio.ErrDisconnected))
	return nil
}

// inOrder reports how many numbers come one after the other.
func inOrder(numbers []int) int {
	for i, n := range numbers {
		if n != i {
			return i
		}
	}
	return len(numbers)
}
