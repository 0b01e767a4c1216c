package engine

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/jobs"
	"jobcast/jobs/memory"
)

func TestWarningsAreInTheSnapshotAndTheLastEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kind := jobs.NewKind[struct{}, int]("warn")
		e := openEngine(t, memory.New(), "n1", kind.Worker(nil, func(_ context.Context, r *jobs.Run, _ struct{}) (int, error) {
			r.Progress(1, 4, "file", "a")
			r.Warn(2)
			time.Sleep(time.Second)
			r.Progress(2, 4, "file", "b")
			r.Warn(1)
			return 1, nil
		}))
		defer closeEngine(t, e)
		job, _, err := e.Start(t.Context(), jobs.StartRequest{Kind: "warn"})
		if err != nil {
			t.Fatal(err)
		}
		recs := story(t, e, job.ID)
		end := last(recs)
		var data struct{ Warnings int64 }
		if err := json.Unmarshal(end.Event.Data, &data); err != nil {
			t.Fatal(err)
		}
		if end.Job.State != jobs.Completed || end.Job.Warnings != 3 || data.Warnings != 3 {
			t.Errorf("got %s with %d warnings, %d in the event, want completed with 3", end.Job.State, end.Job.Warnings, data.Warnings)
		}
		if p := end.Job.Progress; p == nil || p.Percent == nil || *p.Percent != 50 {
			t.Errorf("got %+v, want the half that was done", p)
		}
		page, err := e.List(jobs.ListQuery{})
		if err != nil || len(page.Jobs) != 1 || page.Jobs[0].Warnings != 3 {
			t.Errorf("got %+v, %v, want 3 warnings in the list", page.Jobs, err)
		}
	})
}

func TestAnAttemptThatIsHandedBackTakesItsWarningsWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, kind := memory.New(), jobs.NewKind[struct{}, int]("warn")
		worker := kind.Worker(nil, func(ctx context.Context, r *jobs.Run, _ struct{}) (int, error) {
			r.Warn(1)
			r.Progress(1, 2, "", "")
			return 0, errOr(ctx, time.Minute)
		})
		e := openEngine(t, store, "n1", worker)
		job, _, err := e.Start(t.Context(), jobs.StartRequest{Kind: "warn"})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		closeEngine(t, e)
		e = openEngine(t, store, "n2", worker)
		defer closeEngine(t, e)
		recs := story(t, e, job.ID)
		for _, rec := range recs {
			if want := int64(1); rec.Event.Type == jobs.EventQueued || rec.Event.Type == jobs.EventStarted {
				if rec.Job.Warnings != 0 {
					t.Errorf("%s: got %d warnings, want none", rec.Event.Type, rec.Job.Warnings)
				}
			} else if rec.Job.Warnings != want {
				t.Errorf("%s: got %d warnings, want %d", rec.Event.Type, rec.Job.Warnings, want)
			}
		}
	})
}

// errOr waits, and returns ctx's error if that ends first.
func errOr(ctx context.Context, d time.Duration) error {
	if !sleep(ctx, d) {
		return context.Cause(ctx)
	}
	return nil
}

func TestPercentNeverGoesBackWithinAStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kind := jobs.NewKind[struct{}, int]("grow")
		e := openEngine(t, memory.New(), "n1", kind.Worker(nil, func(_ context.Context, r *jobs.Run, _ struct{}) (int, error) {
			for _, rep := range [][2]float64{{80, 100}, {80, 120}, {90, 150}, {10, 150}, {140, 150}} {
				r.Progress(rep[0], rep[1], "", "")
				time.Sleep(time.Second)
			}
			r.Step(2, 2, "Write")
			r.Progress(1, 10, "", "")
			return 1, nil
		}))
		defer closeEngine(t, e)
		job, _, err := e.Start(t.Context(), jobs.StartRequest{Kind: "grow"})
		if err != nil {
			t.Fatal(err)
		}
		var got []float64
		for _, rec := range story(t, e, job.ID) {
			if rec.Event.Type == jobs.EventProgress {
				got = append(got, *rec.Job.Progress.Percent)
			}
		}
		want := []float64{80, 80, 80, 80, 93.3, 10}
		if len(got) != len(want) {
			t.Fatalf("got %v, want %v", got, want)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("got %v, want %v", got, want)
			}
		}
	})
}
