package socketio_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"jobcast/engineio"
	"jobcast/socketio"
	"jobcast/socketio/client"
)

// What the examples say.
var (
	Say   = socketio.NewCall[string, string]("say")
	Heard = socketio.NewEvent[string]("heard")
	Vote  = socketio.NewCall[string, bool]("vote")
)

var background = context.Background()

// page is a client of a server, in memory. A page has the stock client instead.
func page(server *socketio.Server, namespace string) (*client.Client, *client.Socket) {
	c := client.New(client.Config{Handler: server})
	return c, c.Of(namespace)
}

func ExampleServer_OfPattern() {
	server := socketio.New(socketio.Config{})
	defer server.Close(background)
	tenants := server.OfPattern(regexp.MustCompile(`^/tenant-\d+$`))
	tenants.Handle(Say.On(func(ctx context.Context, s *socketio.Socket, text string) (string, error) {
		return s.Namespace().Name() + " hears " + text, nil
	}))

	c, socket := page(server, "/tenant-5")
	defer c.Close()
	fmt.Println(socket.Connect(background))
	fmt.Println(client.Call(background, socket, Say, "hello"))
	fmt.Println(c.Of("/tenant-x").Connect(background))
	for n := range tenants.Children() {
		fmt.Println("there is", n.Name())
	}
	// Output:
	// <nil>
	// /tenant-5 hears hello <nil>
	// namespace /tenant-x: Invalid namespace
	// there is /tenant-5
}

func ExampleServer_OfFunc() {
	server := socketio.New(socketio.Config{})
	defer server.Close(background)
	projects := server.OfFunc(func(ctx context.Context, name string, h *engineio.Handshake, auth json.RawMessage) error {
		if name != "/atlas" { // it may ask a database
			return socketio.ErrInvalidNamespace
		}
		return nil
	})
	projects.OnConnect(func(ctx context.Context, s *socketio.Socket) { Heard.Emit(projects, "somebody is here") })

	c, socket := page(server, "/atlas")
	defer c.Close()
	heard := make(chan string, 1)
	client.On(socket, Heard, func(ctx context.Context, text string) { heard <- text })
	fmt.Println(socket.Connect(background))
	fmt.Println(<-heard)
	// Output:
	// <nil>
	// somebody is here
}

func ExampleNamespace_Remove() {
	server := socketio.New(socketio.Config{})
	defer server.Close(background)
	sale := server.Of("/sale")

	c, socket := page(server, "/sale")
	defer c.Close()
	left := make(chan socketio.Reason, 1)
	socket.OnDisconnect(func(reason socketio.Reason) { left <- reason })
	fmt.Println(socket.Connect(background))
	sale.Remove()
	fmt.Println(<-left)
	fmt.Println(socket.Connect(background))
	// Output:
	// <nil>
	// io server disconnect
	// namespace /sale: Invalid namespace
}

// A middleware sees every event before its handler does.
func ExampleNamespace_UseEvents() {
	server := socketio.New(socketio.Config{})
	defer server.Close(background)
	ns := server.Of("/")
	ns.UseEvents(func(ctx context.Context, s *socketio.Socket, event string, args socketio.Args) error {
		if text, err := socketio.DecodeArgs[string](event, args); err == nil && text == "" {
			return &socketio.EventError{Code: "empty", Message: "say something"}
		}
		return nil
	})
	ns.Handle(Say.On(func(ctx context.Context, s *socketio.Socket, text string) (string, error) { return text, nil }))

	c, socket := page(server, "/")
	defer c.Close()
	socket.Connect(background)
	_, err := client.Call(background, socket, Say, "")
	if refused, ok := errors.AsType[*client.CallError](err); ok {
		fmt.Println(refused.Code, refused.Message)
	}
	// Output: empty say something
}

type User struct{ Name string }

// CurrentUser is what a middleware finds out about a socket.
var CurrentUser = socketio.NewData[User]("user")

func ExampleNewData() {
	server := socketio.New(socketio.Config{})
	defer server.Close(background)
	ns := server.Of("/")
	ns.Use(func(ctx context.Context, s *socketio.Socket) error {
		CurrentUser.Set(s, User{"Ada"}) // by s.Auth or s.Handshake
		return nil
	})
	ns.Handle(Say.On(func(ctx context.Context, s *socketio.Socket, text string) (string, error) {
		u, _ := CurrentUser.Get(s)
		return u.Name + " says " + text, nil
	}))

	c, socket := page(server, "/")
	defer c.Close()
	socket.Connect(background)
	fmt.Println(client.Call(background, socket, Say, "hello"))
	// Output: Ada says hello <nil>
}

// What is done to a Target is done to all its sockets.
func ExampleTarget_Join() {
	server := socketio.New(socketio.Config{})
	defer server.Close(background)
	ns := server.Of("/")
	ns.OnConnect(func(ctx context.Context, s *socketio.Socket) { s.Join("lobby") })
	ns.Handle(Say.On(func(ctx context.Context, s *socketio.Socket, room string) (string, error) {
		ns.In("lobby").Join(room)
		ns.In(room).Leave("lobby")
		return fmt.Sprint(s.Rooms(), ns.Rooms()), nil
	}))

	c, socket := page(server, "/")
	defer c.Close()
	socket.Connect(background)
	fmt.Println(client.Call(background, socket, Say, "game"))
	// Output: [game] [game] <nil>
}

// voters are three pages; the last one never answers.
func voters(server *socketio.Server) (leave func()) {
	var clients []*client.Client
	for i := range 3 {
		c, socket := page(server, "/")
		client.Answer(socket, Vote, func(ctx context.Context, question string) (bool, error) {
			if i == 2 {
				<-ctx.Done()
			}
			return i == 0, nil
		})
		socket.Connect(background)
		clients = append(clients, c)
	}
	return func() {
		for _, c := range clients {
			c.Close()
		}
	}
}

func ExampleCall_AskAll() {
	server := socketio.New(socketio.Config{})
	defer server.Close(background)
	defer voters(server)()

	answers, err := Vote.AskAll(background, server.Of("/").Timeout(100*time.Millisecond), "tea?")
	yes := 0
	for _, a := range answers {
		if a.Value {
			yes++
		}
	}
	fmt.Println(yes, "of", len(answers))
	if missing, ok := errors.AsType[*socketio.UnansweredError](err); ok {
		fmt.Println(missing)
		for _, err := range missing.Missing { // by socket
			fmt.Println(err)
		}
	}
	// Output:
	// 1 of 2
	// ask vote: 1 of 3 sockets gave no answer
	// ask vote: context deadline exceeded
}

// Leaving the loop ends the wait.
func ExampleCall_AskEach() {
	server := socketio.New(socketio.Config{})
	defer server.Close(background)
	defer voters(server)()

	for a, err := range Vote.AskEach(background, server.Of("/"), "tea?") {
		if err == nil && a.Value {
			fmt.Println("somebody wants tea")
			break
		}
	}
	// Output: somebody wants tea
}

func ExampleSocket_OnAny() {
	server := socketio.New(socketio.Config{})
	defer server.Close(background)
	ns := server.Of("/")
	ns.OnConnect(func(ctx context.Context, s *socketio.Socket) {
		s.OnAny(func(s *socketio.Socket, event string, args socketio.Args) { fmt.Printf("in %s%s\n", event, args.JSON) })
		remove := s.OnAnyOutgoing(func(s *socketio.Socket, event string, args socketio.Args) {
			fmt.Printf("out %s%s\n", event, args.JSON)
		})
		Heard.Emit(ns, "observed")
		remove()
		Heard.Emit(ns, "not observed")
	})
	ns.Handle(Say.On(func(ctx context.Context, s *socketio.Socket, text string) (string, error) { return text, nil }))

	c, socket := page(server, "/")
	defer c.Close()
	socket.Connect(background)
	client.Call(background, socket, Say, "hello")
	// Output:
	// out heard["observed"]
	// in say["hello"]
}

// Message is what send() of the stock client emits.
func ExampleEvent_message() {
	server := socketio.New(socketio.Config{})
	defer server.Close(background)
	ns := server.Of("/")
	ns.Handle(socketio.Message.On(func(ctx context.Context, s *socketio.Socket, args socketio.Args) error {
		slices.Reverse(args.JSON)
		return socketio.Message.Emit(s, args)
	}))

	c, socket := page(server, "/")
	defer c.Close()
	back := make(chan socketio.Args, 1)
	client.On(socket, socketio.Message, func(ctx context.Context, args socketio.Args) { back <- args })
	socket.Connect(background)
	client.Emit(socket, socketio.Message, socketio.Args{JSON: []json.RawMessage{[]byte(`1`), []byte(`"two"`)}})
	fmt.Printf("%s\n", (<-back).JSON)
	// Output: ["two" 1]
}

// The rooms are still there in OnDisconnecting.
func ExampleNamespace_OnDisconnecting() {
	server := socketio.New(socketio.Config{})
	ns := server.Of("/")
	ns.OnConnect(func(ctx context.Context, s *socketio.Socket) { s.Join("lobby") })
	ns.OnDisconnecting(func(s *socketio.Socket, reason socketio.Reason) { fmt.Println(reason, s.Rooms()) })
	ns.OnDisconnect(func(s *socketio.Socket, reason socketio.Reason) { fmt.Println(reason, s.Rooms()) })

	c, socket := page(server, "/")
	socket.Connect(background)
	ns.Disconnect(true)
	c.Close()
	server.Close(background) // waits for the handlers
	// Output:
	// server namespace disconnect [lobby]
	// server namespace disconnect []
}
