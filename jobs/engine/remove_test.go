package engine

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/jobs"
	"jobcast/jobs/memory"
)

func isGone(t *testing.T, e *Engine, store jobs.Store, id jobs.ID) {
	t.Helper()
	if _, err := e.Get(t.Context(), id); jobs.ProblemOf(err).Code != jobs.CodeNotFound {
		t.Errorf("%s: got %v, want not_found", id, err)
	}
	if _, err := store.Args(t.Context(), id); !errors.Is(err, jobs.ErrNotFound) {
		t.Errorf("%s: its arguments are left: %v", id, err)
	}
	if page, err := e.List(jobs.ListQuery{Query: string(id)}); err != nil || len(page.Jobs) != 0 {
		t.Errorf("%s is in the list, %v", id, err)
	}
}

func TestRemove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		kind := jobs.NewKind[struct{}, int]("maker")
		e := openEngine(t, store, "n1", kind.Worker(nil, func(ctx context.Context, r *jobs.Run, _ struct{}) (int, error) {
			w, err := r.Create("out.txt", "")
			if err != nil {
				return 0, err
			}
			if _, err := w.Write([]byte("x")); err != nil {
				return 0, err
			}
			if !sleep(ctx, time.Minute) {
				return 0, ctx.Err()
			}
			return 1, w.Close()
		}))
		defer closeEngine(t, e)
		other := openEngine(t, store, "n2")
		defer closeEngine(t, other)
		job, _, err := e.Start(t.Context(), jobs.StartRequest{Kind: "maker"})
		if err != nil {
			t.Fatal(err)
		}
		var removed []jobs.ID
		ctx, stop := context.WithCancel(t.Context())
		watching := make(chan struct{})
		go func() {
			defer close(watching)
			for changes, err := range other.Watch(ctx, time.Millisecond) {
				if err != nil {
					t.Error(err)
				}
				removed = append(removed, changes.Removed...)
			}
		}()
		time.Sleep(time.Second)
		if err := e.Remove(t.Context(), job.ID); jobs.ProblemOf(err).Code != jobs.CodeConflict {
			t.Errorf("a running job: got %v, want conflict", err)
		}
		story(t, e, job.ID)
		if err := other.Remove(t.Context(), job.ID); err != nil { // by another server
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		stop()
		<-watching
		isGone(t, e, store, job.ID)
		isGone(t, other, store, job.ID)
		if fmt.Sprint(removed) != fmt.Sprint([]jobs.ID{job.ID}) {
			t.Errorf("watchers were told of %v", removed)
		}
		if err := e.Remove(t.Context(), job.ID); jobs.ProblemOf(err).Code != jobs.CodeNotFound {
			t.Errorf("again: got %v, want not_found", err)
		}
		if again, created, err := e.Start(t.Context(), jobs.StartRequest{Kind: "maker", ID: job.ID}); err != nil || !created || again.Seq != 1 {
			t.Errorf("the name again: got %+v, created %t, %v", again, created, err)
		} else {
			story(t, e, job.ID)
		}
	})
}

func TestRemoveTakesArtifacts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := openEngine(t, memory.New(), "n1")
		defer closeEngine(t, e)
		id := startCount(t, e, countArgs{})
		story(t, e, id)
		made, err := e.files.Create()
		if err == nil {
			err = made.CommitArtifact(id, "a")
		}
		if err != nil {
			t.Fatal(err)
		}
		if f, err := e.files.OpenArtifact(id, "a"); err != nil {
			t.Error(err)
		} else {
			f.Close()
		}
		if err := e.Remove(t.Context(), id); err != nil {
			t.Error(err)
		}
		if f, err := e.files.OpenArtifact(id, "a"); err == nil {
			f.Close()
			t.Error("the artifact is left")
		}
	})
}

// TestRetention: a finished job goes when its time has come, which its request says, or its kind, or the server.
func TestRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		short := jobs.NewKind[countArgs, countResult]("short").Unless(jobs.Defaults{Retention: time.Hour})
		cfg := Config{Node: "n1", Keep: 24 * time.Hour, KeepFailed: 72 * time.Hour,
			Workers: []jobs.Worker{count.Worker(checkCount, runCount), short.Worker(nil, runCount)}}
		e := openEngineWith(t, store, cfg)
		kept := make(map[jobs.ID]time.Duration)
		for _, c := range []struct {
			kind string
			do   string
			ms   *int64
			kept time.Duration
		}{
			{"count", "", nil, 24 * time.Hour}, {"count", "fail", nil, 72 * time.Hour}, {"short", "", nil, time.Hour},
			{"short", "", new(int64(60_000)), time.Minute}, {"count", "fail", new(int64(0)), keptAtLeast},
		} {
			job, _, err := e.Start(t.Context(), jobs.StartRequest{Kind: c.kind, Args: encode(countArgs{Do: c.do}), RetentionMs: c.ms})
			if err != nil {
				t.Fatal(err)
			}
			story(t, e, job.ID)
			kept[job.ID] = c.kept
		}
		began := time.Now()
		for _, at := range []time.Duration{2 * time.Second, 12 * time.Second, 62 * time.Second, 61 * time.Minute, 25 * time.Hour, 73 * time.Hour} {
			time.Sleep(at - time.Since(began))
			if at == 61*time.Minute { // by another server, after a restart
				closeEngine(t, e)
				cfg.Node = "n2"
				e = openEngineWith(t, store, cfg)
			}
			synctest.Wait()
			for id, until := range kept {
				if _, err := e.Get(t.Context(), id); (err == nil) != (until > at) {
					t.Errorf("after %v: a job that is kept for %v: %v", at, until, err)
				}
			}
		}
		closeEngine(t, e)
	})
}

// TestTheOldestGo: of more finished jobs than are kept, the oldest go; who runs stays.
func TestTheOldestGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := openEngineWith(t, memory.New(), Config{Node: "n1", KeepJobs: 10})
		defer closeEngine(t, e)
		hanging := startCount(t, e, countArgs{Do: "hang"})
		var ids []jobs.ID
		for range 25 {
			id := startCount(t, e, countArgs{})
			story(t, e, id)
			ids = append(ids, id)
			time.Sleep(time.Second)
		}
		time.Sleep(2 * roomEvery)
		for n, id := range ids {
			if _, err := e.Get(t.Context(), id); (err == nil) != (n >= 15) {
				t.Errorf("job %d of 25: got %v, want the newest 10", n, err)
			}
		}
		if job, err := e.Get(t.Context(), hanging); err != nil || job.State != jobs.Running {
			t.Errorf("the one that runs, the oldest: got %s, %v", job.State, err)
		}
	})
}

// TestRemoveSurvivesACrash kills the engine at every write of a removal.
func TestRemoveSurvivesACrash(t *testing.T) {
	for _, before := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			store := memory.New()
			dying := newMortalStore(store, -1, before)
			e := openEngine(t, dying, "n1")
			id := startCount(t, e, countArgs{N: 2})
			story(t, e, id)
			dying.dieAfter(1)
			err := e.Remove(t.Context(), id)
			closeEngine(t, e)
			second := openEngine(t, store, "n2")
			defer closeEngine(t, second)
			if _, getErr := second.Get(t.Context(), id); getErr == nil {
				if removeErr := second.Remove(t.Context(), id); removeErr != nil {
					t.Errorf("again, after %v: %v", err, removeErr)
				}
			}
			isGone(t, second, store, id)
		})
	}
}

func TestRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := openEngine(t, memory.New(), "n1")
		defer closeEngine(t, e)
		first, _, err := e.Start(t.Context(), jobs.StartRequest{
			Kind: "count", Args: encode(countArgs{N: 1, Do: "fail"}), Tags: []string{"a"}, Priority: jobs.PriorityLow, TimeoutMs: 70_000,
			MaxAttempts: 2, Backoff: &jobs.Backoff{DelayMs: 1}, Title: "by hand",
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := e.Retry(t.Context(), jobs.RetryRequest{ID: first.ID}, ""); jobs.ProblemOf(err).Code != jobs.CodeConflict {
			t.Errorf("before its end: got %v, want conflict", err)
		}
		before := story(t, e, first.ID)
		again, created, err := e.Retry(t.Context(), jobs.RetryRequest{ID: first.ID}, "")
		twice, second, err2 := e.Retry(t.Context(), jobs.RetryRequest{ID: first.ID}, "")
		if err != nil || err2 != nil || !created || second || twice.ID != again.ID || again.ID == first.ID {
			t.Fatalf("got %s and %s, created %t %t, %v %v", again.ID, twice.ID, created, second, err, err2)
		}
		if again.RetryOf != first.ID || again.Title != "by hand" || again.Priority != jobs.PriorityLow || again.TimeoutMs != 70_000 || again.MaxAttempts != 2 || fmt.Sprint(again.Tags) != "[a]" {
			t.Errorf("got %+v", again)
		}
		if got := types(story(t, e, again.ID)); got != "queued started progress retrying queued started progress failed" {
			t.Errorf("got %s", got)
		}
		time.Sleep(2 * sameRetry)
		third, created, err := e.Retry(t.Context(), jobs.RetryRequest{ID: first.ID}, "")
		if err != nil || !created || third.ID == again.ID {
			t.Errorf("after the end of that: got %s, created %t, %v, want another one", third.ID, created, err)
		}
		other, created, err := e.Retry(t.Context(), jobs.RetryRequest{ID: first.ID, Args: encode(countArgs{N: 3})}, "")
		if err != nil || !created {
			t.Fatal(err)
		}
		if end := last(story(t, e, other.ID)).Job; end.State != jobs.Completed || string(end.Result) != `{"counted":3}` {
			t.Errorf("with other arguments: got %s, %s", end.State, end.Result)
		}
		if after := story(t, e, first.ID); len(after) != len(before) {
			t.Errorf("the old story has %d lines, not %d", len(after), len(before))
		}
		if _, _, err := e.Retry(t.Context(), jobs.RetryRequest{ID: "none"}, ""); jobs.ProblemOf(err).Code != jobs.CodeNotFound {
			t.Errorf("of no job: got %v", err)
		}
		if _, _, err := e.Retry(t.Context(), jobs.RetryRequest{ID: first.ID, Args: []byte(`{"n":-1}`)}, ""); jobs.ProblemOf(err).Code != jobs.CodeBadRequest {
			t.Errorf("with bad arguments: got %v", err)
		}
	})
}

// TestAParentHasNotFinished: a child names a parent that is there and has not finished, and the list finds it by that.
func TestAParentHasNotFinished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := openEngine(t, memory.New(), "n1")
		defer closeEngine(t, e)
		parent := startCount(t, e, countArgs{N: 10, Gap: time.Second})
		child := startIn(t, e, jobs.StartRequest{ParentID: parent}, countArgs{N: 10, Gap: time.Second})
		grandchild := startIn(t, e, jobs.StartRequest{ParentID: child}, countArgs{N: 1})
		if job := last(story(t, e, grandchild)).Job; job.ParentID != child || job.RootID != parent {
			t.Errorf("got parent %s and root %s, want %s and %s", job.ParentID, job.RootID, child, parent)
		}
		if page, err := e.List(jobs.ListQuery{ParentID: parent}); err != nil || len(page.Jobs) != 1 || page.Jobs[0].ID != child {
			t.Errorf("children: got %+v, %v", page.Jobs, err)
		}
		story(t, e, parent)
		for id, code := range map[jobs.ID]string{parent: jobs.CodeConflict, "nobody": jobs.CodeBadRequest} {
			if _, _, err := e.Start(t.Context(), jobs.StartRequest{Kind: "count", ParentID: id}); jobs.ProblemOf(err).Code != code {
				t.Errorf("a child of %s: got %v, want %s", id, err, code)
			}
		}
		story(t, e, child)
	})
}

// TestWhoFollowsARemovedJobIsTold: a follower that has not read the end of a job when the job goes does not wait for
// ever.
func TestWhoFollowsARemovedJobIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		e := openEngine(t, store, "n1")
		defer closeEngine(t, e)
		id := startCount(t, e, countArgs{Do: "hang"})
		ended := make(chan error, 1)
		go func() {
			var last error
			for _, err := range e.Follow(t.Context(), id, 0) {
				last = err
			}
			ended <- last
		}()
		time.Sleep(time.Second)
		if err := store.Remove(t.Context(), id); err != nil { // as nobody should
			t.Fatal(err)
		}
		if err := <-ended; !errors.Is(err, jobs.ErrNotFound) {
			t.Errorf("got %v, want ErrNotFound", err)
		}
		time.Sleep(time.Minute)
	})
}
