// Command server is what the clients of every generation are tested against: Socket.IO at /socket.io/, and
// beside it the files of a directory, for the tests in a browser.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"jobcast/engineio"
	"jobcast/engineio/webtransport"
	"jobcast/socketio"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "`address` to listen on")
	files := flag.String("files", ".", "`directory` that is served beside")
	quic := flag.Bool("webtransport", false, "serve WebTransport too, with a certificate whose hash is at /hash")
	deflate := flag.Bool("deflate", false, "compress messages over WebSocket")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *listen, *files, *quic, *deflate); err != nil {
		slog.Error("server", "err", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, listen, files string, quic, deflate bool) error {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	engine := engineio.Config{PerMessageDeflate: engineio.PerMessageDeflate{Enabled: deflate}}
	mux := http.NewServeMux()
	closeQUIC := func() error { return nil }
	if quic {
		cert, err := webtransport.NewSelfSigned("127.0.0.1")
		if err != nil {
			return err
		}
		mux.HandleFunc("/hash", func(w http.ResponseWriter, _ *http.Request) {
			hash, err := cert.Hash()
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			_, _ = w.Write(hash) // a page that is gone asks no more
		})
		socket, err := net.ListenPacket("udp", l.Addr().String())
		if err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		server := webtransport.New(webtransport.Config{TLS: cert.TLS()})
		engine.WebTransport = server.Accept
		served := make(chan error, 1)
		go func() { served <- server.Serve(socket, mux) }()
		closeQUIC = func() error { return errors.Join(server.Close(), <-served, socket.Close()) }
	}
	sockets := newSockets(engine)
	if err := addWords(sockets, "/", "/words", "/wörter"); err != nil {
		return err
	}
	mux.Handle("/socket.io/", sockets)
	mux.Handle("/", http.FileServer(http.Dir(files)))
	fmt.Printf("listening on http://%s\n", l.Addr())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()

	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	err = errors.Join(sockets.Close(ctx), closeQUIC(), server.Shutdown(ctx))
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}

type said struct {
	Room string `json:"room"`
	Text string `json:"text"`
}

var (
	echo     = socketio.NewCall[socketio.Args, socketio.Args]("echo")
	ask      = socketio.NewCall[socketio.Args, socketio.Args]("ask")      // asks back, and answers with the answer
	question = socketio.NewCall[socketio.Args, socketio.Args]("question") // what it asks
	join     = socketio.NewCall[string, struct{}]("join")                 // a room
	say      = socketio.NewCall[said, struct{}]("say")                    // to a room
	heard    = socketio.NewEvent[said]("heard")                           // in a room
	show     = socketio.NewCall[socketio.Args, struct{}]("show")          // to everyone, binary or not
	shown    = socketio.NewEvent[socketio.Args]("shown")                  // to everyone
	work     = socketio.NewCall[int, int]("work")                         // so many steps
	progress = socketio.NewEvent[int]("progress")                         // the step that was made
	sum      = socketio.NewCall[[]byte, int]("sum")                       // of bytes
	gift     = socketio.NewCall[int, []byte]("gift")                      // so many bytes, 0 and up
	given    = socketio.NewEvent[[]byte]("given")                         // the same, before the answer
	leave    = socketio.NewCall[struct{}, struct{}]("leave")              // asks to be sent away
	whoami   = socketio.NewCall[struct{}, map[string]any]("whoami")       // the id and the credentials
)

func newSockets(engine engineio.Config) *socketio.Server {
	server := socketio.New(socketio.Config{Engine: engine})
	for _, name := range []string{"/", "/private"} {
		ns := server.Of(name)
		ns.Handle(
			echo.On(func(_ context.Context, _ *socketio.Socket, args socketio.Args) (socketio.Args, error) {
				return args, nil
			}),
			ask.On(func(ctx context.Context, s *socketio.Socket, args socketio.Args) (socketio.Args, error) {
				return question.Ask(ctx, s, args)
			}),
			join.On(func(_ context.Context, s *socketio.Socket, room string) (struct{}, error) {
				s.Join(room)
				return struct{}{}, nil
			}),
			say.On(func(_ context.Context, _ *socketio.Socket, what said) (struct{}, error) {
				return struct{}{}, heard.Emit(ns.To(what.Room), what)
			}),
			show.On(func(_ context.Context, _ *socketio.Socket, args socketio.Args) (struct{}, error) {
				return struct{}{}, shown.Emit(ns, args)
			}),
			work.On(func(ctx context.Context, s *socketio.Socket, steps int) (int, error) {
				for step := range steps {
					if err := progress.Emit(s, step+1); err != nil {
						return 0, err
					}
					time.Sleep(2 * time.Millisecond)
				}
				return steps, nil
			}),
			sum.On(func(_ context.Context, _ *socketio.Socket, data []byte) (total int, err error) {
				for _, b := range data {
					total += int(b)
				}
				return total, nil
			}),
			gift.On(func(_ context.Context, s *socketio.Socket, n int) ([]byte, error) {
				data := make([]byte, min(max(n, 0), 1<<20))
				for i := range data {
					data[i] = byte(i)
				}
				return data, given.Emit(s, data)
			}),
			leave.On(func(_ context.Context, s *socketio.Socket, _ struct{}) (struct{}, error) {
				s.Disconnect(false)
				return struct{}{}, nil
			}),
			whoami.On(func(_ context.Context, s *socketio.Socket, _ struct{}) (map[string]any, error) {
				return map[string]any{"id": s.ID(), "auth": s.Auth(), "transport": s.Transport()}, nil
			}),
		)
	}
	server.Of("/private").Use(func(_ context.Context, s *socketio.Socket) error {
		var auth struct{ Token string }
		if json.Unmarshal(s.Auth(), &auth) == nil && auth.Token == "a secret" {
			return nil
		}
		return &socketio.ConnectError{Message: "not authorized", Data: map[string]int{"retryIn": 5}}
	})
	server.Of("/closed").Use(func(context.Context, *socketio.Socket) error { return errors.New("closed for today") })
	return server
}
