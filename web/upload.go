package web

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"jobcast/jobs"
)

// maxFormBytes is what a form may have beside the file in it.
const maxFormBytes = 64 << 10

// upload takes a file: PUT is what `curl -T` sends, POST what a page may prefer. The body is the file, or a form
// with the file and nothing else.
func (s *server) upload(c echo.Context) error {
	q := query{c: c}
	q.only()
	name := q.path("name")
	if q.err != nil {
		return q.err
	}
	req := c.Request()
	if err := checkContent(textproto.MIMEHeader(req.Header)); err != nil {
		return err
	}
	most := s.MaxUploadBytes
	contentType, params, err := mime.ParseMediaType(req.Header.Get("Content-Type"))
	if contentType == "" && req.Header.Get("Content-Type") != "" {
		// It may be a form all the same.
		return jobs.BadRequest("/Content-Type", fmt.Sprintf("the field Content-Type cannot be read (%v); leave it out", err))
	}
	form := strings.HasPrefix(contentType, "multipart/")
	if form {
		most += maxFormBytes
	}
	if req.ContentLength > most {
		// Refused before a byte of it is read; a client that expects 100-continue sends none.
		if req.ProtoMajor == 1 { // HTTP/2 ends the request alone
			c.Response().Header().Set("Connection", "close")
		}
		return jobs.NewProblem(jobs.CodeTooLarge, "an upload may have at most "+strconv.FormatInt(s.MaxUploadBytes, 10)+" bytes")
	}
	body := patient(c, req.Body)
	if form {
		if body, err = fileOf(http.MaxBytesReader(c.Response(), io.NopCloser(body), most), contentType, params["boundary"]); err != nil {
			return err
		}
	}
	upload, n, err := s.Files.SaveUpload(name, body, s.MaxUploadBytes)
	if err != nil {
		return uploadProblem(err)
	}
	return s.respond(c, http.StatusCreated, struct {
		Upload string `json:"upload"`
		Bytes  int64  `json:"bytes"`
	}{upload, n})
}

// uploadProblem is what a client is told of an error of a body. What the body is refused for comes first: it
// has the connection's error in it where that broke off.
func uploadProblem(err error) error {
	if problem, ok := errors.AsType[*jobs.Problem](err); ok {
		return problem
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return err
	}
	if _, ok := errors.AsType[*bodyError](err); ok {
		return jobs.BadRequest("", "the upload broke off")
	}
	return err
}

// errForm refuses a form that is no upload.
var errForm = httpProblem(http.StatusUnsupportedMediaType,
	"a form must have one file and nothing else; or send the file itself as the body, as curl -T does")

// fileOf returns the one file in a form (RFC 7578). What follows the file is seen when the file has been read,
// so a form with more than that ends in an error and not as a whole file.
func fileOf(body io.Reader, contentType, boundary string) (io.Reader, error) {
	if contentType != "multipart/form-data" || boundary == "" {
		return nil, errForm
	}
	parts := multipart.NewReader(body, boundary)
	part, err := parts.NextRawPart()
	if err != nil {
		return nil, formProblem(err)
	}
	if part.FileName() == "" {
		return nil, errForm
	}
	if err := checkContent(part.Header); err != nil {
		return nil, err
	}
	return &fileInForm{part: part, parts: parts}, nil
}

// formProblem is what a client is told of a form that cannot be read on.
func formProblem(err error) error {
	if _, ok := errors.AsType[*bodyError](err); ok {
		return uploadProblem(err)
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return err
	}
	if err == io.EOF { //nolint:errorlint // a wrapped one is a form that broke off
		return errForm
	}
	return jobs.BadRequest("", "the body is not the form that its Content-Type says, or it broke off")
}

type fileInForm struct {
	part  *multipart.Part
	parts *multipart.Reader
	ended error // what every Read returns from here on
}

func (f *fileInForm) Read(p []byte) (int, error) {
	if f.ended != nil {
		return 0, f.ended
	}
	n, err := f.part.Read(p)
	if err == nil {
		return n, nil
	}
	if f.ended = io.EOF; err != io.EOF { //nolint:errorlint // a wrapped one is a form that broke off
		f.ended = formProblem(err)
	} else if _, err := f.parts.NextRawPart(); err == nil {
		f.ended = errForm
	} else if err != io.EOF { // of the form
		f.ended = formProblem(err)
	}
	return n, f.ended
}
