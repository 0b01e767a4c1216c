package client_test

import (
	"context"
	"errors"
	"fmt"

	"jobcast/socketio"
	"jobcast/socketio/client"
)

// What both sides say, declared once.
var (
	Greet = socketio.NewCall[string, string]("greet")
	News  = socketio.NewEvent[string]("news")
)

// In a test, the client talks to the server in memory, without a port.
func Example() {
	server := socketio.New(socketio.Config{})
	defer server.Close(context.Background())
	server.Of("/").Handle(Greet.On(func(ctx context.Context, s *socketio.Socket, name string) (string, error) {
		return "hello " + name, News.Emit(s, name+" is here")
	}))

	c := client.New(client.Config{Handler: server})
	defer c.Close()
	socket := c.Of("/")
	news := make(chan string, 1)
	client.On(socket, News, func(ctx context.Context, text string) { news <- text })
	if err := socket.Connect(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	answer, err := client.Call(context.Background(), socket, Greet, "you")
	fmt.Println(answer, err)
	fmt.Println(<-news)
	// Output:
	// hello you <nil>
	// you is here
}

// A refusal has the message and the data of the server's middleware.
func ExampleConnectError() {
	server := socketio.New(socketio.Config{})
	defer server.Close(context.Background())
	server.Of("/admin").Use(func(ctx context.Context, s *socketio.Socket) error {
		return &socketio.ConnectError{Message: "not authorized", Data: map[string]int{"code": 401}}
	})

	c := client.New(client.Config{
		Handler: server,
		Auth:    client.Credentials(map[string]string{"token": "guess"}),
	})
	defer c.Close()
	err := c.Of("/admin").Connect(context.Background())
	if refused, ok := errors.AsType[*client.ConnectError](err); ok {
		fmt.Println(refused.Message, string(refused.Data))
	}
	// Output: not authorized {"code":401}
}
