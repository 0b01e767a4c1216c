package engine

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/jobs"
	"jobcast/jobs/memory"
)

func cancelJob(t *testing.T, e *Engine, req jobs.CancelRequest, want jobs.Outcome) jobs.Job {
	t.Helper()
	outcome, job, err := e.Cancel(t.Context(), req)
	if err != nil || outcome != want {
		t.Errorf("cancel: got %s, %v, want %s", outcome, err, want)
	}
	return job
}

func TestCancelQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := openEngine(t, memory.New(), "n1")
		defer closeEngine(t, e)
		for range defaultConcurrency {
			startCount(t, e, countArgs{N: 10, Gap: time.Second})
		}
		id := startCount(t, e, countArgs{N: 1})
		cancelJob(t, e, jobs.CancelRequest{ID: id, Reason: "no need"}, jobs.OutcomeCancelled)
		cancelJob(t, e, jobs.CancelRequest{ID: id}, jobs.OutcomeAlreadyFinished)
		recs := story(t, e, id)
		if got := types(recs); got != "queued cancelled" || string(last(recs).Event.Data) != `{"reason":"no need"}` {
			t.Errorf("got %s, %s", got, last(recs).Event.Data)
		}
		time.Sleep(time.Minute) // the slots find the cancelled job in the queue, and leave it alone
		if recs := story(t, e, id); len(recs) != 2 {
			t.Errorf("got %d records, want 2", len(recs))
		}
	})
}

func TestCancelStopsTheWorkerWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := openEngine(t, memory.New(), "n1")
		defer closeEngine(t, e)
		id := startCount(t, e, countArgs{N: 1000, Gap: time.Second})
		time.Sleep(2500 * time.Millisecond)
		began := time.Now()
		job := cancelJob(t, e, jobs.CancelRequest{ID: id, Reason: "enough"}, jobs.OutcomeCancelling)
		if job.State != jobs.Running || !job.CancelRequested {
			t.Errorf("got %s, cancelRequested %t", job.State, job.CancelRequested)
		}
		recs := story(t, e, id)
		if took := time.Since(began); took > time.Second {
			t.Errorf("took %v, want at most a second", took)
		}
		if got, want := types(recs), "queued started progress cancelling cancelled"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if got := string(last(recs).Event.Data); got != `{"reason":"enough"}` {
			t.Errorf("got %s", got)
		}
		cancelJob(t, e, jobs.CancelRequest{ID: id}, jobs.OutcomeAlreadyFinished)
	})
}

func TestCompletedWinsOverCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := openEngine(t, memory.New(), "n1")
		defer closeEngine(t, e)
		id := startCount(t, e, countArgs{Do: "finish"})
		synctest.Wait()
		cancelJob(t, e, jobs.CancelRequest{ID: id}, jobs.OutcomeCancelling)
		if got, want := types(story(t, e, id)), "queued started cancelling completed"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func TestCancelOfDeafWorker(t *testing.T) {
	for _, c := range []struct {
		name  string
		req   jobs.CancelRequest
		want  jobs.Outcome
		after time.Duration
	}{
		{"default grace", jobs.CancelRequest{}, jobs.OutcomeCancelling, 10 * time.Second},
		{"grace", jobs.CancelRequest{GraceMs: new(int64(3000))}, jobs.OutcomeCancelling, 3 * time.Second},
		{"no grace", jobs.CancelRequest{GraceMs: new(int64(0))}, jobs.OutcomeCancelled, 0},
		{"force", jobs.CancelRequest{Force: true}, jobs.OutcomeCancelled, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := openEngine(t, memory.New(), "n1")
				id := startCount(t, e, countArgs{N: 2, Do: "deaf"})
				time.Sleep(time.Second)
				began := time.Now()
				c.req.ID = id
				cancelJob(t, e, c.req, c.want)
				recs := story(t, e, id)
				if took := time.Since(began); took != c.after {
					t.Errorf("took %v, want %v", took, c.after)
				}
				if got, want := types(recs), "queued started progress cancelling cancelled"; got != want {
					t.Errorf("got %s, want %s", got, want)
				}
				if end := last(recs).Job; end.Log == nil || end.Log.Lines != 2 {
					t.Errorf("got log %+v, want the 2 lines that were written", end.Log)
				}
				time.Sleep(2 * time.Hour) // the worker returns at last, and changes nothing
				if again := story(t, e, id); len(again) != len(recs) {
					t.Errorf("got %d records after the worker returned, want %d", len(again), len(recs))
				}
				closeEngine(t, e)
			})
		})
	}
}

func TestSecondCancelShortensGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := openEngine(t, memory.New(), "n1")
		id := startCount(t, e, countArgs{Do: "deaf"})
		synctest.Wait()
		began := time.Now()
		cancelJob(t, e, jobs.CancelRequest{ID: id, Reason: "first", GraceMs: new(int64(60_000))}, jobs.OutcomeCancelling)
		time.Sleep(5 * time.Second)
		cancelJob(t, e, jobs.CancelRequest{ID: id, GraceMs: new(int64(600_000))}, jobs.OutcomeCancelling)
		cancelJob(t, e, jobs.CancelRequest{ID: id, Force: true}, jobs.OutcomeCancelled)
		recs := story(t, e, id)
		if took := time.Since(began); took != 5*time.Second || string(last(recs).Event.Data) != `{"reason":"first"}` {
			t.Errorf("took %v with %s", took, last(recs).Event.Data)
		}
		if got, want := types(recs), "queued started cancelling cancelled"; got != want || len(recs) != 4 {
			t.Errorf("got %s, want %s", got, want)
		}
		time.Sleep(time.Hour)
		closeEngine(t, e)
	})
}

func TestCancelReachesTheOtherNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		runs := openEngine(t, store, "n1")
		defer closeEngine(t, runs)
		hang, deaf := startCount(t, runs, countArgs{Do: "hang"}), startCount(t, runs, countArgs{Do: "deaf"})
		synctest.Wait()
		asks := openEngine(t, store, "n2")
		defer closeEngine(t, asks)
		began := time.Now()
		cancelJob(t, asks, jobs.CancelRequest{ID: hang, Reason: "r"}, jobs.OutcomeCancelling)
		recs := story(t, asks, hang)
		if took := time.Since(began); took > time.Second || types(recs) != "queued started cancelling cancelled" || string(last(recs).Event.Data) != `{"reason":"r"}` {
			t.Errorf("got %s after %v, %s", types(recs), took, last(recs).Event.Data)
		}
		began = time.Now()
		cancelJob(t, asks, jobs.CancelRequest{ID: deaf, GraceMs: new(int64(2000))}, jobs.OutcomeCancelling)
		recs = story(t, asks, deaf)
		if took := time.Since(began); took != 2*time.Second || types(recs) != "queued started cancelling cancelled" {
			t.Errorf("got %s after %v, want it cancelled after 2s", types(recs), took)
		}
		deaf = startCount(t, runs, countArgs{Do: "deaf"})
		synctest.Wait()
		cancelJob(t, asks, jobs.CancelRequest{ID: deaf, Force: true}, jobs.OutcomeCancelled)
		synctest.Wait()
		if run := runs.run(deaf); run != nil && run.ctx.Err() == nil {
			t.Error("the run goes on after another node has cancelled its job")
		}
		time.Sleep(time.Hour)
	})
}

func TestCancelledJobIsNotRunAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		dying := newMortalStore(store, -1, false)
		first := openEngine(t, dying, "n1")
		id := startCount(t, first, countArgs{N: 1000, Gap: time.Second, Do: "deaf"})
		time.Sleep(2500 * time.Millisecond)
		dying.kill()
		closeEngine(t, first)
		second := openEngine(t, store, "n2")
		defer closeEngine(t, second)
		cancelJob(t, second, jobs.CancelRequest{ID: id, Reason: "gone"}, jobs.OutcomeCancelling)
		recs := story(t, second, id)
		if got, want := types(recs), "queued started progress cancelling cancelled"; got != want || string(last(recs).Event.Data) != `{"reason":"gone"}` {
			t.Errorf("got %s, %s", got, last(recs).Event.Data)
		}
	})
}

func TestCancelRefusesNonsense(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := openEngine(t, memory.New(), "n1")
		defer closeEngine(t, e)
		for _, c := range []struct {
			req  jobs.CancelRequest
			code string
		}{
			{jobs.CancelRequest{ID: "none"}, jobs.CodeNotFound},
			{jobs.CancelRequest{ID: "a.b"}, jobs.CodeBadRequest},
			{jobs.CancelRequest{ID: "*"}, jobs.CodeBadRequest},
			{jobs.CancelRequest{}, jobs.CodeBadRequest},
			{jobs.CancelRequest{ID: "a", Reason: strings.Repeat("x", 501)}, jobs.CodeBadRequest},
			{jobs.CancelRequest{ID: "a", GraceMs: new(int64(-1))}, jobs.CodeBadRequest},
			{jobs.CancelRequest{ID: "a", GraceMs: new(int64(600_001))}, jobs.CodeBadRequest},
		} {
			_, _, err := e.Cancel(t.Context(), c.req)
			if p, ok := errors.AsType[*jobs.Problem](err); !ok || p.Code != c.code {
				t.Errorf("%+v: got %v, want %s", c.req, err, c.code)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := e.Cancel(ctx, jobs.CancelRequest{ID: "a"}); jobs.ProblemOf(err).Code != jobs.CodeUnavailable {
			t.Errorf("with a context that is over: got %v, want unavailable", err)
		}
	})
}
