package socketio_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"jobcast/engineio"
	"jobcast/socketio"
)

// Every reason that a client can bring about, and those of the server, by what happens on the wire.
func TestReasonsOnTheWire(t *testing.T) {
	heartbeat := map[int]string{4: "2", 3: "3"} // what only the server sends
	for _, tt := range []struct {
		name string
		end  func(w *world, c *wsClient, revision int)
		want socketio.Reason
	}{
		{"the client leaves the namespace", func(_ *world, c *wsClient, _ int) { c.send("41") }, socketio.ClientNamespaceDisconnect},
		{"the server disconnects", func(_ *world, c *wsClient, _ int) { c.send(`42["leave",false]`) }, socketio.ServerNamespaceDisconnect},
		{"the server closes the session", func(_ *world, c *wsClient, _ int) { c.send(`42["leave",true]`) }, socketio.ServerNamespaceDisconnect},
		{"the connection ends", func(_ *world, c *wsClient, _ int) { c.conn.Close() }, socketio.TransportClose},
		{"the WebSocket is closed", func(_ *world, c *wsClient, _ int) {
			ws.WriteFrame(c.conn, ws.MaskFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusGoingAway, ""))))
		}, socketio.TransportClose},
		{"the client is silent", func(*world, *wsClient, int) {}, socketio.PingTimeout},
		{"no Engine.IO packet", func(_ *world, c *wsClient, _ int) { c.send("abc") }, socketio.ParseError},
		{"no Socket.IO packet", func(_ *world, c *wsClient, _ int) { c.send("4abc") }, socketio.ParseError},
		{"a heartbeat the wrong way", func(_ *world, c *wsClient, revision int) { c.send(heartbeat[revision]) }, socketio.TransportError},
		{"the server shuts down", func(w *world, _ *wsClient, _ int) { go w.server.Close(context.Background()) }, socketio.ServerShutdown},
	} {
		for _, revision := range []int{4, 3} {
			t.Run(fmt.Sprintf("%s/EIO=%d", tt.name, revision), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorldWith(t, engineio.Config{PingInterval: 300 * time.Millisecond, PingTimeout: 200 * time.Millisecond})
					reasons := make(chan socketio.Reason, 2)
					ns := w.server.Of("/")
					ns.Handle(socketio.NewEvent[bool]("leave").On(func(_ context.Context, s *socketio.Socket, closeEngine bool) error {
						s.Disconnect(closeEngine)
						return nil
					}))
					ns.OnDisconnecting(func(_ *socketio.Socket, reason socketio.Reason) { reasons <- reason })
					ns.OnDisconnect(func(_ *socketio.Socket, reason socketio.Reason) { reasons <- reason })
					c, err := w.dialQuery(fmt.Sprintf("EIO=%d&transport=websocket", revision))
					if err != nil {
						t.Fatal(err)
					}
					c.wantPrefix("0{")
					if revision == 4 {
						c.send("40")
					}
					c.wantPrefix("40")
					c.want(`42["auth",{}]`)
					tt.end(w, c, revision)
					for range 2 {
						if reason := <-reasons; reason != tt.want {
							t.Errorf("got %q, want %q", reason, tt.want)
						}
					}
				})
			})
		}
	}
}

// Two polls at once are an error of the transport.
func TestReasonOfTwoPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		reasons := make(chan socketio.Reason, 1)
		w.server.Of("/").OnDisconnect(func(_ *socketio.Socket, reason socketio.Reason) { reasons <- reason })
		sid := w.open()
		w.post(sid, "40")
		w.request("GET", "EIO=4&transport=polling&sid="+sid, "")
		first := make(chan struct{})
		go func() {
			defer close(first)
			w.wantPoll(sid, 200, "1")
		}()
		synctest.Wait()
		w.wantPoll(sid, 400, "")
		<-first
		if reason := <-reasons; reason != socketio.TransportError {
			t.Errorf("got %q, want %q", reason, socketio.TransportError)
		}
	})
}

// What a handler gets to know of the request that opened the session.
func TestHandshake(t *testing.T) {
	for _, revision := range []int{4, 3} {
		t.Run(fmt.Sprintf("EIO=%d", revision), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorldWith(t, engineio.Config{})
				handshakes := make(chan *engineio.Handshake, 1)
				w.server.Of("/").OnConnect(func(_ context.Context, s *socketio.Socket) { handshakes <- s.Handshake() })
				start := time.Now()
				r, err := http.NewRequest("GET", fmt.Sprintf("http://server/socket.io/?EIO=%d&transport=polling&room=a%%20b", revision), nil)
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("X-Token", "abc")
				res, err := w.client.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(res.Body)
				res.Body.Close()
				if revision == 4 {
					_, sid, _ := strings.Cut(string(body), `"sid":"`)
					time.Sleep(time.Millisecond)
					w.post(sid[:20], "40")
				}
				h := <-handshakes
				if want := fmt.Sprintf("/socket.io/?EIO=%d&transport=polling&room=a%%20b", revision); h.URL != want {
					t.Errorf("got the URL %q, want %q", h.URL, want)
				}
				if h.Header.Get("X-Token") != "abc" || h.Query.Get("room") != "a b" || h.Query.Get("EIO") != fmt.Sprint(revision) ||
					h.Host != "server" || h.RemoteAddr == "" || h.Secure || !h.Time.Equal(start) {
					t.Errorf("got %+v", h)
				}
			})
		})
	}
}
