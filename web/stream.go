package web

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
)

// wantsStream reports whether a client asks for Server-Sent Events in place of an answer that ends.
func wantsStream(c echo.Context) bool {
	vary(c, "Accept")
	for mediaType := range elements(c.Request().Header, "Accept") {
		mediaType, _, _ = strings.Cut(mediaType, ";")
		if strings.EqualFold(strings.TrimSpace(mediaType), "text/event-stream") {
			return true
		}
	}
	return false
}

// respondStream answers with the Server-Sent Events that send sends, until it returns. The context of send ends when
// the reader is gone.
func respondStream(c echo.Context, send func(ctx context.Context, stream *eventStream)) error {
	h := c.Response().Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache, no-transform")
	h.Set("X-Accel-Buffering", "no")
	if c.Request().Method == http.MethodHead {
		return c.NoContent(http.StatusOK)
	}
	ctx, cancel := context.WithCancel(c.Request().Context())
	defer cancel()
	stream := openStream(c.Response(), cancel)
	defer stream.close()
	send(ctx, stream)
	return nil
}

// An eventStream writes one answer of Server-Sent Events, and a comment whenever it was silent for a heartbeat:
// proxies and clients would take it for dead. Its goroutine is that of the timer; close returns after it.
type eventStream struct {
	w    *echo.Response
	conn *http.ResponseController
	stop context.CancelFunc // the reader is gone

	mu     sync.Mutex // protects the response and the fields below
	buf    bytes.Buffer
	broken bool // or closed
	timer  *time.Timer
}

func openStream(w *echo.Response, stop context.CancelFunc) *eventStream {
	s := &eventStream{w: w, conn: http.NewResponseController(w.Writer), stop: stop}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timer = time.AfterFunc(heartbeat, s.beat)
	w.WriteHeader(http.StatusOK)
	s.buf.WriteString("retry: 1000\n\n")
	s.flush()
	return s
}

// send writes one event, with its data as JSON, and reports whether the reader is still there. A browser that was cut
// off repeats the id of the last event that has one, as Last-Event-ID; zero means none. An event without a name is
// a "message" to a page.
func (s *eventStream) send(id uint64, name string, data any) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id != 0 {
		s.buf.WriteString("id: " + strconv.FormatUint(id, 10) + "\n")
	}
	if name != "" {
		s.buf.WriteString("event: " + name + "\n")
	}
	s.buf.WriteString("data: ")
	if err := encode(&s.buf, data); err != nil {
		return false // what is sent here does not fail to encode
	}
	s.buf.WriteByte('\n')
	return s.flush()
}

func (s *eventStream) beat() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.broken {
		s.buf.WriteString(": still here\n\n")
		s.flush()
	}
}

// flush sends the buffer. It needs mu.
func (s *eventStream) flush() bool {
	if s.broken {
		return false
	}
	// Not every ResponseWriter has deadlines; those of net/http do.
	_ = s.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	_, err := s.w.Write(s.buf.Bytes())
	if err == nil {
		err = s.conn.Flush()
	}
	s.buf.Reset()
	if err != nil {
		s.broken = true
		s.stop()
		return false
	}
	s.timer.Reset(heartbeat)
	return true
}

func (s *eventStream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = true
	s.timer.Stop()
	_ = s.conn.SetWriteDeadline(time.Time{}) // the connection may serve other requests
}
