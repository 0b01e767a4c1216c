package app

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"jobcast/engineio"
	"jobcast/engineio/cors"
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
)

// list is what a server consists of. A part uses those above it, so they start before it and close after it.
func (s *Server) list() []part {
	parts := []part{
		{name: "roots", start: func(context.Context) error { return s.checkRoots() }},
		{name: "certificate", start: func(context.Context) (err error) {
			s.certificate, err = s.loadCertificate()
			return err
		}},
		{name: "listener", start: func(ctx context.Context) (err error) {
			s.listener, err = s.listen(ctx)
			return err
		}, close: func(context.Context) error {
			s.listener.Close() // a second time, after Shutdown, does no harm
			return nil
		}},
		{name: "UDP", start: func(ctx context.Context) (err error) {
			s.quic, err = s.listenQUIC(ctx)
			return err
		}, close: func(context.Context) error { return s.quic.free() }},
		{name: "data", start: func(context.Context) error { return cmp.Or(s.checkData(), s.checkApart()) }},
		{name: "store", start: func(ctx context.Context) (err error) {
			s.store, err = natsio.Open(ctx, natsio.Config{Dir: filepath.Join(s.cfg.Data, "jetstream"), Sync: s.cfg.sync(), MaxBytes: s.cfg.MaxStore, Logger: s.log})
			return s.dataFailure(err)
		}, close: func(context.Context) error { return s.store.Close() }, budget: drainTime},
		// After the store, which holds the lock of the data directory.
		{name: "name", start: func(context.Context) (err error) {
			s.node, err = s.nameNode()
			return err
		}},
		{name: "files", start: func(context.Context) (err error) {
			s.files, err = files.Open(filepath.Join(s.cfg.Data, "files"))
			return s.dataFailure(err)
		}, close: func(context.Context) error { return s.files.Close() }},
		{name: "watchers", start: s.openJobs, close: func(ctx context.Context) error { return s.jobs.Close(ctx) }},
		// Jobs are handed back a second before the budget ends, whether their workers have returned or not.
		{name: "jobs", drain: func(ctx context.Context) error { return s.jobs.Stop(ctx) }, budget: 5 * time.Second},
		{name: "vote", start: func(ctx context.Context) (err error) {
			s.vote, err = vote.Open(ctx, s.store.Journal("vote"))
			return s.dataFailure(err)
		}},
		{name: "chat", start: func(ctx context.Context) (err error) {
			s.chat, err = chat.Open(ctx, s.store.Journal("chat"))
			return s.dataFailure(err)
		}, close: func(context.Context) error { s.chat.Close(); return nil }},
		{name: "comparison", start: func(context.Context) error { s.runs = new(compare.Runs); return nil },
			drain: func(context.Context) error { s.runs.Close(); return nil }},
		{name: "protocol", start: func(context.Context) error { s.newSockets(); return nil }},
	}
	for _, n := range s.cfg.Namespaces {
		var end namespaces.Close
		parts = append(parts, part{name: "namespace " + n.Path, start: func(context.Context) error {
			end = namespaces.Register(s.sockets, n, namespaces.Services{Jobs: s.jobs, Vote: s.vote, Chat: s.chat, Runs: s.runs, Logger: s.log})
			return nil
		}, close: func(ctx context.Context) error { return end(ctx) }})
	}
	return append(parts,
		part{name: "site", start: func(context.Context) error { s.newSite(); return nil }},
		part{name: "webtransport", start: func(context.Context) error { s.said = s.quic.serve(s.site); return nil },
			close: func(context.Context) error { return s.quic.close() }},
		// The time is for the handlers of what the sockets have sent, and for the clients: the engine gives one that
		// does not answer its goodbye five seconds.
		part{name: "sockets", drain: func(ctx context.Context) error { return s.sockets.Close(ctx) }, budget: 7 * time.Second},
		part{name: "requests", start: func(context.Context) error { s.serve(); return nil }, drain: s.shutdown, budget: 4 * time.Second},
	)
}

func (s *Server) openJobs(ctx context.Context) (err error) {
	s.jobs, err = engine.Open(ctx, engine.Config{
		Store:       s.store,
		Files:       s.files,
		Workers:     s.cfg.Workers,
		Node:        s.node,
		Concurrency: s.cfg.Concurrency,
		StartRate:   float64(s.cfg.StartRate),
		StartBurst:  s.cfg.StartBurst,
		MaxQueued:   s.cfg.MaxQueued,
		Keep:        max(0, s.cfg.Keep),
		KeepFailed:  max(0, s.cfg.KeepFailed),
		KeepJobs:    max(0, s.cfg.KeepJobs),
		Logger:      s.log,
	})
	return s.dataFailure(err)
}

func (s *Server) newSockets() {
	s.foreign = &foreignOrigins{log: s.log, flag: s.cfg.Called("Origins")}
	s.sockets = socketio.New(socketio.Config{
		Engine: engineio.Config{
			CORS:         cors.Config{Origins: s.cfg.Origins},
			WebTransport: s.quic.accept(),
			Hooks:        engineio.Hooks{Adopted: compare.Moved, Refused: s.foreign.refused},
			Logger:       s.log,
		},
		Bundle:      bundle.Config{Files: bundle.Stock()},
		EncodeError: namespaces.EncodeError,
		Hooks:       socketio.Hooks{EventFailed: namespaces.LogFailures(s.log)},
		Logger:      s.log,
	})
}

func (s *Server) newSite() {
	s.site = web.New(web.Config{
		Sockets: s.sockets,
		Public:  s.cfg.Pages,
		Source:  s.cfg.Source,
		Jobs:    s.jobs,
		Files:   s.files,
		Runs:    s.runs,
		Vote:    s.vote,
		Chat:    s.chat,
		Origins: s.cfg.Origins,
		Hosts:   s.hosts(),

		OnForeignOrigin:   s.foreign.warn,
		TrustedProxies:    s.cfg.TrustedProxies,
		CertificateHashes: s.quic.hashes(),

		MaxUploadBytes: s.cfg.MaxUploadBytes,
		Ready:          s.store.Ready,
		Version:        s.cfg.Version,
		Logger:         s.log,
	})
}

// serve starts to serve HTTP, with TLS if there is a certificate.
func (s *Server) serve() {
	conns := newConnections(maxDescriptors(), s.log)
	requests, end := context.WithCancelCause(context.Background())
	s.endRequests = end
	s.http = &http.Server{
		Handler:   s.site,
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
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	listener := conns.listener(s.listener)
	if s.certificate != nil {
		listener = tls.NewListener(listener, s.certificate)
	}
	s.warnOpen()
	go func() { // shutdown waits for it
		s.servedErr = s.http.Serve(listener)
		close(s.served)
	}()
}

// shutdown waits for the requests under way and for the raw WebSockets, and cuts those off that take too long.
func (s *Server) shutdown(ctx context.Context) error {
	s.endRequests(errDraining)
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close()
	}
	<-s.served
	return errors.Join(err, s.site.Close(ctx))
}
