package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"jobcast/internal/limit"
	"jobcast/jobs"
)

// address is what the limits of a client without a connection of its own are kept by.
func address(c echo.Context) string { return limit.Address(c.Request().RemoteAddr) }

// param returns a part of the path, decoded.
func param(c echo.Context, name string) (string, error) {
	value := c.Param(name)
	if c.Request().URL.RawPath == "" {
		return value, nil
	}
	decoded, err := url.PathUnescape(value)
	if err != nil {
		return "", jobs.BadRequest("", "the path has a wrong % escape")
	}
	return decoded, nil
}

// jobID returns the id in the path.
func jobID(c echo.Context) (jobs.ID, error) {
	value, err := param(c, "id")
	if err != nil {
		return "", err
	}
	if id := jobs.ID(value); id.Valid() {
		return id, nil
	}
	return "", jobs.BadRequest("/id", "a job's id has 1 to 64 of the characters 0-9 A-Z a-z _ -")
}

// number returns a whole number of the query, and whether it is there.
func number(c echo.Context, name string, least, most uint64) (n uint64, present bool, err error) {
	text := c.QueryParam(name)
	if text == "" {
		return 0, false, nil
	}
	return parseNumber(name, text, least, most)
}

func parseNumber(name, text string, least, most uint64) (uint64, bool, error) {
	n, err := strconv.ParseUint(text, 10, 63)
	if err == nil && n >= least && n <= most {
		return n, true, nil
	}
	want := fmt.Sprintf("from %d to %d", least, most)
	if most >= maxCursor {
		want = fmt.Sprintf("from %d", least)
	}
	return 0, false, jobs.BadRequest("/"+name, fmt.Sprintf("%s must be a whole number %s, got %.40q", name, want, text))
}

// maxCursor is above every sequence and line number.
const maxCursor = 1<<63 - 1

// wait returns how long the client wants to wait: a number of seconds, or a duration such as 30s.
func wait(c echo.Context) (time.Duration, error) {
	text := c.QueryParam("wait")
	if text == "" {
		return 0, nil
	}
	d, err := parseWait(text)
	if err != nil {
		return 0, jobs.BadRequest("/wait", fmt.Sprintf("wait must be a number of seconds or a duration such as 30s, got %.40q", text))
	}
	return d, nil
}

func parseWait(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if seconds, e := strconv.ParseUint(text, 10, 31); e == nil {
		d, err = time.Duration(seconds)*time.Second, nil
	}
	if err != nil {
		return 0, err
	}
	if d < 0 {
		return 0, errors.New("negative")
	}
	return min(d, maxWait), nil
}

// preferredWait returns the wait of a Prefer field (RFC 7240, "wait"). A preference that is not
// understood is not honoured, and no error.
func preferredWait(h http.Header) time.Duration {
	for _, field := range h.Values("Prefer") {
		for preference := range strings.SplitSeq(field, ",") {
			preference, _, _ = strings.Cut(preference, ";")
			name, value, _ := strings.Cut(preference, "=")
			if !strings.EqualFold(strings.TrimSpace(name), "wait") {
				continue
			}
			seconds, err := strconv.ParseUint(strings.Trim(strings.TrimSpace(value), `"`), 10, 31)
			if err == nil {
				return min(time.Duration(seconds)*time.Second, maxWait)
			}
		}
	}
	return 0
}

// checkQuery refuses parameters that would be ignored: a filter that filters nothing misleads.
func checkQuery(c echo.Context, known ...string) error {
	for name := range c.QueryParams() {
		if !slices.Contains(known, name) {
			return jobs.BadRequest("/"+name, fmt.Sprintf("this server knows no parameter %.40q here; it knows %s",
				name, strings.Join(known, ", ")))
		}
	}
	return nil
}

// decode reads a JSON body into v. An unknown field is refused by name.
func decode(c echo.Context, v any) error {
	req := c.Request()
	if err := checkContent(textproto.MIMEHeader(req.Header)); err != nil {
		return err
	}
	contentType, _, err := mime.ParseMediaType(req.Header.Get("Content-Type"))
	if err != nil || contentType != "application/json" {
		return httpProblem(http.StatusUnsupportedMediaType, "the body must be JSON, with Content-Type: application/json")
	}
	dec := json.NewDecoder(patient(c, http.MaxBytesReader(c.Response(), req.Body, maxBodyBytes)))
	dec.DisallowUnknownFields()
	err = dec.Decode(v)
	if err == nil {
		if _, more := dec.Token(); more != io.EOF {
			err = more
			if more == nil {
				return jobs.BadRequest("", "the body must be one JSON value")
			}
		}
	}
	return bodyProblem(err)
}

// isForm reports whether the body is one that HTML's forms send.
func isForm(req *http.Request) bool {
	contentType, _, _ := mime.ParseMediaType(req.Header.Get("Content-Type"))
	return contentType == "application/x-www-form-urlencoded" || contentType == "multipart/form-data"
}

// readForm reads a form, for PostFormValue.
func readForm(c echo.Context) error {
	req := c.Request()
	if err := checkContent(textproto.MIMEHeader(req.Header)); err != nil {
		return err
	}
	req.Body = io.NopCloser(patient(c, http.MaxBytesReader(c.Response(), req.Body, maxBodyBytes)))
	err := req.ParseMultipartForm(maxBodyBytes)
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return err
	}
	if err != nil && !errors.Is(err, http.ErrNotMultipart) {
		return jobs.BadRequest("", "the body must be a form")
	}
	return nil
}

// bodyProblem says what is wrong with a JSON body.
func bodyProblem(err error) error {
	if err == nil {
		return nil
	}
	if problem, ok := errors.AsType[*jobs.Problem](err); ok {
		return problem
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return err
	}
	if mismatch, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		field := strings.ReplaceAll(mismatch.Field, ".", "/")
		if field == "" {
			return jobs.BadRequest("", "the body must be a JSON object, got "+mismatch.Value)
		}
		return jobs.BadRequest("/"+field, "got "+mismatch.Value)
	}
	if _, name, ok := strings.Cut(err.Error(), "unknown field "); ok {
		return jobs.BadRequest("/"+strings.Trim(name, `"`), "this server does not know this field")
	}
	if _, ok := errors.AsType[*bodyError](err); ok || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return jobs.BadRequest("", "the body ends before its JSON does")
	}
	return jobs.BadRequest("", "the body is not JSON: "+strings.TrimPrefix(err.Error(), "json: "))
}

// patient reads a body, and gives up on a client that pauses for longer than readTimeout. There is no
// limit on the whole: an upload may take hours.
func patient(c echo.Context, body io.Reader) io.Reader {
	return &patientReader{body, http.NewResponseController(c.Response().Writer)}
}

type patientReader struct {
	body io.Reader
	conn *http.ResponseController
}

func (r *patientReader) Read(p []byte) (int, error) {
	// Not every ResponseWriter has deadlines; those of net/http do.
	_ = r.conn.SetReadDeadline(time.Now().Add(readTimeout))
	n, err := r.body.Read(p)
	_ = r.conn.SetReadDeadline(time.Time{}) // or it would end the requests that follow
	if err != nil && err != io.EOF {
		err = &bodyError{err}
	}
	return n, err
}

// bodyError is an error of the connection that a body comes over, and the client's matter.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return "read body: " + e.err.Error() }
func (e *bodyError) Unwrap() error { return e.err }

// matches reports whether an If-None-Match field holds the tag (RFC 9110, "If-None-Match").
func matches(h http.Header, tag string) bool {
	for _, field := range h.Values("If-None-Match") {
		for candidate := range strings.SplitSeq(field, ",") {
			candidate = strings.TrimPrefix(strings.TrimSpace(candidate), "W/")
			if candidate == tag || candidate == "*" {
				return true
			}
		}
	}
	return false
}
