package app

import (
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestALongOriginIsCut(t *testing.T) {
	var log strings.Builder
	f := foreignOrigins{log: slog.New(slog.NewTextHandler(&log, nil))}
	r := httptest.NewRequest("GET", "/ws/echo", nil)
	r.Header.Set("Origin", "https://"+strings.Repeat("x", 60_000)+".example")
	f.warn(r)
	if n := log.Len(); n == 0 || n > 1000 {
		t.Errorf("got %d bytes", n)
	}
}
