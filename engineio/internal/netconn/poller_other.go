//go:build !linux

package netconn

import "errors"

// A Poller is there on Linux only.
type Poller struct{}

// NewPoller returns errors.ErrUnsupported.
func NewPoller() (*Poller, error) { return nil, errors.ErrUnsupported }

// Close does nothing.
func (*Poller) Close() {}

// Adopt takes no connection.
func (*Poller) Adopt(Conn) (Conn, bool) { return Conn{}, false }

// Watch returns errors.ErrUnsupported.
func (*Poller) Watch(Conn, Handler) error { return errors.ErrUnsupported }

// Watchable returns false.
func (Conn) Watchable() bool { return false }

// Watched returns false.
func (Conn) Watched() bool { return false }

// NotifyWritable does nothing.
func (Conn) NotifyWritable() {}

func (Conn) closeWatched() error { return errors.ErrUnsupported }
