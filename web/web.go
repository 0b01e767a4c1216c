// Package web answers everything that comes over HTTP: web.New makes an http.Handler of the sockets' handler, the jobs
// and the pages.
//
// It is the only package that knows Echo. It does not know what the sockets speak, nor where jobs are kept. Under /api
// it mirrors the jobs and streams their events (long poll and Server-Sent Events), and takes uploads. It implements
// RFC 9457 (problems), RFC 7240 (Prefer: wait) and the Server-Sent Events of the HTML standard.
//
// A file has one thing that is served (jobs, events, logs, vote, …), or one that all of them do: query and body read
// requests, answer, stream and problem answer them, wait waits, guard refuses.
//
// It runs no goroutine that outlives its request; requests that wait, and raw WebSockets, end with the server's base
// context, and Handler.Close waits for the latter.
package web

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"jobcast/internal/coding"
	"jobcast/internal/systems/chat"
	"jobcast/internal/systems/compare"
	"jobcast/internal/systems/vote"
	"jobcast/internal/websocket"
	"jobcast/jobs"
	"jobcast/jobs/engine"
	"jobcast/jobs/files"
)

const (
	// maxBodyBytes bounds a JSON body; a longer one gets a problem of code too_large.
	maxBodyBytes = 1 << 20
	// maxWait bounds the wait that a client may ask for; a longer one is cut to it.
	maxWait = 60 * time.Second
	// heartbeat is how long an event stream is silent before it gets a comment.
	heartbeat = 15 * time.Second
	// writeTimeout is how long a client may leave an answer, or one event of a stream, unread.
	writeTimeout = 30 * time.Second
	// readTimeout is how long a client may pause while it sends a body.
	readTimeout = 60 * time.Second
	// slowestDownload is the rate, in bytes a second, below which a download is given up.
	slowestDownload = 16 << 10
)

// Config configures the handler. Sockets, Public, Jobs and Files must be set.
type Config struct {
	// Sockets answers at /socket.io/, with every method and behind no middleware.
	Sockets http.Handler
	// Public holds the pages. index.html is served at / and at /jobs/ID, 404.html for what is not
	// there. Files in HTML are templates (html/template) that may use those of layout.html, which is not
	// served itself; their dot is the path of the page. It is read once, by New.
	Public fs.FS
	// Source holds Go files that people may read, at /source/ and their path. It is read once, by New;
	// nil means none.
	Source fs.FS
	Jobs   *engine.Engine
	Files  *files.Dir
	// Runs are the streams that are compared over all transports. Nil means that there are none.
	Runs *compare.Runs
	// Vote is what /api/vote and /ws/vote count. Nil means that neither is there.
	Vote *vote.Vote
	// Chat is what the tutorials' routes and /ws/chat talk to. Nil means that they are not there.
	Chat *chat.Chat
	// Origins are the foreign origins whose pages may open a WebSocket under /ws/; "*" stands for all.
	Origins []string
	// OnForeignOrigin, if set, is told of each request for a WebSocket that was refused for its origin.
	OnForeignOrigin func(*http.Request)
	// Hosts are the names, without a port, that requests may be for; "*" stands for all. Addresses may
	// always be asked. Empty means that any name will do.
	Hosts []string
	// TrustedProxies are the networks of proxies that are believed whom they speak for. Nil means none: then a
	// client's address is that of its connection, whatever a request says.
	TrustedProxies []netip.Prefix
	// CertificateHashes are the SHA-256 of the certificates that WebTransport is served with, told to pages at
	// /webtransport.json; none if browsers trust it anyway. Nil means that there is no WebTransport.
	CertificateHashes func() ([][]byte, error)
	// MaxUploadBytes bounds one upload. Zero means 4 GiB.
	MaxUploadBytes int64
	// Ready says why the server cannot do its work right now; with jobs.ErrBroken, it is not healthy either. Nil
	// means that it always can.
	Ready func() error
	// Version is told at /healthz.
	Version string
	// Logger is where the handler logs. Nil means slog.Default().
	Logger *slog.Logger
}

// server answers the requests.
type server struct {
	Config
	pages   *pages
	foreign http.CrossOriginProtection
	raws    *websocket.Server

	compressor coding.Compressor // of answers
}

// A Handler answers everything that comes over HTTP.
type Handler struct {
	http.Handler
	raws *websocket.Server
}

// Close says goodbye to the raw WebSockets, which net/http does not know any more, when what they have said
// is answered, and returns when they have ended. Those that take longer than ctx are cut off, and its error
// is returned only if one does not end even then. Other requests are the business of http.Server.Shutdown.
func (h *Handler) Close(ctx context.Context) error { return h.raws.Close(ctx) }

// New returns the handler of the whole server. It panics if Public cannot be read, has a page that is no valid
// template, or has no index.html: it is part of the program.
func New(cfg Config) *Handler {
	if cfg.MaxUploadBytes <= 0 {
		cfg.MaxUploadBytes = 4 << 30
	}
	if cfg.Runs == nil {
		cfg.Runs = new(compare.Runs)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	pages, err := loadPages(cfg.Public)
	if err != nil {
		panic(fmt.Sprintf("web: load the pages: %v", err))
	}
	source, err := loadSource(cfg.Source)
	if err != nil {
		panic(fmt.Sprintf("web: load the source: %v", err))
	}
	s := &server{Config: cfg, pages: pages, raws: websocket.New(websocket.Config{Origins: cfg.Origins, OnForeign: cfg.OnForeignOrigin})}

	e := echo.New()
	e.Logger.SetOutput(io.Discard) // it would be a second log, in another form
	e.HTTPErrorHandler = s.fail
	if len(cfg.Hosts) > 0 {
		e.Pre(s.checkHost)
	}

	sockets := echo.WrapHandler(cfg.Sockets)
	for _, path := range []string{"/socket.io", "/socket.io/", "/socket.io/*"} {
		e.Any(path, sockets)
		e.RouteNotFound(path, sockets) // the methods that Any does not list
	}

	route := func(methods, path string, h echo.HandlerFunc) {
		e.Match(strings.Fields(methods), path, h, s.guard)
	}
	route("GET HEAD", "/api/jobs", s.listJobs)
	route("POST", "/api/jobs", s.startJob)
	route("GET HEAD", "/api/jobs/:id", s.getJob)
	route("GET HEAD", "/api/jobs/:id/events", s.getEvents)
	route("GET HEAD", "/api/jobs/:id/logs", s.getLogs)
	route("GET HEAD", "/api/jobs/:id/result", s.getResult)
	route("GET HEAD", "/api/jobs/:id/artifacts/:name", s.getArtifact)
	route("POST", "/api/jobs/:id/cancel", s.cancelJob)
	route("POST", "/api/jobs/:id/retry", s.retryJob)
	route("POST", "/api/jobs/:id/events", s.sendMessage)
	route("DELETE", "/api/jobs/:id", s.removeJob)
	route("GET HEAD", "/api/queues", s.getQueues)
	route("POST", "/api/queues/:queue/pause", s.setQueue(s.Jobs.Pause))
	route("POST", "/api/queues/:queue/resume", s.setQueue(s.Jobs.Resume))
	route("GET HEAD", "/api/schedules", s.listSchedules)
	route("PUT", "/api/schedules/:id", s.putSchedule)
	route("DELETE", "/api/schedules/:id", s.removeSchedule)
	route("POST", "/api/schedules/:id/run", s.runSchedule)
	route("PUT POST", "/api/uploads/:name", s.upload)
	route("GET HEAD", "/api/kinds", s.getKinds)
	route("GET HEAD", "/api/compare", s.getCompare)
	route("GET", "/ws/compare", s.socketCompare)
	route("GET", "/ws/echo", s.socketEcho)
	if cfg.Vote != nil {
		route("GET HEAD", "/api/vote", s.getVote)
		route("POST", "/api/vote", s.postVote)
		route("GET", "/ws/vote", s.socketVote)
	}
	if cfg.Chat != nil {
		s.routeChat(route)
	}
	if cfg.CertificateHashes != nil {
		route("GET HEAD", "/webtransport.json", s.getWebTransport)
	}
	route("GET HEAD", "/healthz", s.healthz)
	route("GET HEAD", "/readyz", s.readyz)
	for _, byPath := range []map[string]*page{pages.byPath, source} {
		for path, p := range byPath {
			route("GET HEAD", path, func(c echo.Context) error { return p.serve(c, http.StatusOK) })
		}
	}
	route("GET HEAD", "/jobs/:id", func(c echo.Context) error {
		if !jobs.ID(c.Param("id")).Valid() { // Echo lets the last parameter of a path hold slashes
			return echo.ErrNotFound
		}
		return pages.byPath["/"].serve(c, http.StatusOK) // it reads the id out of its own address
	})
	return &Handler{s.clientsOwn(s.measured(lastBytes(e))), s.raws}
}
