package jobs

import "encoding/json"

// StartRequest asks for a new job. Its fields and limits are those of the contract's StartRequest; a
// field that this server does not serve is refused by name, never ignored.
type StartRequest struct {
	Kind           string          `json:"kind"`
	Args           json.RawMessage `json:"args,omitempty"`
	ID             ID              `json:"id,omitempty"`
	IdempotencyKey string          `json:"idempotencyKey,omitempty"`
	MaxAttempts    int             `json:"maxAttempts,omitempty"`
	Tags           []string        `json:"tags,omitempty"`
	Subscribe      *bool           `json:"subscribe,omitempty"` // Socket.IO only; default true
	Logs           bool            `json:"logs,omitempty"`      // Socket.IO only
}

// CancelRequest asks a job to stop. Cancelling twice, or a finished job, is no error.
type CancelRequest struct {
	ID      ID     `json:"id"`
	Reason  string `json:"reason,omitempty"`
	GraceMs *int64 `json:"graceMs,omitempty"` // how long the worker may take; nil means 10,000
	Force   bool   `json:"force,omitempty"`   // do not wait for the worker at all
}

// Outcome is what a cancel did.
type Outcome string

const (
	OutcomeCancelled       Outcome = "cancelled"
	OutcomeCancelling      Outcome = "cancelling"
	OutcomeAlreadyFinished Outcome = "already_finished"
)

// ListQuery selects jobs, newest first.
type ListQuery struct {
	State  State  `json:"state,omitempty"`
	Kind   string `json:"kind,omitempty"`
	Tag    string `json:"tag,omitempty"`
	Query  string `json:"q,omitempty"`      // part of the id or the kind
	Limit  int    `json:"limit,omitempty"`  // 1 to 200; 0 means 50
	Cursor string `json:"cursor,omitempty"` // ListPage.Next of the page before
}

// ListPage is a part of a list. Its jobs come without Args and Result.
type ListPage struct {
	Jobs   []Job         `json:"jobs"`
	Next   string        `json:"next,omitempty"`
	Counts map[State]int `json:"counts"` // of all jobs, by state
}

// LogQuery selects log lines: those after line After, or the newest Tail.
type LogQuery struct {
	After int64 `json:"after,omitempty"`
	Tail  int   `json:"tail,omitempty"`  // 1 to 1,000; wins over After
	Limit int   `json:"limit,omitempty"` // 1 to 1,000 lines; 0 means 200
}

// Changes are the jobs whose newest state a list must show.
type Changes struct {
	Jobs    []Job         `json:"jobs"` // at most 200, without Args and Result
	Removed []ID          `json:"removed,omitempty"`
	Counts  map[State]int `json:"counts"`
}
