// Command jobcast serves Socket.IO clients and runs their long jobs. This file wires the packages
// together and decides nothing, and package cli reads the settings.
package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"jobcast/engineio"
	"jobcast/engineio/cors"
	"jobcast/internal/cli"
	"jobcast/internal/natsio"
	"jobcast/internal/systems/chat"
	"jobcast/internal/systems/compare"
	"jobcast/internal/systems/vote"
	"jobcast/jobs/engine"
	"jobcast/jobs/files"
	"jobcast/namespaces"
	"jobcast/socketio"
	"jobcast/socketio/bundle"
	"jobcast/web"
	"jobcast/workers"
)

const version = "0.1.0"

const (
	// drainTime bounds the drain: whoever stops a service kills it soon after. What takes long in it has a time
	// of its own, so that none takes another's, and all of these begin together.
	drainTime = 10 * time.Second
	// requestsTime is for the requests under way, such as uploads.
	requestsTime = 4 * time.Second
	// socketsTime is for the handlers of what the sockets have sent, and for the clients: the engine gives one
	// that does not answer its goodbye five seconds.
	socketsTime = 7 * time.Second
	// jobsTime is for the workers. Their jobs are handed back a second before, whether they have returned or not.
	jobsTime = 5 * time.Second
	// closeTime is for what then has nothing more to do.
	closeTime = time.Second
)

//go:embed all:public
var public embed.FS

// bundled holds the files of the stock JavaScript client, if they were there (see Makefile).
//
//go:embed all:socketio/bundle/dist
var bundled embed.FS

// ownSource is what the pages link to as their own source.
//
//go:embed namespaces/*.go
var ownSource embed.FS

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run returns the exit code: 0, 1 for a failure, 2 for wrong settings. What is wrong is one sentence.
func run(args []string, stdout, stderr io.Writer) int {
	s, err := cli.Parse(args, version, stdout)
	if err == nil {
		// The first signal ends ctx. After it signals have their own effect again: the second one
		// ends the process at once.
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		context.AfterFunc(ctx, stop)
		err = serve(ctx, stop, s, stdout, stderr)
		stop()
	}
	if err == nil || errors.Is(err, cli.ErrDone) {
		return 0
	}
	fmt.Fprintf(stderr, "jobcast: %v\n", err)
	if _, ok := errors.AsType[*cli.UsageError](err); ok {
		return 2
	}
	return 1
}

// serve runs the server until ctx is done, and drains it then. It calls draining before it does.
func serve(ctx context.Context, draining func(), s cli.Settings, stdout, stderr io.Writer) error {
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.Level(s.LogLevel)}))

	roots, data := texts(s.Roots), string(s.Data)
	if err := checkRoots(roots); err != nil {
		return err
	}
	certificate, err := loadCertificate(s)
	if err != nil {
		return err
	}
	listener, err := listen(ctx, string(s.Listen))
	if err != nil {
		return err
	}
	defer listener.Close() // a second time, after Shutdown, does no harm
	quic, err := listenQUIC(ctx, listener, s, certificate, log)
	if err != nil {
		return err
	}
	defer quic.close() // as above
	if err := checkData(data); err != nil {
		return err
	}
	if err := checkApart(roots, data); err != nil {
		return err
	}
	store, err := natsio.Open(ctx, natsio.Config{
		Dir:    filepath.Join(data, "jetstream"),
		Sync:   s.Sync.String(),
		Logger: log,
	})
	if err != nil {
		return startFailure(ctx, data, err)
	}
	// After the store, which holds the lock of the data directory.
	files, err := files.Open(filepath.Join(data, "files"))
	if err != nil {
		_ = store.Close() // the first error is the one to tell
		return dataFailure(data, err)
	}
	engine, err := engine.Open(ctx, engine.Config{
		Store:       store,
		Files:       files,
		Workers:     workers.All(workers.Config{Roots: roots, Private: []string{data}}),
		Concurrency: int(s.Concurrency),
		StartRate:   float64(s.StartRate),
		StartBurst:  int(s.StartBurst),
		MaxQueued:   int(s.MaxQueued),
		Logger:      log,
	})
	if err != nil {
		_ = errors.Join(files.Close(), store.Close()) // as above
		return startFailure(ctx, data, err)
	}
	votes, err := vote.Open(ctx, store.Journal("vote"))
	if err != nil {
		_ = errors.Join(engine.Close(ctx), files.Close(), store.Close()) // as above
		return startFailure(ctx, data, err)
	}
	talk, err := chat.Open(ctx, store.Journal("chat"))
	if err != nil {
		_ = errors.Join(engine.Close(ctx), files.Close(), store.Close()) // as above
		return startFailure(ctx, data, err)
	}
	foreign := &foreignOrigins{log: log}
	sockets := socketio.New(socketio.Config{
		Engine: engineio.Config{
			CORS:         cors.Config{Origins: texts(s.Origins)},
			WebTransport: quic.accept(),
			OnAdopt:      compare.Moved,
			Logger:       log,

			OnConnectionError: foreign.refused,
		},
		Bundle:      bundle.Config{Files: sub(bundled, "socketio/bundle/dist")},
		EncodeError: namespaces.EncodeError,
		Hooks:       socketio.Hooks{EventFailed: namespaces.LogFailures(log)},
		Logger:      log,
	})
	runs := new(compare.Runs)
	services := namespaces.Services{Jobs: engine, Vote: votes, Chat: talk, Runs: runs, Logger: log}
	opened := make(map[string]namespaces.Close)
	for _, n := range namespaces.All {
		opened[n.Path] = namespaces.Register(sockets, n, services)
	}

	requests, end := context.WithCancelCause(context.Background())
	site := web.New(web.Config{
		Sockets: sockets,
		Public:  sub(public, "public"),
		Source:  ownSource,
		Jobs:    engine,
		Files:   files,
		Runs:    runs,
		Vote:    votes,
		Chat:    talk,
		Origins: texts(s.Origins),
		Hosts:   hosts(listener, s),

		OnForeignOrigin:   foreign.warn,
		TrustedProxies:    networks(s.TrustedProxies),
		CertificateHashes: quic.hashes(),

		MaxUploadBytes: int64(s.MaxUpload),
		Ready:          store.Ready,
		Version:        version,
		Logger:         log,
	})
	conns := newConnections(maxDescriptors(), log)
	server := &http.Server{
		Handler:   site,
		ConnState: conns.changed,
		// No limit on a whole request: polls and streams wait, uploads take as long as they take. Who
		// reads or writes a body sets limits of its own.
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		BaseContext:       func(net.Listener) context.Context { return requests },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return compare.ConnContext(ctx, plain(c))
		},
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	scheme := "http"
	listener = conns.listener(listener)
	if certificate != nil {
		scheme = "https"
		listener = tls.NewListener(listener, certificate)
	}
	warnOpen(log, listener, s)
	go func() { served <- server.Serve(listener) }()
	fmt.Fprintf(stdout, "jobcast %s listening on %s://%s, data in %s (synced %s)\n%s",
		version, scheme, address(listener), data, store.SyncMode(), quic.serve(site))

	select {
	case err = <-served:
		err = fmt.Errorf("the server stopped accepting, so look at the system's limits and start it again: %w", err)
	case <-ctx.Done():
	}

	// Top down: accept no more, jobs neither, let waiting requests answer, send the pages elsewhere, and close the
	// store when nobody uses it any more. The jobs are handed back while all that goes on.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	draining()
	log.Info("draining")
	stopped := within(ctx, jobsTime, engine.Stop)
	end(errDraining)
	runs.Close()
	down := within(ctx, requestsTime, func(ctx context.Context) error { return shutdown(ctx, server, site) })
	failed := func(part string, e error) {
		if e != nil {
			log.Error("drain failed", "part", part, "err", e)
			err = cmp.Or(err, errDrain)
		}
	}
	failed("sockets", <-within(ctx, socketsTime, sockets.Close))
	failed("webtransport", quic.close())
	for path, end := range opened {
		failed("namespace "+path, <-within(ctx, closeTime, end))
	}
	failed("requests", <-down)
	talk.Close()
	failed("jobs", <-stopped)
	failed("watchers", <-within(ctx, closeTime, engine.Close))
	failed("files", files.Close())
	failed("store", store.Close())
	return err
}

var (
	errDraining = errors.New("the server is shutting down")
	errDrain    = errors.New("not everything ended in time, see the log above; unfinished jobs go on after the next start")
)

// within does f, which must end soon after its context, and sends its error. Who calls it takes that.
func within(ctx context.Context, limit time.Duration, f func(context.Context) error) <-chan error {
	ended := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		ended <- f(ctx)
	}()
	return ended
}

// shutdown waits for the requests under way and for the raw WebSockets, and cuts those off that take too
// long.
func shutdown(ctx context.Context, server *http.Server, site *web.Handler) error {
	err := server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close()
	}
	return errors.Join(err, site.Close(ctx))
}

// texts are settings as the text that they are.
func texts[T ~string](settings []T) []string {
	all := make([]string, len(settings))
	for i, s := range settings {
		all[i] = string(s)
	}
	return all
}

func networks(settings []cli.Network) []netip.Prefix {
	all := make([]netip.Prefix, len(settings))
	for i, s := range settings {
		all[i] = s.Prefix
	}
	return all
}

// hosts are the names that requests may be for. Who listens on this machine only has few, and must be sure
// of them.
func hosts(l net.Listener, s cli.Settings) []string {
	address, ok := l.Addr().(*net.TCPAddr)
	if len(s.Hosts) == 0 && !(ok && address.IP.IsLoopback()) {
		return nil
	}
	own, _, _ := net.SplitHostPort(string(s.Listen)) // which cli has seen
	return append([]string{"localhost", own}, texts(s.Hosts)...)
}

// sub are the files in a directory of those that are embedded.
func sub(files embed.FS, dir string) fs.FS {
	dirFiles, err := fs.Sub(files, dir)
	if err != nil {
		panic(err) // the name is a valid one
	}
	return dirFiles
}

// address is what a browser on this machine may be given.
func address(l net.Listener) string {
	host, port, err := net.SplitHostPort(l.Addr().String())
	if ip := net.ParseIP(host); err == nil && ip.IsUnspecified() {
		return net.JoinHostPort("localhost", port)
	}
	return l.Addr().String()
}

func listen(ctx context.Context, address string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("address %s is taken by another program; stop that one, or choose another address with --listen", address)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("address %s is not allowed to this user; choose a port above 1023 with --listen", address)
	}
	return nil, fmt.Errorf("cannot listen on %s: %w; choose another address with --listen", address, reason(err))
}

func checkRoots(roots []string) error {
	for _, root := range roots {
		info, err := os.Stat(root)
		if err == nil && !info.IsDir() {
			err = syscall.ENOTDIR
		}
		if err == nil {
			_, err = os.ReadDir(root)
		}
		if err != nil {
			return fmt.Errorf("cannot read the root %s: %w; name a directory that exists with --root", root, reason(err))
		}
	}
	return nil
}

// checkApart refuses a root in the data directory, which no job reads.
func checkApart(roots []string, data string) error {
	for _, root := range roots {
		if !workers.Readable(root, data) {
			return fmt.Errorf("the root %s lies in the data directory %s, which jobs do not read; name another with --root", root, data)
		}
	}
	return nil
}

// checkData makes the data directory and tries to write there.
func checkData(dir string) error {
	// Arguments and results of jobs are nobody else's business.
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		var probe *os.File
		if probe, err = os.CreateTemp(dir, ".probe-*"); err == nil {
			err = errors.Join(probe.Close(), os.Remove(probe.Name()))
		}
	}
	if err != nil {
		return dataFailure(dir, err)
	}
	return nil
}

func dataFailure(dir string, err error) error {
	if errors.Is(err, natsio.ErrInUse) {
		return fmt.Errorf("the data directory %s is used by another jobcast; stop that one, or choose another directory with --data", dir)
	}
	if damaged, ok := errors.AsType[*natsio.DamagedError](err); ok {
		return fmt.Errorf("the data directory %s is damaged: stream %s holds something and cannot be opened, see the log above; "+
			"restore the directory from a backup, or choose another with --data", dir, damaged.Stream)
	}
	if errors.Is(err, natsio.ErrNotReady) {
		return fmt.Errorf("the store in %s was not ready in time, as happens on a machine that is very busy; start jobcast again", dir)
	}
	return fmt.Errorf("cannot use the data directory %s: %w; make it readable and writable, or choose another with --data", dir, reason(err))
}

// startFailure is dataFailure, unless the start was interrupted, which is no failure.
func startFailure(ctx context.Context, dir string, err error) error {
	if ctx.Err() != nil {
		return cli.ErrDone
	}
	return dataFailure(dir, err)
}

// reason is the system's own word for what went wrong, without the path that the sentence has anyway.
func reason(err error) error {
	if e, ok := errors.AsType[syscall.Errno](err); ok {
		return e
	}
	return err
}
