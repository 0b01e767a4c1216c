package engine

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"jobcast/jobs"
	"jobcast/jobs/engine/internal/ticks"
)

const (
	scheduleGroup = "schedule" // of cells, one for each schedule, by its id
	maxSchedules  = 1000       // one more is refused
	othersTime    = 2 * time.Second
)

// scheduleCell is what the cell of a schedule holds. A tick is served in three writes: the first one says in the cell
// which tick it is (Pending), so that of several servers one decides; then its job is made, whose id follows from
// schedule and tick; then the cell says that this is done. Whoever finds a tick that is pending goes on with it.
type scheduleCell struct {
	Schedule jobs.Schedule `json:"schedule"` // without NextAt
	After    time.Time     `json:"after"`    // ticks up to this time are over: they have made a job, or will make none
	Pending  *pendingTick  `json:"pending,omitempty"`
}

// pendingTick is a tick that is to make a job.
type pendingTick struct {
	Tick   time.Time `json:"tick"`
	JobID  jobs.ID   `json:"jobId"`
	Late   bool      `json:"late,omitempty"`
	Cancel jobs.ID   `json:"cancel,omitempty"` // the job that is cancelled first
}

// schedule is what this node knows of a schedule.
type schedule struct {
	scheduleCell
	pos    jobs.Position
	ticks  ticks.Ticks
	wrong  error     // nothing can be made of what the cell says
	notYet time.Time // on the clock that does not jump: it was tried, or another server is at it
}

// schedules knows all schedules, and when each is due.
type schedules struct {
	since time.Time // when this node began to look: what was due before has fallen into an outage

	mu   sync.Mutex // guards everything below
	all  map[jobs.ID]*schedule
	gone map[jobs.ID]jobs.Position // of those that were removed: what is older is not taken in any more
}

func newSchedules(since time.Time) *schedules {
	return &schedules{since: since, all: make(map[jobs.ID]*schedule), gone: make(map[jobs.ID]jobs.Position)}
}

// readSchedule makes a schedule of a cell.
func readSchedule(cell jobs.Cell) *schedule {
	s := &schedule{pos: cell.Position}
	if s.wrong = json.Unmarshal(cell.Value, &s.scheduleCell); s.wrong != nil {
		s.Schedule.ID = jobs.ID(cell.Key)
		return s
	}
	s.ticks, s.wrong = ticksOf(&s.Schedule)
	if s.Pending != nil { // whoever has written it is at it
		s.notYet = time.Now().Add(othersTime)
	}
	return s
}

// ticksOf are the ticks of a schedule. The error is a *Problem.
func ticksOf(s *jobs.Schedule) (ticks.Ticks, error) {
	if s.Cron == "" {
		return ticks.Every(time.Duration(s.EveryMs)*time.Millisecond, s.CreatedAt), nil
	}
	req := jobs.ScheduleRequest{Timezone: s.Timezone}
	zone, err := req.Location()
	if err != nil {
		return ticks.Ticks{}, jobs.BadRequest("/timezone", fmt.Sprintf("is not known here: %v", err))
	}
	t, err := ticks.Cron(s.Cron, zone)
	if err != nil {
		return ticks.Ticks{}, jobs.BadRequest("/cron", err.Error())
	}
	return t, nil
}

// learn takes in a cell, unless a newer version of it is known, and returns what is known then; nil if it is gone.
func (s *schedules) learn(cell jobs.Cell) *schedule {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := jobs.ID(cell.Key)
	known := s.all[id]
	switch {
	case known != nil && known.pos >= cell.Position:
		return known
	case s.gone[id] >= cell.Position:
		return nil
	case cell.Value == nil:
		s.drop(id, cell.Position)
		return nil
	}
	delete(s.gone, id)
	s.all[id] = readSchedule(cell)
	return s.all[id]
}

// forget takes out a schedule whose version at pos was removed.
func (s *schedules) forget(id jobs.ID, pos jobs.Position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.all[id]; known == nil || known.pos <= pos {
		s.drop(id, pos)
	}
}

// keep takes out all schedules that are not in a list of those that there are and are not newer than it.
func (s *schedules) keep(there map[jobs.ID]bool, until jobs.Position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, known := range s.all {
		if !there[id] && known.pos <= until {
			s.drop(id, known.pos)
		}
	}
}

// drop takes out a schedule. mu is held.
func (s *schedules) drop(id jobs.ID, pos jobs.Position) {
	delete(s.all, id)
	if len(s.gone) >= maxSchedules {
		clear(s.gone)
	}
	s.gone[id] = pos
}

// get returns a schedule, or nil. It must not be changed.
func (s *schedules) get(id jobs.ID) *schedule {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[id]
}

func (s *schedules) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

// list has all schedules, sorted by id.
func (s *schedules) list() []jobs.Schedule {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]jobs.Schedule, 0, len(s.all))
	for _, known := range s.all {
		if known.wrong == nil || known.Schedule.Start.Kind != "" {
			all = append(all, known.shown())
		}
	}
	slices.SortFunc(all, func(a, b jobs.Schedule) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// shown is the schedule as clients see it.
func (s *schedule) shown() jobs.Schedule {
	shown := s.Schedule
	if next, ok := s.next(); ok {
		shown.NextAt = &next
	}
	return shown
}

// next is the next tick.
func (s *schedule) next() (time.Time, bool) {
	if s.wrong != nil || s.Schedule.Paused {
		return time.Time{}, false
	}
	return s.ticks.Next(s.After)
}

// due returns the schedules that have something to do, sorted by id, and how long to wait for the next; zero if
// none waits.
func (s *schedules) due(now time.Time) (due []jobs.ID, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, known := range s.all {
		left := time.Duration(0)
		if known.Pending == nil {
			next, ok := known.next()
			if !ok {
				continue
			}
			left = next.Sub(now)
		}
		if left = max(left, time.Until(known.notYet)); left <= 0 {
			due = append(due, id)
		} else if wait == 0 || left < wait {
			wait = left
		}
	}
	slices.Sort(due)
	return due, min(wait, lookEvery)
}

// later puts off what is to be done for a schedule, on the clock that does not jump.
func (s *schedules) later(id jobs.ID, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.all[id]; known != nil {
		known.notYet = time.Now().Add(d)
	}
}

// watchSchedules keeps up with the schedules until the engine closes. It sends the outcome of the first reading to
// loaded.
func (e *Engine) watchSchedules(loaded chan<- error) {
	first := true
	for {
		err := e.watchSchedulesOnce(func() {
			if first {
				loaded <- nil
			}
			first = false
		})
		if e.work.Err() != nil {
			return
		}
		if first {
			loaded <- err
			return
		}
		if errors.Is(err, jobs.ErrClosed) {
			return
		}
		e.log.Warn("what tells of schedules broke off and is read anew", "err", err)
		if !sleep(e.work, retryAfter) {
			return
		}
	}
}

func (e *Engine) watchSchedulesOnce(loaded func()) error {
	there := make(map[jobs.ID]bool)
	var newest jobs.Position
	for cell, err := range e.store.WatchCells(e.work, scheduleGroup) {
		switch {
		case err != nil:
			return err
		case cell.Key == "":
			e.schedules.keep(there, newest)
			there = nil
			loaded()
			continue
		case there != nil:
			there[jobs.ID(cell.Key)] = true
			newest = max(newest, cell.Position)
		}
		if s := e.schedules.learn(cell); s != nil && s.wrong != nil {
			e.log.Error("a schedule cannot be read and has no ticks", "schedule", cell.Key, "err", s.wrong)
		}
		if there != nil { // what was pending before this server looked may be of one that is gone
			e.schedules.later(jobs.ID(cell.Key), 0)
		}
		e.timekeeper.look()
	}
	return errors.New("the store ended the schedules")
}
