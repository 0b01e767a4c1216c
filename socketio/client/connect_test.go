package client_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/socketio"
	"jobcast/socketio/client"
)

// The first attempt counts, unless the client is told to wait for the server.
func TestServerIsNotThere(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		w.stop()
		c := client.New(w.config())
		defer c.Close()
		s := c.Of("/")
		var got list
		got.watch(s)
		if err := s.Connect(t.Context()); !errors.Is(err, errRefused) {
			t.Errorf("got %v, want %v", err, errRefused)
		}
		got.want(t, "connect_error client: connect to http://127.0.0.1:8080/socket.io/: connection refused")
		if err := client.Emit(s, tell, "x"); !errors.Is(err, socketio.ErrDisconnected) {
			t.Errorf("got %v", err)
		}

		cfg := w.config()
		cfg.AwaitServer = true
		patient := client.New(cfg)
		defer patient.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begin := time.Now()
		err := patient.Of("/").Connect(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, errRefused) || time.Since(begin) != time.Minute {
			t.Errorf("got %v after %v", err, time.Since(begin))
		}
		done := make(chan error)
		go func() { done <- patient.Of("/").Connect(t.Context()) }()
		time.Sleep(time.Minute)
		w.start()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestGivesUp(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		cfg := w.config()
		cfg.MaxReconnects = 3
		c, s := w.connect(cfg)
		defer c.Close()
		synctest.Wait()
		var got list
		got.watch(s)
		w.stop()
		synctest.Wait()
		if err := client.Emit(s, tell, "x"); err != nil {
			t.Error(err)
		}
		if err := s.Connect(t.Context()); !errors.Is(err, errRefused) {
			t.Errorf("got %v", err)
		}
		const failed = "connect_error client: connect to http://127.0.0.1:8080/socket.io/: connection refused"
		got.want(t, "disconnect transport close", failed, failed, failed)
		time.Sleep(time.Hour)
		got.want(t)
		w.start()
		if err := s.Connect(t.Context()); err != nil {
			t.Error(err)
		}
		got.want(t, "connect")
	})
}

func TestDisableReconnect(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		cfg := w.config()
		cfg.DisableReconnect = true
		c, s := w.connect(cfg)
		defer c.Close()
		w.stop()
		w.start()
		time.Sleep(time.Hour)
		if err := client.Emit(s, tell, "x"); s.Connected() || !errors.Is(err, socketio.ErrDisconnected) {
			t.Errorf("connected %v, emit: %v", s.Connected(), err)
		}
		if err := s.Connect(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// The waits have the defaults of the stock client.
func TestBackoff(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		cfg := w.config()
		cfg.ReconnectJitter = -1
		c, s := w.connect(cfg)
		defer c.Close()
		synctest.Wait()
		var failures []time.Duration
		s.OnConnectError(func(error) {
			failures = append(failures, time.Since(w.stopped))
		})
		w.stop()
		time.Sleep(20 * time.Second)
		synctest.Wait()
		want := []time.Duration{1 * time.Second, 3 * time.Second, 7 * time.Second, 12 * time.Second, 17 * time.Second}
		if len(failures) != len(want) {
			t.Fatalf("got attempts after %v, want %v", failures, want)
		}
		for i := range want {
			if d := failures[i] - want[i]; d < 0 || d > 100*time.Millisecond {
				t.Errorf("got attempts after %v, want %v", failures, want)
				break
			}
		}
	})
}

func TestHandshakeErrors(t *testing.T) {
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
		cfg     client.Config
		want    client.HandshakeError
	}{
		{name: "refused with a code", handler: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(403)
			w.Write([]byte(`{"code":4,"message":"not today"}`))
		}, want: client.HandshakeError{Status: 403, Code: 4, Message: "not today"}},
		{name: "no such page", handler: http.NotFound, want: client.HandshakeError{Status: 404, Code: -1, Message: "Not Found"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, transport := range []client.Transport{client.WebSocket, client.Polling} {
				synctest.Test(t, func(t *testing.T) {
					c := client.New(client.Config{Handler: tt.handler, Transport: transport})
					defer c.Close()
					err := c.Of("/").Connect(t.Context())
					if got, ok := errors.AsType[*client.HandshakeError](err); !ok || *got != tt.want {
						t.Errorf("%s: got %v, want %v", transport, err, &tt.want)
					}
				})
			}
		})
	}
}

// What goes along with a request is what was configured.
func TestRequest(t *testing.T) {
	for _, transport := range []client.Transport{client.WebSocket, client.Polling} {
		synctest.Test(t, func(t *testing.T) {
			var got *http.Request
			c := client.New(client.Config{
				URL:       "ws://me:pass@example.com/chat/?room=a%20b",
				Header:    http.Header{"Origin": {"https://page.example"}, "Host": {"other.example"}},
				Transport: transport,
				Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					got = r
					http.NotFound(w, r)
				}),
			})
			defer c.Close()
			err := c.Of("/").Connect(t.Context())
			if got == nil {
				t.Fatalf("%s: no request: %v", transport, err)
			}
			user, pass, _ := got.BasicAuth()
			q := got.URL.Query()
			if got.URL.Path != "/chat/" || got.Host != "other.example" || got.Header.Get("Origin") != "https://page.example" || user != "me" ||
				pass != "pass" || q.Get("room") != "a b" || q.Get("EIO") != "4" || q.Get("transport") != string(transport) {
				t.Errorf("got %s %s %v", got.Host, got.URL, got.Header)
			}
			if strings.Contains(err.Error(), "pass") || strings.Contains(err.Error(), "room") {
				t.Errorf("the error shows what may be secret: %v", err)
			}
		})
	}
}

func TestBadConfig(t *testing.T) {
	for want, cfg := range map[string]client.Config{
		`scheme "ftp" is unknown`:    {URL: "ftp://x"},
		`"pigeon" is unknown`:        {Transport: "pigeon"},
		`missing protocol scheme`:    {URL: "://"},
		`scheme "localhost" is unkn`: {URL: "localhost:80"},
	} {
		c := client.New(cfg)
		if err := c.Of("/").Connect(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
		c.Close()
	}
}

// Whoever waits for a connection stops to wait when the context ends, the socket is disconnected, or the
// client is closed, and nothing goes on.
func TestConnectIsAbandoned(t *testing.T) {
	silent := func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for name, end := range map[string]func(c *client.Client, cancel func()){
		"context":    func(_ *client.Client, cancel func()) { cancel() },
		"disconnect": func(c *client.Client, _ func()) { c.Of("/").Disconnect() },
		"close":      func(c *client.Client, _ func()) { c.Close() },
	} {
		for _, transport := range []client.Transport{client.WebSocket, client.Polling} {
			t.Run(name+" "+string(transport), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := client.New(client.Config{Handler: http.HandlerFunc(silent), Transport: transport})
					defer c.Close()
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					done := make(chan error)
					go func() { done <- c.Of("/").Connect(ctx) }()
					time.Sleep(time.Second)
					end(c, cancel)
					if err := <-done; err == nil {
						t.Error("connected to nobody")
					}
					if err := c.Of("/").Connect(t.Context()); name != "close" && !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("got %v, want that nobody answered", err)
					}
				})
			})
		}
	}
}

func TestCredentialsFail(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		secret := errors.New("no token")
		for want, auth := range map[string]func(context.Context, string) (any, error){
			"no token":       func(context.Context, string) (any, error) { return nil, secret },
			"want an object": client.Credentials("a string"),
			"panicked":       func(context.Context, string) (any, error) { panic("x") },
		} {
			cfg := w.config()
			cfg.Auth = auth
			c := client.New(cfg)
			if err := c.Of("/").Connect(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
			c.Close()
		}
	})
}

// A socket that is disconnected and connected again, quickly and while its credentials are still on
// their way, ends up connected, once.
func TestChangesOfMind(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		cfg := w.config()
		var slow atomic.Bool
		cfg.Auth = func(context.Context, string) (any, error) {
			if slow.Load() {
				time.Sleep(10 * time.Millisecond)
			}
			return map[string]int{}, nil
		}
		c, s := w.connect(cfg)
		defer c.Close()
		other := c.Of("/other")
		for i := range 100 {
			slow.Store(i%2 == 0)
			go other.Connect(t.Context())
			time.Sleep(time.Duration(i%7) * time.Millisecond)
			s.Disconnect()
			if i%3 == 0 {
				time.Sleep(time.Millisecond)
			}
			if err := s.Connect(t.Context()); err != nil {
				t.Fatal(err)
			}
			if i%5 == 0 {
				other.Disconnect()
			}
		}
		time.Sleep(time.Second)
		n := 0
		for range w.server.Of("/").Sockets() {
			n++
		}
		if _, err := client.Call(t.Context(), s, greet, "x"); n != 1 || err != nil {
			t.Errorf("got %d sockets, %v", n, err)
		}
	})
}
