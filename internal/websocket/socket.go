package websocket

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"jobcast/internal/websocket/wsframe"
)

// Options bound what one socket takes up. The zero value works.
type Options struct {
	// MaxMessageBytes bounds one incoming message; a longer one closes the socket with 1009. Zero means
	// 64 KiB.
	MaxMessageBytes int
	// MaxQueueBytes bounds what waits to be sent; a client that would have more waiting is cut off as
	// too slow. Zero means 1 MiB.
	MaxQueueBytes int
}

// The errors of a socket that is still there for its handler, and for nobody else.
var (
	// ErrClosed is the error of a socket that has been closed, by whichever side.
	ErrClosed = errors.New("websocket: the socket is closed")
	// ErrSlow is the error of a socket whose client did not read what it was sent.
	ErrSlow = errors.New("websocket: the client does not read what it is sent")
)

// A Socket is one WebSocket. Send and SendBinary may be called from any goroutine, Receive and Talk from
// one at a time.
type Socket struct {
	conn       net.Conn
	in         *bufio.Reader
	frames     wsframe.Reader // of what is in in
	opts       Options
	cancel     context.CancelFunc
	writer     sync.WaitGroup
	ping       *time.Timer
	peerClosed bool // the client's close frame has come; belongs to who receives

	mu      sync.Mutex // protects the fields below
	out     [][]byte   // whole frames
	size    int        // bytes in out and in what is being written
	writing bool
	closed  bool      // nothing may be queued any more
	broken  error     // why nothing is written any more
	sure    []receipt // that have not come back, oldest first
	asked   uint64    // the newest of them that there ever was
	last    time.Time // not zero: when receiving ends, so that the socket can be closed
	reason  string    // for that, what the client is told
}

func (s *Socket) start(conn net.Conn, in *bufio.Reader) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn, s.in = conn, in
	s.frames.Limit = s.opts.MaxMessageBytes
	s.ping = time.AfterFunc(pingInterval, s.sendPing)
}

// Close ends Receive after a while, and tells the client why when all that it was owed is sent.
func (s *Socket) Close(after time.Duration, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.last.IsZero() {
		return
	}
	s.last, s.reason = time.Now().Add(after), reason
	if s.conn != nil {
		_ = s.conn.SetReadDeadline(s.last) // a connection that is gone is read in vain anyway
	}
}

// closeNow closes the socket without a close frame.
func (s *Socket) closeNow() {
	s.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		_ = s.conn.Close()
	}
}

// Send queues a text. It never blocks; its error means that the client is gone, or as good as.
func (s *Socket) Send(text []byte) error { return s.queue(ws.NewTextFrame(text)) }

// SendBinary is Send for bytes that are no text.
func (s *Socket) SendBinary(data []byte) error { return s.queue(ws.NewBinaryFrame(data)) }

// A receipt is a ping behind a message.
type receipt struct {
	number uint64 // its payload
	got    func()
}

// SendSure is Send, and has got called when the client has got the text: when the ping behind it has come
// back, as RFC 6455 ("Ping", "Pong") asks of every client. got is called where Receive is, which it must not
// keep waiting. It is not called when the client is gone before that.
func (s *Socket) SendSure(text []byte, got func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	ping := ws.NewPingFrame(binary.BigEndian.AppendUint64(nil, s.asked))
	if err := s.queueLocked(ws.NewTextFrame(text), ping); err != nil {
		return err
	}
	s.sure = append(s.sure, receipt{s.asked, got})
	return nil
}

// pong calls who waited for a ping to come back. A client may answer the newest of several alone.
func (s *Socket) pong(payload []byte) {
	if len(payload) != 8 {
		return // it was no receipt
	}
	number := binary.BigEndian.Uint64(payload)
	s.mu.Lock()
	n := 0
	for n < len(s.sure) && s.sure[n].number <= number {
		n++
	}
	back := s.sure[:n]
	s.sure = slices.Clone(s.sure[n:])
	s.mu.Unlock()
	for _, r := range back {
		r.got()
	}
}

// Receive returns the client's next message, and whether it is a text. It answers pings meanwhile. Its
// error means that nothing will come any more; io.EOF that the client closed the socket.
func (s *Socket) Receive(ctx context.Context) (data []byte, text bool, err error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
		m, ok, err := s.read()
		if err != nil {
			return nil, false, err
		}
		if !ok {
			continue
		}
		switch m.Op {
		case ws.OpPing:
			if err := s.queue(ws.NewPongFrame(m.Data)); err != nil {
				return nil, false, err
			}
		case ws.OpPong:
			s.pong(m.Data)
		case ws.OpClose:
			s.closeWith(ws.StatusNormalClosure, "")
			s.peerClosed = true
			return nil, false, io.EOF
		default:
			return m.Data, m.Op == ws.OpText, nil
		}
	}
}

// read waits for bytes, and returns the next message or control frame if they have all of it.
func (s *Socket) read() (m wsframe.Unit, ok bool, err error) {
	if s.in.Buffered() == 0 {
		_, _, _, _ = s.frames.Next(nil) // gives back the memory of the message before
	}
	s.setReadDeadline()
	if _, err := s.in.Peek(1); err != nil {
		return m, false, s.readFailed(err)
	}
	p, _ := s.in.Peek(s.in.Buffered()) // no error: they are there
	m, rest, ok, err := s.frames.Next(p)
	if err != nil {
		if violation, is := errors.AsType[*wsframe.Error](err); is {
			s.closeWith(violation.Code, violation.Text)
		}
		return m, false, ErrClosed
	}
	m.Data = bytes.Clone(m.Data)
	_, _ = s.in.Discard(len(p) - len(rest)) // no error, as above
	return m, ok, nil
}

// Talk passes what is received to hear, until nothing comes any more or hear has an error, which it
// returns. tell runs beside it, on a goroutine of its own that Talk waits for; its context ends then.
func (s *Socket) Talk(ctx context.Context, tell func(context.Context), hear func(message []byte, text bool) error) error {
	telling, stop := context.WithCancel(ctx)
	var told sync.WaitGroup
	told.Go(func() { tell(telling) })
	defer told.Wait()
	defer stop()
	for {
		message, text, err := s.Receive(ctx)
		if err == nil {
			err = hear(message, text)
		}
		if err != nil {
			return err
		}
	}
}

// setReadDeadline sets how long the client may be silent.
func (s *Socket) setReadDeadline() {
	s.mu.Lock()
	defer s.mu.Unlock()
	limit := s.last
	if limit.IsZero() {
		limit = time.Now().Add(silence)
	}
	_ = s.conn.SetReadDeadline(limit) // a connection that is gone fails at the next read
}

// readFailed is for a read that failed: unless that was asked for, the client is gone.
func (s *Socket) readFailed(err error) error {
	s.mu.Lock()
	finished := !s.last.IsZero()
	s.mu.Unlock()
	if finished && errors.Is(err, os.ErrDeadlineExceeded) {
		return ErrClosed
	}
	s.cancel()
	return err
}

// queue adds a frame, and a writer if there is none.
func (s *Socket) queue(f ws.Frame) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queueLocked(f)
}

func (s *Socket) queueLocked(frames ...ws.Frame) error {
	var whole []byte // so that header and payload leave in one packet
	for _, f := range frames {
		one, err := ws.CompileFrame(f)
		if err != nil {
			return err
		}
		if whole == nil {
			whole = one
		} else {
			whole = append(whole, one...)
		}
	}
	switch {
	case s.broken != nil:
		return s.broken
	case s.closed:
		return ErrClosed
	case s.size+len(whole) > s.opts.MaxQueueBytes:
		s.broken = ErrSlow
		s.closed = true
		s.out = nil
		s.cancel()
		return ErrSlow
	}
	s.push(whole)
	return nil
}

// push needs mu.
func (s *Socket) push(whole []byte) {
	s.out = append(s.out, whole)
	s.size += len(whole)
	if !s.writing {
		s.writing = true
		s.writer.Go(s.write)
	}
}

// write sends what is queued until nothing is.
func (s *Socket) write() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.out) > 0 && s.broken == nil {
		frames, size := net.Buffers(s.out), s.size
		s.out = nil
		limit := writeTimeout
		if s.closed {
			limit = closeTime
		}
		_ = s.conn.SetWriteDeadline(time.Now().Add(limit)) // a connection that is gone fails below
		s.mu.Unlock()
		_, err := frames.WriteTo(s.conn)
		s.mu.Lock()
		s.size -= size
		if err != nil && s.broken == nil {
			s.broken = err
			s.closed = true
			s.cancel()
		}
	}
	s.out = nil
	s.writing = false
}

// sendPing pings, and comes again.
func (s *Socket) sendPing() {
	if s.queue(ws.NewPingFrame(nil)) == nil {
		s.mu.Lock()
		s.ping.Reset(pingInterval)
		s.mu.Unlock()
	}
}

// closeWith queues the close frame behind all that waits, once.
func (s *Socket) closeWith(code ws.StatusCode, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	_ = s.conn.SetWriteDeadline(time.Now().Add(closeTime)) // also for the write under way
	s.push(ws.MustCompileFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(code, reason))))
}

// detach gives the connection up, and returns when nothing is left of the socket.
func (s *Socket) detach() {
	s.mu.Lock()
	s.ping.Stop()
	broken, finished, reason := s.broken, !s.last.IsZero(), s.reason
	s.mu.Unlock()
	if finished {
		s.closeWith(ws.StatusGoingAway, reason)
	} else {
		s.closeWith(ws.StatusInternalServerError, "") // unless Receive or Send said why already
	}
	if broken == nil {
		s.writer.Wait()
	}
	if broken == nil && !s.peerClosed {
		// Closed with bytes unread, the connection would be reset, and the client might never see why.
		_ = s.conn.SetReadDeadline(time.Now().Add(closeTime))
		_, _ = io.CopyN(io.Discard, s.in, 4<<20)
	}
	_ = s.conn.Close() // ends the write under way
	s.writer.Wait()
	s.frames.Release()
}
