package socketio_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"jobcast/socketio"
	"jobcast/socketio/client"
)

// A Server is an http.Handler: it is mounted on a mux of net/http like any other, below /socket.io/. The client in
// Go connects over a loopback port.
func ExampleServer() {
	hello := socketio.NewCall[string, string]("hello")
	server := socketio.New(socketio.Config{})
	server.Of("/").Handle(hello.On(func(ctx context.Context, s *socketio.Socket, name string) (string, error) {
		return "hello " + name, nil
	}))
	defer server.Close(context.Background()) // before the site: it ends the sessions

	mux := http.NewServeMux()
	mux.Handle("/socket.io/", server)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "a page") })
	site := httptest.NewServer(mux) // or http.ListenAndServe(":3000", mux)
	defer site.Close()

	page := client.New(client.Config{URL: site.URL})
	defer page.Close()
	socket := page.Of("/")
	if err := socket.Connect(context.Background()); err != nil {
		log.Fatal(err)
	}
	fmt.Println(client.Call(context.Background(), socket, hello, "world"))
	// Output: hello world <nil>
}
