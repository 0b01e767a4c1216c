package namespaces

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"jobcast/events"
	"jobcast/internal/systems/compare"
	"jobcast/jobs"
	"jobcast/socketio"
)

// Compare is /compare: a socket without auth opens a run, sets it and reads its figures, and the
// run ends when that socket goes; a socket whose auth names a run gets the run's events.
var Compare = Namespace{Path: events.CompareNamespace.Path, Open: openCompare}

func openCompare(ns *socketio.Namespace, s Services) Close {
	c := &comparison{runs: s.Runs, of: map[*socketio.Socket]*compare.Run{}}
	ns.Use(c.admit)
	ns.OnConnect(c.watch)
	ns.OnDisconnect(func(s *socketio.Socket, _ socketio.Reason) { c.hold(s, nil) })
	ns.Handle(
		events.CompareOpen.On(c.open),
		events.CompareSet.On(c.set),
		events.CompareClock.On(c.clock),
		events.CompareFigures.On(c.figures),
	)
	return nil
}

type comparison struct {
	runs *compare.Runs

	mu sync.Mutex                        // protects the field below
	of map[*socketio.Socket]*compare.Run // the run that a socket has the controls of
}

// admit refuses a socket that asks for a run that is not there.
func (c *comparison) admit(_ context.Context, s *socketio.Socket) error {
	auth, err := compareAuth(s)
	if err != nil {
		return &socketio.ConnectError{Message: "auth does not fit", Data: jobs.BadRequest("", err.Error())}
	}
	if auth.Run != "" && c.runs.Get(auth.Run) == nil {
		return &socketio.ConnectError{Message: errNoRun.Detail, Data: errNoRun}
	}
	return nil
}

// watch emits a run's events to a socket that asked for them.
func (c *comparison) watch(_ context.Context, s *socketio.Socket) {
	auth, _ := compareAuth(s) // admit has seen it
	run := c.runs.Get(auth.Run)
	if run == nil {
		return
	}
	s.Go(func(ctx context.Context) {
		for event := range run.Follow(ctx, auth.After) {
			if err := events.CompareEvent.Emit(s, event); err != nil {
				return // it is slow or gone; it comes back and says what it holds
			}
		}
		if ctx.Err() == nil {
			s.Disconnect(true) // the run has ended, and nothing will come any more
		}
	})
}

func compareAuth(s *socketio.Socket) (auth events.CompareAuth, err error) {
	if raw := s.Auth(); len(raw) > 0 {
		err = json.Unmarshal(raw, &auth)
	}
	return auth, err
}

func (c *comparison) open(_ context.Context, s *socketio.Socket, settings compare.Settings) (events.CompareAck, error) {
	c.hold(s, nil)
	run, err := c.runs.Open(settings)
	if err != nil {
		return events.CompareAck{}, compareProblem(err)
	}
	c.hold(s, run) // OnDisconnect is still to come, even if s has left meanwhile
	return events.CompareAck{OK: true, Settings: settings, Run: run.ID()}, nil
}

func (c *comparison) set(_ context.Context, s *socketio.Socket, settings compare.Settings) (events.CompareAck, error) {
	run := c.held(s)
	if run == nil {
		return events.CompareAck{}, errNoRun
	}
	if err := run.Set(settings); err != nil {
		return events.CompareAck{}, compareProblem(err)
	}
	return events.CompareAck{OK: true, Settings: settings, Run: run.ID(), Last: run.Last()}, nil
}

func (c *comparison) clock(context.Context, *socketio.Socket, struct{}) (events.CompareClockAck, error) {
	return events.CompareClockAck{OK: true, At: time.Now().UnixMicro()}, nil
}

func (c *comparison) figures(_ context.Context, s *socketio.Socket, _ struct{}) (events.CompareFiguresAck, error) {
	run := c.held(s)
	if run == nil {
		return events.CompareFiguresAck{}, errNoRun
	}
	return events.CompareFiguresAck{OK: true, Figures: run.Figures()}, nil
}

func (c *comparison) held(s *socketio.Socket) *compare.Run {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.of[s]
}

// hold gives s the controls of a run, or of none, and closes the run that it had.
func (c *comparison) hold(s *socketio.Socket, run *compare.Run) {
	c.mu.Lock()
	before := c.of[s]
	delete(c.of, s)
	if run != nil {
		c.of[s] = run
	}
	c.mu.Unlock()
	if before != nil {
		before.Close()
	}
}

var errNoRun = jobs.NewProblem(jobs.CodeNotFound, "there is no such run any more; open another")

func compareProblem(err error) error {
	switch {
	case errors.Is(err, compare.ErrSettings):
		return jobs.BadRequest("", err.Error())
	case errors.Is(err, compare.ErrFull):
		return jobs.NewProblem(jobs.CodeTooManyRequests, "too many people compare right now; try again later")
	}
	return err
}
