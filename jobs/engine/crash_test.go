package engine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/jobs"
	"jobcast/jobs/memory"
)

// checkLines checks that a job's text is whole: line numbers without a hole, and no attempt's lines
// after those of a later one.
func checkLines(t *testing.T, e *Engine, id jobs.ID) []string {
	t.Helper()
	var lines []string
	next, attempt := int64(1), 0
	for c, err := range e.FollowLogs(t.Context(), id, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if c.Line != next || c.Attempt < attempt {
			t.Errorf("%s: got line %d of attempt %d, want line %d of attempt %d or later", id, c.Line, c.Attempt, next, attempt)
		}
		next, attempt = c.Line+int64(len(c.Lines)), c.Attempt
		for _, l := range c.Lines {
			lines = append(lines, l.Text)
		}
	}
	return lines
}

func TestLostWorkerLeadsToANewAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		dying := newMortalStore(store, -1, false)
		first := openEngine(t, dying, "n1")
		id := startCount(t, first, countArgs{N: 20, Gap: time.Second})
		time.Sleep(7500 * time.Millisecond)
		dying.kill()
		closeEngine(t, first)
		second := openEngine(t, store, "n2")
		defer closeEngine(t, second)
		began := time.Now()
		recs := story(t, second, id)
		if got, want := types(recs), "queued started progress queued started progress completed"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if end := last(recs).Job; end.Attempt != 2 || end.Worker != "n2" {
			t.Errorf("got attempt %d on %s, want 2 on n2", end.Attempt, end.Worker)
		}
		if took := time.Since(began); took > jobs.LeaseTime+21*time.Second {
			t.Errorf("took %v, want the rest of a lease and 20s", took)
		}
		lines := checkLines(t, second, id)
		if got := lines[len(lines)-1]; got != "attempt 2 piece 20" {
			t.Errorf("got the last line %q", got)
		}
	})
}

func TestWorkerLostTooOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		var id jobs.ID
		for n := range 3 {
			dying := newMortalStore(store, -1, false)
			e := openEngine(t, dying, fmt.Sprint("n", n))
			if n == 0 {
				job, _, err := e.Start(t.Context(), jobs.StartRequest{Kind: "count", Args: encode(countArgs{Do: "hang"}), MaxAttempts: 1})
				if err != nil {
					t.Fatal(err)
				}
				id = job.ID
			}
			time.Sleep(2 * jobs.LeaseTime)
			dying.kill()
			closeEngine(t, e)
		}
		e := openEngine(t, store, "n9")
		defer closeEngine(t, e)
		recs := story(t, e, id)
		if got, want := types(recs), "queued started queued started queued started failed"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if why := last(recs).Job.Error; why == nil || why.Type != "worker_lost" || why.Attempt != 3 {
			t.Errorf("got %+v", why)
		}
	})
}

// TestEveryCrashLeavesOneStory kills the engine after each of its writes in turn, before and after the
// write reaches the store, and lets another finish the job.
func TestEveryCrashLeavesOneStory(t *testing.T) {
	args := countArgs{N: 4, Gap: 400 * time.Millisecond}
	for _, before := range []bool{true, false} {
		for writes := 1; writes < 25; writes++ {
			t.Run(fmt.Sprintf("writes=%d/before=%t", writes, before), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					store := memory.New()
					dying := newMortalStore(store, -1, before)
					first := openEngine(t, dying, "n1")
					dying.dieAfter(writes)
					req := jobs.StartRequest{Kind: "count", Args: encode(args), IdempotencyKey: "once"}
					_, _, startErr := first.Start(t.Context(), req)
					time.Sleep(10 * time.Second)
					closeEngine(t, first)
					second := openEngine(t, store, "n2")
					defer closeEngine(t, second)
					job, _, err := second.Start(t.Context(), req) // what a client does that had no answer
					if err != nil {
						t.Fatalf("start again after %v: %v", startErr, err)
					}
					recs := story(t, second, job.ID)
					end := last(recs)
					if end.Event.Type != jobs.EventCompleted || string(end.Job.Result) != `{"counted":4}` || end.Job.Attempt > 2 {
						t.Errorf("got %s in attempt %d: %s", end.Event.Type, end.Job.Attempt, types(recs))
					}
					if lines := checkLines(t, second, job.ID); len(lines) < args.N || int64(len(lines)) != end.Job.Log.Lines {
						t.Errorf("got %d lines, the job says %+v", len(lines), end.Job.Log)
					}
					// Nothing is left in the queue.
					time.Sleep(2 * jobs.LeaseTime)
					synctest.Wait()
					if queues := second.ready.Queues(); len(queues) != 0 {
						t.Errorf("got %+v, want nobody in a queue", queues)
					}
				})
			})
		}
	}
}

// TestRandomKills runs many jobs on two nodes that are killed, one after the other, at random moments,
// while the store loses answers, and clients cancel.
func TestRandomKills(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 1))
				store := memory.New()
				var ids []jobs.ID
				var group sync.WaitGroup
				for round := range 6 {
					dying := newMortalStore(store, -1, false)
					e := openEngine(t, dying, fmt.Sprint("n", round))
					dying.fail(rand.New(rand.NewPCG(seed, uint64(round))))
					for i := range 4 {
						job, _, err := e.Start(t.Context(), jobs.StartRequest{
							Kind: "count", ID: jobs.ID(fmt.Sprintf("job-%d-%d", round, i)), MaxAttempts: 1 + rng.IntN(4),
							Args: encode(countArgs{N: rng.IntN(40), Gap: time.Duration(rng.IntN(900)) * time.Millisecond, Do: []string{"", "", "fail", "panic", "finish"}[rng.IntN(5)]}),
						})
						if err == nil {
							ids = append(ids, job.ID)
						}
					}
					time.Sleep(time.Duration(rng.IntN(30_000)) * time.Millisecond)
					if n := len(ids); n > 0 && rng.IntN(2) == 0 {
						e.Cancel(t.Context(), jobs.CancelRequest{ID: ids[rng.IntN(n)]})
					}
					time.Sleep(time.Duration(rng.IntN(5_000)) * time.Millisecond)
					if rng.IntN(3) > 0 {
						dying.kill()
					}
					group.Go(func() { closeEngine(t, e) }) // while the next one has begun
				}
				group.Wait()
				e := openEngine(t, store, "last")
				defer closeEngine(t, e)
				time.Sleep(time.Minute)
				page, err := e.List(jobs.ListQuery{Limit: 200}) // with those whose Start got no answer
				if err != nil || len(page.Jobs) < len(ids) {
					t.Fatalf("got %d jobs, %v, want %d or more", len(page.Jobs), err, len(ids))
				}
				ids = nil
				for _, job := range page.Jobs {
					ids = append(ids, job.ID)
				}
				for _, id := range ids { // "finish" waits to be cancelled
					if _, _, err := e.Cancel(t.Context(), jobs.CancelRequest{ID: id}); err != nil {
						t.Errorf("cancel %s: %v", id, err)
					}
				}
				ends := make(map[string]int)
				for _, id := range ids {
					ends[string(last(story(t, e, id)).Event.Type)]++
					checkLines(t, e, id)
				}
				if len(ids) < 5 { // a store that loses answers lets few through, by chance
					t.Errorf("got only %d jobs started", len(ids))
				}
				t.Logf("%d jobs: %v", len(ids), ends)
			})
		})
	}
}

func TestLateWorkerIsFenced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		first := openEngine(t, &muteStore{Store: store}, "n1") // it is alive, but its session runs out
		defer closeEngine(t, first)
		id := startCount(t, first, countArgs{N: 40, Gap: time.Second})
		time.Sleep(time.Second)
		second := openEngine(t, store, "n2")
		defer closeEngine(t, second)
		run := first.run(id)
		if run == nil {
			t.Fatal("the job does not run on the first node")
		}
		recs := story(t, second, id)
		if got, want := types(recs), "queued started progress queued started progress completed"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if end := last(recs).Job; end.Worker != "n2" || end.Attempt != 2 {
			t.Errorf("got attempt %d on %s, want 2 on n2", end.Attempt, end.Worker)
		}
		begun := false
		for _, rec := range recs {
			if rec.Job.Attempt == 2 {
				begun = true
			} else if begun {
				t.Errorf("seq %d: the late worker wrote after attempt 2 had begun", rec.Event.Seq)
			}
		}
		if run.ctx.Err() == nil || !errors.Is(run.alive(), errFenced) {
			t.Errorf("the late run: got %v, alive %v, want it fenced", run.ctx.Err(), run.alive())
		}
		checkLines(t, second, id)
	})
}

// TestWhoIsPutBackKeepsItsPlace: a job whose server stops, or is gone, is not behind those that came after it.
func TestWhoIsPutBackKeepsItsPlace(t *testing.T) {
	for _, how := range []string{"stop", "kill"} {
		synctest.Test(t, func(t *testing.T) {
			store := memory.New()
			dying := newMortalStore(store, -1, false)
			first := openEngineWith(t, dying, Config{Node: "n1", Concurrency: 1})
			runs := startCount(t, first, countArgs{N: 100, Gap: time.Second})
			time.Sleep(time.Second)
			waits := startCount(t, first, countArgs{N: 1})
			if how == "kill" {
				dying.kill()
			}
			closeEngine(t, first)
			time.Sleep(2 * jobs.LeaseTime)
			second := openEngineWith(t, store, Config{Node: "n1", Concurrency: 1})
			defer closeEngine(t, second)
			began := last(story(t, second, waits)).Job.StartedAt
			if ended := last(story(t, second, runs)).Job.FinishedAt; began.Before(*ended) {
				t.Errorf("%s: the one that waited began at %v, before the end of the other at %v", how, began, ended)
			}
		})
	}
}
