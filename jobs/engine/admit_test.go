package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/jobs"
	"jobcast/jobs/files"
	"jobcast/jobs/memory"
)

// limited opens an engine that runs one job at a time, with limits.
func limited(t *testing.T, store jobs.Store, rate float64, burst, maxQueued int) *Engine {
	t.Helper()
	files, err := files.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	e, err := Open(t.Context(), Config{
		Store: store, Files: files, Workers: []jobs.Worker{count.Worker(checkCount, runCount)}, Concurrency: 1, Node: "n",
		Logger: slog.New(slog.DiscardHandler), StartRate: rate, StartBurst: burst, MaxQueued: maxQueued,
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// startFrom starts a job that hangs, and returns the problem with that.
func startFrom(t *testing.T, e *Engine, from string) (jobs.ID, *jobs.Problem) {
	t.Helper()
	job, _, err := e.Start(t.Context(), jobs.StartRequest{Kind: "count", Args: encode(countArgs{Do: "hang"}), From: from})
	if err == nil {
		return job.ID, nil
	}
	p, ok := errors.AsType[*jobs.Problem](err)
	if !ok || p.Code != jobs.CodeTooManyRequests || p.Status != 429 || p.RetryAfterMs <= 0 {
		t.Fatalf("from %s: got %v, want too_many_requests with a time", from, err)
	}
	return "", p
}

func TestStartsFromOneAddressAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := limited(t, memory.New(), 50, 200, 0)
		defer closeEngine(t, e)
		count := func(from string, n int) (started int, last *jobs.Problem) {
			for range n {
				if _, p := startFrom(t, e, from); p == nil {
					started++
				} else {
					last = p
				}
			}
			return started, last
		}
		started, last := count("a", 1000)
		if started != 200 || last == nil || last.RetryAfterMs != 20 {
			t.Fatalf("got %d at once and %+v, want 200 and one more in 20 ms", started, last)
		}
		if started, _ := count("b", 10); started != 10 {
			t.Errorf("another address: got %d of 10", started)
		}
		if started, _ := count("", 300); started != 300 {
			t.Errorf("without an address: got %d of 300", started)
		}
		time.Sleep(time.Duration(last.RetryAfterMs) * time.Millisecond)
		if started, _ := count("a", 10); started != 1 {
			t.Errorf("after the time that was told: got %d, want one", started)
		}
		time.Sleep(time.Second)
		if started, _ := count("a", 1000); started != 50 {
			t.Errorf("a second later: got %d, want 50", started)
		}
		// What is refused for another reason is work, too.
		time.Sleep(time.Minute)
		for range 200 {
			if _, _, err := e.Start(t.Context(), jobs.StartRequest{Kind: "nope", From: "a"}); err == nil {
				t.Fatal("a kind that is none was started")
			}
		}
		if started, _ := count("a", 1); started != 0 {
			t.Error("wrong requests are not counted")
		}
	})
}

func TestTheQueueOfOneAddressIsLimitedWhateverHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 5
		store := memory.New()
		e := limited(t, store, 0, 0, most)
		full := func(what string, want int) (ids []jobs.ID) {
			t.Helper()
			synctest.Wait()
			for {
				id, p := startFrom(t, e, "a")
				if p != nil {
					if !strings.Contains(p.Detail, fmt.Sprint(most)) {
						t.Errorf("%s: got %q, want the bound", what, p.Detail)
					}
					break
				}
				ids = append(ids, id)
				synctest.Wait()
			}
			if len(ids) != want {
				t.Errorf("%s: got %d more, want %d", what, len(ids), want)
			}
			return ids
		}
		ids := full("at first", most+1) // one runs
		if _, p := startFrom(t, e, "b"); p != nil {
			t.Errorf("another address: %v", p)
		}
		if _, p := startFrom(t, e, ""); p != nil {
			t.Errorf("without an address: %v", p)
		}

		cancel := func(id jobs.ID) {
			t.Helper()
			if _, _, err := e.Cancel(t.Context(), jobs.CancelRequest{ID: id}); err != nil {
				t.Fatal(err)
			}
		}
		cancel(ids[2]) // waits
		full("one that waited was cancelled", 1)
		cancel(ids[0]) // runs, and the next one begins
		full("the one that ran has ended", 1)

		// In order, and as if it were killed: what waits is counted, and the job that ran is handed back.
		closeEngine(t, e)
		e = limited(t, store, 0, 0, most)
		full("after a restart", 0)
		synctest.Wait()
		page, err := e.List(jobs.ListQuery{State: jobs.Queued, Limit: 200})
		if err != nil {
			t.Fatal(err)
		}
		for _, job := range page.Jobs {
			cancel(job.ID)
		}
		full("all that waited were cancelled", most)
		closeEngine(t, e)
	})
}

func TestManyAtOnceTakeNoMorePlacesThanThereAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 20
		e := limited(t, memory.New(), 0, 0, most)
		defer closeEngine(t, e)
		for range 2 { // one takes the only slot
			startFrom(t, e, "b")
		}
		synctest.Wait()
		var all sync.WaitGroup
		var mu sync.Mutex
		started := 0
		for range 200 {
			all.Go(func() {
				if _, p := startFrom(t, e, "a"); p == nil {
					mu.Lock()
					defer mu.Unlock()
					started++
				}
			})
		}
		all.Wait()
		if started > most || e.index.Queued(ownerOf("a")) != started || len(e.starts.being) != 0 {
			t.Errorf("got %d started, %d queued, %d places held; want at most %d", started, e.index.Queued(ownerOf("a")), len(e.starts.being), most)
		}
		for { // those who came while one was being made may have been refused too early
			if _, p := startFrom(t, e, "a"); p != nil {
				break
			}
			started++
		}
		if started != most {
			t.Errorf("got %d, want %d", started, most)
		}
	})
}

// A record says whose job it is for the limits' sake, and nobody is told where that was.
func TestNoRecordHasAnAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := limited(t, memory.New(), 0, 0, 10)
		defer closeEngine(t, e)
		id, _ := startFrom(t, e, "203.0.113.7")
		synctest.Wait()
		recs, err := e.store.Read(t.Context(), id, 0, 10)
		if err != nil || len(recs) != 2 {
			t.Fatalf("got %v, %v", recs, err)
		}
		for _, rec := range recs {
			if text := string(encode(rec)); rec.Owner == "" || rec.Owner != recs[0].Owner || strings.Contains(text, "203.0.113") {
				t.Errorf("got %s", text)
			}
		}
	})
}
