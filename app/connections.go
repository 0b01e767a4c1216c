package app

import (
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// A process may open so many files and connections, and no more: the system says. Where connections take all
// of them, the store cannot write. So a reserve is kept for files, and a connection that would take from it is
// taken only in the place of one that does nothing: first one that has never sent a request, then one that
// waits for its next; of each the one that has been so for longest. Where all are busy it is closed.

const (
	// minReserve and maxReserve bound what is kept for files: an eighth of what there is, between the two.
	minReserve = 64
	maxReserve = 4096
	// tellEvery is how often the log says that connections are closed for want of descriptors.
	tellEvery = 10 * time.Second
)

// connections are those of an http.Server that do nothing. It is the server's ConnState, and makes its listener.
type connections struct {
	log   *slog.Logger
	bound int // the first descriptor of the reserve; zero means that nothing is bounded

	mu     sync.Mutex // protects the fields below
	turn   uint64
	fresh  map[net.Conn]uint64 // no request has come yet; since which turn
	idle   map[net.Conn]uint64 // waits for its next request
	told   time.Time
	closed int // since told
}

// newConnections bounds connections by the number of descriptors that the process may have.
func newConnections(descriptors uint64, log *slog.Logger) *connections {
	c := &connections{log: log, fresh: map[net.Conn]uint64{}, idle: map[net.Conn]uint64{}}
	if descriptors > 2*minReserve && descriptors < 1<<30 {
		c.bound = int(descriptors - min(max(descriptors/8, minReserve), maxReserve))
	}
	return c
}

// changed is http.Server.ConnState.
func (c *connections) changed(conn net.Conn, state http.ConnState) {
	if c.bound == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn++
	switch state {
	case http.StateNew:
		c.fresh[conn] = c.turn
	case http.StateIdle:
		c.idle[conn] = c.turn
	default:
		delete(c.fresh, conn)
		delete(c.idle, conn)
	}
}

// makeRoom closes the connection that has done nothing for longest, or reports that there is none.
func (c *connections) makeRoom() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed++
	if time.Since(c.told) > tellEvery {
		c.log.Warn("connections take all descriptors that files leave, so idle ones are closed; raise the system's limit of open files",
			"closed", c.closed, "limit", c.bound)
		c.told, c.closed = time.Now(), 0
	}
	for _, of := range []map[net.Conn]uint64{c.fresh, c.idle} {
		var oldest net.Conn
		for conn, since := range of {
			if oldest == nil || since < of[oldest] {
				oldest = conn
			}
		}
		if oldest != nil {
			delete(of, oldest)
			_ = plain(oldest).Close() // its reader gets the error
			return true
		}
	}
	return false
}

// listener accepts what there is room for.
func (c *connections) listener(l net.Listener) net.Listener {
	if c.bound == 0 {
		return l
	}
	return boundedListener{l, c}
}

type boundedListener struct {
	net.Listener
	*connections
}

// Accept implements net.Listener. The system gives everything that is opened the lowest descriptor that is free.
// So one from bound on says that all below are taken, by whatever it may be, and nothing has to be counted. There
// is always one left for the next connection, since one that got a higher number would keep it.
func (l boundedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		taken, next := descriptors(conn)
		if taken >= l.bound && !l.makeRoom() {
			_ = conn.Close() // nobody has said anything on it yet
			continue
		}
		if next >= l.bound {
			l.makeRoom()
		}
		return conn, nil
	}
}
