package socketio_test

import (
	"context"
	"fmt"

	"jobcast/socketio"
	"jobcast/socketio/client"
)

// A middleware for events refuses one before its handler sees it.
func ExampleNamespace_UseEvents() {
	server := socketio.New(socketio.Config{})
	main := server.Of("/")
	main.UseEvents(func(ctx context.Context, s *socketio.Socket, event string, args socketio.Args) error {
		if event == "enter" && string(args.JSON[0]) == `"cellar"` {
			return &socketio.EventError{Code: "forbidden", Message: "not in here"}
		}
		return nil
	})
	main.Handle(Enter.On(func(ctx context.Context, s *socketio.Socket, room string) ([]string, error) {
		s.Join(room)
		return s.Rooms(), nil
	}))

	page := connect(server, "/")
	defer end(server, page)
	fmt.Println(client.Call(context.Background(), page, Enter, "lobby"))
	fmt.Println(client.Call(context.Background(), page, Enter, "cellar"))
	// Output:
	// [lobby] <nil>
	// [] call enter: forbidden: not in here
}

// One socket has a middleware of its own, here one that counts.
func ExampleSocket_Use() {
	ping := socketio.NewCall[struct{}, string]("ping")
	server := socketio.New(socketio.Config{})
	main := server.Of("/")
	main.OnConnect(func(ctx context.Context, s *socketio.Socket) {
		left := 2
		s.Use(func(ctx context.Context, s *socketio.Socket, event string, args socketio.Args) error {
			if left--; left < 0 {
				return &socketio.EventError{Code: "too_many", Message: "slow down"}
			}
			return nil
		})
	})
	main.Handle(ping.On(func(ctx context.Context, s *socketio.Socket, _ struct{}) (string, error) { return "pong", nil }))

	page := connect(server, "/")
	defer end(server, page)
	for range 3 {
		fmt.Println(client.Call(context.Background(), page, ping, struct{}{}))
	}
	// Output:
	// pong <nil>
	// pong <nil>
	//  call ping: too_many: slow down
}

// Listeners observe all events, in and out, and change nothing.
func ExampleNamespace_OnAny() {
	server := socketio.New(socketio.Config{})
	main := server.Of("/")
	main.OnAny(func(s *socketio.Socket, event string, args socketio.Args) {
		fmt.Printf("in  %s %s\n", event, args.JSON)
	})
	main.OnAnyOutgoing(func(s *socketio.Socket, event string, args socketio.Args) {
		fmt.Printf("out %s %s\n", event, args.JSON)
	})
	main.Handle(Chat.On(func(ctx context.Context, s *socketio.Socket, text string) error {
		return Chat.Emit(s, text+" yourself")
	}))

	page := connect(server, "/")
	defer end(server, page)
	chat := receive(page, Chat)
	client.Emit(page, Chat, "hello")
	fmt.Println("got", <-chat)
	// Output:
	// in  chat ["hello"]
	// out chat ["hello yourself"]
	// got hello yourself
}

// A listener of one socket goes when it is told to.
func ExampleSocket_OnAny() {
	server := socketio.New(socketio.Config{})
	main := server.Of("/")
	main.OnConnect(func(ctx context.Context, s *socketio.Socket) {
		var remove func()
		remove = s.OnAny(func(s *socketio.Socket, event string, args socketio.Args) {
			fmt.Println("the first is", event)
			remove()
		})
	})
	main.Handle(Enter.On(func(ctx context.Context, s *socketio.Socket, room string) ([]string, error) { return nil, nil }))

	page := connect(server, "/")
	defer end(server, page)
	for range 2 {
		client.Call(context.Background(), page, Enter, "lobby")
	}
	// Output: the first is enter
}

// Work that outlives a handler belongs to its socket: it ends when the client leaves, and the server waits
// for it.
func ExampleSocket_Go() {
	watch := socketio.NewEvent[struct{}]("watch")
	server := socketio.New(socketio.Config{})
	over := make(chan error, 1)
	server.Of("/").Handle(watch.On(func(ctx context.Context, s *socketio.Socket, _ struct{}) error {
		s.Go(func(ctx context.Context) {
			Chat.Emit(s, "watching")
			<-ctx.Done()
			over <- context.Cause(ctx)
		})
		return nil
	}))

	page := connect(server, "/")
	defer end(server, page)
	chat := receive(page, Chat)
	client.Emit(page, watch, struct{}{})
	fmt.Println(<-chat)
	page.Disconnect()
	fmt.Println(<-over)
	// Output:
	// watching
	// client namespace disconnect
}
