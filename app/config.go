package app

import (
	"cmp"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"path/filepath"
	"time"

	"jobcast/jobs"
	"jobcast/namespaces"
	"jobcast/public"
	"jobcast/workers"
)

// Config says what a server is. The zero value is jobcast itself, for this machine only, with its data in ./data and
// jobs that read the working directory.
type Config struct {
	// Listen is the address to listen on, such as "127.0.0.1:8080", which empty means. Port 0 takes a free one:
	// Server.URL tells which.
	Listen string
	// Origins are the foreign origins whose pages may connect a socket, such as "https://example.com", or "*" for
	// all. Nil means none.
	Origins []string
	// Hosts are the names, without a port, that browsers may ask the server by, beside localhost and addresses, or
	// "*" for any. Nil means localhost only if the server listens on this machine only, else any.
	Hosts []string
	// TrustedProxies are the networks of proxies that are believed whom they speak for. Nil means none.
	TrustedProxies []netip.Prefix
	// TLSCert and TLSKey are files with a chain of certificates and its key, in PEM. Empty means plain HTTP.
	TLSCert, TLSKey string
	// WebTransport serves that too (HTTP/3), on the UDP port of the same number; without TLSCert with a certificate
	// for development.
	WebTransport bool

	// Data is the directory that holds everything the server must not forget, made if missing. One server at a time
	// can use it. Empty means "data".
	Data string
	// Node is the server's name in the records of its jobs, as jobs.CheckNode wants it. No two servers may have the
	// same. Empty means the one that is kept in Data, where it is made at the first start.
	Node string
	// Sync is how often writes are forced to disk, at least 10 ms. Zero means every second, and less than zero after
	// each write.
	Sync time.Duration
	// Roots are the directories that the stock workers may read. Empty means the working directory.
	Roots []string
	// MaxUploadBytes bounds one upload. Zero means 4 GiB.
	MaxUploadBytes int64
	// Concurrency is how many jobs run at once. Zero means 4.
	Concurrency int
	// StartRate and StartBurst are how many jobs may be started from one address in a second, and at once after a
	// pause. Zero in either means any number.
	StartRate, StartBurst int
	// MaxQueued is how many jobs started from one address may wait to be run. Zero means any number.
	MaxQueued int

	// Keep is how long completed jobs are kept, and KeepFailed those that have failed or were cancelled, unless their
	// request or their kind says it. Zero means 30 and 90 days, less than zero for ever.
	Keep, KeepFailed time.Duration
	// KeepJobs is how many finished jobs are kept; the oldest go. Zero means 100,000, less than zero any number.
	KeepJobs int
	// MaxStore bounds the events of all jobs, their texts and their arguments, each. The oldest finished jobs go
	// before it is full. Zero means 10 GiB; less than 1 MiB is too little.
	MaxStore int64

	// Workers are the kinds of job. Nil means those of package workers, with Roots.
	Workers []jobs.Worker
	// Namespaces are who answers sockets. Nil means namespaces.All; append to a clone of it to have more.
	Namespaces []namespaces.Namespace
	// Pages are the files that are served, as web.Config.Public. Nil means those of package public.
	Pages fs.FS
	// Source holds Go files that people may read at /source/ and their path. Nil means none.
	Source fs.FS

	// Version is told at /healthz. Empty means that it is not told.
	Version string
	// Called returns what a field of this struct is called where the program's user sets it, such as --listen for
	// "Listen". Errors and the log use it to say what can be done. Nil means Config.Listen and the like.
	Called func(field string) string
	// Logger is where the server logs. Nil means slog.Default().
	Logger *slog.Logger
}

// complete fills in what is not set. Paths become absolute.
func (c Config) complete() (Config, error) {
	c.Listen = cmp.Or(c.Listen, "127.0.0.1:8080")
	c.Logger = cmp.Or(c.Logger, slog.Default())
	if c.Called == nil {
		c.Called = func(field string) string { return "Config." + field }
	}
	switch {
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return c, fmt.Errorf("%s is no use without %s", c.Called("TLSCert"), c.Called("TLSKey"))
	case c.Sync > 0 && c.Sync < 10*time.Millisecond:
		return c, fmt.Errorf("%s must be 10ms at least, not %v", c.Called("Sync"), c.Sync)
	}
	c.Keep, c.KeepFailed = cmp.Or(c.Keep, 30*24*time.Hour), cmp.Or(c.KeepFailed, 90*24*time.Hour)
	c.KeepJobs, c.MaxStore = cmp.Or(c.KeepJobs, 100_000), cmp.Or(c.MaxStore, 10<<30)
	if c.MaxStore < 1<<20 {
		return c, fmt.Errorf("%s must be 1MiB at least, not %d bytes", c.Called("MaxStore"), c.MaxStore)
	}
	for _, count := range []struct {
		field string
		n     int64
	}{
		{"MaxUploadBytes", c.MaxUploadBytes}, {"Concurrency", int64(c.Concurrency)}, {"StartRate", int64(c.StartRate)},
		{"StartBurst", int64(c.StartBurst)}, {"MaxQueued", int64(c.MaxQueued)},
	} {
		if count.n < 0 {
			return c, fmt.Errorf("%s must not be negative, as %d is", c.Called(count.field), count.n)
		}
	}
	data, err := filepath.Abs(cmp.Or(c.Data, "data"))
	if err != nil {
		return c, err
	}
	c.Data = data
	roots := []string{"."}
	if len(c.Roots) > 0 {
		roots = append([]string(nil), c.Roots...)
	}
	for i, root := range roots {
		if roots[i], err = filepath.Abs(root); err != nil {
			return c, err
		}
	}
	c.Roots = roots
	if c.Workers == nil {
		c.Workers = workers.All(workers.Config{Roots: c.Roots, Private: []string{c.Data}})
	}
	if c.Namespaces == nil {
		c.Namespaces = namespaces.All
	}
	if c.Pages == nil {
		c.Pages = public.Files
	}
	return c, nil
}

// sync is for natsio.Config.
func (c Config) sync() string {
	switch {
	case c.Sync < 0:
		return "always"
	case c.Sync == 0:
		return time.Second.String()
	}
	return c.Sync.String()
}
