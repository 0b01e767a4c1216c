package web

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"slices"
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
	if err := checkQuery(c); err != nil {
		return err
	}
	name, err := param(c, "name")
	if err != nil {
		return err
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
		c.Response().Header().Set("Connection", "close")
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
	return respond(c, http.StatusCreated, struct {
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
	if err == io.EOF {
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
	if f.ended = io.EOF; err != io.EOF {
		f.ended = formProblem(err)
	} else if _, err := f.parts.NextRawPart(); err == nil {
		f.ended = errForm
	} else if err != io.EOF { // of the form
		f.ended = formProblem(err)
	}
	return n, f.ended
}
