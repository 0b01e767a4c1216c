package web

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"jobcast/internal/limit"
	"jobcast/jobs"
)

// maxNumber is above every sequence and line number.
const maxNumber = 1<<63 - 1

// A query reads what a request asks for in its path, its query and its fields. The first mistake in them is kept in
// err, and answers the request; what is read after it is zero.
type query struct {
	c   echo.Context
	err error
}

func (q *query) fail(err error) {
	if q.err == nil {
		q.err = err
	}
}

// only refuses parameters that would be ignored: a filter that filters nothing misleads.
func (q *query) only(known ...string) {
	for name := range q.c.QueryParams() {
		if !slices.Contains(known, name) {
			q.fail(jobs.BadRequest("/"+name, fmt.Sprintf("this server knows no parameter %.40q here; it knows %s",
				name, strings.Join(known, ", "))))
		}
	}
}

// path returns a part of the path, decoded.
func (q *query) path(name string) string {
	value := q.c.Param(name)
	if q.c.Request().URL.RawPath == "" {
		return value
	}
	decoded, err := url.PathUnescape(value)
	if err != nil {
		q.fail(jobs.BadRequest("", "the path has a wrong % escape"))
	}
	return decoded
}

// jobID returns the id in the path.
func (q *query) jobID() jobs.ID {
	id := jobs.ID(q.path("id"))
	if q.err == nil && !id.Valid() {
		q.fail(jobs.BadRequest("/id", "a job's id has 1 to 64 of the characters 0-9 A-Z a-z _ -"))
	}
	return id
}

// number returns a whole number of the query, and whether it is there.
func (q *query) number(name string, least, most uint64) (n uint64, given bool) {
	text := q.c.QueryParam(name)
	if text == "" || q.err != nil {
		return 0, false
	}
	return q.parseNumber(name, text, least, most), q.err == nil
}

func (q *query) parseNumber(name, text string, least, most uint64) uint64 {
	n, err := strconv.ParseUint(text, 10, 63)
	if err == nil && n >= least && n <= most {
		return n
	}
	want := fmt.Sprintf("from %d to %d", least, most)
	if most >= maxNumber {
		want = fmt.Sprintf("from %d", least)
	}
	q.fail(jobs.BadRequest("/"+name, fmt.Sprintf("%s must be a whole number %s, got %.40q", name, want, text)))
	return 0
}

// after returns the number after which a client wants to read, and whether it says one.
func (q *query) after() (n uint64, given bool) { return q.number("after", 0, maxNumber) }

// resumeAfter is after, and of an event stream that comes back the number of the last event that it had, which a
// browser repeats (HTML, "The Last-Event-ID header").
func (q *query) resumeAfter() uint64 {
	n, _ := q.after()
	if last := q.c.Request().Header.Get("Last-Event-ID"); last != "" && q.err == nil {
		n = q.parseNumber("Last-Event-ID", last, 0, maxNumber)
	}
	return n
}

// wait returns how long the client wants to wait: a number of seconds, or a duration such as 30s.
func (q *query) wait() time.Duration {
	text := q.c.QueryParam("wait")
	if text == "" || q.err != nil {
		return 0
	}
	d, err := time.ParseDuration(text)
	if seconds, e := strconv.ParseUint(text, 10, 31); e == nil {
		d, err = time.Duration(seconds)*time.Second, nil
	}
	if err != nil || d < 0 {
		q.fail(jobs.BadRequest("/wait", fmt.Sprintf("wait must be a number of seconds or a duration such as 30s, got %.40q", text)))
		return 0
	}
	return min(d, maxWait)
}

// address is what the limits of a client without a connection of its own are kept by.
func address(c echo.Context) string { return limit.Address(c.Request().RemoteAddr) }
