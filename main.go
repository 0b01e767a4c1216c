// Command jobcast serves Socket.IO clients and runs their long jobs. Package cli reads its settings, and package app is
// the server.
package main

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
	"time"

	"jobcast/app"
	"jobcast/internal/cli"
)

const version = "0.1.0"

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
	server, err := app.Start(ctx, config(s, stderr))
	switch {
	case err != nil && ctx.Err() != nil:
		return cli.ErrDone // interrupted, which is no failure
	case err != nil:
		return err
	}
	fmt.Fprintf(stdout, "jobcast %s %v", version, server)
	err = server.Wait(ctx)
	draining()
	return cmp.Or(err, server.Close())
}

// config is what the settings mean.
func config(s cli.Settings, stderr io.Writer) app.Config {
	sync := time.Duration(s.Sync)
	if sync == 0 { // always
		sync = -1
	}
	return app.Config{
		Listen:         string(s.Listen),
		Origins:        texts(s.Origins),
		Hosts:          texts(s.Hosts),
		TrustedProxies: networks(s.TrustedProxies),
		TLSCert:        string(s.TLSCert),
		TLSKey:         string(s.TLSKey),
		WebTransport:   s.WebTransport,

		Data:           string(s.Data),
		Node:           string(s.Node),
		Sync:           sync,
		Roots:          texts(s.Roots),
		MaxUploadBytes: int64(s.MaxUpload),
		Concurrency:    int(s.Concurrency),
		StartRate:      int(s.StartRate),
		StartBurst:     int(s.StartBurst),
		MaxQueued:      int(s.MaxQueued),
		Keep:           time.Duration(orForEver(s.Keep)),
		KeepFailed:     time.Duration(orForEver(s.KeepFailed)),
		KeepJobs:       int(orForEver(s.KeepJobs)),
		MaxStore:       int64(s.MaxStore),

		Source:  ownSource,
		Version: version,
		Called:  cli.Flag,
		Logger:  slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.Level(s.LogLevel)})),
	}
}

// orForEver is a setting whose zero means that there is no bound, as app.Config says it.
func orForEver[T ~int | ~int64](setting T) T {
	if setting == 0 {
		return -1
	}
	return setting
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
