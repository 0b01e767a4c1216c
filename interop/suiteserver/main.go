// Command suiteserver is the server that the official protocol test suites expect: Engine.IO at
// /engine.io/, which sends every message back, and Socket.IO at /socket.io/.
package main

import (
	"bytes"
	"context"
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
	"jobcast/engineio/cors"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:3000", "`address` to listen on")
	old := flag.Bool("revision3", false, "serve clients of revision 3 too, as its suite expects; that of revision 4 "+
		"takes a request that names no revision for a mistake")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *listen, *old); err != nil {
		slog.Error("suiteserver", "err", err)
		os.Exit(1)
	}
}

// A suite is the server side of one suite's contract.
type suite struct {
	path    string
	handler http.Handler
	close   func(context.Context) error
}

func run(ctx context.Context, listen string, old bool) error {
	cfg := engineio.Config{
		PingInterval:     300 * time.Millisecond,
		PingTimeout:      200 * time.Millisecond,
		MaxPayloadBytes:  1e6,
		CORS:             cors.Config{Origins: []string{"*"}},
		DisableRevision3: !old,
	}
	suites := []suite{engineSuite(cfg), socketSuite(cfg)}

	mux := http.NewServeMux()
	for _, s := range suites {
		mux.Handle(s.path, s.handler)
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	slog.Info("listening", "address", l.Addr().String())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()

	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	for _, s := range suites {
		err = errors.Join(err, s.close(ctx))
	}
	err = errors.Join(err, server.Shutdown(ctx))
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}

// engineSuite sends every message back. cfg holds the limits that the suites count on.
func engineSuite(cfg engineio.Config) suite {
	cfg.Accept = func(s *engineio.Session) engineio.Handler { return echo{s} }
	server := engineio.NewServer(cfg)
	return suite{"/engine.io/", server, server.Close}
}

// echo sends every message back.
type echo struct{ session *engineio.Session }

func (e echo) Receive(m engineio.Message) {
	m.Data = bytes.Clone(m.Data)
	_ = e.session.Send(engineio.NewFrame(m)) // the session may have ended: nobody is left to tell
}

func (e echo) Closed(engineio.Reason) {}
