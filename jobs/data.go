package jobs

import "time"

// DataScheduled is the data of a job.scheduled event: the job waits for its time.
type DataScheduled struct {
	RunAt  time.Time `json:"runAt"`
	Reason string    `json:"reason,omitempty"` // why it waits; empty: it was started so
}

// DataRetrying is the data of a job.retrying event: the attempt has failed, and the next has its time.
type DataRetrying struct {
	Error   *Error    `json:"error"`
	Attempt int       `json:"attempt"` // the one that has failed
	RunAt   time.Time `json:"runAt"`   // when the next is queued
}

// DataStalled is the data of a job.stalled event.
type DataStalled struct {
	Since time.Time `json:"since"` // the last sign of life
}
