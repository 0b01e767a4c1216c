package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"jobcast/jobs"
)

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

// understood are the fields about a body (RFC 9110, "Content-...") that are honoured, or that say what the
// address and the answer say anyway.
var understood = []string{"Content-Type", "Content-Length", "Content-Encoding", "Content-Transfer-Encoding", "Content-Disposition"}

// checkContent refuses a body that is not what its bytes alone are: to keep a part of a file, or a compressed
// one, under the name of the whole would be to change it in silence.
func checkContent(h textproto.MIMEHeader) error {
	if h.Get("Content-Range") != "" {
		return httpProblem(http.StatusBadRequest,
			"a part of a file (Content-Range) cannot be added to what came before; send the whole file again")
	}
	for _, coding := range append(h.Values("Content-Encoding"), h.Values("Content-Transfer-Encoding")...) {
		switch strings.ToLower(strings.TrimSpace(coding)) {
		case "", "identity", "7bit", "8bit", "binary":
		default:
			return httpProblem(http.StatusUnsupportedMediaType,
				fmt.Sprintf("the body must come as it is, not encoded as %.40q", coding))
		}
	}
	if len(h["Content-Type"]) > 1 {
		return jobs.BadRequest("/Content-Type", "the field Content-Type is given twice")
	}
	for field := range h {
		about := strings.HasPrefix(field, "Content-") || field == "Digest" || field == "Repr-Digest"
		if about && !slices.Contains(understood, field) {
			return jobs.BadRequest("/"+field, fmt.Sprintf("this server does not understand the field %.60s, which says what the body means; leave it out", field))
		}
	}
	return nil
}
