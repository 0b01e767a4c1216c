package jobs

import "jobcast/jobs/job"

// The names of package job, which says what a job is.
type (
	ID            = job.ID
	State         = job.State
	EventType     = job.EventType
	Event         = job.Event
	Job           = job.Job
	Progress      = job.Progress
	Step          = job.Step
	Error         = job.Error
	Artifact      = job.Artifact
	LogInfo       = job.LogInfo
	LogLine       = job.LogLine
	LogChunk      = job.LogChunk
	Problem       = job.Problem
	ProblemField  = job.ProblemField
	Record        = job.Record
	Position      = job.Position
	Store         = job.Store
	Lease         = job.Lease
	StartRequest  = job.StartRequest
	CancelRequest = job.CancelRequest
	Outcome       = job.Outcome
	ListQuery     = job.ListQuery
	ListPage      = job.ListPage
	Sort          = job.Sort
	LogQuery      = job.LogQuery
	Changes       = job.Changes
	KindInfo      = job.KindInfo
)

// Its constants.
const (
	Scheduled               = job.Scheduled
	Queued                  = job.Queued
	Running                 = job.Running
	Completed               = job.Completed
	Failed                  = job.Failed
	Cancelled               = job.Cancelled
	EventQueued             = job.EventQueued
	EventStarted            = job.EventStarted
	EventProgress           = job.EventProgress
	EventStep               = job.EventStep
	EventCancelling         = job.EventCancelling
	EventCompleted          = job.EventCompleted
	EventFailed             = job.EventFailed
	EventCancelled          = job.EventCancelled
	CodeBadRequest          = job.CodeBadRequest
	CodeNotFound            = job.CodeNotFound
	CodeConflict            = job.CodeConflict
	CodeIdempotencyMismatch = job.CodeIdempotencyMismatch
	CodeTooLarge            = job.CodeTooLarge
	CodeTooManyRequests     = job.CodeTooManyRequests
	CodeUnavailable         = job.CodeUnavailable
	CodeForbidden           = job.CodeForbidden
	CodeInternal            = job.CodeInternal
	OutcomeCancelled        = job.OutcomeCancelled
	OutcomeCancelling       = job.OutcomeCancelling
	OutcomeAlreadyFinished  = job.OutcomeAlreadyFinished
	SortNewest              = job.SortNewest
	SortOldest              = job.SortOldest
	SortChanged             = job.SortChanged
	SortTitle               = job.SortTitle
	LeaseTime               = job.LeaseTime
)

// Its errors.
var (
	ErrNotFound = job.ErrNotFound
	ErrConflict = job.ErrConflict
	ErrClosed   = job.ErrClosed
	ErrFull     = job.ErrFull
	ErrBroken   = job.ErrBroken
)

// NewProblem is job.NewProblem.
func NewProblem(code, detail string) *Problem { return job.NewProblem(code, detail) }

// BadRequest is job.BadRequest.
func BadRequest(pointer, detail string) *Problem { return job.BadRequest(pointer, detail) }

// ProblemOf is job.ProblemOf.
func ProblemOf(err error) *Problem { return job.ProblemOf(err) }
