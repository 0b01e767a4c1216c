package engine

import "jobcast/jobs"

// edge is one way that a job can go: an event that leads from a state to a state. The state before the first event is
// the empty one.
type edge struct {
	from  jobs.State
	event jobs.EventType
	to    jobs.State
}

// life has every way that a job can go, but for the events that leave a running job running, which are said by
// its worker, or to it: see within. The diagram in docs/jobs.md shows the same, and a test holds the two together.
var life = map[edge]bool{
	{"", jobs.EventScheduled, jobs.Scheduled}: true,
	{"", jobs.EventQueued, jobs.Queued}:       true,

	{jobs.Scheduled, jobs.EventQueued, jobs.Queued}:       true, // its time has come
	{jobs.Scheduled, jobs.EventCancelled, jobs.Cancelled}: true,

	{jobs.Queued, jobs.EventStarted, jobs.Running}:     true,
	{jobs.Queued, jobs.EventCancelled, jobs.Cancelled}: true,

	{jobs.Running, jobs.EventQueued, jobs.Queued}:       true, // its server stops, or is gone
	{jobs.Running, jobs.EventRetrying, jobs.Scheduled}:  true,
	{jobs.Running, jobs.EventCompleted, jobs.Completed}: true,
	{jobs.Running, jobs.EventFailed, jobs.Failed}:       true,
	{jobs.Running, jobs.EventCancelled, jobs.Cancelled}: true,
}

// wrongWay is logged where a job goes a way that is not in its life, which is a mistake of this package.
const wrongWay = "a job goes a way that it must not"

// allowed reports whether an event may lead from one state to another.
func allowed(from jobs.State, event jobs.EventType, to jobs.State) bool {
	return life[edge{from, event, to}] || within(from, event, to)
}

// within reports whether an event leaves a job where it is. A message may come to a job that does not run.
func within(from jobs.State, event jobs.EventType, to jobs.State) bool {
	if from != to || from == "" || from.Terminal() {
		return false
	}
	switch event {
	case jobs.EventScheduled, jobs.EventQueued, jobs.EventStarted, jobs.EventRetrying, jobs.EventCompleted, jobs.EventFailed, jobs.EventCancelled:
		return false
	}
	return from == jobs.Running || event == jobs.EventMessage
}
