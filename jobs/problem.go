package jobs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"syscall"

	"jobcast/jobs/internal/text"
)

// What a Problem has at most when a client gets it, so that a refusal is small whatever was asked. Texts are
// in bytes.
const (
	maxNamed  = 16 // wrong parts of a request; how many more there are is said in words
	maxDetail = 2000
	maxPart   = 300 // a pointer, what is wrong there, an instance
)

// Problem is an error as a client sees it (RFC 9457): the body of an HTTP answer with the type
// application/problem+json, and the error field of a refused acknowledgement.
type Problem struct {
	Type         string         `json:"type"` // urn:jobs:problem:<code>
	Title        string         `json:"title"`
	Status       int            `json:"status"`
	Detail       string         `json:"detail,omitempty"`
	Instance     string         `json:"instance,omitempty"`
	Code         string         `json:"code"`
	RetryAfterMs int64          `json:"retryAfterMs,omitempty"`
	Errors       []ProblemField `json:"errors,omitempty"`

	err error // for our log; never sent
}

// ProblemField points at one wrong part of a request by a JSON pointer, such as "/args/path".
type ProblemField struct {
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
}

// The codes of a Problem.
const (
	CodeBadRequest          = "bad_request"
	CodeNotFound            = "not_found"
	CodeConflict            = "conflict"
	CodeIdempotencyMismatch = "idempotency_mismatch"
	CodeTooLarge            = "too_large"
	CodeTooManyRequests     = "too_many_requests"
	CodeUnavailable         = "unavailable"
	CodeForbidden           = "forbidden"
	CodeInternal            = "internal"
)

// problemKinds has the status and the title of each code.
var problemKinds = map[string]struct {
	status int
	title  string
}{
	CodeBadRequest:          {http.StatusBadRequest, "The request is wrong"},
	CodeNotFound:            {http.StatusNotFound, "Not found"},
	CodeConflict:            {http.StatusConflict, "The request does not fit the present state"},
	CodeIdempotencyMismatch: {http.StatusUnprocessableEntity, "Idempotency key was used with another request"},
	CodeTooLarge:            {http.StatusRequestEntityTooLarge, "Too large"},
	CodeTooManyRequests:     {http.StatusTooManyRequests, "Too many requests"},
	CodeUnavailable:         {http.StatusServiceUnavailable, "Not available now"},
	CodeForbidden:           {http.StatusForbidden, "Not allowed"},
	CodeInternal:            {http.StatusInternalServerError, "Something went wrong here"},
}

// NewProblem is a Problem with one of the codes above, and with its status and title. detail, which may
// be empty, is shown to the client.
func NewProblem(code, detail string) *Problem {
	kind, ok := problemKinds[code]
	if !ok {
		kind = problemKinds[CodeInternal]
	}
	return &Problem{Type: "urn:jobs:problem:" + code, Title: kind.title, Status: kind.status, Code: code, Detail: detail}
}

func (p *Problem) Error() string {
	if p.Detail == "" {
		return p.Title
	}
	return p.Title + ": " + p.Detail
}

// Unwrap returns the error behind the problem, if there is one. Clients never see it.
func (p *Problem) Unwrap() error { return p.err }

// brief is the problem within its bounds: itself, or a cut copy.
func (p *Problem) brief() *Problem {
	short := *p
	short.Detail, short.Instance = ellipsis(p.Detail, maxDetail), ellipsis(p.Instance, maxPart)
	short.Errors = p.Errors[:min(maxNamed, len(p.Errors))]
	same := short.Detail == p.Detail && short.Instance == p.Instance && len(short.Errors) == len(p.Errors)
	for i, f := range short.Errors {
		cut := ProblemField{ellipsis(f.Pointer, maxPart), ellipsis(f.Detail, maxPart)}
		if cut == f {
			continue
		}
		if same = false; &short.Errors[0] == &p.Errors[0] {
			short.Errors = slices.Clone(short.Errors)
		}
		short.Errors[i] = cut
	}
	if same {
		return p
	}
	return &short
}

// ellipsis returns at most n bytes of s, and shows that there was more.
func ellipsis(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return text.Bytes(s, n-len("…")) + "…"
}

// BadRequest is a Problem with code bad_request that points at the wrong part, which may be empty.
func BadRequest(pointer, detail string) *Problem {
	p := NewProblem(CodeBadRequest, detail)
	if pointer != "" {
		p.Errors = []ProblemField{{Pointer: pointer, Detail: detail}}
	}
	return p
}

// ProblemOf returns the Problem in err's tree, the one that ErrNotFound and its like stand for, or one
// with code internal that tells nothing. It returns nil for nil. What is too long in it is cut.
func ProblemOf(err error) *Problem {
	if err == nil {
		return nil
	}
	if p, ok := errors.AsType[*Problem](err); ok {
		return p.brief()
	}
	var p *Problem
	switch {
	case errors.Is(err, ErrNotFound):
		p = NewProblem(CodeNotFound, "")
		p.Title = "No such job"
	case errors.Is(err, ErrConflict):
		p = NewProblem(CodeConflict, "the job has changed meanwhile")
	case errors.Is(err, ErrClosed):
		p = NewProblem(CodeUnavailable, "the server is shutting down")
		p.RetryAfterMs = 1000
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		p = NewProblem(CodeUnavailable, "the job store did not answer in time")
		p.RetryAfterMs = 1000
	case errors.Is(err, ErrFull):
		p = NewProblem(CodeUnavailable, "the job store is full")
	case errors.Is(err, ErrBroken):
		p = NewProblem(CodeUnavailable, "the job store cannot use its disk, and goes on as soon as it can; whoever runs the server must look at it")
		p.RetryAfterMs = 10_000
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		p = NewProblem(CodeUnavailable, "the disk is full")
	default:
		p = NewProblem(CodeInternal, "")
	}
	p.err = err
	return p
}

// NoJob is the Problem of an id that no job has.
func NoJob(id ID) *Problem {
	p := ProblemOf(ErrNotFound)
	p.Detail = fmt.Sprintf("there is no job %q", id)
	return p
}
