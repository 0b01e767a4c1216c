package web

import (
	"mime"
	"net/http"
	"path"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"jobcast/jobs"
)

// getResult answers with the result alone; 409 says why there is none.
func (s *server) getResult(c echo.Context) error {
	q := query{c: c}
	id := q.jobID()
	if q.err != nil {
		return q.err
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
	// A completed job has had its last event.
	return s.respondTagged(c, jobTag(job), append(job.Result, '\n'))
}

// getArtifact sends a file that a job made, whole or in ranges, and never as a page of this origin.
func (s *server) getArtifact(c echo.Context) error {
	q := query{c: c}
	id, name := q.jobID(), q.path("name")
	if q.err != nil {
		return q.err
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
