package engine

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"jobcast/jobs"
	"jobcast/jobs/memory"
)

// runOnce opens an engine for one job of a worker, and returns the job's story.
func runOnce(t *testing.T, run func(ctx context.Context, r *jobs.Run) error) []jobs.Record {
	t.Helper()
	kind := jobs.NewKind[struct{}, struct{}]("once")
	e := openEngine(t, memory.New(), "n1", kind.Worker(nil, func(ctx context.Context, r *jobs.Run, _ struct{}) (struct{}, error) {
		return struct{}{}, run(ctx, r)
	}))
	defer closeEngine(t, e)
	job, _, err := e.Start(t.Context(), jobs.StartRequest{Kind: "once"})
	if err != nil {
		t.Fatal(err)
	}
	return story(t, e, job.ID)
}

func progressOf(recs []jobs.Record) (out []jobs.Record) {
	for _, rec := range recs {
		if rec.Event.Type == jobs.EventProgress {
			out = append(out, rec)
		}
	}
	return out
}

func TestProgressIsThrottled(t *testing.T) {
	for _, c := range []struct {
		name     string
		report   func(r *jobs.Run, i int) // every millisecond, 10,000 times
		min, max int                      // reports stored
		gap      time.Duration
	}{
		{"small steps", func(r *jobs.Run, i int) { r.Progress(float64(i), 1e7, "", "") }, 40, 42, 250 * time.Millisecond},
		{"no total", func(r *jobs.Run, i int) { r.Progress(float64(i), 0, "", "") }, 40, 42, 250 * time.Millisecond},
		{"one percent each 100 ms", func(r *jobs.Run, i int) { r.Progress(float64(i), 1e4, "", "") }, 98, 102, 100 * time.Millisecond},
		{"one percent each ms", func(r *jobs.Run, i int) { r.Progress(float64(i%100), 100, "", "") }, 199, 202, 50 * time.Millisecond},
		{"new message each ms", func(r *jobs.Run, i int) { r.Progress(0, 0, "", fmt.Sprint(i)) }, 199, 202, 50 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				recs := progressOf(runOnce(t, func(ctx context.Context, r *jobs.Run) error {
					for i := range 10_000 {
						c.report(r, i)
						time.Sleep(time.Millisecond)
					}
					return nil
				}))
				if n := len(recs); n < c.min || n > c.max {
					t.Errorf("got %d reports stored, want %d to %d", n, c.min, c.max)
				}
				for i := 1; i < len(recs)-1; i++ { // the last is stored whenever it comes
					if gap := recs[i].Event.Time.Sub(recs[i-1].Event.Time); gap < c.gap {
						t.Fatalf("report %d: got a gap of %v, want %v", i, gap, c.gap)
					}
				}
			})
		})
	}
}

func TestFirstLastAndMessageAreStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stored []time.Duration
		began := time.Now()
		recs := progressOf(runOnce(t, func(ctx context.Context, r *jobs.Run) error {
			r.Progress(1, 1000, "", "a") // the first, at once
			time.Sleep(10 * time.Millisecond)
			r.Progress(2, 1000, "", "a") // waits for its 250 ms, but
			time.Sleep(50 * time.Millisecond)
			r.Progress(3, 1000, "", "b") // this comes at once
			time.Sleep(10 * time.Millisecond)
			r.Progress(4, 1000, "", "b") // is stored although nothing follows
			time.Sleep(time.Second)
			r.Progress(5, 1000, "", "b")
			r.Progress(6, 1000, "", "b") // the last
			return nil
		}))
		var done []float64
		for _, rec := range recs {
			done = append(done, rec.Job.Progress.Done)
			stored = append(stored, rec.Event.Time.Sub(began))
		}
		if got, want := fmt.Sprint(done), "[1 3 4 6]"; got != want {
			t.Errorf("got %s at %v, want %s", got, stored, want)
		}
		if got := stored[2]; got != 310*time.Millisecond {
			t.Errorf("the third came after %v, want 310ms", got)
		}
	})
}

func TestProgressNeverBlocksOnTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &slowStore{Store: memory.New(), delay: 3 * time.Second}
		kind := jobs.NewKind[struct{}, int64]("fast")
		e := openEngine(t, store, "n1", kind.Worker(nil, func(_ context.Context, r *jobs.Run, _ struct{}) (int64, error) {
			began := time.Now()
			for i := range 100_000 {
				r.Progress(float64(i), 1e5, "line", "")
				r.Log(slog.LevelInfo, strings.Repeat("x", 100))
			}
			return int64(time.Since(began)), nil
		}))
		defer closeEngine(t, e)
		job, _, err := e.Start(t.Context(), jobs.StartRequest{Kind: "fast"})
		if err != nil {
			t.Fatal(err)
		}
		end := last(story(t, e, job.ID))
		if string(end.Job.Result) != "0" { // in a bubble, time passes only where someone waits
			t.Errorf("the worker waited %s ns for a slow store", end.Job.Result)
		}
		lines := checkLines(t, e, job.ID)
		left := slices.IndexFunc(lines, func(l string) bool { return strings.HasSuffix(l, "could be stored") })
		if len(lines) > 3*(1<<20)/132 || left < 0 || left > 2000 {
			t.Errorf("got %d lines, the one about those left out at %d", len(lines), left)
		}
	})
}

func TestStepStartsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		recs := runOnce(t, func(ctx context.Context, r *jobs.Run) error {
			r.Step(1, 2, "Read")
			for i := range 10 {
				r.Progress(float64(i), 10, "file", "")
				time.Sleep(500 * time.Millisecond)
			}
			r.Step(2, 2, strings.Repeat("é", 200))
			r.Progress(1, 4, "row", "")
			time.Sleep(time.Second)
			return nil
		})
		if got, want := types(recs), "queued started step progress step progress completed"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if got := string(recs[2].Event.Data); got != `{"index":1,"count":2,"name":"Read"}` {
			t.Errorf("got %s", got)
		}
		p := last(progressOf(recs)).Job.Progress
		if p.Step == nil || p.Step.Index != 2 || utf8.RuneCountInString(p.Step.Name) != 120 || p.Done != 1 || p.EtaMs != nil {
			t.Errorf("got %+v", p)
		}
	})
}

func TestPercentIsBelowHundredUntilCompleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		recs := runOnce(t, func(ctx context.Context, r *jobs.Run) error {
			r.Progress(3, 3, "", "all")
			time.Sleep(time.Second)
			r.Progress(5, 3, "", "more than all")
			time.Sleep(time.Second)
			return nil
		})
		for _, rec := range progressOf(recs) {
			if *rec.Job.Progress.Percent != 99.9 {
				t.Errorf("got %v, want 99.9", *rec.Job.Progress.Percent)
			}
		}
		if end := last(recs).Job.Progress; *end.Percent != 100 || end.EtaMs != nil {
			t.Errorf("completed: got %v", *end.Percent)
		}
		for _, c := range []struct{ done, want float64 }{{1, 33.3}, {2, 66.6}, {2.9999, 99.9}, {0, 0}} {
			p := new(meter).progress(time.Now(), jobs.Report{Done: c.done, Total: 3}, nil)
			if *p.Percent != c.want {
				t.Errorf("%v of 3: got %v, want %v", c.done, *p.Percent, c.want)
			}
		}
	})
}

func TestMeter(t *testing.T) {
	at := func(s float64) time.Time { return time.Unix(0, 0).Add(time.Duration(s * float64(time.Second))) }
	t.Run("steady", func(t *testing.T) {
		var m meter
		for s := 0.0; s <= 100; s++ {
			rate, eta := m.add(at(s), jobs.Report{Done: 10 * s, Total: 1000})
			if s == 0 {
				if rate != nil || eta != nil {
					t.Errorf("the first sample gives %v, %v", rate, eta)
				}
				continue
			}
			if *rate != 10 {
				t.Errorf("after %vs: got rate %v, want 10", s, *rate)
			}
			if s < 3 {
				if eta != nil {
					t.Errorf("after %vs: got an ETA of %d, want none before 3s", s, *eta)
				}
			} else if want := int64(100-s) * 1000; eta == nil || *eta != want {
				t.Errorf("after %vs: got ETA %v, want %d", s, eta, want)
			}
		}
	})
	t.Run("three samples", func(t *testing.T) {
		var m meter
		m.add(at(0), jobs.Report{Done: 0, Total: 100})
		if _, eta := m.add(at(10), jobs.Report{Done: 10, Total: 100}); eta != nil {
			t.Errorf("two samples: got %d, want none", *eta)
		}
		if _, eta := m.add(at(20), jobs.Report{Done: 20, Total: 100}); eta == nil || *eta != 80_000 {
			t.Errorf("three samples: got %v, want 80000", eta)
		}
	})
	t.Run("window", func(t *testing.T) {
		var m meter
		for s := 0.0; s <= 200; s += 0.25 {
			done := 100 * min(s, 100)
			if s > 100 {
				done += 2 * (s - 100)
			}
			rate, _ := m.add(at(s), jobs.Report{Done: done, Total: 1e6})
			if s == 100 && *rate != 100 || s >= 130 && *rate != 2 {
				t.Fatalf("after %vs: got rate %v", s, *rate)
			}
			if n := len(m.samples); n > 122 {
				t.Fatalf("after %vs: got %d samples kept", s, n)
			}
		}
	})
	t.Run("smooth", func(t *testing.T) {
		var m meter
		var etas []float64
		for s := 0.0; s < 60; s++ { // 10 a second, in bursts of two seconds
			if _, eta := m.add(at(s), jobs.Report{Done: 20 * math.Floor(s/2), Total: 10_000}); eta != nil && s > 10 {
				etas = append(etas, float64(*eta)/1000+s) // the moment of the end
			}
		}
		for i := 1; i < len(etas); i++ {
			if jump := math.Abs(etas[i] - etas[i-1]); jump > 100 {
				t.Errorf("sample %d: the end jumps by %vs", i, jump)
			}
		}
	})
	t.Run("unknown", func(t *testing.T) {
		var m meter
		for s := 0.0; s < 10; s++ {
			if _, eta := m.add(at(s), jobs.Report{Done: s}); eta != nil {
				t.Errorf("without a total: got ETA %d", *eta)
			}
		}
		m = meter{}
		for s := 0.0; s < 10; s++ {
			if _, eta := m.add(at(s), jobs.Report{Done: 5, Total: 10}); eta != nil {
				t.Errorf("without any progress: got ETA %d", *eta)
			}
		}
	})
	t.Run("starts over", func(t *testing.T) {
		var m meter
		for s := 0.0; s < 10; s++ {
			m.add(at(s), jobs.Report{Done: 50 + s, Total: 100})
		}
		if rate, eta := m.add(at(10), jobs.Report{Done: 0, Total: 100}); rate != nil || eta != nil {
			t.Errorf("got %v, %v, want nothing known", rate, eta)
		}
	})
}

func TestReportsAfterTheEndDoNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var late *jobs.Run
		recs := runOnce(t, func(ctx context.Context, r *jobs.Run) error {
			late = r
			return nil
		})
		reportAll(late)
		if _, err := late.Create("late", ""); err == nil {
			t.Error("an artifact was begun after the end")
		}
		if got := types(recs); got != "queued started completed" {
			t.Errorf("got %s", got)
		}
		over := &run{over: true, wake: make(chan struct{}, 1)}
		reportAll(jobs.NewRun("a", 1, over))
		if over.progress.waiting || len(over.progress.steps) > 0 || !over.log.Due().IsZero() || over.warnings != 0 {
			t.Errorf("%+v waits", over.progress)
		}
	})
}

func reportAll(r *jobs.Run) {
	r.Progress(1, 2, "", "")
	r.Step(1, 2, "")
	r.Log(slog.LevelInfo, "late")
	r.Warn(1)
}

func BenchmarkProgress(b *testing.B) {
	r := jobs.NewRun("a", 1, &run{wake: make(chan struct{}, 1)})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r.Progress(float64(i), 1e9, "byte", "reading")
	}
}
