package web

import (
	"context"
	"iter"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"jobcast/jobs"
)

// startJob answers POST /api/jobs: 200 if the job is done within the wait that was preferred, else 202
// and the job's address.
func (s *server) startJob(c echo.Context) error {
	var start jobs.StartRequest
	if err := decode(c, &start); err != nil {
		return err
	}
	req := c.Request()
	if key := req.Header.Get("Idempotency-Key"); key != "" {
		if start.IdempotencyKey != "" && start.IdempotencyKey != key {
			return jobs.BadRequest("/idempotencyKey", "the header Idempotency-Key says another one")
		}
		start.IdempotencyKey = key
	}
	start.From = address(c)
	ctx := req.Context()
	job, created, err := s.Jobs.Start(ctx, start)
	if err != nil {
		return err
	}
	h := c.Response().Header()
	if wait := preferredWait(req.Header); wait > 0 {
		h.Set("Preference-Applied", "wait="+strconv.Itoa(int(wait/time.Second)))
		if job, err = s.awaitEnd(ctx, job, wait); err != nil {
			return err
		}
	}
	status := http.StatusAccepted
	if job.State.Terminal() {
		status = http.StatusOK
	}
	h.Set("Location", "/api/jobs/"+string(job.ID))
	return s.respond(c, status, struct {
		Job     jobs.Job `json:"job"`
		Created bool     `json:"created"`
	}{job, created})
}

// awaitEnd returns the job when it is done, or as it is at the end of the wait.
func (s *server) awaitEnd(ctx context.Context, job jobs.Job, wait time.Duration) (jobs.Job, error) {
	if job.State.Terminal() {
		return job, nil
	}
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for record, err := range s.Jobs.Follow(waiting, job.ID, job.Seq) {
		if err != nil && waiting.Err() == nil {
			return job, err
		}
		if err != nil || record.Job.State.Terminal() {
			break
		}
	}
	return s.Jobs.Get(context.WithoutCancel(ctx), job.ID)
}

func (s *server) listJobs(c echo.Context) error {
	q := query{c: c}
	q.only("state", "kind", "queue", "tag", "parentId", "q", "sort", "limit", "cursor")
	limit, _ := q.number("limit", 1, 200)
	if q.err != nil {
		return q.err
	}
	page, err := s.Jobs.List(jobs.ListQuery{
		State:    jobs.State(c.QueryParam("state")),
		Kind:     c.QueryParam("kind"),
		Queue:    c.QueryParam("queue"),
		Tag:      c.QueryParam("tag"),
		ParentID: jobs.ID(c.QueryParam("parentId")),
		Query:    c.QueryParam("q"),
		Sort:     jobs.Sort(c.QueryParam("sort")),
		Limit:    int(limit),
		Cursor:   c.QueryParam("cursor"),
	})
	if err != nil {
		return err
	}
	if page.Jobs == nil {
		page.Jobs = []jobs.Job{}
	}
	return s.respond(c, http.StatusOK, page)
}

// getJob answers GET /api/jobs/ID. A client that says what it has, by `after` or by If-None-Match, gets
// 304 unless there is more before its wait ends.
func (s *server) getJob(c echo.Context) error {
	q := query{c: c}
	id := q.jobID()
	after, given := q.after()
	wait := q.wait()
	if q.err != nil {
		return q.err
	}
	ctx := c.Request().Context()
	job, err := s.Jobs.Get(ctx, id)
	if err != nil {
		return err
	}
	known := given && job.Seq == after // who has more has it of another job, or of another store
	if !given && holds(c, jobTag(job)) {
		known, after = true, job.Seq
	}
	if known && !job.State.Terminal() {
		grown, err := s.grows(ctx, id, after, wait)
		if err != nil {
			return err
		}
		if grown {
			known = false
			if job, err = s.Jobs.Get(ctx, id); err != nil {
				return err
			}
		}
	}
	setTag(c, jobTag(job))
	if known {
		return notModified(c, jobTag(job))
	}
	return s.respond(c, http.StatusOK, job)
}

func jobTag(job jobs.Job) string { return `"` + strconv.FormatUint(job.Seq, 10) + `"` }

// grows waits until a job has an event after the given one, and reports whether it has.
func (s *server) grows(ctx context.Context, id jobs.ID, after uint64, wait time.Duration) (bool, error) {
	return awaitNext(ctx, wait, func(ctx context.Context) iter.Seq2[jobs.Record, error] {
		return s.Jobs.Follow(ctx, id, after)
	})
}

func (s *server) cancelJob(c echo.Context) error {
	q := query{c: c}
	id := q.jobID()
	if q.err != nil {
		return q.err
	}
	cancel := jobs.CancelRequest{ID: id}
	if c.Request().ContentLength != 0 {
		if err := decode(c, &cancel); err != nil {
			return err
		}
		if cancel.ID != id {
			return jobs.BadRequest("/id", "the path says another job")
		}
	}
	outcome, job, err := s.Jobs.Cancel(c.Request().Context(), cancel)
	if err != nil {
		return err
	}
	return s.respond(c, http.StatusOK, struct {
		Outcome jobs.Outcome `json:"outcome"`
		Job     jobs.Job     `json:"job"`
	}{outcome, job})
}

// retryJob answers POST /api/jobs/ID/retry: 202, and the new job with its address.
func (s *server) retryJob(c echo.Context) error {
	q := query{c: c}
	id := q.jobID()
	if q.err != nil {
		return q.err
	}
	retry := jobs.RetryRequest{ID: id}
	if c.Request().ContentLength != 0 {
		if err := decode(c, &retry); err != nil {
			return err
		}
		if retry.ID != "" && retry.ID != id {
			return jobs.BadRequest("/id", "the path says another job")
		}
		retry.ID = id
	}
	job, created, err := s.Jobs.Retry(c.Request().Context(), retry, address(c))
	if err != nil {
		return err
	}
	c.Response().Header().Set("Location", "/api/jobs/"+string(job.ID))
	return s.respond(c, http.StatusAccepted, struct {
		Job     jobs.Job `json:"job"`
		Created bool     `json:"created"`
	}{job, created})
}

// removeJob answers DELETE /api/jobs/ID.
func (s *server) removeJob(c echo.Context) error {
	q := query{c: c}
	id := q.jobID()
	if q.err != nil {
		return q.err
	}
	if err := s.Jobs.Remove(c.Request().Context(), id); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// sendMessage answers POST /api/jobs/ID/events: 202, and the line of the log that the message has become.
func (s *server) sendMessage(c echo.Context) error {
	q := query{c: c}
	id := q.jobID()
	if q.err != nil {
		return q.err
	}
	var send jobs.SendRequest
	if err := decode(c, &send); err != nil {
		return err
	}
	if send.ID != "" && send.ID != id {
		return jobs.BadRequest("/id", "the path says another job")
	}
	send.ID = id
	seq, err := s.Jobs.Send(c.Request().Context(), send)
	if err != nil {
		return err
	}
	return s.respond(c, http.StatusAccepted, struct {
		Seq uint64 `json:"seq"`
	}{seq})
}

func (s *server) getKinds(c echo.Context) error {
	return s.respond(c, http.StatusOK, struct {
		Kinds []jobs.KindInfo `json:"kinds"`
	}{s.Jobs.Kinds()})
}
