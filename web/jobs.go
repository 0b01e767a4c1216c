package web

import (
	"context"
	"mime"
	"net/http"
	"path"
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
		if job, err = s.await(ctx, job, wait); err != nil {
			return err
		}
	}
	status := http.StatusAccepted
	if job.State.Terminal() {
		status = http.StatusOK
	}
	h.Set("Location", "/api/jobs/"+string(job.ID))
	return respond(c, status, struct {
		Job     jobs.Job `json:"job"`
		Created bool     `json:"created"`
	}{job, created})
}

// await returns the job when it is done, or as it is at the end of the wait.
func (s *server) await(ctx context.Context, job jobs.Job, wait time.Duration) (jobs.Job, error) {
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
	if err := checkQuery(c, "state", "kind", "tag", "q", "sort", "limit", "cursor"); err != nil {
		return err
	}
	limit, _, err := number(c, "limit", 1, 200)
	if err != nil {
		return err
	}
	page, err := s.Jobs.List(jobs.ListQuery{
		State:  jobs.State(c.QueryParam("state")),
		Kind:   c.QueryParam("kind"),
		Tag:    c.QueryParam("tag"),
		Query:  c.QueryParam("q"),
		Sort:   jobs.Sort(c.QueryParam("sort")),
		Limit:  int(limit),
		Cursor: c.QueryParam("cursor"),
	})
	if err != nil {
		return err
	}
	if page.Jobs == nil {
		page.Jobs = []jobs.Job{}
	}
	return respond(c, http.StatusOK, page)
}

// getJob answers GET /api/jobs/ID. A client that says what it has, by `after` or by If-None-Match, gets
// 304 unless there is more before its wait ends.
func (s *server) getJob(c echo.Context) error {
	id, err := jobID(c)
	if err != nil {
		return err
	}
	after, present, err := number(c, "after", 0, maxCursor)
	if err != nil {
		return err
	}
	wait, err := wait(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	job, err := s.Jobs.Get(ctx, id)
	if err != nil {
		return err
	}
	known := present && job.Seq == after // who has more has it of another job, or of another store
	if !present && matches(c.Request().Header, jobTag(job)) {
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
	h := c.Response().Header()
	h.Set("ETag", jobTag(job))
	h.Set("Cache-Control", "no-cache")
	if known {
		return c.NoContent(http.StatusNotModified)
	}
	return respond(c, http.StatusOK, job)
}

func jobTag(job jobs.Job) string { return `"` + strconv.FormatUint(job.Seq, 10) + `"` }

// grows waits until a job has an event after the given one, and says whether it does. The end of the
// wait, and of the request's context, is no error.
func (s *server) grows(ctx context.Context, id jobs.ID, after uint64, wait time.Duration) (bool, error) {
	if wait <= 0 {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for _, err := range s.Jobs.Follow(ctx, id, after) {
		if err != nil && ctx.Err() != nil {
			return false, nil
		}
		return err == nil, err
	}
	return false, nil
}

func (s *server) cancelJob(c echo.Context) error {
	id, err := jobID(c)
	if err != nil {
		return err
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
	return respond(c, http.StatusOK, struct {
		Outcome jobs.Outcome `json:"outcome"`
		Job     jobs.Job     `json:"job"`
	}{outcome, job})
}

// getResult answers with the result alone; 409 says why there is none.
func (s *server) getResult(c echo.Context) error {
	id, err := jobID(c)
	if err != nil {
		return err
	}
	job, err := s.Jobs.Get(c.Request().Context(), id)
	if err != nil {
		return err
	}
	if job.State != jobs.Completed {
		detail := "the job is " + string(job.State) + " and has no result"
		if !job.State.Terminal() {
			detail += " yet"
		}
		if job.Error != nil {
			detail += ": " + job.Error.Message
		}
		return jobs.NewProblem(jobs.CodeConflict, detail)
	}
	if len(job.Result) == 0 {
		job.Result = []byte("null")
	}
	h := c.Response().Header()
	h.Set("ETag", jobTag(job)) // a completed job has had its last event
	h.Set("Cache-Control", "no-cache")
	if matches(c.Request().Header, jobTag(job)) {
		return c.NoContent(http.StatusNotModified)
	}
	return respondBytes(c, http.StatusOK, "application/json", append(job.Result, '\n'))
}

// getArtifact sends a file that a job made, whole or in ranges, and never as a page of this origin.
func (s *server) getArtifact(c echo.Context) error {
	id, err := jobID(c)
	if err != nil {
		return err
	}
	name, err := param(c, "name")
	if err != nil {
		return err
	}
	job, err := s.Jobs.Get(c.Request().Context(), id)
	if err != nil {
		return err
	}
	f, err := s.Files.OpenArtifact(id, name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	contentType := mime.TypeByExtension(path.Ext(name))
	for _, artifact := range job.Artifacts {
		if artifact.Name == name && artifact.Type != "" {
			contentType = artifact.Type
		}
	}
	if contentType == "" {
		contentType = "application/octet-stream"
	}
	h := c.Response().Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", `"`+strconv.FormatInt(info.ModTime().UnixNano(), 36)+"-"+strconv.FormatInt(info.Size(), 36)+`"`)
	defer limitWrite(c, time.Minute+time.Duration(info.Size()/slowestDownload)*time.Second)()
	http.ServeContent(c.Response(), c.Request(), "", info.ModTime(), f)
	return nil
}
