package web

import (
	"context"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"jobcast/jobs"
)

// lastLineHeader carries what LastLine does where the body is plain text.
const lastLineHeader = "Jobcast-Last-Line"

// logPage is a part of a job's text. A client asks next with after=LastLine, until Done.
type logPage struct {
	jobs.LogChunk
	LastLine int64 `json:"lastLine"`
	Done     bool  `json:"done"` // no line will ever follow LastLine
}

// getLogs answers GET /api/jobs/ID/logs.
func (s *server) getLogs(c echo.Context) error {
	q := query{c: c}
	id := q.jobID()
	after, _ := q.after()
	tail, _ := q.number("tail", 1, 1000)
	limit, _ := q.number("limit", 1, 1000)
	wait := q.wait()
	if q.err != nil {
		return q.err
	}
	if c.QueryParams().Has("q") {
		return s.searchLogs(c, jobs.LogQuery{After: int64(after), Tail: int(tail), Limit: int(limit), Q: c.QueryParam("q")}, id)
	}
	format := c.QueryParam("format")
	if format != "" && format != "json" && format != "text" {
		return jobs.BadRequest("/format", "format must be json or text")
	}
	page, err := s.pollLogs(c.Request().Context(), id, jobs.LogQuery{After: int64(after), Tail: int(tail), Limit: int(limit)}, wait)
	if err != nil {
		return err
	}
	if format != "text" {
		return s.respond(c, http.StatusOK, page)
	}
	var text strings.Builder
	for _, line := range page.Lines {
		text.WriteString(line.String())
		text.WriteByte('\n')
	}
	c.Response().Header().Set(lastLineHeader, strconv.FormatInt(page.LastLine, 10))
	return s.respondBytes(c, http.StatusOK, "text/plain; charset=utf-8", []byte(text.String()))
}

// searchLogs answers GET /api/jobs/ID/logs?q=. It does not wait for lines that are not there.
func (s *server) searchLogs(c echo.Context, q jobs.LogQuery, id jobs.ID) error {
	for _, other := range []string{"wait", "format"} {
		if c.QueryParams().Has(other) {
			return jobs.BadRequest("/"+other, other+" does not go with q")
		}
	}
	if q.Q == "" {
		return jobs.BadRequest("/q", "q must have something to look for")
	}
	found, err := s.Jobs.SearchLogs(c.Request().Context(), id, q)
	if err != nil {
		return err
	}
	return s.respond(c, http.StatusOK, found)
}

// pollLogs returns log lines. It waits only if there is none and one may yet come.
func (s *server) pollLogs(ctx context.Context, id jobs.ID, q jobs.LogQuery, wait time.Duration) (logPage, error) {
	job, err := s.Jobs.Get(ctx, id) // before the lines: a job that has ended by now has no more of them
	if err != nil {
		return logPage{}, err
	}
	if q.Tail == 0 && (job.Log == nil || q.After > job.Log.Lines) { // more than the job's record knows of
		newest, err := s.Jobs.Logs(ctx, id, jobs.LogQuery{Tail: 1})
		if err != nil {
			return logPage{}, err
		}
		if q.After > newest.LastLine() {
			q.After = 0 // another job's number, or another store's
		}
	}
	chunk, err := s.Jobs.Logs(ctx, id, q)
	if err != nil {
		return logPage{}, err
	}
	if len(chunk.Lines) == 0 && wait > 0 && !job.State.Terminal() {
		// A line, or the end of the log: either ends the wait.
		if _, err := awaitNext(ctx, wait, func(ctx context.Context) iter.Seq2[jobs.LogChunk, error] {
			return s.Jobs.FollowLogs(ctx, id, q.After)
		}); err != nil {
			return logPage{}, err
		}
		if job, err = s.Jobs.Get(context.WithoutCancel(ctx), id); err != nil {
			return logPage{}, err
		}
		if chunk, err = s.Jobs.Logs(context.WithoutCancel(ctx), id, q); err != nil {
			return logPage{}, err
		}
	}
	page := logPage{LogChunk: chunk, LastLine: q.After}
	if len(chunk.Lines) > 0 {
		page.LastLine = chunk.LastLine()
	} else {
		page.JobID, page.Lines = id, []jobs.LogLine{}
	}
	page.Done = job.State.Terminal() && (job.Log == nil || page.LastLine >= job.Log.Lines)
	return page, nil
}
