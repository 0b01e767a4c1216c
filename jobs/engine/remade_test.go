package engine

import (
	"context"
	"errors"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/jobs"
	"jobcast/jobs/memory"
)

// lateStore tells of removals only after a while, and of all that comes after them.
type lateStore struct{ jobs.Store }

func (s lateStore) Index(ctx context.Context) iter.Seq2[jobs.Record, error] {
	return func(yield func(jobs.Record, error) bool) {
		for rec, err := range s.Store.Index(ctx) {
			if rec.Event.Type == jobs.EventRemoved {
				time.Sleep(5 * time.Second)
			}
			if !yield(rec, err) {
				return
			}
		}
	}
}

// TestAJobThatTakesTheNameOfARemovedOneStays has a job begin, and wait for its next attempt, before this server is told
// that the one before it of that name was removed.
func TestAJobThatTakesTheNameOfARemovedOneStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kind := jobs.NewKind[struct{}, int]("work").Unless(jobs.Defaults{MaxAttempts: 2, Backoff: &jobs.Backoff{DelayMs: 30_000}})
		runs := 0
		e := openEngine(t, lateStore{memory.New()}, "n1", kind.Worker(nil, func(ctx context.Context, r *jobs.Run, _ struct{}) (int, error) {
			if runs++; runs == 2 {
				return 0, errors.New("once")
			}
			return runs, nil
		}))
		defer closeEngine(t, e)
		start := func() {
			if _, created, err := e.Start(t.Context(), jobs.StartRequest{Kind: "work", ID: "a"}); err != nil || !created {
				t.Fatalf("got created %v, %v", created, err)
			}
		}
		start()
		story(t, e, "a")
		if err := e.Remove(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		start()
		time.Sleep(20 * time.Second)
		synctest.Wait()
		page, err := e.List(jobs.ListQuery{})
		if err != nil || len(page.Jobs) != 1 || page.Jobs[0].State != jobs.Scheduled {
			t.Errorf("the list: got %+v, %v, want the job that waits", page.Jobs, err)
		}
		time.Sleep(time.Minute)
		if job, err := e.Get(t.Context(), "a"); err != nil || job.State != jobs.Completed {
			t.Errorf("got %s, %v, want completed", job.State, err)
		}
	})
}
