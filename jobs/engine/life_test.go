package engine

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"regexp"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/jobs"
	"jobcast/jobs/memory"
)

// wayHandler fails a test where a job goes a way that is not in its life.
type wayHandler struct{ t *testing.T }

func (wayHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelError }
func (h wayHandler) WithAttrs([]slog.Attr) slog.Handler         { return h }
func (h wayHandler) WithGroup(string) slog.Handler              { return h }
func (h wayHandler) Handle(_ context.Context, r slog.Record) error {
	if r.Message == wrongWay {
		r.Attrs(func(a slog.Attr) bool { h.t.Errorf("%s: %s", r.Message, a); return true })
	}
	return nil
}

// TestLifeIsThatOfTheDocs holds the table of docs/jobs.md against the code.
func TestLifeIsThatOfTheDocs(t *testing.T) {
	page, err := os.ReadFile("../../docs/jobs.md")
	if err != nil {
		t.Fatal(err)
	}
	told := make(map[edge]bool)
	for _, row := range regexp.MustCompile("(?m)^\\| ([a-z]*) ?\\| `(job\\.[a-z]+)` \\| ([a-z]+) \\|").FindAllStringSubmatch(string(page), -1) {
		told[edge{jobs.State(row[1]), jobs.EventType(row[2]), jobs.State(row[3])}] = true
	}
	for e := range life {
		if !told[e] {
			t.Errorf("docs/jobs.md does not have %s by %s to %s", e.from, e.event, e.to)
		}
	}
	for e := range told {
		if !life[e] {
			t.Errorf("docs/jobs.md has %s by %s to %s, which the code does not", e.from, e.event, e.to)
		}
	}
}

// TestEveryWayIsGone takes jobs through all that can become of them, and looks which ways they went.
func TestEveryWayIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		gone := make(map[edge]bool)
		walk := func(e *Engine, id jobs.ID) {
			t.Helper()
			from := jobs.State("")
			for _, rec := range story(t, e, id) {
				way := edge{from, rec.Event.Type, rec.Job.State}
				if !within(way.from, way.event, way.to) {
					gone[way] = true
				}
				from = rec.Job.State
			}
		}
		start := func(e *Engine, req jobs.StartRequest, args countArgs) jobs.ID {
			t.Helper()
			req.Kind, req.Args = "count", encode(args)
			job, _, err := e.Start(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			return job.ID
		}
		cancel := func(e *Engine, id jobs.ID) {
			t.Helper()
			if _, _, err := e.Cancel(t.Context(), jobs.CancelRequest{ID: id}); err != nil {
				t.Fatal(err)
			}
		}
		dying := newMortalStore(store, -1, false)
		first := openEngine(t, dying, "n1")
		later := start(first, jobs.StartRequest{DelayMs: 60_000}, countArgs{N: 1})
		never := start(first, jobs.StartRequest{DelayMs: 3_600_000}, countArgs{})
		again := start(first, jobs.StartRequest{MaxAttempts: 2}, countArgs{Do: "fail"})
		stopped := start(first, jobs.StartRequest{}, countArgs{Do: "hang"})
		var waiting jobs.ID
		for range 4 { // three of them fill the slots
			waiting = start(first, jobs.StartRequest{}, countArgs{N: 20, Gap: time.Second})
		}
		lost := start(first, jobs.StartRequest{Priority: jobs.PriorityHigh}, countArgs{N: 600, Gap: time.Second})
		time.Sleep(5 * time.Second)
		cancel(first, never)
		cancel(first, stopped)
		cancel(first, waiting)
		for _, id := range []jobs.ID{never, again, stopped, waiting, later} {
			walk(first, id)
		}
		time.Sleep(10 * time.Second)
		dying.kill()
		closeEngine(t, first)
		second := openEngine(t, store, "n2")
		time.Sleep(2 * jobs.LeaseTime)
		closeEngine(t, second) // hands it back
		third := openEngine(t, store, "n3")
		defer closeEngine(t, third)
		walk(third, lost)
		for e := range life {
			if !gone[e] {
				t.Errorf("no job went from %s by %s to %s", e.from, e.event, e.to)
			}
		}
		for e := range gone {
			if !life[e] {
				t.Errorf("a job went from %s by %s to %s, which is in no life", e.from, e.event, e.to)
			}
		}
	})
}

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := openEngine(t, memory.New(), "n1")
		defer closeEngine(t, e)
		defer time.Sleep(2 * time.Hour) // until the deaf one has returned
		for do, want := range map[string]string{"hang": "timeout", "deaf": "timeout", "finish": ""} {
			began := time.Now()
			job, _, err := e.Start(t.Context(), jobs.StartRequest{Kind: "count", Args: encode(countArgs{N: 1, Do: do}), TimeoutMs: 5000})
			if err != nil {
				t.Fatal(err)
			}
			end := last(story(t, e, job.ID)).Job
			if took := time.Since(began); took < 5*time.Second || took > 5*time.Second+jobs.DefaultGrace+time.Second {
				t.Errorf("%s: ended after %v", do, took)
			}
			switch {
			case want == "" && end.State != jobs.Completed:
				t.Errorf("%s: got %s, want completed, as it returned without an error", do, end.State)
			case want != "" && (end.State != jobs.Failed || end.Error == nil || end.Error.Code != want):
				t.Errorf("%s: got %s, %+v, want failed with code %s", do, end.State, end.Error, want)
			}
		}
	})
}

// TestTheClockJumps: a job that waits for its time is queued once, whatever the clock does, and not before its time by
// that clock.
func TestTheClockJumps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var jump atomic.Int64
		e := openEngineWith(t, memory.New(), Config{Node: "n1", Now: func() time.Time { return time.Now().Add(time.Duration(jump.Load())) }})
		defer closeEngine(t, e)
		at := time.Now().Add(30 * time.Minute)
		job, _, err := e.Start(t.Context(), jobs.StartRequest{Kind: "count", Args: encode(countArgs{N: 1}), RunAt: &at})
		if err != nil || job.State != jobs.Scheduled {
			t.Fatalf("got %s, %v", job.State, err)
		}
		time.Sleep(time.Minute)
		jump.Store(int64(-time.Hour))
		time.Sleep(40 * time.Minute)
		if job, err := e.Get(t.Context(), job.ID); err != nil || job.State != jobs.Scheduled {
			t.Errorf("an hour back: got %s, %v, want it scheduled", job.State, err)
		}
		began := time.Now()
		jump.Store(int64(time.Hour))
		if got := types(story(t, e, job.ID)); got != "scheduled queued started progress completed" {
			t.Errorf("got %s", got)
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("an hour ahead: its time was noticed after %v", took)
		}
	})
}

func TestRetriesAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		kind := jobs.NewKind[struct{}, int]("flaky").Unless(jobs.Defaults{Backoff: &jobs.Backoff{Type: jobs.BackoffFixed, DelayMs: 7000}})
		worker := kind.Worker(nil, func(context.Context, *jobs.Run, struct{}) (int, error) {
			if tries++; tries == 3 {
				return tries, nil
			}
			return 0, errors.New("not yet")
		})
		e := openEngine(t, memory.New(), "n1", worker)
		defer closeEngine(t, e)
		began := time.Now()
		job, _, err := e.Start(t.Context(), jobs.StartRequest{Kind: "flaky"})
		if err != nil || job.MaxAttempts != 3 {
			t.Fatalf("got %d attempts, %v, want the 3 of a kind with a backoff", job.MaxAttempts, err)
		}
		recs := story(t, e, job.ID)
		if got := types(recs); got != "queued started retrying queued started retrying queued started completed" {
			t.Errorf("got %s", got)
		}
		if took := time.Since(began); took < 14*time.Second || took > 17*time.Second {
			t.Errorf("took %v, want two waits of 7s", took)
		}
		if end := last(recs).Job; end.Attempt != 3 || end.Error != nil || string(end.Result) != "3" {
			t.Errorf("got attempt %d, %s, error %v", end.Attempt, end.Result, end.Error)
		}
	})
}
