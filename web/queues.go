package web

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"jobcast/jobs"
)

// getQueues answers GET /api/queues.
func (s *server) getQueues(c echo.Context) error {
	return s.respond(c, http.StatusOK, struct {
		Queues []jobs.QueueInfo `json:"queues"`
	}{s.Jobs.Queues()})
}

// setQueue answers POST /api/queues/NAME/pause and /resume.
func (s *server) setQueue(set func(context.Context, jobs.QueueRequest) (jobs.QueueInfo, error)) echo.HandlerFunc {
	return func(c echo.Context) error {
		info, err := set(c.Request().Context(), jobs.QueueRequest{Queue: c.Param("queue")})
		if err != nil {
			return err
		}
		return s.respond(c, http.StatusOK, struct {
			Queue jobs.QueueInfo `json:"queue"`
		}{info})
	}
}
