package compare

import (
	"context"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Names are the transports that a run is measured over.
var Names = []string{"short", "long", "sse", "sio-polling", "sio-websocket", "websocket"}

// Traffic is what a transport has cost on the wire so far. The bytes are those of the TCP streams, as the
// system counts them: requests and answers with all their header fields, WebSocket frames with theirs. The
// headers of TCP and IP, and what was sent twice, are not in them.
type Traffic struct {
	Requests int64 `json:"requests"` // HTTP requests; a WebSocket is opened by one
	In       int64 `json:"in"`       // bytes that the server received
	Out      int64 `json:"out"`      // bytes that the server sent
}

// Figures are what a run has cost so far.
type Figures struct {
	At   int64  `json:"at"`   // microseconds since 1970 by the server's clock
	Last uint64 `json:"last"` // the newest event's number
	// CPU is the processor time that the whole process has used since its start, in microseconds; zero
	// where the system does not tell.
	CPU int64 `json:"cpu"`
	// Counted is false where the bytes are not known, which are zero then: the system does not count those of a
	// connection, or the run's requests came over HTTP/2, where all of a page share one.
	Counted bool               `json:"counted"`
	Lines   map[string]Traffic `json:"lines"`
}

// Figures reads the counters.
func (r *Run) Figures() Figures {
	f := Figures{At: time.Now().UnixMicro(), Last: r.Last(), CPU: cpuTime().Microseconds(), Counted: canCount && !r.shared.Load(), Lines: map[string]Traffic{}}
	for _, name := range Names {
		line := r.Line(name).traffic()
		if !f.Counted {
			line.In, line.Out = 0, 0
		}
		f.Lines[name] = line
	}
	return f
}

// A Line is one transport of one run.
type Line struct {
	mu    sync.Mutex // protects the fields below; comes after conn.mu
	sum   Traffic
	conns map[*conn]struct{} // those that carry it now, or carried it last
}

type lines [6]Line

func (ls *lines) get(name string) *Line {
	if i := slices.Index(Names, name); i >= 0 {
		return &ls[i]
	}
	return nil
}

func (l *Line) traffic() Traffic {
	l.mu.Lock()
	conns := make([]*conn, 0, len(l.conns))
	for c := range l.conns {
		conns = append(conns, c)
	}
	l.mu.Unlock()
	for _, c := range conns {
		c.settle(l)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sum
}

// add counts, and notes whether c carries the line.
func (l *Line) add(t Traffic, c *conn, carries bool) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sum.Requests += t.Requests
	l.sum.In += t.In
	l.sum.Out += t.Out
	if !carries {
		delete(l.conns, c)
		return
	}
	if l.conns == nil {
		l.conns = make(map[*conn]struct{})
	}
	l.conns[c] = struct{}{}
}

// A conn is a connection to the server. A browser uses one for many requests, one after the other, which
// may be those of several transports.
type conn struct {
	net net.Conn

	mu      sync.Mutex // protects the fields below
	raw     syscall.RawConn
	used    bool  // by requests that belong to no run, and were not counted
	line    *Line // whose request came in last; nil for none of a run's
	in, out int64 // what has been counted
}

type connKey struct{}

// ConnContext makes a connection known to Attribute. It is for http.Server.ConnContext.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, &conn{net: c})
}

// Moved makes known that the connection that ctx is of has another descriptor from now on, the former being
// closed.
func Moved(ctx context.Context, raw syscall.RawConn) {
	if c, ok := ctx.Value(connKey{}).(*conn); ok {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.raw = raw
	}
}

// Share counts a request that came in over a connection which requests of others use at the same time, so that its
// bytes are not known. The run's figures say so from then on.
func (r *Run) Share(l *Line) {
	r.shared.Store(true)
	l.add(Traffic{Requests: 1}, nil, false)
}

// Attribute counts a request that came in over the connection that ctx is of. From here on the
// connection's bytes are l's, and what was sent until now was the answer to the request before. l is nil for a
// request that belongs to no run.
func Attribute(ctx context.Context, l *Line) {
	if c, ok := ctx.Value(connKey{}).(*conn); ok {
		c.attribute(l)
	} else {
		l.add(Traffic{Requests: 1}, nil, false)
	}
}

func (c *conn) attribute(l *Line) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.line
	if before == nil && l == nil {
		c.used = true
		return // without a system call: who is not measured pays nothing
	}
	in, out, _ := c.countLocked()
	if before == nil && c.used {
		in, out = 0, 0 // mostly those of others; what this one request took is not known
	}
	c.line, c.used = l, l == nil
	l.add(Traffic{Requests: 1, In: in}, c, true)
	before.add(Traffic{Out: out}, c, before == l)
}

// settle gives l what the connection has carried meanwhile.
func (c *conn) settle(l *Line) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.line != l {
		return
	}
	in, out, ok := c.countLocked()
	if !ok {
		c.line = nil // it is closed
	}
	l.add(Traffic{In: in, Out: out}, c, ok)
}

// countLocked returns what has been received and sent since it was last called.
func (c *conn) countLocked() (in, out int64, ok bool) {
	if c.raw == nil {
		s, is := c.net.(syscall.Conn)
		if !is {
			return 0, 0, false
		}
		raw, err := s.SyscallConn()
		if err != nil {
			return 0, 0, false
		}
		c.raw = raw
	}
	nowIn, nowOut, ok := bytesOf(c.raw)
	if !ok {
		return 0, 0, false
	}
	in, out = nowIn-c.in, nowOut-c.out
	c.in, c.out = nowIn, nowOut
	return in, out, true
}
