package socketio_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"jobcast/engineio"
	"jobcast/socketio"
	"jobcast/socketio/client"
)

// Namespaces share a connection. Each has its own events, rooms and middleware.
func ExampleServer_Of() {
	where := socketio.NewCall[struct{}, string]("where")
	server := socketio.New(socketio.Config{})
	for _, name := range []string{"/news", "/orders"} {
		server.Of(name).Handle(where.On(func(ctx context.Context, s *socketio.Socket, _ struct{}) (string, error) {
			return "in " + s.Namespace().Name(), nil
		}))
	}

	news := connect(server, "/news")
	orders := news.Client().Of("/orders") // over the same connection
	defer end(server, news)
	if err := orders.Connect(context.Background()); err != nil {
		fmt.Println(err)
	}
	fmt.Println(client.Call(context.Background(), news, where, struct{}{}))
	fmt.Println(client.Call(context.Background(), orders, where, struct{}{}))
	fmt.Println(news.Client().Of("/unknown").Connect(context.Background()))
	// Output:
	// in /news <nil>
	// in /orders <nil>
	// namespace /unknown: Invalid namespace
}

// A middleware sees a socket before it is connected, and may refuse it with data beside the message.
func ExampleNamespace_Use() {
	server := socketio.New(socketio.Config{})
	server.Of("/admin").Use(func(ctx context.Context, s *socketio.Socket) error {
		var auth struct{ Token string }
		if err := json.Unmarshal(s.Auth(), &auth); err != nil || auth.Token != "secret" {
			return &socketio.ConnectError{Message: "not authorized", Data: map[string]int{"code": 401}}
		}
		return nil
	})

	for _, token := range []string{"guess", "secret"} {
		c := client.New(client.Config{Handler: server, Auth: client.Credentials(map[string]string{"token": token})})
		err := c.Of("/admin").Connect(context.Background())
		if refused, ok := errors.AsType[*client.ConnectError](err); ok {
			fmt.Println(refused.Message, string(refused.Data))
		} else {
			fmt.Println(err)
		}
		c.Close()
	}
	end(server)
	// Output:
	// not authorized {"code":401}
	// <nil>
}

// The handshake is what is kept of the request that opened the connection.
func ExampleSocket_Handshake() {
	server := socketio.New(socketio.Config{})
	server.Of("/").Use(func(ctx context.Context, s *socketio.Socket) error {
		h := s.Handshake()
		fmt.Println(h.Header.Get("User-Agent"), h.Query.Get("room"), h.Secure, time.Since(h.Time) < time.Hour)
		fmt.Println(string(s.Auth()), s.Transport())
		return nil
	})

	c := client.New(client.Config{
		URL:     "http://example.com/?room=12",
		Header:  http.Header{"User-Agent": {"example"}},
		Auth:    client.Credentials(map[string]string{"token": "secret"}),
		Handler: server,
	})
	if err := c.Of("/").Connect(context.Background()); err != nil {
		fmt.Println(err)
	}
	end(server, c.Of("/"))
	// Output:
	// example 12 false true
	// {"token":"secret"} websocket
}

// What a middleware has found out about a socket stays with it, typed.
func ExampleData() {
	type User struct{ Name string }
	user := socketio.NewData[User]("user")
	whoami := socketio.NewCall[struct{}, string]("whoami")
	server := socketio.New(socketio.Config{})
	main := server.Of("/")
	main.Use(func(ctx context.Context, s *socketio.Socket) error {
		user.Set(s, User{"alice"})
		return nil
	})
	main.Handle(whoami.On(func(ctx context.Context, s *socketio.Socket, _ struct{}) (string, error) {
		u, _ := user.Get(s)
		return u.Name, nil
	}))

	page := connect(server, "/")
	defer end(server, page)
	fmt.Println(client.Call(context.Background(), page, whoami, struct{}{}))
	// Output: alice <nil>
}

// The reason of a disconnection is known to both sides. The rooms are still there while a socket is
// disconnecting.
func ExampleNamespace_OnDisconnecting() {
	server := socketio.New(socketio.Config{})
	main := server.Of("/")
	left := make(chan string, 2)
	main.OnConnect(func(ctx context.Context, s *socketio.Socket) { s.Join("lobby") })
	main.OnDisconnecting(func(s *socketio.Socket, reason socketio.Reason) {
		Chat.Emit(s.To(s.Rooms()...), "somebody leaves")
		left <- fmt.Sprint("disconnecting ", s.Rooms())
	})
	main.OnDisconnect(func(s *socketio.Socket, reason socketio.Reason) {
		left <- fmt.Sprint("disconnected ", s.Rooms(), " ", reason)
	})

	page := connect(server, "/")
	defer end(server, page)
	page.Disconnect()
	fmt.Println(<-left)
	fmt.Println(<-left)
	// Output:
	// disconnecting [lobby]
	// disconnected [] client namespace disconnect
}

// A server removes a socket from one namespace, or with all the others and the connection below. A client
// does not come back from either by itself, as it does when the server was closed.
func ExampleSocket_Disconnect() {
	quit := socketio.NewEvent[bool]("quit")
	server := socketio.New(socketio.Config{})
	reasons := make(chan socketio.Reason, 2)
	for _, name := range []string{"/", "/news"} {
		server.Of(name).Handle(quit.On(func(ctx context.Context, s *socketio.Socket, closeEngine bool) error {
			s.Disconnect(closeEngine)
			return nil
		}))
	}

	page := connect(server, "/")
	news := page.Client().Of("/news")
	defer end(server, page)
	for _, s := range []*client.Socket{page, news} {
		s.OnDisconnect(func(reason socketio.Reason) { reasons <- reason })
	}
	for _, closeEngine := range []bool{false, true} {
		page.Connect(context.Background())
		news.Connect(context.Background())
		client.Emit(page, quit, closeEngine)
		fmt.Println(<-reasons, page.Connected(), news.Connected() && !closeEngine)
	}
	fmt.Println(<-reasons)
	// Output:
	// io server disconnect false true
	// io server disconnect false false
	// io server disconnect
}

// A namespace for every room, made when the first client joins it and gone with the last.
func ExampleServer_OfPattern() {
	server := socketio.New(socketio.Config{})
	rooms := server.OfPattern(regexp.MustCompile(`^/room-[0-9]+$`))
	rooms.Handle(Chat.On(func(ctx context.Context, s *socketio.Socket, text string) error {
		return Chat.Emit(s.Namespace(), s.Namespace().Name()+": "+text)
	}))

	one, two := connect(server, "/room-1"), connect(server, "/room-2")
	defer end(server, one, two)
	ones, twos := receive(one, Chat), receive(two, Chat)
	client.Emit(one, Chat, "hello")
	fmt.Println(<-ones)
	Chat.Emit(rooms, "to all rooms") // the parent is every child
	fmt.Println(<-ones, "and", <-twos)
	fmt.Println(one.Client().Of("/room-x").Connect(context.Background()))
	// Output:
	// /room-1: hello
	// to all rooms and to all rooms
	// namespace /room-x: Invalid namespace
}

// A function says which namespaces there are, and for whom.
func ExampleServer_OfFunc() {
	server := socketio.New(socketio.Config{})
	server.OfFunc(func(ctx context.Context, name string, h *engineio.Handshake, auth json.RawMessage) error {
		tenant, ok := strings.CutPrefix(name, "/tenant/")
		switch {
		case !ok:
			return socketio.ErrInvalidNamespace // perhaps that of another
		case !strings.Contains(string(auth), tenant):
			return errors.New("not yours")
		}
		return nil
	})

	c := client.New(client.Config{Handler: server, Auth: client.Credentials(map[string]string{"tenant": "red"})})
	for _, name := range []string{"/tenant/red", "/tenant/blue", "/other"} {
		fmt.Println(c.Of(name).Connect(context.Background()))
	}
	end(server, c.Of("/tenant/red"))
	// Output:
	// <nil>
	// namespace /tenant/blue: not yours
	// namespace /other: Invalid namespace
}

// A namespace that is removed disconnects its sockets, and nobody joins it any more.
func ExampleNamespace_Remove() {
	server := socketio.New(socketio.Config{})
	server.Of("/sale")

	page := connect(server, "/sale")
	defer end(server, page)
	reasons := make(chan socketio.Reason, 1)
	page.OnDisconnect(func(reason socketio.Reason) { reasons <- reason })
	server.Of("/sale").Remove()
	fmt.Println(<-reasons)
	fmt.Println(page.Connect(context.Background()))
	// Output:
	// io server disconnect
	// namespace /sale: Invalid namespace
}
