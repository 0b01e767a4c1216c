package jobs

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

func (p *Problem) Error() string { panic("skeleton") }

// BadRequest is a Problem with code bad_request that points at the wrong part, which may be empty.
func BadRequest(pointer, detail string) *Problem { panic("skeleton") }

// ProblemOf returns the Problem in err's tree, the one that ErrNotFound and its like stand for, or one
// with code internal that tells nothing.
func ProblemOf(err error) *Problem { panic("skeleton") }
