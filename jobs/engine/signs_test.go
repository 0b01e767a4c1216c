package engine

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/jobs"
	"jobcast/jobs/memory"
)

// TestAQuietWorkerIsStalled: a worker that reports every two seconds and is then quiet is flagged once, and moves again
// with its next report or line.
func TestAQuietWorkerIsStalled(t *testing.T) {
	for _, how := range []string{"progress", "a line"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				kind := jobs.NewKind[struct{}, int]("moody")
				e := openEngine(t, memory.New(), "n1", kind.Worker(nil, func(_ context.Context, r *jobs.Run, _ struct{}) (int, error) {
					for i := range 6 {
						r.Progress(float64(i), 20, "piece", "")
						time.Sleep(2 * time.Second)
					}
					time.Sleep(time.Minute)
					if how == "progress" {
						r.Progress(7, 20, "piece", "")
					} else {
						r.Log(slog.LevelInfo, "still here")
					}
					time.Sleep(2 * time.Second)
					return 1, nil
				}))
				defer closeEngine(t, e)
				began := time.Now()
				job, _, err := e.Start(t.Context(), jobs.StartRequest{Kind: "moody"})
				if err != nil {
					t.Fatal(err)
				}
				recs := story(t, e, job.ID)
				if got := types(recs); got != "queued started progress stalled progress completed" {
					t.Errorf("got %s", got)
				}
				for _, rec := range recs {
					j := &rec.Job
					if stalled := rec.Event.Type == jobs.EventStalled; j.Stalled != stalled || (j.HeartbeatAt != nil) != stalled {
						t.Errorf("seq %d, %s: stalled %t since %v", j.Seq, rec.Event.Type, j.Stalled, j.HeartbeatAt)
					}
					if rec.Event.Type != jobs.EventStalled {
						continue
					}
					if at := j.HeartbeatAt.Sub(began).Round(time.Second); at != 10*time.Second {
						t.Errorf("its last sign of life is said to be at %v, want 10s", at)
					}
					if at := rec.Event.Time.Sub(began).Round(time.Second); at != 16*time.Second {
						t.Errorf("flagged at %v, want three gaps of 2s after 10s", at)
					}
				}
			})
		})
	}
}

func TestABusyWorkerIsNotStalled(t *testing.T) {
	var s signs
	now := time.Now()
	for range 1000 {
		s.add(now)
		now = now.Add(time.Millisecond)
	}
	if at := s.stalledAt().Sub(s.last); at != quietFloor {
		t.Errorf("a tight loop: stalled after %v, want %v", at, quietFloor)
	}
	s = signs{}
	for range quietSigns - 1 {
		s.add(now)
	}
	if !s.stalledAt().IsZero() {
		t.Error("of three reports, nobody can tell")
	}
}

func TestStepsKnowTheirTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kind := jobs.NewKind[struct{}, int]("steps")
		e := openEngine(t, memory.New(), "n1", kind.Worker(nil, func(_ context.Context, r *jobs.Run, _ struct{}) (int, error) {
			for i := range 70 {
				r.Step(i+1, 70, fmt.Sprint("part ", i+1))
				time.Sleep(time.Duration(i+1) * time.Second)
			}
			return 1, nil
		}))
		defer closeEngine(t, e)
		job, _, err := e.Start(t.Context(), jobs.StartRequest{Kind: "steps"})
		if err != nil {
			t.Fatal(err)
		}
		end := last(story(t, e, job.ID)).Job
		if len(end.Steps) != jobs.MaxSteps || end.Steps[0].Index != 70-jobs.MaxSteps+1 {
			t.Fatalf("got %d steps from %+v, want the newest %d", len(end.Steps), end.Steps[:1], jobs.MaxSteps)
		}
		for _, s := range end.Steps {
			if s.EndedAt == nil {
				t.Errorf("step %d has no end", s.Index)
			} else if took := s.EndedAt.Sub(s.StartedAt).Round(time.Second); took != time.Duration(s.Index)*time.Second {
				t.Errorf("step %d took %v, want %ds", s.Index, took, s.Index)
			}
		}
	})
}

// TestUsual: what is usual comes from the runs that completed, and says when a job is slow.
func TestUsual(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		e := openEngine(t, store, "n1")
		var newest jobs.ID
		for n := range 20 { // of 1 to 20 s
			newest = startCount(t, e, countArgs{N: n + 1, Gap: time.Second})
			story(t, e, newest)
		}
		story(t, e, startCount(t, e, countArgs{N: 90, Gap: time.Second, Do: "fail"})) // which says nothing
		closeEngine(t, e)
		e = openEngine(t, store, "n2") // which reads all of it from the store
		defer closeEngine(t, e)
		id := startCount(t, e, countArgs{N: 60, Gap: time.Second})
		for _, at := range []struct {
			after time.Duration
			slow  bool
		}{{5 * time.Second, false}, {25 * time.Second, true}} {
			time.Sleep(at.after)
			job, err := e.Get(t.Context(), id)
			if err != nil || job.Usual == nil {
				t.Fatalf("got %+v, %v", job.Usual, err)
			}
			u := *job.Usual
			for _, ms := range []*int64{&u.MedianMs, &u.LowMs, &u.HighMs, &u.SlowMs} {
				*ms = (*ms + 500) / 1000
			}
			want := jobs.Usual{Runs: 20, MedianMs: 11, LowMs: 3, HighMs: 19, SlowMs: 20, Slow: at.slow, PreviousID: newest}
			if u != want {
				t.Errorf("got %+v, want %+v", u, want)
			}
		}
		if end := last(story(t, e, id)); end.Job.Usual != nil {
			t.Error("what is usual was stored")
		}
	})
}
