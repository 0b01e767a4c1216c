// Package old tests the server with clients of the old protocols. Those of JavaScript have tests of their
// own beside this.
package old

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	gosocketio "github.com/googollee/go-socket.io/engineio"
	"github.com/googollee/go-socket.io/engineio/session"
	"github.com/googollee/go-socket.io/engineio/transport"
	"github.com/googollee/go-socket.io/engineio/transport/polling"
	"github.com/googollee/go-socket.io/engineio/transport/websocket"

	"jobcast/engineio"
	"jobcast/socketio"
)

// TestGoSocketIOClient has the client of go-socket.io, which speaks Engine.IO 3, talk Socket.IO to the
// server: acknowledgements, binary and a namespace, and pings that keep it connected.
func TestGoSocketIOClient(t *testing.T) {
	for _, tr := range []transport.Transport{
		&polling.Transport{Client: &http.Client{}},
		websocket.Default,
	} {
		t.Run(tr.Name(), func(t *testing.T) {
			server := socketio.New(socketio.Config{
				Engine: engineio.Config{PingInterval: 200 * time.Millisecond, PingTimeout: 300 * time.Millisecond},
				Logger: slog.New(slog.DiscardHandler),
			})
			for _, name := range []string{"/", "/ns"} {
				server.Of(name).Handle(socketio.NewCall[socketio.Args, socketio.Args]("echo").On(
					func(_ context.Context, _ *socketio.Socket, args socketio.Args) (socketio.Args, error) {
						return args, nil
					}))
			}
			ts := httptest.NewServer(server)
			defer ts.Close()
			defer server.Close(context.Background())

			dialer := gosocketio.Dialer{Transports: []transport.Transport{tr}}
			conn, err := dialer.Dial(ts.URL+"/socket.io/", nil)
			if err != nil {
				t.Fatal(err)
			}
			c := goClient{t, conn, make(chan string, 100)}
			read := make(chan struct{})
			go func() {
				defer close(read)
				c.read()
			}()
			defer func() {
				conn.Close()
				<-read
			}()
			c.want("0")
			c.send(`21["echo","hello",{"n":1}]`)
			c.want(`31["hello",{"n":1}]`)
			c.send(`0/ns?token=a,`)
			c.want(`0/ns,`)
			c.send(`51-/ns,2["echo",{"_placeholder":true,"num":0}]`)
			c.sendBinary(0, 1, 0xff)
			c.want(`61-/ns,2[{"_placeholder":true,"num":0}]`)
			c.want("binary 0001ff")
			time.Sleep(time.Second) // nothing but its pings, for longer than a silent client is kept
			c.send(`29["echo","still here"]`)
			c.want(`39["still here"]`)
		})
	}
}

type goClient struct {
	t        *testing.T
	conn     gosocketio.Conn
	messages chan string // closed with the connection
}

// read reads without a pause: the client knows of its pongs only while it does.
func (c goClient) read() {
	defer close(c.messages)
	for {
		typ, r, err := c.conn.NextReader()
		if err != nil {
			return
		}
		data, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			return
		}
		if typ == session.BINARY {
			c.messages <- fmt.Sprintf("binary %x", data)
		} else {
			c.messages <- string(data)
		}
	}
}

func (c goClient) send(text string) { c.t.Helper(); c.write(session.TEXT, []byte(text)) }

func (c goClient) sendBinary(data ...byte) { c.t.Helper(); c.write(session.BINARY, data) }

func (c goClient) write(typ session.FrameType, data []byte) {
	c.t.Helper()
	w, err := c.conn.NextWriter(typ)
	if err != nil {
		c.t.Fatalf("send: %v", err)
	}
	if _, err := io.Copy(w, bytes.NewReader(data)); err != nil {
		c.t.Fatalf("send: %v", err)
	}
	if err := w.Close(); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

func (c goClient) want(want string) {
	c.t.Helper()
	select {
	case got, ok := <-c.messages:
		if !ok || got != want {
			c.t.Errorf("got %q, %v, want %q", got, ok, want)
		}
	case <-time.After(5 * time.Second):
		c.t.Fatalf("got nothing, want %q", want)
	}
}
