package socketio

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime"
	"testing"

	"jobcast/engineio"
)

// sink is a session that takes everything and keeps nothing.
type sink struct{ sent int }

func (*sink) ID() string                             { return "AAAAAAAAAAAAAAAAAAAA" }
func (*sink) Handshake() *engineio.Handshake         { return &engineio.Handshake{} }
func (*sink) Revision() int                          { return 4 }
func (*sink) Transport() string                      { return "sink" }
func (s *sink) Send(...*engineio.Frame) error        { s.sent++; return nil }
func (s *sink) SendVolatile(...*engineio.Frame) bool { s.sent++; return true }
func (*sink) Close(engineio.Reason)                  {}

func benchServer(b *testing.B) *Server {
	srv := New(Config{Logger: slog.New(slog.DiscardHandler)})
	b.Cleanup(func() { srv.Close(context.Background()) })
	return srv
}

// benchSocket returns a connection, and its socket in the main namespace once it has joined.
func benchSocket(b *testing.B, srv *Server) (*conn, *Socket) {
	c := srv.accept(&sink{})
	c.Receive(engineio.Message{Data: []byte("0")})
	s, _ := c.find("/")
	for s.state.Load() != connected || count(srv.Of("/").To(s.ID()).Sockets()) == 0 {
		runtime.Gosched()
	}
	return c, s
}

// What a broadcast costs on top of the sessions' own work.
func BenchmarkBroadcast(b *testing.B) {
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprintf("sockets=%d", n), func(b *testing.B) {
			srv := benchServer(b)
			for range n {
				_, s := benchSocket(b, srv)
				s.Join("room")
			}
			to := srv.Of("/").To("room")
			b.ReportAllocs()
			for b.Loop() {
				note.Emit(to, "what is said to everybody")
			}
		})
	}
}

// What a client's call costs on top of the session's own work, but for decoding it and the change of
// goroutines.
func BenchmarkAckEcho(b *testing.B) {
	srv := benchServer(b)
	srv.Of("/").Handle(echo.On(func(_ context.Context, _ *Socket, args Args) (Args, error) { return args, nil }))
	_, s := benchSocket(b, srv)
	args := Args{JSON: []json.RawMessage{[]byte(`"what is said to everybody"`)}}
	b.ReportAllocs()
	for b.Loop() {
		c := &call{socket: s, name: []byte("echo"), args: args, wantsAck: true, id: 1}
		c.handle()
	}
}

// answerer is a session whose client answers at once.
type answerer struct {
	sink
	socket *Socket
}

func (a *answerer) Send(...*engineio.Frame) error {
	if a.socket != nil {
		a.socket.settle(a.socket.ns.nextAsk.Load()-1, Args{JSON: []json.RawMessage{[]byte("5")}})
	}
	return nil
}

func BenchmarkAsk(b *testing.B) {
	srv := benchServer(b)
	_, s := benchSocket(b, srv)
	s.conn.sess = &answerer{socket: s}
	b.ReportAllocs()
	for b.Loop() {
		if n, err := add.Ask(b.Context(), s, nil); n != 5 || err != nil {
			b.Fatal(n, err)
		}
	}
}
