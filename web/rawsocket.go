package web

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"jobcast/jobs"
)

const (
	// rawPing is the time between two pings, and rawSilence how long a client may send nothing at all,
	// not even the pong.
	rawPing    = 25 * time.Second
	rawSilence = rawPing + 20*time.Second
	// rawGoodbye bounds each part of a close: the last writes, and the wait for the client's own.
	rawGoodbye = time.Second
)

// rawOptions say who may connect to a raw WebSocket, and how much. The zero value works.
type rawOptions struct {
	// Origins are the foreign origins that may connect; "*" stands for all.
	Origins []string
	// MaxMessageBytes bounds one incoming message; a longer one closes the socket with 1009. Zero means
	// 64 KiB.
	MaxMessageBytes int64
	// MaxQueueBytes bounds what waits to be sent; a client that would have more waiting is cut off as
	// too slow. Zero means 1 MiB.
	MaxQueueBytes int
}

var (
	errRawClosed = errors.New("web: the WebSocket is closed")
	errRawSlow   = errors.New("web: the WebSocket's client does not read what it is sent")
)

// A rawSocket is one WebSocket (RFC 6455) without Socket.IO. Send and SendBinary may be called from any
// goroutine, Receive from one at a time. It runs one goroutine while something waits to be sent.
type rawSocket struct {
	conn   net.Conn
	in     *bufio.Reader
	opts   rawOptions
	cancel context.CancelFunc
	writer sync.WaitGroup
	ping   *time.Timer
	left   bool // the client said goodbye; belongs to who receives

	mu      sync.Mutex // protects the fields below
	out     [][]byte   // whole frames
	size    int        // bytes in out and in what is being written
	writing bool
	closed  bool  // nothing may be queued any more
	broken  error // why nothing is written any more
}

// serveRaw makes a WebSocket out of a request and runs handle with it. The context ends when the client is
// gone or the server drains. When handle returns, what it has sent is delivered and the socket closed. The
// error is that of a request that was refused, for the caller to answer; handle's own goes to nobody.
func serveRaw(w http.ResponseWriter, r *http.Request, opts rawOptions, handle func(context.Context, *rawSocket) error) error {
	if opts.MaxMessageBytes == 0 {
		opts.MaxMessageBytes = 64 << 10
	}
	if opts.MaxQueueBytes == 0 {
		opts.MaxQueueBytes = 1 << 20
	}
	if !rawOrigin(r, opts.Origins) {
		return jobs.NewProblem(jobs.CodeForbidden, "a page of another origin may not connect here")
	}
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		return jobs.BadRequest("", "this path is for WebSockets")
	}
	conn, rw, _, err := ws.UpgradeHTTP(r, w)
	if err != nil {
		return nil // the client has been told
	}
	ctx, cancel := context.WithCancel(r.Context())
	s := &rawSocket{conn: conn, in: rw.Reader, opts: opts, cancel: cancel}
	defer func() {
		cancel()
		s.end() // also where handle panics
	}()
	s.mu.Lock()
	s.ping = time.AfterFunc(rawPing, s.beat)
	s.mu.Unlock()
	// Whoever waits in Receive learns that it is over; a deadline is what ends a read.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	err = handle(ctx, s)
	switch {
	case err == nil:
		s.goodbye(ws.StatusNormalClosure, "")
	case r.Context().Err() != nil:
		s.goodbye(ws.StatusGoingAway, "the server is about to stop")
	default:
		s.goodbye(ws.StatusInternalServerError, "") // unless Receive or Send said why already
	}
	return nil
}

// rawOrigin reports whether a request may open a WebSocket. A browser sets no limits to those of other
// sites' pages (RFC 6455, "Origin Considerations"); who is no browser sends no Origin.
func rawOrigin(r *http.Request, allowed []string) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || slices.Contains(allowed, "*") {
		return true
	}
	if u, err := url.Parse(origin); err == nil && strings.EqualFold(u.Host, r.Host) {
		return true
	}
	return slices.ContainsFunc(allowed, func(a string) bool { return strings.EqualFold(a, origin) })
}

// Send queues a text. It never blocks; its error means that the client is gone, or as good as.
func (s *rawSocket) Send(text []byte) error { return s.queue(ws.NewTextFrame(text)) }

// SendBinary is Send for bytes that are no text.
func (s *rawSocket) SendBinary(data []byte) error { return s.queue(ws.NewBinaryFrame(data)) }

// Receive returns the client's next message, and whether it is a text. It answers pings meanwhile. Its
// error means that nothing will come any more; io.EOF that the client said goodbye.
func (s *rawSocket) Receive(ctx context.Context) (data []byte, text bool, err error) {
	state := ws.StateServerSide
	var message []byte
	for {
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
		_ = s.conn.SetReadDeadline(time.Now().Add(rawSilence)) // a connection that is gone fails below
		if ctx.Err() != nil {
			continue // it may have ended before the deadline was set
		}
		h, err := ws.ReadHeader(s.in)
		if err != nil {
			return nil, false, s.lost(err)
		}
		if err := ws.CheckHeader(h, state); err != nil {
			return nil, false, s.refuse(ws.StatusProtocolError, "not a frame of RFC 6455")
		}
		if h.Length > s.opts.MaxMessageBytes-int64(len(message)) && !h.OpCode.IsControl() {
			return nil, false, s.refuse(ws.StatusMessageTooBig, "the message is too long")
		}
		start := len(message)
		payload := make([]byte, h.Length)
		if _, err := io.ReadFull(s.in, payload); err != nil {
			return nil, false, s.lost(err)
		}
		ws.Cipher(payload, h.Mask, 0)
		switch h.OpCode {
		case ws.OpPing:
			if err := s.queue(ws.NewPongFrame(payload)); err != nil {
				return nil, false, err
			}
			continue
		case ws.OpPong:
			continue
		case ws.OpClose:
			s.goodbye(ws.StatusNormalClosure, "")
			s.left = true
			return nil, false, io.EOF
		case ws.OpText:
			text = true
		}
		if message = append(message, payload...); start == 0 {
			message = payload
		}
		if !h.Fin {
			state = state.Set(ws.StateFragmented)
			continue
		}
		if text && !utf8.Valid(message) {
			return nil, false, s.refuse(ws.StatusInvalidFramePayloadData, "the text is not UTF-8")
		}
		return message, text, nil
	}
}

// lost is for a read that failed.
func (s *rawSocket) lost(err error) error {
	s.cancel()
	return err
}

func (s *rawSocket) refuse(code ws.StatusCode, reason string) error {
	s.goodbye(code, reason)
	return errRawClosed
}

// queue adds a frame, and a writer if there is none.
func (s *rawSocket) queue(f ws.Frame) error {
	whole, err := ws.CompileFrame(f) // so that header and payload leave in one packet
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.broken != nil:
		return s.broken
	case s.closed:
		return errRawClosed
	case s.size+len(whole) > s.opts.MaxQueueBytes:
		s.broken = errRawSlow
		s.closed = true
		s.out = nil
		s.cancel()
		return errRawSlow
	}
	s.push(whole)
	return nil
}

// push needs mu.
func (s *rawSocket) push(whole []byte) {
	s.out = append(s.out, whole)
	s.size += len(whole)
	if !s.writing {
		s.writing = true
		s.writer.Go(s.write)
	}
}

// write sends what is queued until nothing is.
func (s *rawSocket) write() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.out) > 0 && s.broken == nil {
		frames, size := net.Buffers(s.out), s.size
		s.out = nil
		limit := writeTimeout
		if s.closed {
			limit = rawGoodbye
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

// beat pings, and comes again.
func (s *rawSocket) beat() {
	if s.queue(ws.NewPingFrame(nil)) == nil {
		s.mu.Lock()
		s.ping.Reset(rawPing)
		s.mu.Unlock()
	}
}

// goodbye queues the close frame behind all that waits, once.
func (s *rawSocket) goodbye(code ws.StatusCode, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	_ = s.conn.SetWriteDeadline(time.Now().Add(rawGoodbye)) // also for the write under way
	s.push(ws.MustCompileFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(code, reason))))
}

// end returns when nothing is left of the socket.
func (s *rawSocket) end() {
	s.goodbye(ws.StatusInternalServerError, "")
	s.mu.Lock()
	s.ping.Stop()
	broken := s.broken
	s.mu.Unlock()
	if broken == nil {
		s.writer.Wait()
	}
	if broken == nil && !s.left {
		// Closed with bytes unread, the connection would be reset, and the client might never see why.
		_ = s.conn.SetReadDeadline(time.Now().Add(rawGoodbye))
		_, _ = io.CopyN(io.Discard, s.in, 4<<20)
	}
	_ = s.conn.Close() // ends the write under way
	s.writer.Wait()
}
