// Package netconn reads and writes network connections of which there are many and most are idle. On plain
// TCP and Unix sockets it does both without blocking, through the runtime's poller: a connection that is
// idle holds no buffer, and nobody waits for a peer unless they say so. Anything else (TLS, a pipe) it reads
// with a buffer in hand and leaves the writing to net.Conn. It knows nothing of what is transported, and
// starts no goroutine.
package netconn

import (
	"net"
	"sync"
	"syscall"
)

// A Conn is a connection that may be able to do without blocking. It is a small value, to be copied.
type Conn struct {
	net.Conn
	raw syscall.RawConn // nil if it cannot be read and written without blocking
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
		n, err := r.conn.Read(r.held)
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
// until it takes some.
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
