package netconn

import (
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Poller reads connections over plain TCP, of which an idle one holds neither a goroutine nor a buffer.
//
// It has one goroutine for each processor. A connection belongs to one of them for good: what it brings is
// handled there, in order. Close waits for them.
type Poller struct {
	loops []*loop
	next  atomic.Uint32 // the loop that gets the next connection
	wg    sync.WaitGroup
}

// A loop waits for its connections and reads them.
//
// Its epoll instance is a file in the runtime's poller, like any other: while nothing happens the goroutine
// is parked and no thread waits.
type loop struct {
	epoll *os.File
	fd    int             // of epoll; valid until closed
	raw   syscall.RawConn // of epoll
	try   func(fd uintptr) bool

	mu     sync.Mutex // guards the fields below
	closed bool
	slots  []*watched // by the number that the kernel gives back
	free   []int32    // numbers of slots that hold nothing

	// Only the loop's goroutine uses these.
	events  [128]unix.EpollEvent
	n       int
	pending []*watched // what is to be handled
	later   []*watched // what is to be handled after them
	buf     [readSize]byte
}

// What is waited for, once for all: on an edge, so that a connection costs no call to the kernel for each
// read. That it can be written again is reported only after it could not.
const (
	watchedEvents = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLPRI | unix.EPOLLET
	endEvents     = unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR
	// After these, a read that fills no buffer may have left something: an end, or what is behind urgent data.
	moreEvents = endEvents | unix.EPOLLPRI
)

// NewPoller returns a Poller, or an error if the system grants it no resources.
func NewPoller() (*Poller, error) {
	p := &Poller{}
	for range runtime.GOMAXPROCS(0) {
		l, err := newLoop()
		if err != nil {
			p.Close()
			return nil, err
		}
		p.loops = append(p.loops, l)
		p.wg.Go(l.run)
	}
	return p, nil
}

func newLoop() (*loop, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	// That it does not block makes the runtime's poller take it.
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	l := &loop{epoll: os.NewFile(uintptr(fd), "epoll"), fd: fd}
	l.try = l.poll
	if l.raw, err = l.epoll.SyscallConn(); err != nil {
		l.epoll.Close()
		return nil, err
	}
	return l, nil
}

// Close returns when the Poller's goroutines have ended. It closes no connection: what still comes on one
// is not read any more. It may be called more than once, but not by a Handler.
func (p *Poller) Close() {
	for _, l := range p.loops {
		l.mu.Lock()
		l.closed = true
		l.mu.Unlock()
		l.epoll.Close()
	}
	p.wg.Wait()
}

// Adopt returns a Conn for the socket below c, without what the runtime keeps for it: the caller closes c,
// before or after Watch. The new Conn is written with a Writer, and read by Watch. ok is false, and nothing
// has changed, if c is not Watchable or there are no descriptors.
func (p *Poller) Adopt(c Conn) (adopted Conn, ok bool) {
	if !c.Watchable() {
		return Conn{}, false
	}
	fd := -1
	err := c.raw.Control(func(old uintptr) {
		fd, _ = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0)
	})
	if err != nil || fd < 0 {
		return Conn{}, false
	}
	l := p.loops[int(p.next.Add(1))%len(p.loops)]
	return Conn{raw: &watched{loop: l, fd: int32(fd), slot: -1}}, true
}

// Watch begins to read c, which comes from Adopt and is not watched yet, for h. After it returns an error, h
// is not called.
func (p *Poller) Watch(c Conn, h Handler) error {
	w := c.raw.(*watched)
	w.handler = h
	w.watching.Store(true)
	return w.loop.add(w)
}

func (l *loop) add(w *watched) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || !w.acquire() {
		return net.ErrClosed
	}
	defer w.release()
	if n := len(l.free); n > 0 {
		w.slot = l.free[n-1]
		l.free = l.free[:n-1]
		l.slots[w.slot] = w
	} else {
		w.slot = int32(len(l.slots))
		l.slots = append(l.slots, w)
	}
	err := unix.EpollCtl(l.fd, unix.EPOLL_CTL_ADD, int(w.fd), &unix.EpollEvent{Events: watchedEvents, Fd: w.slot})
	if err != nil {
		l.forgetLocked(w)
		return os.NewSyscallError("epoll_ctl", err)
	}
	return nil
}

func (l *loop) remove(w *watched) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w.slot < 0 {
		return
	}
	if !l.closed {
		// It fails only for a descriptor that is not there.
		_ = unix.EpollCtl(l.fd, unix.EPOLL_CTL_DEL, int(w.fd), nil)
	}
	l.forgetLocked(w)
}

func (l *loop) forgetLocked(w *watched) {
	l.slots[w.slot] = nil
	l.free = append(l.free, w.slot)
	w.slot = -1
}

// run handles what happens until the loop is closed.
func (l *loop) run() {
	for l.raw.Read(l.try) == nil {
		l.resolve()
		for _, w := range l.pending {
			l.serve(w)
		}
		clear(l.pending)
		// The others have their turn: they handle what was brought, and send what there is to answer.
		runtime.Gosched()
	}
}

// poll asks the kernel what has happened. It returns false if the goroutine is to wait for something.
func (l *loop) poll(fd uintptr) bool {
	for {
		n, err := unix.EpollWait(int(fd), l.events[:], 0)
		if err != unix.EINTR {
			l.n = max(n, 0)
			return l.n > 0 || len(l.later) > 0
		}
	}
}

// resolve finds the connections that are to be handled.
func (l *loop) resolve() {
	l.pending, l.later = l.later, l.pending[:0]
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.events[:l.n] {
		// An event may be for a connection that has left its slot to another. That looks once in vain.
		w := l.slots[e.Fd]
		if w == nil {
			continue
		}
		if w.events == 0 {
			l.pending = append(l.pending, w)
		}
		w.events |= e.Events
	}
}

// serve reads a connection once.
func (l *loop) serve(w *watched) {
	events := w.events
	w.events = 0
	if events&(unix.EPOLLOUT|endEvents) != 0 && w.stalled.Load() && w.stalled.CompareAndSwap(true, false) {
		w.handler.Writable()
	}
	if events&(unix.EPOLLIN|endEvents) == 0 || !w.acquire() {
		return
	}
	n, again, err := readFD(uintptr(w.fd), l.buf[:])
	w.release()
	if n > 0 {
		w.handler.Received(l.buf[:n])
	}
	switch {
	case err != nil:
		w.handler.Closed()
		w.close()
	case again:
	case n == len(l.buf) || events&moreEvents != 0:
		// Behind the others, lest one that floods holds them up.
		w.events = events
		l.later = append(l.later, w)
	}
}

// A watched is the socket of a connection that belongs to a loop. As a syscall.RawConn it never waits.
type watched struct {
	loop     *loop
	handler  Handler // set by Watch, before watching
	fd       int32
	slot     int32        // guarded by loop.mu; -1 if none
	refs     atomic.Int32 // calls that use fd, and closedRef
	stalled  atomic.Bool  // Handler.Writable is to be called
	watching atomic.Bool  // there is a handler
	events   uint32       // that are to be handled; only the loop's goroutine uses it
}

// closedRef says that a connection is closed. Its descriptor lives until nobody uses it.
const closedRef = 1 << 30

var _ syscall.RawConn = (*watched)(nil)

// acquire keeps the descriptor from being closed until release. It returns false if it is, or is about to.
func (w *watched) acquire() bool {
	for {
		n := w.refs.Load()
		if n&closedRef != 0 {
			return false
		}
		if w.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (w *watched) release() {
	if w.refs.Add(-1) == closedRef {
		unix.Close(int(w.fd))
	}
}

func (w *watched) close() error {
	for {
		n := w.refs.Load()
		if n&closedRef != 0 {
			return net.ErrClosed
		}
		// One more: this call uses the descriptor too.
		if w.refs.CompareAndSwap(n, n+1|closedRef) {
			break
		}
	}
	w.loop.remove(w)
	w.release()
	return nil
}

// Control calls f with the descriptor.
func (w *watched) Control(f func(fd uintptr)) error {
	if !w.acquire() {
		return net.ErrClosed
	}
	defer w.release()
	f(uintptr(w.fd))
	return nil
}

// Read calls f once.
func (w *watched) Read(f func(fd uintptr) bool) error { return w.Write(f) }

// Write calls f once.
func (w *watched) Write(f func(fd uintptr) bool) error {
	if !w.acquire() {
		return net.ErrClosed
	}
	defer w.release()
	f(uintptr(w.fd))
	return nil
}

// notifyWritable makes the handler's Writable be called when the peer takes something.
func (w *watched) notifyWritable() {
	w.stalled.Store(true)
	// One that is not watched yet gets an event for what is so when it is.
	if !w.watching.Load() || !w.acquire() {
		return
	}
	defer w.release()
	// It may have taken something since the write, and an edge that has gone by does not come again.
	fds := []unix.PollFd{{Fd: w.fd, Events: unix.POLLOUT}}
	if n, _ := unix.Poll(fds, 0); n > 0 && w.stalled.CompareAndSwap(true, false) {
		w.handler.Writable()
	}
}

func (c Conn) watched() *watched {
	w, _ := c.raw.(*watched)
	return w
}

// Watchable reports whether a Poller can Adopt c: it is plain TCP.
func (c Conn) Watchable() bool {
	_, ok := c.nc.(*net.TCPConn)
	return ok && c.raw != nil
}

// Watched reports whether c comes from Adopt.
func (c Conn) Watched() bool { return c.watched() != nil }

// NotifyWritable makes the handler of c, which comes from Adopt, be told once when its peer takes something, at
// once perhaps, but not before Watch. It is called after a Writer could not write all, by the same goroutine,
// without a lock.
func (c Conn) NotifyWritable() { c.watched().notifyWritable() }

func (c Conn) closeWatched() error { return c.watched().close() }
