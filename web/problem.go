package web

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"jobcast/jobs"
)

// httpProblem is a bad request that HTTP has a status of its own for.
func httpProblem(status int, detail string) *jobs.Problem {
	p := jobs.NewProblem(jobs.CodeBadRequest, detail)
	p.Status, p.Title = status, http.StatusText(status)
	return p
}

// problemOf is jobs.ProblemOf, and knows the errors of HTTP too. The result is the caller's.
func problemOf(err error) *jobs.Problem {
	if e, ok := errors.AsType[*echo.HTTPError](err); ok {
		switch e.Code {
		case http.StatusNotFound:
			return jobs.NewProblem(jobs.CodeNotFound, "nothing is served at this path")
		case http.StatusMethodNotAllowed:
			return httpProblem(e.Code, "see the Allow header for the methods of this path")
		}
	}
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return jobs.NewProblem(jobs.CodeTooLarge, "the body may have at most "+strconv.FormatInt(e.Limit, 10)+" bytes")
	}
	p := *jobs.ProblemOf(err)
	return &p
}

// fail answers a request whose handler returned an error, or that has no handler.
func (s *server) fail(err error, c echo.Context) {
	req := c.Request()
	if c.Response().Committed {
		s.Logger.Debug("answer broke off", "path", c.Path(), "err", err)
		return
	}
	isAPI := strings.HasPrefix(req.URL.Path, "/api/") || req.URL.Path == "/api" ||
		req.URL.Path == "/healthz" || req.URL.Path == "/readyz"
	p := problemOf(err)
	if p.Status == http.StatusNotFound && !isAPI && (req.Method == http.MethodGet || req.Method == http.MethodHead) {
		if err := s.pages.notFound.serve(c, http.StatusNotFound); err != nil {
			s.Logger.Debug("answer broke off", "path", c.Path(), "err", err)
		}
		return
	}
	if p.Code == jobs.CodeInternal && err != errPanic {
		if context.Cause(req.Context()) != nil {
			// The client left or the server drains: whatever failed, failed for that reason.
			p = jobs.NewProblem(jobs.CodeUnavailable, "the server is about to stop; ask again in a moment")
			p.RetryAfterMs = 1000
		} else {
			s.Logger.Error("request failed", "method", req.Method, "path", c.Path(), "err", cmp.Or(errors.Unwrap(p), err))
		}
	}
	p.Instance = req.URL.Path
	p = jobs.ProblemOf(p) // what was made here may be too long
	h := c.Response().Header()
	if p.RetryAfterMs > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64(math.Ceil(float64(p.RetryAfterMs)/1000)), 10))
	}
	h.Set("X-Content-Type-Options", "nosniff")
	h.Del("ETag")
	if err := respondAs(c, p.Status, "application/problem+json", p); err != nil {
		s.Logger.Debug("answer broke off", "path", c.Path(), "err", err)
	}
}

// respond answers with JSON.
func respond(c echo.Context, status int, v any) error {
	return respondAs(c, status, "application/json", v)
}

func respondAs(c echo.Context, status int, contentType string, v any) error {
	var body bytes.Buffer
	if err := encode(&body, v); err != nil {
		return err
	}
	return respondBytes(c, status, contentType, body.Bytes())
}

// encode writes v as one line of JSON. Nothing here is put into HTML, so < and & stay as they are.
func encode(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// respondBytes answers with a body that nobody may keep, unless the handler said otherwise.
func respondBytes(c echo.Context, status int, contentType string, body []byte) error {
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

// limitWrite gives the client that long to read the answer, until the returned function is called. The
// connection outlives the request, and nothing else would lift the limit.
func limitWrite(c echo.Context, limit time.Duration) (lift func()) {
	rc := http.NewResponseController(c.Response().Writer)
	// Not every ResponseWriter has deadlines; those of net/http do.
	_ = rc.SetWriteDeadline(time.Now().Add(limit))
	return func() { _ = rc.SetWriteDeadline(time.Time{}) }
}
