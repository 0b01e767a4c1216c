package jobs

import (
	"cmp"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"
)

// Limits of a ScheduleRequest.
const (
	minEveryMs    = 1000
	maxCronLength = 200 // characters
	maxZoneLength = 64  // bytes
)

// Overlap says what becomes of a tick while the job of an earlier one has not finished.
type Overlap string

// The overlaps. The empty one is OverlapSkip.
const (
	OverlapSkip   Overlap = "skip"   // the tick makes no job
	OverlapQueue  Overlap = "queue"  // its job waits for the earlier one
	OverlapCancel Overlap = "cancel" // the earlier one is cancelled
)

// ScheduleRequest puts a schedule: one that is new, or another one in place of that with the same id. Either Cron or
// EveryMs is given.
type ScheduleRequest struct {
	ID       ID           `json:"id"`
	Cron     string       `json:"cron,omitempty"`     // five fields, minute to day of the week, such as "30 4 * * 1"; 1 to 200 characters
	EveryMs  int64        `json:"everyMs,omitempty"`  // 1,000 at least, ten years at most
	Timezone string       `json:"timezone,omitempty"` // of Cron, a name of the IANA time zone database, such as "Europe/Berlin"; empty means "UTC"
	Overlap  Overlap      `json:"overlap,omitempty"`  // empty means skip
	Paused   bool         `json:"paused,omitempty"`   // its ticks make no jobs; it can be run by hand
	Start    StartRequest `json:"start"`              // the job of each tick: without id, idempotencyKey, parentId, runAt, delayMs, subscribe and logs
}

// UnmarshalJSON decodes a request from a client; what the client does not say stays as it is. The error is a *Problem
// with code bad_request that points at every wrong field.
func (r *ScheduleRequest) UnmarshalJSON(data []byte) error {
	return fields{
		"id": &r.ID, "cron": &r.Cron, "everyMs": &r.EveryMs, "timezone": &r.Timezone, "overlap": &r.Overlap,
		"paused": &r.Paused, "start": &r.Start,
	}.decode(data, func(name string) string {
		if name == "everyMs" && r.EveryMs == 0 {
			return wrongEvery
		}
		return ""
	})
}

var wrongEvery = fmt.Sprintf("must be %d to %d", minEveryMs, maxAheadMs)

// Check holds the request against the contract's limits; who reads Cron says whether it is right. The error is a
// *Problem.
func (r *ScheduleRequest) Check() error {
	var wrong []ProblemField
	refuse := func(pointer, detail string) { wrong = append(wrong, ProblemField{pointer, detail}) }
	if !r.ID.Valid() {
		refuse("/id", wrongID)
	}
	if (r.Cron == "") == (r.EveryMs == 0) {
		refuse("/cron", "must be given, or everyMs, but not both")
	}
	if utf8.RuneCountInString(r.Cron) > maxCronLength {
		refuse("/cron", fmt.Sprintf("must have at most %d characters", maxCronLength))
	}
	if r.EveryMs != 0 && (r.EveryMs < minEveryMs || r.EveryMs > maxAheadMs) {
		refuse("/everyMs", wrongEvery)
	}
	if _, err := r.Location(); err != nil {
		refuse("/timezone", "must be a name of the IANA time zone database, such as Europe/Berlin or UTC")
	}
	if !slices.Contains([]Overlap{"", OverlapSkip, OverlapQueue, OverlapCancel}, r.Overlap) {
		refuse("/overlap", "must be one of skip, queue, cancel")
	}
	for name, given := range map[string]bool{
		"id": r.Start.ID != "", "idempotencyKey": r.Start.IdempotencyKey != "", "parentId": r.Start.ParentID != "",
		"runAt": r.Start.RunAt != nil, "delayMs": r.Start.DelayMs != 0, "subscribe": r.Start.Subscribe != nil, "logs": r.Start.Logs,
	} {
		if given {
			refuse("/start/"+name, "cannot be given in a schedule")
		}
	}
	if err := r.Start.Check(); err != nil {
		p := ProblemOf(err)
		if p.Code != CodeBadRequest {
			short := *p
			short.Errors = within("/start", p)
			return &short
		}
		wrong = append(wrong, within("/start", p)...)
	}
	return badFields(wrong)
}

// Location is the time zone of Cron.
func (r *ScheduleRequest) Location() (*time.Location, error) {
	if r.Timezone == "Local" || len(r.Timezone) > maxZoneLength {
		return nil, fmt.Errorf("jobs: %.64q cannot be the time zone of a schedule", r.Timezone)
	}
	return time.LoadLocation(cmp.Or(r.Timezone, "UTC"))
}

// Schedule is a schedule as the server keeps it. Its first fields are those of the ScheduleRequest.
type Schedule struct {
	ID        ID           `json:"id"`
	Cron      string       `json:"cron,omitempty"`
	EveryMs   int64        `json:"everyMs,omitempty"`
	Timezone  string       `json:"timezone"`
	Overlap   Overlap      `json:"overlap"`
	Paused    bool         `json:"paused"`
	Start     StartRequest `json:"start"`
	CreatedAt time.Time    `json:"createdAt"`
	UpdatedAt time.Time    `json:"updatedAt"`           // when it was last put
	NextAt    *time.Time   `json:"nextAt,omitempty"`    // its next tick; nil: it is paused, or has none
	LastAt    *time.Time   `json:"lastAt,omitempty"`    // its newest tick that made a job
	LastJobID ID           `json:"lastJobId,omitempty"` // that job
}

// Tick says of a job which tick of which schedule has made it.
type Tick struct {
	ID   ID        `json:"id"`             // the schedule's
	Tick time.Time `json:"tick"`           // when it was due; of one that was run by hand, when that was
	Late bool      `json:"late,omitempty"` // no server ran when it was due; of several such ticks the newest made a job
}

// ScheduleRef names a schedule, to remove it or to run it now.
type ScheduleRef struct {
	ID ID `json:"id"`
}

// UnmarshalJSON decodes a request from a client; what the client does not say stays as it is. The error is a *Problem
// with code bad_request that points at every wrong field.
func (r *ScheduleRef) UnmarshalJSON(data []byte) error {
	return fields{"id": &r.ID}.decode(data, nil)
}

// Check holds the request against the contract's limits. The error is a *Problem.
func (r *ScheduleRef) Check() error {
	if !r.ID.Valid() {
		return BadRequest("/id", wrongID)
	}
	return nil
}

// NoSchedule is the Problem of an id that no schedule has.
func NoSchedule(id ID) *Problem {
	p := NewProblem(CodeNotFound, fmt.Sprintf("there is no schedule %q", id))
	p.Title = "No such schedule"
	return p
}
