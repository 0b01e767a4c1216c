package web

import (
	"bytes"
	"encoding/json"
	"io"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"jobcast/internal/coding"
)

// minCompressed is the size in bytes below which compressing an answer saves no packet.
const minCompressed = 1 << 10

// respond answers with JSON.
func (s *server) respond(c echo.Context, status int, v any) error {
	return s.respondAs(c, status, "application/json", v)
}

func (s *server) respondAs(c echo.Context, status int, contentType string, v any) error {
	var body bytes.Buffer
	if err := encode(&body, v); err != nil {
		return err
	}
	return s.respondBytes(c, status, contentType, body.Bytes())
}

// encode writes v as one line of JSON. Nothing here is put into HTML, so < and & stay as they are.
func encode(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// encodeText is encode without the end of the line.
func encodeText(v any) ([]byte, error) {
	var text bytes.Buffer
	err := encode(&text, v)
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), err
}

// respondBytes answers with a body that nobody may keep, unless the handler said otherwise. It is compressed for a
// client that accepts it.
func (s *server) respondBytes(c echo.Context, status int, contentType string, body []byte) error {
	vary(c, "Accept-Encoding")
	if len(body) >= minCompressed {
		accepted := coding.Choose(c.Request().Header["Accept-Encoding"], coding.Gzip, coding.Deflate)
		if smaller, ok := s.compressor.Append(nil, accepted, body); ok {
			body = smaller
			h := c.Response().Header()
			h.Set("Content-Encoding", accepted)
			if tag := h.Get("ETag"); tag != "" { // the same content, but no more the same bytes
				h.Set("ETag", "W/"+tag)
			}
		}
	}
	return writeBody(c, status, contentType, body)
}

// vary says that the answer depends on that field of the request.
func vary(c echo.Context, field string) {
	if h := c.Response().Header(); !slices.Contains(h.Values("Vary"), field) {
		h.Add("Vary", field)
	}
}

// writeBody sends an answer as it is.
func writeBody(c echo.Context, status int, contentType string, body []byte) error {
	h := c.Response().Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	defer limitWrite(c, writeTimeout)()
	c.Response().WriteHeader(status)
	if c.Request().Method == http.MethodHead {
		return nil
	}
	_, err := c.Response().Write(body)
	return err
}

// lastBytes bounds how long a client of HTTP/2 may leave the end of an answer unread. net/http sends the last 4 KiB after
// the handlers have returned, and would wait for ever, with the connection.
func lastBytes(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r)
		if r.ProtoMajor == 2 {
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout))
		}
	})
}

// respondTagged answers with JSON of that tag, or says that the client has it.
func (s *server) respondTagged(c echo.Context, tag string, body []byte) error {
	setTag(c, tag)
	if holds(c, tag) {
		return notModified(c, tag)
	}
	return s.respondBytes(c, http.StatusOK, "application/json", body)
}

// notModified answers that the client has the newest. Its tag is a weak one, since what the client has may be compressed.
func notModified(c echo.Context, tag string) error {
	c.Response().Header().Set("ETag", "W/"+tag)
	return c.NoContent(http.StatusNotModified)
}

// setTag has a client keep the answer, and ask each time whether it is the newest still.
func setTag(c echo.Context, tag string) {
	vary(c, "Accept-Encoding") // 304 says it too
	h := c.Response().Header()
	h.Set("ETag", tag)
	h.Set("Cache-Control", "no-cache")
}

// holds reports whether the client has the answer with that tag (RFC 9110, "If-None-Match").
func holds(c echo.Context, tag string) bool {
	for candidate := range elements(c.Request().Header, "If-None-Match") {
		if candidate == "*" || strings.TrimPrefix(candidate, "W/") == tag {
			return true
		}
	}
	return false
}

// elements yields the elements of a field that is a list, in however many lines (RFC 9110, "Lists"). It does not know
// quotes: the lists that are read here have no commas in them.
func elements(h http.Header, name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, line := range h.Values(name) {
			for element := range strings.SplitSeq(line, ",") {
				if !yield(strings.TrimSpace(element)) {
					return
				}
			}
		}
	}
}

// limitWrite gives the client that long to read the answer, until the returned function is called. The
// connection outlives the request, and nothing else would lift the limit.
func limitWrite(c echo.Context, limit time.Duration) (lift func()) {
	rc := http.NewResponseController(c.Response().Writer)
	// Not every ResponseWriter has deadlines; those of net/http do.
	_ = rc.SetWriteDeadline(time.Now().Add(limit))
	return func() { _ = rc.SetWriteDeadline(time.Time{}) }
}
