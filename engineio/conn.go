package engineio

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/gobwas/ws"
)

// A conn is the connection below a WebSocket. On plain TCP it reads and writes without blocking, through
// the runtime's poller: an idle one holds no buffer. Anything else (TLS, a pipe) is read with a buffer in
// hand and written by a goroutine that lives while there is something to write.
type conn struct {
	net.Conn
	raw syscall.RawConn // nil if it cannot be read and written without blocking
}

func newConn(c net.Conn) conn {
	// Only the types themselves: one that embeds them may do more in its Read and Write.
	switch c := c.(type) {
	case *net.TCPConn:
		return conn{c, rawConn(c)}
	case *net.UnixConn:
		return conn{c, rawConn(c)}
	}
	return conn{c, nil}
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

// How much is read at once, in bytes, and how much is written at once.
const (
	readSize     = 16 << 10
	readSizeHeld = 2 << 10 // of a connection that is read with a buffer in hand
	batchSize    = 64 << 10
)

// A readBuffer is what a reader needs while there are bytes.
type readBuffer struct {
	headerScratch
	data []byte
}

var readBuffers = sync.Pool{New: func() any { return &readBuffer{data: make([]byte, readSize)} }}

// A connReader reads a conn. It is used by one goroutine.
type connReader struct {
	conn conn
	try  func(fd uintptr) bool // tryRead, made once

	buf *readBuffer
	n   int
	err error
}

func newConnReader(c conn) *connReader {
	r := &connReader{conn: c}
	r.try = r.tryRead
	return r
}

// read waits for bytes, and takes a buffer when there are some. The caller gives it back with release.
func (r *connReader) read() ([]byte, error) {
	if r.conn.raw == nil {
		if r.buf == nil {
			r.buf = &readBuffer{data: make([]byte, readSizeHeld)}
		}
		n, err := r.conn.Read(r.buf.data)
		return r.buf.data[:n], err
	}
	r.n, r.err = 0, nil
	if err := r.conn.raw.Read(r.try); err != nil {
		return nil, err
	}
	return r.buf.data[:r.n], r.err
}

func (r *connReader) tryRead(fd uintptr) bool {
	r.buf = readBuffers.Get().(*readBuffer)
	var again bool
	if r.n, again, r.err = readFD(fd, r.buf.data); again {
		r.release()
		return false
	}
	return true
}

func (r *connReader) release() {
	if r.buf != nil && r.conn.raw != nil {
		readBuffers.Put(r.buf)
		r.buf = nil
	}
}

// An fdWriter writes to a conn that has a raw one. It is used by one goroutine.
type fdWriter struct {
	try func(fd uintptr) bool // tryWrite, made once

	p    []byte
	n    int
	err  error
	wait bool
}

// write writes what the peer takes of p now. If it takes nothing, write returns 0, or with wait waits
// until it takes some.
func (w *fdWriter) write(c conn, p []byte, wait bool) (int, error) {
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

func (w *fdWriter) tryWrite(fd uintptr) bool {
	var again bool
	w.n, again, w.err = writeFD(fd, w.p)
	return !again || !w.wait
}

// A batch is what a flusher needs for its writes.
type batch struct {
	fdWriter
	buf []byte
}

var batches = sync.Pool{New: func() any { return &batch{buf: make([]byte, 0, batchSize)} }}

// writeFrame writes a frame of its own, on a connection that no session writes to yet.
func (c conn) writeFrame(f *Frame, timeout time.Duration) error {
	return errors.Join(
		c.SetWriteDeadline(time.Now().Add(timeout)),
		second(c.Write(f.appendFrom(make([]byte, 0, f.Len()), 0))),
		c.SetWriteDeadline(time.Time{}),
	)
}

func second(_ int, err error) error { return err }

// closeFrame returns a close frame with a code, or an empty one for code zero.
func closeFrame(code ws.StatusCode, reason string) *Frame {
	if code == 0 {
		return newControl(ws.OpClose, nil)
	}
	return newControl(ws.OpClose, ws.NewCloseFrameBody(code, reason))
}
