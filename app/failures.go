package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"

	"jobcast/internal/natsio"
	"jobcast/workers"
)

// listen listens where the configuration says, and says in one sentence why it cannot.
func (s *Server) listen(ctx context.Context) (net.Listener, error) {
	address := s.cfg.Listen
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("address %s is taken by another program; stop that one, or choose another address with %s", address, s.cfg.Called("Listen"))
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("address %s is not allowed to this user; choose a port above 1023 with %s", address, s.cfg.Called("Listen"))
	}
	return nil, fmt.Errorf("cannot listen on %s: %w; choose another address with %s", address, reason(err), s.cfg.Called("Listen"))
}

// checkRoots refuses a root that cannot be read.
func (s *Server) checkRoots() error {
	for _, root := range s.cfg.Roots {
		info, err := os.Stat(root)
		if err == nil && !info.IsDir() {
			err = syscall.ENOTDIR
		}
		if err == nil {
			_, err = os.ReadDir(root)
		}
		if err != nil {
			return fmt.Errorf("cannot read the root %s: %w; name a directory that exists with %s", root, reason(err), s.cfg.Called("Roots"))
		}
	}
	return nil
}

// checkApart refuses a root in the data directory, which no job reads.
func (s *Server) checkApart() error {
	for _, root := range s.cfg.Roots {
		if !workers.Readable(root, s.cfg.Data) {
			return fmt.Errorf("the root %s lies in the data directory %s, which jobs do not read; name another with %s", root, s.cfg.Data, s.cfg.Called("Roots"))
		}
	}
	return nil
}

// checkData makes the data directory and tries to write there.
func (s *Server) checkData() error {
	dir := s.cfg.Data
	// Arguments and results of jobs are nobody else's business.
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		var probe *os.File
		if probe, err = os.CreateTemp(dir, ".probe-*"); err == nil {
			err = errors.Join(probe.Close(), os.Remove(probe.Name()))
		}
	}
	return s.dataFailure(err)
}

// dataFailure makes one sentence of what a part that uses the data directory says. Nil stays nil.
func (s *Server) dataFailure(err error) error {
	if err == nil {
		return nil
	}
	dir, flag := s.cfg.Data, s.cfg.Called("Data")
	if errors.Is(err, natsio.ErrInUse) {
		return fmt.Errorf("the data directory %s is used by another jobcast; stop that one, or choose another directory with %s", dir, flag)
	}
	if damaged, ok := errors.AsType[*natsio.DamagedError](err); ok {
		return fmt.Errorf("the data directory %s is damaged: stream %s holds something and cannot be opened, see the log above; "+
			"restore the directory from a backup, or choose another with %s", dir, damaged.Stream, flag)
	}
	if errors.Is(err, natsio.ErrNotReady) {
		return fmt.Errorf("the store in %s was not ready in time, as happens on a machine that is very busy; start jobcast again", dir)
	}
	return fmt.Errorf("cannot use the data directory %s: %w; make it readable and writable, or choose another with %s", dir, reason(err), flag)
}

// reason is the system's own word for what went wrong, without the path that the sentence has anyway.
func reason(err error) error {
	if e, ok := errors.AsType[syscall.Errno](err); ok {
		return e
	}
	return err
}
