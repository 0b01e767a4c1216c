package engine

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"jobcast/jobs"
)

const (
	// lateAfter is how long after its time a tick that comes then is called late.
	lateAfter = 10 * time.Second
	// minTickRetention is how long the job of a tick is kept at least: that it is there says that the tick was served.
	minTickRetention = time.Minute
)

// fireSchedules serves all ticks that are due, and returns how long to wait for the next; zero if none waits.
func (e *Engine) fireSchedules() time.Duration {
	due, wait := e.schedules.due(e.now())
	for _, id := range due {
		if e.taking.Err() != nil {
			return wait
		}
		if err := e.fire(id); err != nil && e.taking.Err() == nil {
			e.log.Warn("cannot serve a tick of a schedule; it is tried again", "schedule", id, "err", err)
			e.schedules.later(id, retryAfter)
		}
	}
	if len(due) > 0 {
		_, wait = e.schedules.due(e.now())
		wait = max(wait, time.Millisecond)
	}
	return wait
}

// fire serves what is due of a schedule: the tick that is pending, or else the newest that has come.
func (e *Engine) fire(id jobs.ID) error {
	s := e.schedules.get(id)
	if s == nil || s.wrong != nil {
		return nil
	}
	if s.Pending != nil {
		return e.settle(e.base, s)
	}
	if _, ok := e.workers[s.Schedule.Start.Kind]; !ok { // a server that has the kind serves the tick, now or when there is one
		e.schedules.later(id, jobs.LeaseTime)
		return nil
	}
	now := e.now()
	tick, others, ok := s.ticks.Newest(s.After, now)
	if !ok {
		return nil
	}
	next := s.scheduleCell
	next.After = tick
	earlier, err := e.unfinished(s.Schedule.LastJobID, s.Schedule.Overlap)
	if err != nil {
		return err
	}
	if earlier && s.Schedule.Overlap == jobs.OverlapSkip {
		e.log.Debug("a tick makes no job, since that of an earlier one has not finished", "schedule", id, "job", s.Schedule.LastJobID)
		_, err := e.putSchedule(e.base, next, s.pos)
		return err
	}
	next.Pending = &pendingTick{Tick: tick, JobID: tickID(&s.Schedule, tick), Late: others || tick.Before(e.schedules.since) || now.Sub(tick) > lateAfter}
	if earlier {
		next.Pending.Cancel = s.Schedule.LastJobID
	}
	s, err = e.putSchedule(e.base, next, s.pos)
	if err != nil || s == nil {
		return err
	}
	return e.settle(e.base, s)
}

// unfinished reports whether the job of an earlier tick has not finished, where that matters.
func (e *Engine) unfinished(id jobs.ID, overlap jobs.Overlap) (bool, error) {
	if id == "" || overlap == jobs.OverlapQueue {
		return false, nil
	}
	last, _, err := e.last(e.base, id)
	if errors.Is(err, jobs.ErrNotFound) {
		return false, nil
	}
	return err == nil && !last.Job.State.Terminal(), err
}

// settle makes the job of the tick that is pending, if it is not there, and says so in the cell.
func (e *Engine) settle(ctx context.Context, s *schedule) error {
	p := s.Pending
	if p.Cancel != "" {
		_, _, err := e.cancel(ctx, jobs.CancelRequest{ID: p.Cancel, Reason: "the next tick of its schedule has come"})
		if err != nil && !errors.Is(err, jobs.ErrNotFound) {
			return fmt.Errorf("cancel the job of the earlier tick: %w", err)
		}
	}
	req := e.tickRequest(&s.Schedule, jobs.Tick{ID: s.Schedule.ID, Tick: p.Tick, Late: p.Late || e.now().Sub(p.Tick) > lateAfter})
	_, _, err := e.create(ctx, p.JobID, req)
	if problem, ok := errors.AsType[*jobs.Problem](err); ok && (problem.Code == jobs.CodeConflict || problem.Code == jobs.CodeIdempotencyMismatch) {
		// Somebody has used the id for another job. It cannot be made, and the schedule goes on.
		e.log.Error("a tick has no job, since its id is another job's", "schedule", s.Schedule.ID, "job", p.JobID, "err", problem)
	} else if err != nil {
		return err
	}
	next := s.scheduleCell
	next.Pending = nil
	next.Schedule.LastAt, next.Schedule.LastJobID = &p.Tick, p.JobID
	_, err = e.putSchedule(ctx, next, s.pos)
	return err
}

// tickRequest is the request for the job of a tick.
func (e *Engine) tickRequest(s *jobs.Schedule, tick jobs.Tick) jobs.StartRequest {
	req := s.Start
	req.Schedule = &tick
	if s.Overlap != jobs.OverlapSkip {
		req.ConcurrencyKey = cmp.Or(req.ConcurrencyKey, "schedule:"+string(s.ID))
	}
	if worker, ok := e.workers[req.Kind]; ok && req.Title == "" {
		req.Title = worker.Title(req.Args)
	}
	if req.RetentionMs != nil {
		req.RetentionMs = new(max(*req.RetentionMs, minTickRetention.Milliseconds()))
	}
	return req
}

// tickID is the id of the job of a tick: on every server the same, and never that of a schedule that was removed and
// made anew.
func tickID(s *jobs.Schedule, tick time.Time) jobs.ID {
	return hashID("s", fmt.Sprintf("jobs: tick of a schedule\x00%s\x00%d\x00%d", s.ID, s.CreatedAt.UnixMilli(), tick.UnixMilli()))
}

func hashID(prefix, of string) jobs.ID {
	sum := sha256.Sum256([]byte(of))
	return jobs.ID(prefix + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:20]))
}

// putSchedule stores what becomes of a schedule whose newest version so far is at after. Where somebody else was
// faster it returns nil, and takes in what they have written.
func (e *Engine) putSchedule(ctx context.Context, next scheduleCell, after jobs.Position) (*schedule, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	key := string(next.Schedule.ID)
	value, err := json.Marshal(next)
	if err != nil {
		return nil, fmt.Errorf("encode schedule: %w", err)
	}
	pos, err := e.store.PutCell(ctx, scheduleGroup, key, value, after)
	if err == nil {
		s := e.schedules.learn(jobs.Cell{Group: scheduleGroup, Key: key, Value: value, Position: pos})
		if s == nil || s.pos != pos {
			return nil, nil //nolint:nilnil // somebody else has written meanwhile
		}
		e.timekeeper.look()
		return s, nil
	}
	if !errors.Is(err, jobs.ErrConflict) {
		return nil, err
	}
	_, err = e.readScheduleCell(ctx, next.Schedule.ID)
	if errors.Is(err, jobs.ErrNotFound) {
		e.schedules.forget(next.Schedule.ID, after)
		err = nil
	}
	return nil, err
}

// readScheduleCell reads the newest version of a schedule.
func (e *Engine) readScheduleCell(ctx context.Context, id jobs.ID) (*schedule, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	cell, err := e.store.Cell(ctx, scheduleGroup, string(id))
	if err != nil {
		return nil, err
	}
	if s := e.schedules.learn(cell); s != nil && s.pos == cell.Position {
		return s, nil
	}
	return readSchedule(cell), nil // a newer one is known, and will be in the way of who writes after this one
}
