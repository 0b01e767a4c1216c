package jobs

import (
	"cmp"
	"time"
)

// DefaultQueue is the queue of a job whose request and whose kind name none.
const DefaultQueue = "default"

// QueueInfo is how a queue stands. Its limits hold for all servers together.
type QueueInfo struct {
	Name         string           `json:"name"`
	Paused       bool             `json:"paused"`
	Depth        int              `json:"depth"`                  // jobs that are queued
	ByPriority   map[Priority]int `json:"byPriority"`             // the same, by priority; every priority is there
	Running      int              `json:"running"`                // jobs that hold a slot
	Concurrency  int              `json:"concurrency,omitempty"`  // how many may; 0 means no limit
	Rate         string           `json:"rate,omitempty"`         // how many may begin, such as "10/m"; empty means no limit
	OldestWaitMs *int64           `json:"oldestWaitMs,omitempty"` // how long the oldest of the queued jobs has waited
}

// QueueRequest names a queue, to pause it or to let it go on. Pausing twice is no error. A paused queue takes jobs,
// and begins none; those that run go on.
type QueueRequest struct {
	Queue string `json:"queue,omitempty"` // empty means "default"
}

// UnmarshalJSON decodes a request from a client; what the client does not say stays as it is. The error is a *Problem
// with code bad_request that points at every wrong field.
func (r *QueueRequest) UnmarshalJSON(data []byte) error {
	return fields{"queue": &r.Queue}.decode(data, nil)
}

// Check holds the request against the contract's limits. The error is a *Problem.
func (r *QueueRequest) Check() error {
	if !namePattern.MatchString(r.Name()) {
		return BadRequest("/queue", wrongName)
	}
	return nil
}

// Name is the queue that is meant.
func (r *QueueRequest) Name() string { return cmp.Or(r.Queue, DefaultQueue) }

// WaitsFor is what keeps a job from running.
type WaitsFor string

// What a job can wait for. The first four are of a queued job, the others of one that runs.
const (
	WaitsForWorker   WaitsFor = "worker"   // no worker offers its kind
	WaitsForQueue    WaitsFor = "queue"    // its queue is paused
	WaitsForKey      WaitsFor = "key"      // another job of its concurrencyKey runs
	WaitsForSlot     WaitsFor = "slot"     // others come before it
	WaitsForChildren WaitsFor = "children" // its children have not finished
	WaitsForAnswer   WaitsFor = "answer"   // one of its questions is open
)

// Place is where a queued job stands, as those who watch it are told.
type Place struct {
	QueuePosition   int        `json:"queuePosition"`             // from 1, which is the next
	ExpectedStartAt *time.Time `json:"expectedStartAt,omitempty"` // nil: nobody can tell
	WaitsFor        WaitsFor   `json:"waitsFor,omitempty"`
}
