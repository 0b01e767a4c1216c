package jobs

import (
	"fmt"
	"time"
	"unicode/utf8"
)

// DefaultGrace is how long a worker may take to return after a cancel.
const DefaultGrace = 10 * time.Second

// Limits of a CancelRequest.
const (
	maxReasonLength = 500 // characters
	maxGraceMs      = 600_000
)

// CancelRequest asks a job to stop. Cancelling twice, or a finished job, is no error.
type CancelRequest struct {
	ID      ID     `json:"id"`
	Reason  string `json:"reason,omitempty"`
	GraceMs *int64 `json:"graceMs,omitempty"` // how long the worker may take; nil means 10,000
	Force   bool   `json:"force,omitempty"`   // do not wait for the worker at all
}

// UnmarshalJSON decodes a request from a client; what the client does not say stays as it is. The error is a *Problem
// with code bad_request that points at every wrong field.
func (r *CancelRequest) UnmarshalJSON(data []byte) error {
	return fields{"id": &r.ID, "reason": &r.Reason, "graceMs": &r.GraceMs, "force": &r.Force}.decode(data, nil)
}

// Check holds the request against the contract's limits. The error is a *Problem.
func (r *CancelRequest) Check() error {
	var wrong []ProblemField
	if !r.ID.Valid() {
		wrong = append(wrong, ProblemField{"/id", wrongID})
	}
	if utf8.RuneCountInString(r.Reason) > maxReasonLength {
		wrong = append(wrong, ProblemField{"/reason", fmt.Sprintf("must have at most %d characters", maxReasonLength)})
	}
	if r.GraceMs != nil && (*r.GraceMs < 0 || *r.GraceMs > maxGraceMs) {
		wrong = append(wrong, ProblemField{"/graceMs", fmt.Sprintf("must be 0 to %d", maxGraceMs)})
	}
	return badFields(wrong)
}

// Outcome is what a cancel did.
type Outcome string

// The outcomes of a cancel. A job that is cancelling has its worker told, and will be cancelled unless
// the worker completes it first.
const (
	OutcomeCancelled       Outcome = "cancelled"
	OutcomeCancelling      Outcome = "cancelling"
	OutcomeAlreadyFinished Outcome = "already_finished"
)

// Grace is how long the worker may take.
func (r *CancelRequest) Grace() time.Duration {
	switch {
	case r.Force:
		return 0
	case r.GraceMs == nil:
		return DefaultGrace
	}
	return time.Duration(*r.GraceMs) * time.Millisecond
}
