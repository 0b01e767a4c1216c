package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"jobcast/jobs"
)

// maxPuts is how often a change of a schedule is tried while others change it too.
const maxPuts = 20

// Schedules has all schedules, sorted by id, out of the memory of this node.
func (e *Engine) Schedules() []jobs.Schedule { return e.schedules.list() }

// PutSchedule makes a schedule, or another one in place of that with the same id; created says which. It keeps when
// that was made, from which EveryMs is counted, and its newest tick. What is past is not made up for: its ticks come
// after this call. The error is a *Problem; it points into the request.
func (e *Engine) PutSchedule(ctx context.Context, req jobs.ScheduleRequest) (s jobs.Schedule, created bool, err error) {
	if err := req.Check(); err != nil {
		return jobs.Schedule{}, false, err
	}
	if err := e.checkStart(ctx, req.Start); err != nil {
		return jobs.Schedule{}, false, err
	}
	now := e.now().UTC().Truncate(time.Millisecond) // as it is in the id of its jobs
	next := scheduleCell{After: now, Schedule: jobs.Schedule{
		ID: req.ID, Cron: req.Cron, EveryMs: req.EveryMs, Timezone: cmp.Or(req.Timezone, "UTC"), Overlap: cmp.Or(req.Overlap, jobs.OverlapSkip),
		Paused: req.Paused, Start: req.Start, CreatedAt: now, UpdatedAt: now,
	}}
	if _, err := ticksOf(&next.Schedule); err != nil {
		return jobs.Schedule{}, false, err
	}
	if err := checkCellSize(next); err != nil {
		return jobs.Schedule{}, false, err
	}
	for range maxPuts {
		if e.taking.Err() != nil {
			return jobs.Schedule{}, false, jobs.ProblemOf(jobs.ErrClosed)
		}
		old, err := e.settled(ctx, req.ID)
		after := jobs.Position(0)
		switch {
		case errors.Is(err, jobs.ErrNotFound) && e.schedules.count() >= maxSchedules:
			return jobs.Schedule{}, false, jobs.NewProblem(jobs.CodeConflict, fmt.Sprintf("there are %d schedules, and no more are taken; remove one first", maxSchedules))
		case errors.Is(err, jobs.ErrNotFound):
		case err != nil:
			return jobs.Schedule{}, false, jobs.ProblemOf(err)
		default:
			after = old.pos
			if !old.Schedule.CreatedAt.IsZero() {
				next.Schedule.CreatedAt = old.Schedule.CreatedAt
			}
			next.Schedule.LastAt, next.Schedule.LastJobID = old.Schedule.LastAt, old.Schedule.LastJobID
			if old.After.After(now) { // the clock was set back: what has come does not come again
				next.After = old.After
			}
		}
		stored, err := e.putSchedule(ctx, next, after)
		if err != nil {
			return jobs.Schedule{}, false, jobs.ProblemOf(err)
		}
		if stored != nil {
			e.log.Info("a schedule was put", "schedule", req.ID, "kind", req.Start.Kind, "paused", req.Paused)
			return stored.shown(), after == 0, nil
		}
	}
	return jobs.Schedule{}, false, jobs.NewProblem(jobs.CodeConflict, "others change the schedule all the time; try again")
}

// checkStart refuses a job that could not be started, with pointers into the request of a schedule.
func (e *Engine) checkStart(ctx context.Context, start jobs.StartRequest) error {
	worker, ok := e.workers[start.Kind]
	if !ok {
		return inStart(e.noKind(start.Kind))
	}
	return inStart(problemOrNil(worker.Check(ctx, start.Args)))
}

// inStart is a problem of a StartRequest as one of the request that it stands in.
func inStart(err error) error {
	if err == nil {
		return nil
	}
	p := *jobs.ProblemOf(err)
	fields := make([]jobs.ProblemField, len(p.Errors))
	for i, f := range p.Errors {
		fields[i] = jobs.ProblemField{Pointer: "/start" + f.Pointer, Detail: f.Detail}
	}
	p.Errors = fields
	return &p
}

// checkCellSize refuses what a cell cannot hold together with what comes to it.
func checkCellSize(c scheduleCell) error {
	const rest = 1 << 10
	value, err := json.Marshal(c)
	if err != nil {
		return jobs.BadRequest("/start", fmt.Sprintf("cannot be stored: %v", err))
	}
	if len(value) <= jobs.MaxCellBytes-rest {
		return nil
	}
	p := jobs.NewProblem(jobs.CodeTooLarge, fmt.Sprintf("the schedule has %d bytes; at most %d are kept", len(value), jobs.MaxCellBytes-rest))
	p.Errors = []jobs.ProblemField{{Pointer: "/start/args", Detail: p.Detail}}
	return p
}

// settled reads a schedule, after the tick that was pending has its job. It returns ErrNotFound if it is not there.
func (e *Engine) settled(ctx context.Context, id jobs.ID) (*schedule, error) {
	for {
		s, err := e.readScheduleCell(ctx, id)
		if err != nil || s.Pending == nil {
			return s, err
		}
		if err := e.settle(ctx, s); err != nil {
			return nil, err
		}
	}
}

// RemoveSchedule removes a schedule. The jobs that it has made stay. The error is a *Problem.
func (e *Engine) RemoveSchedule(ctx context.Context, ref jobs.ScheduleRef) error {
	if err := ref.Check(); err != nil {
		return err
	}
	for range maxPuts {
		s, err := e.settled(ctx, ref.ID)
		if errors.Is(err, jobs.ErrNotFound) {
			return jobs.NoSchedule(ref.ID)
		}
		if err != nil {
			return jobs.ProblemOf(err)
		}
		deleting, cancel := context.WithTimeout(ctx, storeTimeout)
		err = e.store.DeleteCell(deleting, scheduleGroup, string(ref.ID), s.pos)
		cancel()
		switch {
		case errors.Is(err, jobs.ErrConflict):
			continue
		case err != nil && !errors.Is(err, jobs.ErrNotFound):
			return jobs.ProblemOf(err)
		}
		e.schedules.forget(ref.ID, s.pos)
		e.log.Info("a schedule was removed", "schedule", ref.ID)
		return nil
	}
	return jobs.NewProblem(jobs.CodeConflict, "others change the schedule all the time; try again")
}

// RunSchedule makes a job of a schedule now, whether it is paused or not, and whatever became of its ticks. key, which
// may be empty, is an idempotency key: the same one leads to the same job. from is the address of the client, whose
// starts are limited; it may be empty. The error is a *Problem.
func (e *Engine) RunSchedule(ctx context.Context, ref jobs.ScheduleRef, key, from string) (job jobs.Job, created bool, err error) {
	if err := ref.Check(); err != nil {
		return jobs.Job{}, false, err
	}
	if err := e.starts.mayStart(from); err != nil {
		return jobs.Job{}, false, err
	}
	s, err := e.readScheduleCell(ctx, ref.ID)
	if errors.Is(err, jobs.ErrNotFound) {
		return jobs.Job{}, false, jobs.NoSchedule(ref.ID)
	}
	if err != nil {
		return jobs.Job{}, false, jobs.ProblemOf(err)
	}
	id := jobs.ID(ulid.Make().String())
	if key != "" {
		id = hashID("k", fmt.Sprintf("jobs: run of a schedule\x00%s\x00%s", ref.ID, key))
		last, _, err := e.last(ctx, id)
		if !errors.Is(err, jobs.ErrNotFound) {
			return last.Job, false, problemOrNil(err)
		}
	}
	worker, ok := e.workers[s.Schedule.Start.Kind]
	if !ok {
		return jobs.Job{}, false, jobs.NewProblem(jobs.CodeUnavailable, e.noKind(s.Schedule.Start.Kind).Detail)
	}
	if err := worker.Check(ctx, s.Schedule.Start.Args); err != nil {
		return jobs.Job{}, false, jobs.ProblemOf(err)
	}
	tick := jobs.Tick{ID: ref.ID, Tick: e.now().UTC().Truncate(time.Millisecond)}
	job, created, err = e.create(ctx, id, e.tickRequest(&s.Schedule, tick))
	return job, created, problemOrNil(err)
}
