package web

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"jobcast/jobs"
)

// healthz says that the process answers, and can use its disk.
func (s *server) healthz(c echo.Context) error {
	if s.Ready != nil {
		if err := s.Ready(); errors.Is(err, jobs.ErrBroken) {
			s.Logger.Warn("not healthy", "err", err)
			return jobs.ProblemOf(err)
		}
	}
	return s.respond(c, http.StatusOK, struct {
		Status  string `json:"status"`
		Version string `json:"version,omitempty"`
	}{"ok", s.Version})
}

// readyz says whether the server can do its work.
func (s *server) readyz(c echo.Context) error {
	if s.Ready != nil {
		if err := s.Ready(); err != nil {
			s.Logger.Warn("not ready", "err", err)
			return jobs.NewProblem(jobs.CodeUnavailable, "the server cannot do its work right now")
		}
	}
	return s.respond(c, http.StatusOK, struct {
		Status string `json:"status"`
	}{"ready"})
}
