package gate

import (
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"jobcast/internal/coding"
)

// The types of answers.
const (
	contentHTML = "text/html" // what the reference answers a POST with; some browsers offer others for download
	contentJSON = "application/json"
)

// largeAnswer is the size of an answer, in bytes, that may have to wait for its reader.
const largeAnswer = 32 << 10

// Respond answers a good request. A client that does not read a large answer is given as long as one
// that is silent.
func (g *Gate) Respond(w http.ResponseWriter, r *http.Request, contentType string, body []byte) {
	if len(body) >= g.cfg.CompressionThreshold && !g.cfg.DisableCompression {
		if c := coding.Choose(r.Header["Accept-Encoding"], coding.Gzip, coding.Deflate); c != coding.Identity {
			if smaller, ok := g.compressor.Append(make([]byte, 0, len(body)/4), c, body); ok {
				w.Header().Set("Content-Encoding", c)
				body = smaller
			}
		}
	}
	if len(body) >= largeAnswer {
		rc := http.NewResponseController(w)
		// Not every ResponseWriter has deadlines; those of net/http do.
		_ = rc.SetWriteDeadline(time.Now().Add(g.cfg.Patience))
		defer func() { _ = rc.SetWriteDeadline(time.Time{}) }()
	}
	g.write(w, r, http.StatusOK, contentType, body)
}

var okAnswer = []byte("ok")

// RespondOK answers a POST that was taken.
func (g *Gate) RespondOK(w http.ResponseWriter, r *http.Request) {
	g.write(w, r, http.StatusOK, contentHTML, okAnswer)
}

// RespondTooLarge answers a POST that is over the limit, and has a connection of HTTP/1.1 closed: net/http would wait
// for the rest of the body before it answers, to use the connection again. HTTP/2 ends the request alone.
func (g *Gate) RespondTooLarge(w http.ResponseWriter, r *http.Request) {
	if g.cfg.Logger.Enabled(r.Context(), slog.LevelDebug) {
		g.log(contextOf(r), r, slog.Int("status", http.StatusRequestEntityTooLarge), slog.String("why", "the body is over the limit"))
	}
	if r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close")
	}
	g.write(w, r, http.StatusRequestEntityTooLarge, "", nil)
}

// write sends an answer. Without a body it has no content type.
func (g *Gate) write(w http.ResponseWriter, r *http.Request, status int, contentType string, body []byte) {
	h := w.Header()
	if contentType != "" {
		h.Set("Content-Type", contentType)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	g.SetHeaders(h, r)
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that is gone is noticed by its next request, or the lack of it
}

// SetInitialHeaders sets the fields that only the answer to a handshake has. sid is the new session's id.
func (g *Gate) SetInitialHeaders(h http.Header, r *http.Request, sid string) {
	if g.cfg.Cookie != nil {
		cookie := *g.cfg.Cookie
		cookie.Value = sid
		h.Add("Set-Cookie", cookie.String())
	}
	if g.cfg.InitialHeaders != nil {
		defer g.RecoverHook("InitialHeaders")
		g.cfg.InitialHeaders(h, r)
	}
}

// SetHeaders has the last word on the fields of an answer. Refuse, Respond and RespondTooLarge call it.
func (g *Gate) SetHeaders(h http.Header, r *http.Request) {
	if g.cfg.Headers != nil {
		defer g.RecoverHook("Headers")
		g.cfg.Headers(h, r)
	}
}

// Read appends the body of the request to *buf, counted as it comes in, and gives the client Patience for it.
// The error of a body over the limit is an *http.MaxBytesError.
func (g *Gate) Read(w http.ResponseWriter, r *http.Request, buf *[]byte, limit int) error {
	if r.ContentLength > int64(limit) {
		return &http.MaxBytesError{Limit: int64(limit)}
	}
	rc := http.NewResponseController(w)
	// Not every ResponseWriter has deadlines; those of net/http do.
	_ = rc.SetReadDeadline(time.Now().Add(g.cfg.Patience))
	body := http.MaxBytesReader(w, r.Body, int64(limit))
	b := *buf
	defer func() { *buf = b }()
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := body.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case err == io.EOF:
			_ = rc.SetReadDeadline(time.Time{})
			return nil
		case err != nil:
			return err // the deadline stays: nothing more is expected on this connection
		}
	}
}
