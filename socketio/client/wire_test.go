package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"jobcast/socketio"
	"jobcast/socketio/client"
)

// A wire is a server that says what the test says, over WebSocket.
type wire struct {
	t    *testing.T
	conn net.Conn
}

// scripted runs each connection of a client through the next of the scripts, in a bubble, and f beside.
func scripted(t *testing.T, cfg client.Config, f func(t *testing.T, s *client.Socket), scripts ...func(w *wire)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		next := make(chan func(*wire), len(scripts))
		for _, script := range scripts {
			next <- script
		}
		cfg.Logger = slog.New(slog.DiscardHandler)
		cfg.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			conn, _, _, err := ws.UpgradeHTTP(r, rw)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			select {
			case script := <-next:
				script(&wire{t, conn})
			default:
				t.Error("one connection more than expected")
			}
		})
		c := client.New(cfg)
		defer c.Close()
		f(t, c.Of("/"))
	})
}

// send says texts. A client that has heard enough of one hangs up in its middle.
func (w *wire) send(texts ...string) {
	w.t.Helper()
	for _, text := range texts {
		if err := wsutil.WriteServerText(w.conn, []byte(text)); err != nil && !errors.Is(err, io.ErrClosedPipe) {
			w.t.Errorf("send %.50s: %v", text, err)
		}
	}
}

func (w *wire) frame(f ws.Frame) {
	w.t.Helper()
	if err := ws.WriteFrame(w.conn, f); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		w.t.Error(err)
	}
}

// want reads frames, and writes one that is not text as its opcode and its bytes.
func (w *wire) want(frames ...string) {
	w.t.Helper()
	for _, want := range frames {
		f, err := ws.ReadFrame(w.conn)
		if err != nil {
			w.t.Errorf("got %v, want %s", err, want)
			return
		}
		if !f.Header.Masked {
			w.t.Error("a client's frame is not masked")
		}
		f = ws.UnmaskFrame(f)
		got := string(f.Payload)
		if f.Header.OpCode != ws.OpText {
			got = fmt.Sprintf("%d %x", f.Header.OpCode, f.Payload)
		}
		if got != want {
			w.t.Errorf("got %s, want %s", got, want)
		}
	}
}

// wantEnd reads until the client is gone.
func (w *wire) wantEnd() {
	w.t.Helper()
	_ = w.conn.SetReadDeadline(time.Now().Add(time.Minute))
	for {
		if _, err := ws.ReadFrame(w.conn); err != nil {
			if errors.Is(err, context.DeadlineExceeded) {
				w.t.Error("the client is still there")
			}
			return
		}
	}
}

const open = `0{"sid":"engine","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`

// welcome opens the session and the main namespace.
func (w *wire) welcome() {
	w.t.Helper()
	w.send(open)
	w.want("40")
	w.send(`40{"sid":"socket"}`)
}

func TestWebSocketFrames(t *testing.T) {
	var got list
	closed := ws.NewCloseFrameBody(ws.StatusGoingAway, "bye")
	scripted(t, client.Config{DisableReconnect: true}, func(t *testing.T, s *client.Socket) {
		got.watch(s)
		client.On(s, told, func(_ context.Context, text string) { got.add("told %s", text) })
		if err := s.Connect(t.Context()); err != nil { // its id may be gone again by now
			t.Error(err)
		}
		time.Sleep(time.Second)
		got.want(t, "connect", "told in pieces", "told x", "disconnect transport close")
	}, func(w *wire) {
		w.welcome()
		w.frame(ws.NewPingFrame([]byte("hi")))
		w.want("10 6869")
		w.frame(ws.NewFrame(ws.OpText, false, []byte(`42["told","in `)))
		w.frame(ws.NewPingFrame([]byte("a")))
		w.want("10 61")
		w.frame(ws.NewFrame(ws.OpContinuation, false, nil))
		w.frame(ws.NewFrame(ws.OpContinuation, true, []byte(`pieces"]`)))
		w.frame(ws.NewPongFrame(nil))
		w.send("6", "2", `42["told","x"]`)
		w.want("3")
		w.frame(ws.NewCloseFrame(closed))
		w.want(fmt.Sprintf("8 %x", closed))
		w.wantEnd()
	})
}

// What a server may not say ends the connection, and the client tries another.
func TestServerBreaksProtocol(t *testing.T) {
	for name, tt := range map[string]struct {
		send   func(w *wire)
		reason socketio.Reason
	}{
		"unknown packet":         {func(w *wire) { w.send("5") }, socketio.ParseError},
		"no packet":              {func(w *wire) { w.send("47") }, socketio.ParseError},
		"attachment of nothing":  {func(w *wire) { wsutil.WriteServerBinary(w.conn, []byte{1}) }, socketio.ParseError},
		"text inside binary":     {func(w *wire) { w.send(`451-["told",{"_placeholder":true,"num":0}]`, `42["told"]`) }, socketio.ParseError},
		"masked frame":           {func(w *wire) { w.frame(ws.MaskFrame(ws.NewTextFrame([]byte("2")))) }, socketio.TransportError},
		"message too large":      {func(w *wire) { w.send(`42["told","` + strings.Repeat("x", 2000) + `"]`) }, socketio.TransportError},
		"end in a frame":         {func(w *wire) { w.conn.Write([]byte{0x81, 5, '4'}); w.conn.Close() }, socketio.TransportClose},
		"end without a goodbye":  {func(w *wire) { w.conn.Close() }, socketio.TransportClose},
		"engine closed in order": {func(w *wire) { w.send("1") }, socketio.TransportClose},
	} {
		t.Run(name, func(t *testing.T) {
			reasons := make(chan socketio.Reason, 1)
			scripted(t, client.Config{MaxMessageBytes: 1000}, func(t *testing.T, s *client.Socket) {
				s.OnDisconnect(func(reason socketio.Reason) { reasons <- reason })
				if err := s.Connect(t.Context()); err != nil {
					t.Fatal(err)
				}
				if reason := <-reasons; reason != tt.reason {
					t.Errorf("got reason %q, want %q", reason, tt.reason)
				}
				if err := s.Connect(t.Context()); err != nil {
					t.Error(err)
				}
			}, func(w *wire) {
				w.welcome()
				tt.send(w)
				w.wantEnd()
			}, func(w *wire) {
				w.welcome()
				w.want("41", "8 03e8")
			})
		})
	}
}

// What is not addressed to anybody does no harm.
func TestStrayPackets(t *testing.T) {
	scripted(t, client.Config{}, func(t *testing.T, s *client.Socket) {
		if err := s.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		if answer, err := client.Call(t.Context(), s, greet, "you"); answer != "hello" || err != nil {
			t.Errorf("got %q, %v", answer, err)
		}
	}, func(w *wire) {
		w.send(open, `42["early"]`, `41`, `40/other,{"sid":"x"}`, `42/other,["x"]`, `43/other,7[]`, `44/other,{"message":"x"}`)
		w.want("40")
		w.send(`40{"sid":"socket"}`, `40{"sid":"again"}`, `44{"message":"late"}`, `439["not asked"]`, `42["nobody"]`, `42["connected"]`)
		w.want(`420["greet","you"]`)
		w.send(`437["other"]`, `430["hello"]`, `430["twice"]`)
		w.want("41", "8 03e8")
	})
}

func TestBadHandshakes(t *testing.T) {
	for name, first := range map[string]string{
		"no open":        "40",
		"no JSON":        "0{",
		"no id":          `0{"pingInterval":1,"pingTimeout":1}`,
		"no interval":    `0{"sid":"x","pingTimeout":1}`,
		"endless":        `0{"sid":"x","pingInterval":9007199254740991,"pingTimeout":9007199254740991}`,
		"below zero":     `0{"sid":"x","pingInterval":-1,"pingTimeout":1}`,
		"no packet":      "",
		"unknown packet": "x",
	} {
		t.Run(name, func(t *testing.T) {
			scripted(t, client.Config{}, func(t *testing.T, s *client.Socket) {
				if err := s.Connect(t.Context()); err == nil {
					t.Error("connected")
				}
			}, func(w *wire) {
				w.send(first)
				w.wantEnd()
			})
		})
	}
	t.Run("silence", func(t *testing.T) {
		scripted(t, client.Config{ConnectTimeout: time.Minute}, func(t *testing.T, s *client.Socket) {
			begin := time.Now()
			err := s.Connect(t.Context())
			if d := time.Since(begin); !errors.Is(err, context.DeadlineExceeded) || d != time.Minute {
				t.Errorf("got %v after %v", err, d)
			}
		}, func(w *wire) { w.conn.Read(make([]byte, 1)) })
	})
}

// A server of socket.io 2.x joins the main namespace by itself and names no socket.
func TestOldServer(t *testing.T) {
	scripted(t, client.Config{}, func(t *testing.T, s *client.Socket) {
		err := s.Connect(t.Context())
		if e, ok := errors.AsType[*client.ConnectError](err); !ok || !strings.Contains(e.Message, "older revision") {
			t.Errorf("got %v", err)
		}
	}, func(w *wire) {
		w.send(open)
		w.want("40")
		w.send("40")
		w.wantEnd()
	})
}

// Connection state recovery: the client shows what it had last, and gets what it missed first.
func TestRecovery(t *testing.T) {
	var got list
	cfg := client.Config{Auth: client.Credentials(map[string]string{"token": "t"})}
	scripted(t, cfg, func(t *testing.T, s *client.Socket) {
		got.watch(s)
		s.HandleAny(func(_ context.Context, event string, args socketio.Args) (socketio.Args, error) {
			got.add("%s %s", event, args.JSON)
			return socketio.Args{}, nil
		})
		if err := s.Connect(t.Context()); err != nil || s.Recovered() {
			t.Errorf("got %v, recovered %v", err, s.Recovered())
		}
		synctest.Wait()
		time.Sleep(2 * time.Second)
		got.want(t, "connect", `a [1 "first"]`, `b ["second"]`, "c [2]", "disconnect transport close", `missed ["third"]`, "connect")
		if !s.Recovered() || s.ID() != "socket" {
			t.Errorf("recovered %v, id %q", s.Recovered(), s.ID())
		}
	}, func(w *wire) {
		w.send(open)
		w.want(`40{"token":"t"}`)
		w.send(`40{"sid":"socket","pid":"secret"}`, `42["a",1,"first"]`, `42["b","second"]`, `42["c",2]`)
		w.conn.Close()
	}, func(w *wire) {
		w.send(open)
		w.want(`40{"offset":"second","pid":"secret","token":"t"}`)
		w.send(`42["missed","third"]`, `40{"sid":"socket","pid":"secret"}`)
		w.want("41", "8 03e8")
	})
}

// A pong, an acknowledgement and attachments are written as the specification has them.
func TestWritten(t *testing.T) {
	scripted(t, client.Config{}, func(t *testing.T, s *client.Socket) {
		client.Answer(s, confirm, func(_ context.Context, text string) (string, error) { return text, nil })
		client.On(s, told, func(context.Context, string) {})
		if err := s.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		args := socketio.Args{JSON: []json.RawMessage{[]byte(`{"_placeholder":true,"num":0}`), []byte(`"<é>"`)}, Attachments: [][]byte{bytes.Repeat([]byte{7}, 3)}}
		if err := client.Emit(s, socketio.NewEvent[socketio.Args]("binary"), args); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
	}, func(w *wire) {
		w.welcome()
		w.send("2", `4212["confirm","yes"]`, `4213["told","x"]`)
		w.want("3", `4312["yes"]`, "4313[]", `451-["binary",{"_placeholder":true,"num":0},"<é>"]`, "2 070707", "41", "8 03e8")
	})
}
