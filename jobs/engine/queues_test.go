package engine

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/jobs"
	"jobcast/jobs/memory"
)

func startIn(t *testing.T, e *Engine, req jobs.StartRequest, args countArgs) jobs.ID {
	t.Helper()
	req.Kind, req.Args = "count", encode(args)
	job, _, err := e.Start(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return job.ID
}

// TestPauseHoldsForAllServers: no server begins a job of a paused queue, not after a restart either; other queues go on.
func TestPauseHoldsForAllServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		first, second := openEngine(t, store, "n1"), openEngine(t, store, "n2")
		runs := startIn(t, first, jobs.StartRequest{Queue: "reports"}, countArgs{N: 60, Gap: time.Second})
		time.Sleep(time.Second)
		for range 2 { // twice is no error
			if info, err := second.Pause(t.Context(), jobs.QueueRequest{Queue: "reports"}); err != nil || !info.Paused || info.Running != 1 {
				t.Errorf("pause: got %+v, %v", info, err)
			}
		}
		time.Sleep(time.Second)
		waits := startIn(t, first, jobs.StartRequest{Queue: "reports", Priority: jobs.PriorityHigh}, countArgs{N: 1})
		other := startIn(t, first, jobs.StartRequest{}, countArgs{N: 1})
		story(t, first, other)
		if end := last(story(t, first, runs)).Job; end.State != jobs.Completed {
			t.Errorf("what ran when its queue was paused: got %s", end.State)
		}
		closeEngine(t, first)
		closeEngine(t, second)
		third := openEngine(t, store, "n3")
		defer closeEngine(t, third)
		time.Sleep(time.Hour)
		job, err := third.Get(t.Context(), waits)
		if err != nil || job.State != jobs.Queued || job.WaitsFor != jobs.WaitsForQueue || job.QueuePosition != 1 {
			t.Errorf("got %s, waits for %q at %d, %v", job.State, job.WaitsFor, job.QueuePosition, err)
		}
		i := slices.IndexFunc(third.Queues(), func(q jobs.QueueInfo) bool { return q.Name == "reports" })
		if i < 0 {
			t.Fatal("the queue is not listed")
		}
		if q := third.Queues()[i]; !q.Paused || q.Depth != 1 || q.ByPriority[jobs.PriorityHigh] != 1 || q.OldestWaitMs == nil || *q.OldestWaitMs < 3_600_000 {
			t.Errorf("got %+v", q)
		}
		if info, err := third.Resume(t.Context(), jobs.QueueRequest{Queue: "reports"}); err != nil || info.Paused {
			t.Errorf("resume: got %+v, %v", info, err)
		}
		if end := last(story(t, third, waits)).Job; end.State != jobs.Completed {
			t.Errorf("got %s", end.State)
		}
		if _, err := third.Pause(t.Context(), jobs.QueueRequest{Queue: "Not A Name"}); jobs.ProblemOf(err).Code != jobs.CodeBadRequest {
			t.Errorf("a bad name: got %v", err)
		}
	})
}

// TestTheOrderOfAQueue: priorities first, then fair turns of those who started jobs.
func TestTheOrderOfAQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := openEngineWith(t, memory.New(), Config{Node: "n1", Concurrency: 1})
		defer closeEngine(t, e)
		startIn(t, e, jobs.StartRequest{}, countArgs{N: 10, Gap: time.Second})
		time.Sleep(time.Second)
		var ids []jobs.ID
		name := make(map[jobs.ID]string)
		for _, j := range []struct {
			name, from string
			priority   jobs.Priority
		}{
			{"low", "10.0.0.1", jobs.PriorityLow}, {"a1", "10.0.0.1", ""}, {"a2", "10.0.0.1", ""}, {"a3", "10.0.0.1", ""},
			{"b1", "10.0.0.2", jobs.PriorityDefault}, {"high", "10.0.0.1", jobs.PriorityHigh}, {"b2", "10.0.0.2", ""},
		} {
			id := startIn(t, e, jobs.StartRequest{From: j.from, Priority: j.priority}, countArgs{N: 1, Gap: time.Second})
			ids, name[id] = append(ids, id), j.name
			time.Sleep(time.Millisecond)
		}
		want := []string{"high", "a1", "b1", "a2", "b2", "a3", "low"}
		places := e.Places(ids)
		for id, p := range places {
			if want[p.QueuePosition-1] != name[id] || p.WaitsFor != jobs.WaitsForSlot {
				t.Errorf("%s is said to be at %d, waits for %q", name[id], p.QueuePosition, p.WaitsFor)
			}
		}
		var ends []jobs.Job
		for _, id := range ids {
			ends = append(ends, last(story(t, e, id)).Job)
		}
		slices.SortFunc(ends, func(a, b jobs.Job) int { return a.StartedAt.Compare(*b.StartedAt) })
		var got []string
		for _, j := range ends {
			got = append(got, name[j.ID])
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

// TestOneOfAKey: of a concurrency key one job runs at a time, and the others are in nobody's way.
func TestOneOfAKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := openEngine(t, memory.New(), "n1")
		defer closeEngine(t, e)
		var ids []jobs.ID
		for range 3 {
			ids = append(ids, startIn(t, e, jobs.StartRequest{ConcurrencyKey: "customer 7"}, countArgs{N: 3, Gap: time.Second}))
		}
		free := startIn(t, e, jobs.StartRequest{}, countArgs{N: 1})
		story(t, e, free)
		if job, err := e.Get(t.Context(), ids[1]); err != nil || job.State != jobs.Queued || job.WaitsFor != jobs.WaitsForKey {
			t.Errorf("got %s, waits for %q, %v", job.State, job.WaitsFor, err)
		}
		var before time.Time
		for _, id := range ids {
			end := last(story(t, e, id)).Job
			if end.StartedAt.Before(before) {
				t.Errorf("one began at %v, before the end of the other at %v", end.StartedAt, before)
			}
			before = *end.FinishedAt
		}
	})
}

// TestExpectedStart: after some starts, a queued job has a time at which it may begin.
func TestExpectedStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := openEngineWith(t, memory.New(), Config{Node: "n1", Concurrency: 1})
		defer closeEngine(t, e)
		var ids []jobs.ID
		for range 10 {
			ids = append(ids, startIn(t, e, jobs.StartRequest{}, countArgs{N: 10, Gap: time.Second}))
			time.Sleep(time.Millisecond)
		}
		if job, _ := e.Get(t.Context(), ids[9]); job.ExpectedStartAt != nil {
			t.Errorf("after one start: got %v, want nobody to know", job.ExpectedStartAt)
		}
		time.Sleep(35 * time.Second)
		job, err := e.Get(t.Context(), ids[9])
		if err != nil || job.ExpectedStartAt == nil {
			t.Fatalf("got %+v, %v", job, err)
		}
		said := *job.ExpectedStartAt
		if began := *last(story(t, e, ids[9])).Job.StartedAt; said.Sub(began).Abs() > 15*time.Second {
			t.Errorf("it was expected at %v, and began at %v", said, began)
		}
	})
}
