package engine

import (
	"slices"
	"time"

	"jobcast/jobs"
)

const (
	quietTimes = 3               // a worker is stalled that is quiet for so many times its usual gap
	quietFloor = 5 * time.Second // but not before this
	quietSigns = 4               // and not before it was heard so often
	gapWeight  = 0.3             // of the newest gap in the usual one
)

// signs are the signs of life of a worker: whatever it reports.
type signs struct {
	last time.Time
	n    int
	gap  float64 // seconds between two signs, as a moving average
}

// add takes note of one.
func (s *signs) add(now time.Time) {
	if s.n++; s.n == 2 {
		s.gap = now.Sub(s.last).Seconds()
	} else if s.n > 2 {
		s.gap += gapWeight * (now.Sub(s.last).Seconds() - s.gap)
	}
	s.last = now
}

// stalledAt is from when on the worker is stalled if nothing more is heard of it; zero if that cannot be said yet.
func (s *signs) stalledAt() time.Time {
	if s.n < quietSigns {
		return time.Time{}
	}
	return s.last.Add(max(quietFloor, time.Duration(quietTimes*s.gap*float64(time.Second))))
}

// quietAt is from when on the run is to be flagged as stalled; zero means never: it is flagged, or it waits for
// something, or is to end.
func (a *attempt) quietAt() time.Time {
	if a.stalled || a.run.place.away() {
		return time.Time{}
	}
	a.run.mu.Lock()
	defer a.run.mu.Unlock()
	if a.run.order != nil || a.run.mail.listening > 0 {
		return time.Time{}
	}
	return a.run.signs.stalledAt()
}

// storeSigns stores that the worker is quiet, or that it moves again where no other event says so.
func (a *attempt) storeSigns() error {
	a.run.mu.Lock()
	since := a.run.signs.last
	a.run.mu.Unlock()
	if at := a.quietAt(); !at.IsZero() && !time.Now().Before(at) {
		// The wall clock, which events are dated by, may be another one.
		when := a.engine.now().Add(-time.Since(since)).UTC().Truncate(time.Millisecond)
		a.stalled, a.quiet = true, since
		return a.put(jobs.EventStalled, jobs.DataStalled{Since: when}, func(j *jobs.Job) { j.Stalled, j.HeartbeatAt = true, &when })
	}
	if a.stalled && since.After(a.quiet) {
		p := new(jobs.Progress)
		if a.last.Job.Progress != nil {
			*p = *a.last.Job.Progress
		}
		p.Rate, p.EtaMs = nil, nil
		return a.put(jobs.EventProgress, p, func(j *jobs.Job) { j.Progress = p })
	}
	return nil
}

// moved clears the flag that the worker is quiet, as every event but that one does.
func (a *attempt) moved(typ jobs.EventType, j *jobs.Job) {
	if typ == jobs.EventStalled || typ == jobs.EventCancelling {
		return
	}
	j.Stalled, j.HeartbeatAt = false, nil
}

// beginStep adds a step to those whose times the job has, and ends the one before. The slice is a new one: older
// snapshots keep theirs.
func beginStep(j *jobs.Job, step jobs.Step, now time.Time) {
	steps := endStep(j.Steps, now)
	if len(steps) >= jobs.MaxSteps {
		steps = steps[len(steps)-jobs.MaxSteps+1:]
	}
	j.Steps = append(slices.Clip(steps), jobs.StepTime{Step: step, StartedAt: now})
}

// endStep returns the steps with the last one ended.
func endStep(steps []jobs.StepTime, now time.Time) []jobs.StepTime {
	if n := len(steps); n > 0 && steps[n-1].EndedAt == nil {
		steps = slices.Clone(steps)
		steps[n-1].EndedAt = &now
	}
	return steps
}

// usual adds to a running job how long those of its kind take.
func (e *Engine) usual(j *jobs.Job) {
	if j.State != jobs.Running || j.StartedAt == nil {
		return
	}
	if j.Usual = e.index.Usual(j.Kind); j.Usual != nil {
		j.Usual.Slow = e.now().Sub(*j.StartedAt).Milliseconds() > j.Usual.SlowMs
	}
}
