package web

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"jobcast/jobs"
)

func (s *server) listSchedules(c echo.Context) error {
	return s.respond(c, http.StatusOK, struct {
		Schedules []jobs.Schedule `json:"schedules"`
	}{s.Jobs.Schedules()})
}

// putSchedule answers PUT /api/schedules/ID: 201 if the schedule is new, else 200.
func (s *server) putSchedule(c echo.Context) error {
	id, err := scheduleID(c)
	if err != nil {
		return err
	}
	var put jobs.ScheduleRequest
	if err := decode(c, &put); err != nil {
		return err
	}
	if put.ID != "" && put.ID != id {
		return jobs.BadRequest("/id", "the path says another schedule")
	}
	put.ID = id
	schedule, created, err := s.Jobs.PutSchedule(c.Request().Context(), put)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if created {
		status = http.StatusCreated
		c.Response().Header().Set("Location", "/api/schedules/"+string(id))
	}
	return s.respond(c, status, struct {
		Schedule jobs.Schedule `json:"schedule"`
		Created  bool          `json:"created"`
	}{schedule, created})
}

func (s *server) removeSchedule(c echo.Context) error {
	id, err := scheduleID(c)
	if err != nil {
		return err
	}
	if err := s.Jobs.RemoveSchedule(c.Request().Context(), jobs.ScheduleRef{ID: id}); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// runSchedule answers POST /api/schedules/ID/run, with or without a body.
func (s *server) runSchedule(c echo.Context) error {
	id, err := scheduleID(c)
	if err != nil {
		return err
	}
	ref := jobs.ScheduleRef{ID: id}
	if c.Request().ContentLength != 0 {
		if err := decode(c, &ref); err != nil {
			return err
		}
		if ref.ID != id {
			return jobs.BadRequest("/id", "the path says another schedule")
		}
	}
	job, created, err := s.Jobs.RunSchedule(c.Request().Context(), ref, c.Request().Header.Get("Idempotency-Key"), address(c))
	if err != nil {
		return err
	}
	c.Response().Header().Set("Location", "/api/jobs/"+string(job.ID))
	return s.respond(c, http.StatusAccepted, struct {
		Job     jobs.Job `json:"job"`
		Created bool     `json:"created"`
	}{job, created})
}

// scheduleID returns the id of a schedule in the path.
func scheduleID(c echo.Context) (jobs.ID, error) {
	q := query{c: c}
	id := jobs.ID(q.path("id"))
	if q.err == nil && !id.Valid() {
		q.fail(jobs.BadRequest("/id", "a schedule's id has 1 to 64 of the characters 0-9 A-Z a-z _ -"))
	}
	return id, q.err
}
