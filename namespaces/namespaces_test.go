package namespaces

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"jobcast/socketio"
)

// A page that leaves in the middle of a request is no failure that a person must look at.
func TestEncodeErrorLevels(t *testing.T) {
	before := slog.Default()
	t.Cleanup(func() { slog.SetDefault(before) })
	for _, tt := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("ask x: %w: %w", socketio.ErrDisconnected, socketio.TransportClose), "DEBUG"},
		{fmt.Errorf("emit: %w", socketio.ErrDisconnected), "DEBUG"},
		{socketio.TransportClose, "DEBUG"},
		{errors.New("the disk is full"), "ERROR"},
	} {
		var log strings.Builder
		slog.SetDefault(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
		EncodeError(tt.err)
		if !strings.Contains(log.String(), "level="+tt.want) {
			t.Errorf("%v: got log %q, want level %s", tt.err, log.String(), tt.want)
		}
	}
}
