package namespaces

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"jobcast/jobs"
	"jobcast/socketio"
)

// A request that fails here is logged where the server's logger says, with who and what it was. A page that leaves
// in the middle of one is no failure that a person must look at, and what a client did wrong is none at all.
func TestLogFailures(t *testing.T) {
	before := slog.Default()
	t.Cleanup(func() { slog.SetDefault(before) })
	var elsewhere strings.Builder
	slog.SetDefault(slog.New(slog.NewTextHandler(&elsewhere, &slog.HandlerOptions{Level: slog.LevelDebug})))
	for _, tt := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("ask x: %w: %w", socketio.ErrDisconnected, socketio.TransportClose), "DEBUG"},
		{fmt.Errorf("emit: %w", socketio.ErrDisconnected), "DEBUG"},
		{socketio.TransportClose, "DEBUG"},
		{errors.New("the disk is full"), "ERROR"},
		{jobs.BadRequest("/kind", "there is no such kind"), ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			var log strings.Builder
			logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			io := socketio.New(socketio.Config{
				EncodeError: EncodeError,
				Hooks:       socketio.Hooks{EventFailed: LogFailures(logger)},
				Logger:      slog.New(slog.DiscardHandler),
			})
			fails := socketio.NewCall[struct{}, string]("fails")
			io.Of("/ns").Handle(fails.On(func(context.Context, *socketio.Socket, struct{}) (string, error) { return "", tt.err }))
			c := serve(t, io).connect(t, "/ns")
			c.write(`42/ns,7["fails"]`)
			if got := c.read(); !strings.HasPrefix(got, `43/ns,7[{"ok":false,`) {
				t.Errorf("%v: got %s, want a refusal", tt.err, got)
			}
			got := log.String()
			if tt.want == "" && got != "" || tt.want != "" && (!strings.Contains(got, "level="+tt.want) || !strings.Contains(got, "nsp=/ns socket=") || !strings.Contains(got, "event=fails")) {
				t.Errorf("%v: got log %q, want level %q with the namespace, the socket and the event", tt.err, got, tt.want)
			}
		})
	}
	if elsewhere.Len() > 0 {
		t.Errorf("the default logger got %s", elsewhere.String())
	}
}

// What a namespace does not know it refuses with a short answer, instead of none.
func TestUnknownEventsAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		io := socketio.New(socketio.Config{EncodeError: EncodeError, Logger: slog.New(slog.DiscardHandler)})
		Register(io, Echo, Services{})
		c := serve(t, io).connectTo(t, "40", "40")
		c.write(`427["` + strings.Repeat("é", 10_000) + `"]`)
		if got := c.read(); !strings.HasPrefix(got, `437[{"ok":false,"error":{`) || !strings.Contains(got, `"code":"bad_request"`) || len(got) > 500 {
			t.Errorf("got %.600s, want a short refusal", got)
		}
	})
}
