package netconn

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A collector is a Handler that keeps what comes.
type collector struct {
	mu       sync.Mutex
	got      []byte
	reads    int
	busy     bool // Received runs
	overlap  bool
	onBytes  func(p []byte)
	closed   chan struct{}
	writable chan struct{}
}

func newCollector() *collector {
	return &collector{closed: make(chan struct{}), writable: make(chan struct{}, 100)}
}

func (c *collector) Received(p []byte) {
	c.mu.Lock()
	c.overlap = c.overlap || c.busy
	c.busy = true
	c.got = append(c.got, p...)
	c.reads++
	c.mu.Unlock()
	clear(p) // they are the handler's
	if c.onBytes != nil {
		c.onBytes(p)
	}
	c.mu.Lock()
	c.busy = false
	c.mu.Unlock()
}

func (c *collector) Closed()   { close(c.closed) }
func (c *collector) Writable() { c.writable <- struct{}{} }

func (c *collector) bytes() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Clone(c.got)
}

func wait(t *testing.T, what string, ch <-chan struct{}) {
	t.Helper()
	select {
	case <-ch:
	case <-time.After(2 * time.Minute):
		t.Fatalf("%s: nothing has happened for 10 s", what)
	}
}

func newPoller(t *testing.T) *Poller {
	t.Helper()
	p, err := NewPoller()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// adopt returns a connection that p can watch, and its peer.
func adopt(t *testing.T, p *Poller) (Conn, *net.TCPConn) {
	t.Helper()
	nc, peer := pairs(t)["TCP"]()
	t.Cleanup(func() { peer.Close() })
	before := New(nc)
	c, ok := p.Adopt(before)
	before.Close()
	if !ok || !c.Watched() || !c.NonBlocking() {
		t.Fatalf("got adopted %v, watched %v, non-blocking %v, want all", ok, c.Watched(), c.NonBlocking())
	}
	return c, peer.(*net.TCPConn)
}

func TestPollerAdoptsPlainTCPOnly(t *testing.T) {
	p := newPoller(t)
	for name, pair := range pairs(t) {
		nc, peer := pair()
		c := New(nc)
		adopted, ok := p.Adopt(c)
		if want := name == "TCP"; ok != want || c.Watchable() != want {
			t.Errorf("%s: got adopted %v, watchable %v, want %v", name, ok, c.Watchable(), want)
		}
		if ok {
			adopted.Close()
		}
		nc.Close()
		peer.Close()
	}
}

// What many connections bring arrives in order and whole, also what was there before.
func TestPollerReads(t *testing.T) {
	p := newPoller(t)
	const conns, blocks = 50, 2000
	var all sync.WaitGroup
	for range conns {
		c, peer := adopt(t, p)
		h := newCollector()
		io.WriteString(peer, "ahead")
		if err := p.Watch(c, h); err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			want := []byte("ahead")
			for i := range uint64(blocks) {
				block := binary.BigEndian.AppendUint64(nil, i)
				want = append(want, block...)
				peer.Write(block)
			}
			peer.CloseWrite()
			wait(t, "the end", h.closed)
			if got := h.bytes(); !bytes.Equal(got, want) || h.overlap {
				t.Errorf("got %d bytes, overlap %v, want the %d that were sent, in order", len(got), h.overlap, len(want))
			}
			// The Conn is closed: so is the peer's.
			if _, err := peer.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Errorf("after the end: got %v, want %v", err, io.EOF)
			}
		})
	}
	all.Wait()
}

// Urgent data, which is not read, ends one read and not the reading.
func TestPollerReadsBehindUrgentData(t *testing.T) {
	p := newPoller(t)
	c, peer := adopt(t, p)
	io.WriteString(peer, "before")
	raw, err := peer.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var sent error
	if err := raw.Control(func(fd uintptr) { sent = unix.Sendto(int(fd), []byte("!"), unix.MSG_OOB, nil) }); err != nil || sent != nil {
		t.Fatal(err, sent)
	}
	io.WriteString(peer, "behind")
	h := newCollector()
	all := make(chan struct{})
	h.onBytes = func([]byte) {
		if len(h.bytes()) == len("beforebehind") {
			close(all)
		}
	}
	if err := p.Watch(c, h); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	wait(t, "what is behind", all)
	if got, want := string(h.bytes()), "beforebehind"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A peer that floods does not keep the others of its goroutine waiting.
func TestPollerIsFair(t *testing.T) {
	p := newPoller(t)
	flooded, flooder := adopt(t, p)
	defer flooded.Close()
	c, peer := adopt(t, p)
	for c.watched().loop != flooded.watched().loop {
		c.Close()
		c, peer = adopt(t, p)
	}
	defer c.Close()

	// More than the goroutine reads at once is there before it reads.
	flooder.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
	n, _ := flooder.Write(make([]byte, 4<<20))
	if n < 10*readSize {
		t.Fatalf("the kernel takes %d bytes ahead, too few to see anything", n)
	}
	var reads, readsBefore int // by the goroutine of both
	h, other := newCollector(), newCollector()
	h.onBytes = func([]byte) {
		if reads++; reads == 1 {
			peer.Write([]byte("x"))
		}
	}
	got := make(chan struct{})
	other.onBytes = func([]byte) {
		readsBefore = reads
		close(got)
	}
	if err := errors.Join(p.Watch(c, other), p.Watch(flooded, h)); err != nil {
		t.Fatal(err)
	}
	wait(t, "the other's byte", got)
	if readsBefore > 3 {
		t.Errorf("the flood was read %d times before the other, want 3 at most", readsBefore)
	}
}

// A peer that does not read is waited for without a goroutine.
func TestPollerTellsThatItCanBeWritten(t *testing.T) {
	p := newPoller(t)
	c, peer := adopt(t, p)
	defer c.Close()
	h := newCollector()
	if err := p.Watch(c, h); err != nil {
		t.Fatal(err)
	}
	var w Writer
	block := bytes.Repeat([]byte("x"), 64<<10)
	total := 0
	for round := range 10 {
		for {
			n, err := w.Write(c, block, false)
			if err != nil {
				t.Fatal(err)
			}
			if total += n; n < len(block) {
				break
			}
		}
		if round%2 == 0 {
			c.NotifyWritable()
		}
		n, err := io.CopyN(io.Discard, peer, int64(total))
		if err != nil {
			t.Fatalf("the peer got %d bytes of %d: %v", n, total, err)
		}
		total = 0
		if round%2 == 1 {
			time.Sleep(10 * time.Millisecond) // the peer is there before who waits for it
			c.NotifyWritable()
		}
		wait(t, "Writable", h.writable)
	}
	if len(h.writable) > 0 {
		t.Error("Writable was called without having been asked for")
	}
}

// Who writes before the connection is watched may ask too, and is told once it is.
func TestPollerTellsThatItCanBeWrittenOnceItWatches(t *testing.T) {
	p := newPoller(t)
	c, peer := adopt(t, p)
	defer c.Close()
	var w Writer
	block := bytes.Repeat([]byte("x"), 64<<10)
	total := 0
	for {
		n, err := w.Write(c, block, false)
		if err != nil {
			t.Fatal(err)
		}
		if total += n; n < len(block) {
			break
		}
	}
	if n, err := io.CopyN(io.Discard, peer, int64(total)); err != nil {
		t.Fatalf("the peer got %d bytes of %d: %v", n, total, err)
	}
	time.Sleep(10 * time.Millisecond) // the peer is there before who waits for it
	c.NotifyWritable()
	h := newCollector()
	if err := p.Watch(c, h); err != nil {
		t.Fatal(err)
	}
	wait(t, "Writable", h.writable)
}

// Connections are closed from either side and by anyone while they are read and written, and descriptors
// are used again: nobody gets what is another's.
func TestPollerCloses(t *testing.T) {
	p := newPoller(t)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for round := range 50 {
				c, peer := adopt(t, p)
				h := newCollector()
				mark := byte(i*50 + round)
				h.onBytes = func([]byte) {
					if round%3 == 0 {
						c.Close() // by who reads
					}
				}
				if err := p.Watch(c, h); err != nil {
					t.Error(err)
					return
				}
				var both sync.WaitGroup
				both.Go(func() {
					for range 20 {
						peer.Write(bytes.Repeat([]byte{mark}, 100))
					}
					if round%3 == 1 {
						peer.Close()
					}
				})
				both.Go(func() {
					var w Writer
					for range 20 {
						if _, err := w.Write(c, []byte{mark}, false); err != nil {
							return
						}
					}
				})
				both.Wait()
				if round%3 == 1 {
					wait(t, "the end", h.closed)
				}
				if err := c.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
					t.Errorf("close: %v", err)
				}
				if err := c.Close(); !errors.Is(err, net.ErrClosed) {
					t.Errorf("second close: got %v, want %v", err, net.ErrClosed)
				}
				var w Writer
				if _, err := w.Write(c, []byte("x"), false); !errors.Is(err, net.ErrClosed) {
					t.Errorf("write after close: got %v, want %v", err, net.ErrClosed)
				}
				peer.SetReadDeadline(time.Now().Add(2 * time.Minute))
				rest, _ := io.ReadAll(peer) // a reset is as good as an end
				for _, b := range rest {
					if b != mark {
						t.Errorf("the peer got a byte of another connection")
						return
					}
				}
				peer.Close()
			}
		})
	}
	all.Wait()
	for _, l := range p.loops {
		for _, w := range l.slots {
			if w != nil {
				t.Error("a closed connection is still there")
			}
		}
	}
}

// A descriptor that is used is not closed, lest it is another connection's by then.
func TestPollerClosesAfterTheLastUse(t *testing.T) {
	p := newPoller(t)
	c, peer := adopt(t, p)
	w := c.watched()
	if !w.acquire() || !w.acquire() { //nolint:staticcheck // two users
		t.Fatal("a new connection is closed")
	}
	c.Close()
	for i := range 2 {
		if _, err := unix.FcntlInt(uintptr(w.fd), unix.F_GETFD, 0); err != nil {
			t.Fatalf("after %d of 2 uses: %v", i, err)
		}
		w.release()
	}
	peer.SetReadDeadline(time.Now().Add(2 * time.Minute))
	if _, err := peer.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("after the last use: got %v, want %v", err, io.EOF)
	}
}

func TestPollerCloseEndsItsGoroutines(t *testing.T) {
	p, err := NewPoller()
	if err != nil {
		t.Fatal(err)
	}
	c, _ := adopt(t, p)
	h := newCollector()
	if err := p.Watch(c, h); err != nil {
		t.Fatal(err)
	}
	p.Close() // returns when they have
	p.Close()
	other, _ := adopt(t, p)
	if err := p.Watch(other, h); !errors.Is(err, net.ErrClosed) {
		t.Errorf("watch after Close: got %v, want %v", err, net.ErrClosed)
	}
	other.Close()
	if err := c.Close(); err != nil {
		t.Errorf("close of a connection after the poller: %v", err)
	}
}
