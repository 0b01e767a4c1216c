package engine

import (
	"cmp"
	"slices"
	"time"

	"jobcast/jobs"
)

// defaultRetries is how often a job is tried whose kind or request has a backoff and no number of attempts.
const defaultRetries = 3

// created is the first event of a job, and the rules by which it is run: what the request says goes before what its
// kind says.
func created(id jobs.ID, req *jobs.StartRequest, kind jobs.Defaults, now time.Time) (verdict, *jobs.Rules) {
	rules := &jobs.Rules{Backoff: req.Backoff, RetentionMs: req.RetentionMs}
	if rules.Backoff == nil {
		rules.Backoff = kind.Backoff
	}
	if rules.RetentionMs == nil && kind.Retention > 0 {
		rules.RetentionMs = new(kind.Retention.Milliseconds())
	}
	attempts := cmp.Or(req.MaxAttempts, kind.MaxAttempts)
	switch {
	case attempts != 0:
	case rules.Backoff != nil:
		attempts = defaultRetries
	default:
		attempts = 1
	}
	job := jobs.Job{
		ID: id, Kind: req.Kind, Title: req.Title, Queue: cmp.Or(req.Queue, kind.Queue, jobs.DefaultQueue), State: jobs.Queued,
		MaxAttempts: attempts, TimeoutMs: cmp.Or(req.TimeoutMs, kind.Timeout.Milliseconds()), ConcurrencyKey: req.ConcurrencyKey,
		Tags: slices.Clone(req.Tags), RetryOf: req.RetryOf, ParentID: req.ParentID, RootID: req.RootID, Schedule: req.Schedule,
	}
	if req.Priority != jobs.PriorityDefault {
		job.Priority = req.Priority
	}
	if *rules == (jobs.Rules{}) {
		rules = nil
	}
	at := now.Add(time.Duration(req.DelayMs) * time.Millisecond)
	if req.RunAt != nil {
		at = *req.RunAt
	}
	v := verdict{jobs.EventQueued, nil, func(j *jobs.Job) { *j = job }}
	if at.After(now) {
		at = at.UTC().Truncate(time.Millisecond)
		job.State, job.RunAt = jobs.Scheduled, &at
		v.event, v.data = jobs.EventScheduled, jobs.DataScheduled{RunAt: at}
	}
	return v, rules
}
