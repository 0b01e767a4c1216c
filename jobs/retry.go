package jobs

import (
	"encoding/json"
	"fmt"
)

// RetryRequest starts a finished job again, as a new job with its RetryOf. The old one stays as it is. A job that has
// not finished is refused with code conflict.
type RetryRequest struct {
	ID   ID              `json:"id"`
	Args json.RawMessage `json:"args,omitempty"` // other arguments; without them, those of the old job
}

// UnmarshalJSON decodes a request from a client; what the client does not say stays as it is. The error is a *Problem
// with code bad_request that points at every wrong field.
func (r *RetryRequest) UnmarshalJSON(data []byte) error {
	return fields{"id": &r.ID, "args": &r.Args}.decode(data, nil)
}

// Check holds the request against the contract's limits. The error is a *Problem.
func (r *RetryRequest) Check() error {
	var wrong []ProblemField
	if !r.ID.Valid() {
		wrong = append(wrong, ProblemField{"/id", wrongID})
	}
	if p := tooLargeArgs(r.Args); p != nil {
		return p
	}
	if len(r.Args) > 0 && !json.Valid(r.Args) {
		wrong = append(wrong, ProblemField{"/args", "is not JSON"})
	}
	return badFields(wrong)
}

// NotFinished is the Problem of a request that only a finished job can meet, such as to retry it or to remove it.
func NotFinished(id ID, state State) *Problem {
	return NewProblem(CodeConflict, fmt.Sprintf("job %q has not finished: it is %s", id, state))
}
