package natsio

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

var (
	well  = &server.HealthStatus{Status: "ok"}
	late  = &server.HealthStatus{Status: "error", Errors: []server.HealthzError{{Type: server.HealthzErrorConn, Error: "startup did not complete"}}}
	wrong = &server.HealthStatus{Status: "error", Errors: []server.HealthzError{{Type: server.HealthzErrorStream, Error: "no space left"}}}
)

func TestHealthAsksAgain(t *testing.T) {
	for _, tt := range []struct {
		name    string
		answers []*server.HealthStatus // the last one stays
		want    error
		asked   int // 0: as often as there is time for
	}{
		{"well", []*server.HealthStatus{well}, nil, 1},
		{"late", []*server.HealthStatus{late, late, late, well}, nil, 4},
		{"late, then wrong", []*server.HealthStatus{late, late, wrong}, ErrBroken, 3},
		{"wrong", []*server.HealthStatus{wrong}, ErrBroken, 1},
		{"late for ever", []*server.HealthStatus{late}, ErrNotReady, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, asked := time.Now(), 0
				err := healthOf(func(*server.HealthzOptions) *server.HealthStatus {
					asked++
					return tt.answers[min(asked, len(tt.answers))-1]
				}, make(chan struct{}))
				if !errors.Is(err, tt.want) || errors.Is(tt.want, ErrNotReady) && errors.Is(err, ErrBroken) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
				if tt.asked > 0 && asked != tt.asked {
					t.Errorf("asked %d times, want %d", asked, tt.asked)
				}
				if took := time.Since(began); tt.asked == 0 && took < readyTime {
					t.Errorf("gave up after %v, want %v", took, readyTime)
				}
			})
		})
	}
}

// TestLateServerIsNotBroken loses the answer to a write while the server says that it is not ready.
func TestLateServerIsNotBroken(t *testing.T) {
	s := open(t, Config{})
	var asked, sent atomic.Int64
	answer := func(*server.HealthzOptions) *server.HealthStatus {
		if asked.Add(1) <= 3 {
			return late
		}
		return well
	}
	s.hooks.healthz.Store(&answer)
	s.hooks.loseAck = func() bool { return sent.Add(1) == 1 }
	grow(t, s, "a", 1, 5, 0)
	if asked.Load() <= 3 || s.broken.Load() != nil {
		t.Errorf("asked %d times; broken: %v", asked.Load(), s.broken.Load())
	}
	if err := s.Ready(); err != nil {
		t.Errorf("ready: %v", err)
	}
}
