// Package app is the server as a library: everything from the store to the pages, wired in one list of parts that start,
// drain and close. A program of its own has own workers, namespaces and pages:
//
//	err := app.Run(ctx, app.Config{
//		Workers:    []jobs.Worker{Count.Worker(nil, count)},
//		Namespaces: append(slices.Clone(namespaces.All), Greet),
//	})
//
// The package decides what is there and in what order it ends, and nothing else: it knows no flags and prints nothing.
//
// # The end
//
// All parts drain at once, each within a time of its own, so that none can use up another's: requests under way get 4
// seconds, sockets 7 and running jobs 5, which are handed back, so that the next start goes on with them. Then the
// parts close from the last to the first. The whole takes 10 seconds at most. A start that fails ends what has started
// in the same way.
//
// # Goroutines
//
// Those of the parts, and one that serves HTTP. At the end there are two for each part that drains, and for one that
// closes; one that does not return in time is left behind, and its part is named in the log.
package app

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	_ "time/tzdata" // schedules have time zones, on machines without the database too

	"jobcast/internal/natsio"
	"jobcast/internal/systems/chat"
	"jobcast/internal/systems/compare"
	"jobcast/internal/systems/vote"
	"jobcast/jobs/engine"
	"jobcast/jobs/files"
	"jobcast/socketio"
	"jobcast/web"
)

// A Server is one that has started. Its methods may be called from any goroutine.
type Server struct {
	cfg   Config
	log   *slog.Logger
	parts []part

	// What the parts share, set by the starts in order and not written after.
	certificate *tls.Config // nil for plain HTTP
	listener    net.Listener
	quic        *quicServer
	store       *natsio.Store
	node        string // the server's name
	files       *files.Dir
	jobs        *engine.Engine
	vote        *vote.Vote
	chat        *chat.Chat
	runs        *compare.Runs
	foreign     *foreignOrigins
	sockets     *socketio.Server
	site        *web.Handler
	http        *http.Server
	said        string // what is told of WebTransport

	endRequests context.CancelCauseFunc
	served      chan struct{} // closed when the server accepts no more
	servedErr   error         // set before that

	closing  sync.Once
	closeErr error // set by closing
}

// Run runs a server until ctx is done, and ends it then. It returns nil if everything has ended well, the error of a
// start that failed, or what has gone wrong since.
func Run(ctx context.Context, cfg Config) error {
	s, err := Start(ctx, cfg)
	if err != nil {
		return err
	}
	err = s.Wait(ctx)
	return cmp.Or(err, s.Close())
}

// Start starts a server, and returns when clients can connect. A start that fails leaves nothing behind; its error is a
// sentence for a person. If ctx ends before, it returns ctx's error. Who calls Start calls Close.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, log: cfg.Logger, served: make(chan struct{})}
	s.parts = s.list()
	if err := startParts(ctx, s.log, s.parts); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, err
	}
	return s, nil
}

// URL is where the server is, such as http://127.0.0.1:8080, as a browser on this machine may be given it.
func (s *Server) URL() string {
	if s.certificate != nil {
		return "https://" + address(s.listener)
	}
	return "http://" + address(s.listener)
}

// String says where the server is and where it keeps its data, in a line, and in another where WebTransport is if it is
// there. Each ends with a line feed.
func (s *Server) String() string {
	return fmt.Sprintf("listening on %s, data in %s (synced %s)\n%s", s.URL(), s.cfg.Data, s.store.SyncMode(), s.said)
}

// Wait waits until ctx is done or Close is called, and returns nil, or until the server cannot go on, and returns why.
func (s *Server) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-s.served:
	}
	if errors.Is(s.servedErr, http.ErrServerClosed) {
		return nil // by Close
	}
	return fmt.Errorf("the server stopped accepting, so look at the system's limits and start it again: %w", s.servedErr)
}

// Close ends the server, and returns when it has ended; the package's comment says in what time. Its error says that
// something has not ended as it should, and the log which. Closing twice waits twice, and returns the same.
func (s *Server) Close() error {
	s.closing.Do(func() {
		s.log.Info("draining")
		s.closeErr = endParts(context.Background(), s.log, s.parts)
	})
	return s.closeErr
}

// address is what a browser on this machine may be given.
func address(l net.Listener) string {
	host, port, err := net.SplitHostPort(l.Addr().String())
	if ip := net.ParseIP(host); err == nil && ip.IsUnspecified() {
		return net.JoinHostPort("localhost", port)
	}
	return l.Addr().String()
}

// hosts are the names that requests may be for. Who listens on this machine only has few, and must be sure
// of them.
func (s *Server) hosts() []string {
	address, ok := s.listener.Addr().(*net.TCPAddr)
	if len(s.cfg.Hosts) == 0 && !(ok && address.IP.IsLoopback()) {
		return nil
	}
	own, _, _ := net.SplitHostPort(s.cfg.Listen) // listening has shown that it is an address
	return append([]string{"localhost", own}, s.cfg.Hosts...)
}

var errDraining = errors.New("the server is shutting down")
