package client_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"jobcast/socketio"
	"jobcast/socketio/client"
)

// Over TCP, where the server reads and writes without blocking, and over TLS, what many goroutines call at
// once is answered to each.
func TestOverTCP(t *testing.T) {
	server := socketio.New(socketio.Config{Logger: slog.New(slog.DiscardHandler)})
	server.Of("/").Handle(greet.On(func(_ context.Context, _ *socketio.Socket, name string) (string, error) { return "hello " + name, nil }))
	defer server.Close(context.Background())
	plain, secure := httptest.NewServer(server), httptest.NewTLSServer(server)
	defer plain.Close()
	defer secure.Close()
	for url, config := range map[string]*tls.Config{plain.URL: nil, secure.URL: secure.Client().Transport.(*http.Transport).TLSClientConfig} {
		for _, transport := range []client.Transport{client.WebSocket, client.Polling} {
			t.Run(url[:5]+" "+string(transport), func(t *testing.T) {
				c := client.New(client.Config{URL: url, Transport: transport, TLS: config})
				defer c.Close()
				s := c.Of("/")
				if err := s.Connect(t.Context()); err != nil {
					t.Fatal(err)
				}
				var wg sync.WaitGroup
				for g := range 10 {
					wg.Go(func() {
						for i := range 50 {
							name := fmt.Sprintf("%d-%d", g, i)
							if res, err := client.Call(t.Context(), s, greet, name); res != "hello "+name || err != nil {
								t.Errorf("got %q, %v, want %s", res, err, name)
							}
						}
					})
				}
				wg.Wait()
			})
		}
	}
}

// A Memory serves whatever speaks HTTP, and several clients.
func TestMemory(t *testing.T) {
	server := socketio.New(socketio.Config{Logger: slog.New(slog.DiscardHandler)})
	server.Of("/").Handle(greet.On(func(_ context.Context, _ *socketio.Socket, name string) (string, error) { return "hello " + name, nil }))
	defer server.Close(context.Background())
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", server)
	mux.HandleFunc("/page", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "a page") })
	memory := client.InMemory(mux)
	for range 2 {
		c := client.New(client.Config{DialContext: memory.DialContext})
		defer c.Close()
		s := c.Of("/")
		if err := s.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		if res, err := client.Call(t.Context(), s, greet, "you"); res != "hello you" || err != nil {
			t.Errorf("got %q, %v", res, err)
		}
	}
	browser := http.Client{Transport: &http.Transport{DialContext: memory.DialContext}}
	resp, err := browser.Get("http://anywhere/page")
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if string(page) != "a page" || err != nil {
		t.Errorf("got %q, %v", page, err)
	}
	memory.Close()
	memory.Close()
	if _, err := browser.Get("http://anywhere/page"); err == nil {
		t.Error("a closed Memory was reached")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := memory.DialContext(ctx, "tcp", "anywhere"); err == nil {
		t.Error("a closed Memory was dialed")
	}
}
