package natsio

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"

	"jobcast/jobs"
)

// The server takes nothing more for a stream after one write that failed, until it is started again. What
// failed may be over soon, as a full disk or a table of descriptors is: so the files are opened again as soon
// as they can be written, by a new server. The connections come back by themselves; until then what is stored
// can be read from the old one.

const (
	// checkEvery is how often we look by ourselves. A write that fails is noticed at once.
	checkEvery = 5 * time.Second
	// firstRetry and lastRetry are how long we wait before the files are opened again: the double each time.
	firstRetry = 250 * time.Millisecond
	lastRetry  = 10 * time.Second
	// calmTime is how long the files must have been in order for the wait to be short again.
	calmTime = time.Minute
	// roomBytes must be free before the files are opened again: for the largest message, and for what the
	// server writes when it stops and starts.
	roomBytes = 2 * maxPayload
)

// suspect says that a write has failed.
func (s *Store) suspect(err error) {
	s.broken.CompareAndSwap(nil, &err)
	select {
	case s.suspects <- struct{}{}:
	default:
	}
}

// keep opens the files again whenever they could not be written, until the store closes.
func (s *Store) keep() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ticker := time.NewTicker(checkEvery)
	defer ticker.Stop()
	var mended time.Time
	for wait := firstRetry; ; {
		select {
		case <-s.done:
			return
		case <-s.suspects:
		case <-ticker.C:
		}
		err := s.health()
		if !errors.Is(err, ErrBroken) {
			if err == nil {
				s.broken.Store(nil) // of someone who looked while the server was replaced
			}
			continue
		}
		if time.Since(mended) > calmTime {
			wait = firstRetry
		}
		why := err // err changes below, while others read this
		s.broken.CompareAndSwap(nil, &why)
		s.log.Error("the store cannot use its files, and takes nothing until it can", "err", err)
		for {
			select {
			case <-s.done:
				return
			case <-time.After(wait):
			}
			wait = min(2*wait, lastRetry)
			if err = s.reopen(ctx); err == nil {
				break
			}
			s.log.Warn("the store still cannot use its files", "again_in", wait, "err", err)
		}
		mended = time.Now()
		s.broken.Store(nil)
		s.log.Info("the store has opened its files again, and works")
	}
}

// reopen replaces the server by one that opens the files anew.
func (s *Store) reopen(ctx context.Context) error {
	if err := probe(s.dir); err != nil {
		return err
	}
	var before [3]uint64
	conns := []*nats.Conn{s.ask, s.read, s.live}
	for i, conn := range conns {
		before[i] = conn.Stats().Reconnects
	}
	s.stop()
	if err := s.start(); err != nil {
		s.stop()
		return err
	}
	for i, conn := range conns {
		if err := s.await(conn, before[i]); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	return s.openStreams(ctx)
}

// stop stops the server, if there is one.
func (s *Store) stop() {
	if srv := s.srv.Swap(nil); srv != nil {
		srv.Shutdown()
		srv.WaitForShutdown()
	}
}

// await waits until a connection has come back more often than before.
func (s *Store) await(conn *nats.Conn, before uint64) error {
	limit := time.After(answerTime)
	for !conn.IsConnected() || conn.Stats().Reconnects == before {
		select {
		case <-s.done:
			return jobs.ErrClosed
		case <-limit:
			return fmt.Errorf("%w: connection %s does not come back", ErrNotReady, conn.Opts.Name)
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}

// dialer is where a connection finds the server of the moment.
type dialer struct{ store *Store }

// InProcessConn implements nats.InProcessConnProvider.
func (d dialer) InProcessConn() (net.Conn, error) {
	srv := d.store.srv.Load()
	if srv == nil {
		return nil, ErrNotReady
	}
	return srv.InProcessConn()
}

// probe finds out whether there is room for files.
func probe(dir string) error {
	f, err := os.OpenFile(filepath.Join(dir, probeFile), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, roomBytes))
	if err == nil {
		err = f.Sync() // some file systems say only then that they are full
	}
	return errors.Join(err, f.Close(), os.Remove(f.Name()))
}
