// Package netconn reads and writes network connections of which there are many and most are idle. It knows
// nothing of what is transported.
//
// A Reader reads one connection on its caller's goroutine. On plain TCP and Unix sockets it waits for bytes
// before it takes a buffer, and a Writer writes without waiting for the peer. Anything else (TLS, a pipe) is
// read with a buffer in hand and written through net.Conn.
//
// A Poller, on Linux and for plain TCP, reads any number of connections on a few goroutines of its own, the
// only ones of this package. An idle connection is then a descriptor and some bytes.
package netconn

import (
	"net"
	"sync"
	"syscall"
	"time"
)

// A Conn is a connection that may be able to do without blocking. It is a small value, to be copied.
type Conn struct {
	nc  net.Conn        // nil if it is a Poller's
	raw syscall.RawConn // nil if it cannot be read and written without blocking
}

// A Handler is told what happens on a connection that a Poller watches. Received and Closed are called on
// the Poller's goroutine, one at a time, Writable on any; they must not block.
type Handler interface {
	// Received delivers bytes, which are the Handler's during the call, to change too.
	Received(p []byte)
	// Closed is called when nothing more can be read: the peer has closed its side, or is gone. The Conn is
	// then closed. It is not called after Conn.Close.
	Closed()
	// Writable is called once after each Conn.NotifyWritable, unless the Conn is closed before.
	Writable()
}

// New returns c as a Conn. c must not be read other than by a Reader from then on.
func New(c net.Conn) Conn {
	// Only the types themselves: one that embeds them may do more in its Read and Write.
	switch c := c.(type) {
	case *net.TCPConn:
		return Conn{c, rawConn(c)}
	case *net.UnixConn:
		return Conn{c, rawConn(c)}
	}
	return Conn{c, nil}
}

// NonBlocking reports whether a Writer can write to c without blocking.
func (c Conn) NonBlocking() bool { return c.raw != nil }

// Write writes all of p, and waits for the peer until the write deadline. c is not watched.
func (c Conn) Write(p []byte) (int, error) { return c.nc.Write(p) }

// SetReadDeadline is that of net.Conn. c is not watched.
func (c Conn) SetReadDeadline(t time.Time) error { return c.nc.SetReadDeadline(t) }

// SetWriteDeadline is that of net.Conn. c is not watched.
func (c Conn) SetWriteDeadline(t time.Time) error { return c.nc.SetWriteDeadline(t) }

// Raw is the socket below c, for its Control; nil if c is not NonBlocking.
func (c Conn) Raw() syscall.RawConn { return c.raw }

// Close closes the connection. Whoever waits for it is woken.
func (c Conn) Close() error {
	if c.nc == nil {
		return c.closeWatched()
	}
	return c.nc.Close()
}

func rawConn(c syscall.Conn) syscall.RawConn {
	if !canPoll {
		return nil
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// How much is read at once, in bytes.
const (
	readSize     = 16 << 10
	readSizeHeld = 2 << 10 // of a connection that is read with a buffer in hand
)

// readBuffers are pointers to arrays, which need no allocation of their own to be kept.
var readBuffers = sync.Pool{New: func() any { return new([readSize]byte) }}

// A Reader reads a Conn. It is used by one goroutine.
type Reader struct {
	conn Conn
	try  func(fd uintptr) bool // tryRead, made once

	held []byte          // of a connection that is read with a buffer in hand
	buf  *[readSize]byte // of another, while there are bytes
	n    int
	err  error
}

// NewReader returns a Reader of c.
func NewReader(c Conn) *Reader {
	r := &Reader{conn: c}
	r.try = r.tryRead
	return r
}

// Read waits for bytes, and takes a buffer when there are some: they are the caller's until Release, which
// must be called before the next Read. There may be bytes and an error. Deadlines of the connection hold.
func (r *Reader) Read() ([]byte, error) {
	if r.conn.raw == nil {
		if r.held == nil {
			r.held = make([]byte, readSizeHeld)
		}
		n, err := r.conn.nc.Read(r.held)
		return r.held[:n], err
	}
	r.n, r.err = 0, nil
	if err := r.conn.raw.Read(r.try); err != nil {
		return nil, err
	}
	return r.buf[:r.n], r.err
}

func (r *Reader) tryRead(fd uintptr) bool {
	r.buf = readBuffers.Get().(*[readSize]byte)
	var again bool
	if r.n, again, r.err = readFD(fd, r.buf[:]); again {
		r.Release()
		return false
	}
	return true
}

// Release gives back what Read has returned.
func (r *Reader) Release() {
	if r.buf != nil {
		readBuffers.Put(r.buf)
		r.buf = nil
	}
}

// A Writer writes to one Conn after another, which must be NonBlocking. It is used by one goroutine.
type Writer struct {
	try func(fd uintptr) bool // tryWrite, made once

	p    []byte
	n    int
	err  error
	wait bool
}

// Write writes what the peer takes of p now. If it takes nothing, Write returns 0, or with wait waits
// until it takes some. Of a Conn that is watched it never waits.
func (w *Writer) Write(c Conn, p []byte, wait bool) (int, error) {
	if w.try == nil {
		w.try = w.tryWrite
	}
	w.p, w.n, w.err, w.wait = p, 0, nil, wait
	err := c.raw.Write(w.try)
	w.p = nil
	if err == nil {
		err = w.err
	}
	return w.n, err
}

func (w *Writer) tryWrite(fd uintptr) bool {
	var again bool
	w.n, again, w.err = writeFD(fd, w.p)
	return !again || !w.wait
}
