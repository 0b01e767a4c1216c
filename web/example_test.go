package web_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/labstack/echo/v4"

	"jobcast/socketio"
	"jobcast/socketio/client"
)

// On Echo a Socket.IO server is one route for every method, behind no middleware that buffers, compresses or times
// out: requests that wait are its transport.
func Example_echo() {
	hello := socketio.NewCall[string, string]("hello")
	server := socketio.New(socketio.Config{})
	server.Of("/").Handle(hello.On(func(ctx context.Context, s *socketio.Socket, name string) (string, error) {
		return "hello " + name, nil
	}))
	defer server.Close(context.Background())

	e := echo.New()
	e.Any("/socket.io/*", echo.WrapHandler(server))
	e.GET("/", func(c echo.Context) error { return c.String(http.StatusOK, "a page") })
	site := httptest.NewServer(e) // or e.Start(":3000")
	defer site.Close()

	for _, transport := range []client.Transport{client.WebSocket, client.Polling} {
		page := client.New(client.Config{URL: site.URL, Transport: transport})
		socket := page.Of("/")
		if err := socket.Connect(context.Background()); err != nil {
			log.Fatal(err)
		}
		fmt.Println(client.Call(context.Background(), socket, hello, string(transport)))
		page.Close()
	}
	// Output:
	// hello websocket <nil>
	// hello polling <nil>
}
