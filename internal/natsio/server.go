package natsio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// startServer runs a NATS server in this process, with its files in dir. sync is how often it syncs
// them to the disk, zero means after each message.
func startServer(dir string, sync time.Duration, log *slog.Logger) (*server.Server, error) {
	srv, err := server.NewServer(&server.Options{
		ServerName: "jobcast",
		DontListen: true,
		NoSigs:     true, // signals belong to main
		MaxPayload: maxPayload,

		JetStream:    true,
		StoreDir:     dir,
		SyncInterval: sync,
		SyncAlways:   sync == 0,
		// No stream of ours lives in memory; the library's default would be most of the machine's.
		JetStreamMaxMemory: 16 << 20,
		// Each stream has its own bound. This one would be their sum, and must never be what is hit first.
		JetStreamMaxStore: 1 << 50,
	})
	if err != nil {
		return nil, err
	}
	bridge := &logBridge{log: log}
	srv.SetLoggerV2(bridge, false, false, false)
	srv.Start() // with no port to listen on, it returns when all streams are open
	if text := bridge.fatal.Load(); text != nil {
		srv.Shutdown()
		srv.WaitForShutdown()
		return nil, errors.New(*text)
	}
	return srv, nil
}

// logBridge hands the NATS server's log to slog, from warnings up. What would end a process of the
// server's own is only logged here, and kept for startServer.
type logBridge struct {
	log   *slog.Logger
	fatal atomic.Pointer[string]
}

var _ server.Logger = (*logBridge)(nil)

func (b *logBridge) write(level slog.Level, format string, args []any) {
	b.log.Log(context.Background(), level, "nats server", "text", fmt.Sprintf(format, args...))
}

func (b *logBridge) Fatalf(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	b.fatal.CompareAndSwap(nil, &text)
	b.write(slog.LevelError, format, args)
}

func (b *logBridge) Errorf(format string, args ...any) { b.write(slog.LevelError, format, args) }
func (b *logBridge) Warnf(format string, args ...any)  { b.write(slog.LevelWarn, format, args) }
func (b *logBridge) Noticef(string, ...any)            {}
func (b *logBridge) Debugf(string, ...any)             {}
func (b *logBridge) Tracef(string, ...any)             {}
