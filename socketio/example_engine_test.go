package socketio_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing/fstest"

	"jobcast/engineio"
	"jobcast/engineio/cors"
	"jobcast/socketio"
	"jobcast/socketio/bundle"
	"jobcast/socketio/client"
)

// Pages of the server's own origin may connect, and those that are listed. Any other is told why not.
func ExampleConfig_origins() {
	server := socketio.New(socketio.Config{Engine: engineio.Config{
		CORS: cors.Config{Origins: []string{"https://shop.example"}},
	}})
	defer end(server)

	for _, origin := range []string{"https://shop.example", "https://evil.example"} {
		c := client.New(client.Config{Handler: server, Header: http.Header{"Origin": {origin}}})
		err := c.Of("/").Connect(context.Background())
		if refused, ok := errors.AsType[*client.HandshakeError](err); ok {
			fmt.Println(refused.Status, refused.Code, refused.Message)
		} else {
			fmt.Println(err)
		}
		c.Close()
	}
	// Output:
	// <nil>
	// 403 4 origin "https://evil.example" is not allowed: add it to the server's list of allowed origins
}

// A request may be refused before there is a session, with a message of one's own; every refusal is told.
func ExampleConfig_allowRequest() {
	server := socketio.New(socketio.Config{Engine: engineio.Config{
		AllowRequest: func(r *http.Request) error {
			if r.Header.Get("Authorization") == "" {
				return &engineio.RequestError{Status: http.StatusUnauthorized, Message: "who are you?"}
			}
			return nil
		},
		Hooks: engineio.Hooks{Refused: func(e engineio.ConnectionError) {
			fmt.Println("refused:", e.Code, e.Message, "over", e.Context.Transport)
		}},
	}})
	defer end(server)

	c := client.New(client.Config{Handler: server})
	defer c.Close()
	err := c.Of("/").Connect(context.Background())
	if refused, ok := errors.AsType[*client.HandshakeError](err); ok {
		fmt.Println(refused.Status, refused.Message)
	}
	// Output:
	// refused: 4 who are you? over websocket
	// 401 who are you?
}

// A server that takes WebSockets only.
func ExampleConfig_transports() {
	server := socketio.New(socketio.Config{Engine: engineio.Config{Transports: []string{"websocket"}}})
	defer end(server)

	for _, transport := range []client.Transport{client.WebSocket, client.Polling} {
		c := client.New(client.Config{Handler: server, Transport: transport})
		err := c.Of("/").Connect(context.Background())
		if refused, ok := errors.AsType[*client.HandshakeError](err); ok {
			fmt.Println(transport, refused.Code, refused.Message)
		} else {
			fmt.Println(transport, err)
		}
		c.Close()
	}
	// Output:
	// websocket <nil>
	// polling 0 Transport unknown: polling is not among those of this server, websocket
}

// The stock client is served to pages, below the server's own path.
func ExampleConfig_client() {
	files := fstest.MapFS{"socket.io.min.js": {Data: []byte("/*!\n * Socket.IO v4.8.4\n */")}} // os.DirFS("node_modules/socket.io-client/dist")
	server := socketio.New(socketio.Config{Bundle: bundle.Config{Files: files}})
	defer end(server)

	memory := client.InMemory(server)
	defer memory.Close()
	browser := http.Client{Transport: &http.Transport{DialContext: memory.DialContext}}
	resp, err := browser.Get("http://example.com/socket.io/socket.io.min.js")
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	fmt.Println(resp.Status, resp.Header.Get("ETag"), resp.Header.Get("Cache-Control"))
	// Output: 200 OK "4.8.4" public, max-age=0
}

// The answers of the server carry fields of one's own; the answer to a handshake sets a cookie, for load
// balancers that keep a client on one server. An id may be made to tell where its session is.
func ExampleConfig_headers() {
	cookie := engineio.DefaultCookie()
	cookie.Secure = true
	server := socketio.New(socketio.Config{Engine: engineio.Config{
		Cookie:     cookie,
		GenerateID: func(*http.Request) (string, error) { return "node-7." + rand.Text(), nil },
		InitialHeaders: func(h http.Header, r *http.Request) {
			h.Set("Server-Timing", "hello")
		},
		Headers: func(h http.Header, r *http.Request) {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		},
	}})
	defer end(server)

	memory := client.InMemory(server)
	defer memory.Close()
	browser := http.Client{Transport: &http.Transport{DialContext: memory.DialContext}}
	for _, query := range []string{"?EIO=4&transport=polling", "?EIO=4&transport=polling&sid=unknown"} {
		resp, err := browser.Get("http://example.com/socket.io/" + query)
		if err != nil {
			fmt.Println(err)
			return
		}
		resp.Body.Close()
		set, _, _ := strings.Cut(resp.Header.Get("Set-Cookie"), ".")
		fmt.Println(resp.StatusCode, resp.Header.Get("Strict-Transport-Security"), resp.Header.Get("Server-Timing"), set)
	}
	// Output:
	// 200 max-age=31536000 hello io=node-7
	// 400 max-age=31536000
}

// A client that sends too much at once gets 413, or is disconnected where it sends over WebSocket.
func ExampleConfig_limits() {
	server := socketio.New(socketio.Config{Engine: engineio.Config{MaxPayloadBytes: 1000}})
	page := connect(server, "/")
	defer end(server, page)
	reasons := make(chan socketio.Reason, 1)
	page.OnDisconnect(func(reason socketio.Reason) { reasons <- reason })
	client.Emit(page, Chat, strings.Repeat("x", 1000))
	fmt.Println(<-reasons)
	// Output: transport close
}
