package natsio

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"jobcast/jobs"
)

// ErrNotReady is returned when the server in this process does not answer how it is. That says nothing of the
// files: on a busy machine it is late.
var ErrNotReady = errors.New("natsio: the store is not ready")

const (
	// readyTime is for how long a server that says that it is not ready is asked again.
	readyTime = 5 * time.Second
	// readyPause is how long we wait at most before we ask again.
	readyPause = 100 * time.Millisecond
)

// Ready returns nil while the store can read and write, and else ErrBroken, jobs.ErrClosed, or ErrNotReady
// where a connection is being made anew or nothing can be said. It looks into the server, and waits only where
// that is late, for at most 5 seconds.
func (s *Store) Ready() error {
	if err := s.health(); err != nil {
		return err
	}
	if why := s.broken.Load(); why != nil {
		return *why
	}
	for _, conn := range []*nats.Conn{s.ask, s.read, s.live} {
		if !conn.IsConnected() {
			return fmt.Errorf("%w: connection %s is lost", ErrNotReady, conn.Opts.Name)
		}
	}
	return nil
}

// health returns ErrBroken when the server could not read or write a stream, and ErrNotReady when it
// does not say.
func (s *Store) health() error {
	select {
	case <-s.done:
		return jobs.ErrClosed
	default:
	}
	srv := s.srv.Load()
	if srv == nil {
		return fmt.Errorf("%w: they are being opened again", ErrBroken)
	}
	// The server itself takes what it cannot read, as for want of a descriptor, for an empty directory, in
	// which all is well.
	if _, err := os.ReadDir(streamsDir(s.dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrBroken, err)
	}
	healthz := srv.Healthz
	if f := s.hooks.healthz.Load(); f != nil {
		healthz = *f
	}
	return healthOf(healthz, s.done)
}

// healthOf asks a server how it is. One that says that it is not ready is asked again: whether it has started
// it looks up with a clock of a millisecond, and finds that it has not when its goroutine is late.
func healthOf(healthz func(*server.HealthzOptions) *server.HealthStatus, done <-chan struct{}) error {
	began := time.Now()
	for pause := time.Millisecond; ; pause = min(2*pause, readyPause) {
		late, err := judge(healthz(&server.HealthzOptions{Details: true}))
		if !late {
			return err
		}
		if time.Since(began) > readyTime {
			return fmt.Errorf("%w: %w", ErrNotReady, err)
		}
		select {
		case <-done:
			return jobs.ErrClosed
		case <-time.After(pause):
		}
	}
}

// judge returns what is wrong with a server, and whether it is only late.
func judge(h *server.HealthStatus) (late bool, err error) {
	for _, e := range h.Errors {
		if e.Type == server.HealthzErrorConn {
			return true, errors.New(e.Error)
		}
		if err == nil {
			err = fmt.Errorf("%w: %s", ErrBroken, e.Error)
		}
	}
	return false, err
}
