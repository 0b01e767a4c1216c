package web

import (
	"cmp"
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"jobcast/jobs"
)

// httpProblem is a bad request that HTTP has a status of its own for.
func httpProblem(status int, detail string) *jobs.Problem {
	p := jobs.NewProblem(jobs.CodeBadRequest, detail)
	p.Status, p.Title = status, http.StatusText(status)
	return p
}

// problemOf is jobs.ProblemOf, and knows the errors of HTTP, WebSockets and the small systems too. The result is the
// caller's.
func problemOf(err error) *jobs.Problem {
	for _, of := range []func(error) *jobs.Problem{requestProblem, socketProblem, voteProblem, chatProblem} {
		if p := of(err); p != nil {
			return p
		}
	}
	p := *jobs.ProblemOf(err)
	return &p
}

// requestProblem is what a client is told of an error of Echo or net/http, or nil.
func requestProblem(err error) *jobs.Problem {
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
	return nil
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
	if p.Code == jobs.CodeInternal && !errors.Is(err, errPanic) {
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
	if err := s.respondAs(c, p.Status, "application/problem+json", p); err != nil {
		s.Logger.Debug("answer broke off", "path", c.Path(), "err", err)
	}
}
