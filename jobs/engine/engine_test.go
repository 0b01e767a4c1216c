package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/jobs"
	"jobcast/jobs/files"
	"jobcast/jobs/memory"
)

// countArgs are those of the kind that most tests run: it reports N times, Gap apart.
type countArgs struct {
	N   int           `json:"n"`
	Gap time.Duration `json:"gap"`
	Do  string        `json:"do"` // what to do in the end: "" returns, "fail", "panic", "hang", "deaf"
}

type countResult struct {
	Counted int `json:"counted"`
}

var count = jobs.NewKind[countArgs, countResult]("count")

func checkCount(_ context.Context, args countArgs) error {
	if args.N < 0 {
		return jobs.BadRequest("/args/n", "must not be negative")
	}
	return nil
}

func runCount(ctx context.Context, r *jobs.Run, args countArgs) (countResult, error) {
	for i := range args.N {
		r.Progress(float64(i+1), float64(args.N), "piece", "")
		r.Log(slog.LevelInfo, fmt.Sprintf("attempt %d piece %d", r.Attempt(), i+1))
		if !sleep(ctx, args.Gap) {
			return countResult{}, context.Cause(ctx)
		}
	}
	switch args.Do {
	case "fail":
		return countResult{}, &jobs.Error{Type: "IOError", Code: "EIO", Message: "disk on fire"}
	case "panic":
		panic("boom")
	case "hang":
		<-ctx.Done()
		return countResult{}, context.Cause(ctx)
	case "finish":
		<-ctx.Done()
	case "deaf":
		time.Sleep(time.Hour)
	}
	return countResult{args.N}, nil
}

// openEngine opens an engine over a store; the test closes it.
func openEngine(t *testing.T, store jobs.Store, node string, workers ...jobs.Worker) *Engine {
	t.Helper()
	return openEngineWith(t, store, Config{Node: node, Workers: workers})
}

// openEngineWith does it with what else is configured.
func openEngineWith(t *testing.T, store jobs.Store, cfg Config) *Engine {
	t.Helper()
	files, err := files.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cfg.Store, cfg.Files, cfg.Logger = store, files, slog.New(wayHandler{t})
	if cfg.Workers == nil {
		cfg.Workers = []jobs.Worker{count.Worker(checkCount, runCount)}
	}
	e, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func closeEngine(t *testing.T, e *Engine) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := e.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
	e.files.Close()
}

func startCount(t *testing.T, e *Engine, args countArgs) jobs.ID {
	t.Helper()
	job, created, err := e.Start(t.Context(), jobs.StartRequest{Kind: "count", Args: encode(args)})
	if err != nil || !created {
		t.Fatalf("start: created %t, %v", created, err)
	}
	return job.ID
}

// story follows a job to its end, and checks that it is one: contiguous from 1, with one terminal
// event, at the end.
func story(t *testing.T, e *Engine, id jobs.ID) []jobs.Record {
	t.Helper()
	var recs []jobs.Record
	for rec, err := range e.Follow(t.Context(), id, 0) {
		if err != nil {
			t.Fatalf("follow %s: %v", id, err)
		}
		recs = append(recs, rec)
	}
	checkStory(t, recs)
	return recs
}

func checkStory(t *testing.T, recs []jobs.Record) {
	t.Helper()
	for i, rec := range recs {
		if want := uint64(i + 1); rec.Event.Seq != want || rec.Event.Prev != want-1 || rec.Job.Seq != want {
			t.Errorf("record %d: got seq %d, prev %d, job %d, want %d", i, rec.Event.Seq, rec.Event.Prev, rec.Job.Seq, want)
		}
		if last := i == len(recs)-1; rec.Job.State.Terminal() != last {
			t.Errorf("record %d of %d: %s, terminal is %t, want %t", i, len(recs), rec.Event.Type, !last, last)
		}
		if rec.Job.Args != nil {
			t.Errorf("record %d has the arguments", i)
		}
		if rec.Event.State != rec.Job.State || rec.Event.Attempt != rec.Job.Attempt {
			t.Errorf("record %d: event says %s %d, job %s %d", i, rec.Event.State, rec.Event.Attempt, rec.Job.State, rec.Job.Attempt)
		}
	}
}

// types are the types of a story's events, without repetitions in a row.
func types(recs []jobs.Record) string {
	var out []string
	for _, rec := range recs {
		if name := strings.TrimPrefix(string(rec.Event.Type), "job."); len(out) == 0 || out[len(out)-1] != name {
			out = append(out, name)
		}
	}
	return strings.Join(out, " ")
}

func last(recs []jobs.Record) jobs.Record { return recs[len(recs)-1] }

func TestJobCompletes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := openEngine(t, memory.New(), "n1")
		defer closeEngine(t, e)
		id := startCount(t, e, countArgs{N: 10, Gap: 100 * time.Millisecond})
		recs := story(t, e, id)
		if got, want := types(recs), "queued started progress completed"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if got := string(recs[1].Event.Data); got != `{"worker":"n1"}` || recs[1].Event.Attempt != 1 {
			t.Errorf("started: got %s, attempt %d", got, recs[1].Event.Attempt)
		}
		end := last(recs).Job
		if string(end.Result) != `{"counted":10}` || *end.Progress.Percent != 100 || end.FinishedAt == nil {
			t.Errorf("got result %s, percent %v", end.Result, *end.Progress.Percent)
		}
		if end.Log == nil || end.Log.Lines != 10 {
			t.Errorf("got log %+v, want 10 lines", end.Log)
		}
		before := recs[len(recs)-2]
		if before.Event.Type != jobs.EventProgress || before.Job.Progress.Done != 10 || *before.Job.Progress.Percent != 99.9 {
			t.Errorf("the last report was not stored: got %s", before.Event.Data)
		}
		job, err := e.Get(t.Context(), id)
		if err != nil || !sameJSON(job.Args, encode(countArgs{N: 10, Gap: 100 * time.Millisecond})) || job.State != jobs.Completed {
			t.Errorf("get: got %s, %s, %v", job.State, job.Args, err)
		}
	})
}

func TestFailureIsFinal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := openEngine(t, memory.New(), "n1")
		defer closeEngine(t, e)
		recs := story(t, e, startCount(t, e, countArgs{N: 1, Do: "fail"}))
		if got, want := types(recs), "queued started progress failed"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		want := jobs.Error{Type: "IOError", Code: "EIO", Message: "disk on fire", Retryable: true, Attempt: 1}
		if got := last(recs).Job.Error; got == nil || *got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

func TestPanicCostsOnlyItsJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := openEngine(t, memory.New(), "n1")
		defer closeEngine(t, e)
		bad := startCount(t, e, countArgs{N: 3, Gap: time.Second, Do: "panic"})
		good := startCount(t, e, countArgs{N: 10, Gap: time.Second})
		why := last(story(t, e, bad)).Job.Error
		if why == nil || why.Type != "panic" || why.Message != "boom" || !strings.Contains(why.Stack, "runCount") {
			t.Errorf("got %+v", why)
		}
		if end := last(story(t, e, good)); end.Event.Type != jobs.EventCompleted {
			t.Errorf("the other job: got %s", end.Event.Type)
		}
		if end := last(story(t, e, startCount(t, e, countArgs{}))); end.Event.Type != jobs.EventCompleted {
			t.Errorf("a job after the panic: got %s", end.Event.Type)
		}
	})
}

func TestConcurrencyIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int32
		kind := jobs.NewKind[struct{}, int]("busy")
		e := openEngine(t, memory.New(), "n1", kind.Worker(nil, func(context.Context, *jobs.Run, struct{}) (int, error) {
			n := now.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			time.Sleep(time.Second)
			now.Add(-1)
			return 0, nil
		}))
		defer closeEngine(t, e)
		for range 20 {
			if _, _, err := e.Start(t.Context(), jobs.StartRequest{Kind: "busy"}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(5500 * time.Millisecond)
		page, _ := e.List(jobs.ListQuery{})
		if page.Counts[jobs.Completed] != 20 || most.Load() != defaultConcurrency {
			t.Errorf("got %v done, %d at once, want 20, %d", page.Counts, most.Load(), defaultConcurrency)
		}
	})
}

func TestCloseHandsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		first := openEngine(t, store, "n1")
		polite := startCount(t, first, countArgs{N: 100, Gap: time.Second})
		deaf := startCount(t, first, countArgs{N: 1, Do: "deaf"})
		done := startCount(t, first, countArgs{Do: "finish"})
		time.Sleep(5 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		began := time.Now()
		if err := first.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("close with a deaf worker: got %v, want DeadlineExceeded", err)
		}
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("close took %v", took)
		}
		for _, id := range []jobs.ID{polite, deaf} {
			rec, _, err := store.Last(t.Context(), id)
			if err != nil || rec.Event.Type != jobs.EventQueued || rec.Job.Attempt != 0 || rec.Job.Worker != "" {
				t.Errorf("%s: got %s, attempt %d, %v, want it queued again", id, rec.Event.Type, rec.Job.Attempt, err)
			}
		}
		if rec, _, _ := store.Last(t.Context(), done); rec.Event.Type != jobs.EventCompleted {
			t.Errorf("a worker that finished while the node stopped: got %s, want completed", rec.Event.Type)
		}
		second := openEngine(t, store, "n2")
		defer closeEngine(t, second)
		recs := story(t, second, polite)
		if got, want := types(recs), "queued started progress queued started progress completed"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if end := last(recs).Job; end.Attempt != 1 || end.Worker != "n2" {
			t.Errorf("got attempt %d on %s, want 1 on n2", end.Attempt, end.Worker)
		}
		story(t, second, deaf)
		closeEngine(t, first) // the deaf worker has returned by now
	})
}

// TestStopHandsBackWhileOthersWatch must not wait for those who follow, nor end them.
func TestStopHandsBackWhileOthersWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		first := openEngine(t, store, "n1")
		id := startCount(t, first, countArgs{N: 100, Gap: time.Second})
		time.Sleep(5 * time.Second)
		var seen []jobs.Record
		var followErr error
		followed := make(chan struct{})
		go func() {
			defer close(followed)
			for rec, err := range first.Follow(t.Context(), id, 0) {
				if followErr = err; err == nil {
					seen = append(seen, rec)
				}
			}
		}()
		synctest.Wait()
		if err := first.Stop(t.Context()); err != nil {
			t.Errorf("stop: %v", err)
		}
		if _, _, err := first.Start(t.Context(), jobs.StartRequest{Kind: "count"}); jobs.ProblemOf(err).Code != jobs.CodeUnavailable {
			t.Errorf("start after stop: got %v, want unavailable", err)
		}
		synctest.Wait()
		if end := last(seen); end.Event.Type != jobs.EventQueued || end.Job.Attempt != 0 {
			t.Errorf("a follower saw %s, attempt %d at last, want the job queued again", end.Event.Type, end.Job.Attempt)
		}
		select {
		case <-followed:
			t.Errorf("stop has ended a follower: %v", followErr)
		default:
		}
		closeEngine(t, first)
		if <-followed; !errors.Is(followErr, jobs.ErrClosed) {
			t.Errorf("a follower after close: got %v, want ErrClosed", followErr)
		}
		second := openEngine(t, store, "n2")
		defer closeEngine(t, second)
		if end := last(story(t, second, id)).Job; end.State != jobs.Completed || end.Attempt != 1 {
			t.Errorf("got %s, attempt %d, want it completed in the first", end.State, end.Attempt)
		}
	})
}

// TestUnknownKindWaits: a server without a kind, such as an older version, neither fails its jobs nor is held up by
// them.
func TestUnknownKindWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		other := jobs.NewKind[struct{}, int]("other")
		worker := other.Worker(nil, func(ctx context.Context, r *jobs.Run, _ struct{}) (int, error) {
			r.Step(1, 1, "wait")
			if !sleep(ctx, time.Hour) {
				return 0, ctx.Err()
			}
			return 7, nil
		})
		first := openEngine(t, store, "n1", worker)
		job, _, err := first.Start(t.Context(), jobs.StartRequest{Kind: "other"})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		closeEngine(t, first)
		second := openEngine(t, store, "n2")
		counted := last(story(t, second, startCount(t, second, countArgs{N: 1}))).Job
		waits, err := second.Get(t.Context(), job.ID)
		if counted.State != jobs.Completed || err != nil || waits.State != jobs.Queued {
			t.Errorf("without the kind: got %s, and another job %s, %v, want queued and completed", waits.State, counted.State, err)
		}
		closeEngine(t, second)
		third := openEngine(t, store, "n3", worker)
		defer closeEngine(t, third)
		if end := last(story(t, third, job.ID)).Job; end.State != jobs.Completed || string(end.Result) != "7" || end.Attempt != 1 {
			t.Errorf("with the kind again: got %s, %s, attempt %d", end.State, end.Result, end.Attempt)
		}
	})
}

func TestOpenAndCloseLeaveNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := openEngine(t, memory.New(), "n1")
		closeEngine(t, e)
		closeEngine(t, e)
		if _, _, err := e.Start(t.Context(), jobs.StartRequest{Kind: "count"}); jobs.ProblemOf(err).Code != jobs.CodeUnavailable {
			t.Errorf("start after close: got %v, want unavailable", err)
		}
	})
	if _, err := Open(t.Context(), Config{}); err == nil {
		t.Error("open without a store: got no error")
	}
}

// TestWatchersSeeTheSame lets readers join and leave at odd moments; each list, put together from its
// parts, is the job's.
func TestWatchersSeeTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := openEngine(t, memory.New(), "n1")
		defer closeEngine(t, e)
		id := startCount(t, e, countArgs{N: 1500, Gap: 60 * time.Millisecond})
		var group sync.WaitGroup
		lists := make([][]jobs.Record, 50)
		for n := range lists {
			group.Go(func() {
				time.Sleep(time.Duration(n*n) * 34 * time.Millisecond)
				for cutAfter := n % 7 * 50; len(lists[n]) == 0 || !last(lists[n]).Job.State.Terminal(); {
					got := 0
					for rec, err := range e.Follow(t.Context(), id, uint64(len(lists[n]))) {
						if err != nil {
							t.Error(err)
							return
						}
						lists[n] = append(lists[n], rec)
						if got++; n%5 == 0 {
							time.Sleep(30 * time.Second / 100) // a slow one: the tail leaves it behind
						}
						if cutAfter > 0 && got == cutAfter {
							break
						}
					}
				}
			})
		}
		group.Wait()
		want := story(t, e, id)
		if len(want) < tailRecords+100 {
			t.Fatalf("got %d records: too few to leave anyone behind", len(want))
		}
		wantJSON, _ := json.Marshal(want)
		for n, list := range lists {
			if got, _ := json.Marshal(list); string(got) != string(wantJSON) {
				t.Errorf("watcher %d: got %d records, not the %d of the job", n, len(list), len(want))
			}
		}
		if len(e.tails) != 0 {
			t.Errorf("got %d tails, want none without readers", len(e.tails))
		}
	})
}

// followCounter counts how often the log of a job is followed.
type followCounter struct {
	jobs.Store
	follows, reads atomic.Int64
}

func TestReadersShareOneTail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &followCounter{Store: memory.New()}
		e := openEngine(t, store, "n1")
		defer closeEngine(t, e)
		id := startCount(t, e, countArgs{N: 50, Gap: 100 * time.Millisecond})
		time.Sleep(time.Second)
		var group sync.WaitGroup
		for range 1000 {
			group.Go(func() { story(t, e, id) })
		}
		group.Wait()
		if got := store.follows.Load(); got != 1 {
			t.Errorf("got %d reads of the log, want 1 for 1,000 readers", got)
		}
		if got := store.reads.Load(); got != 0 {
			t.Errorf("got %d reads beside the tail, want none", got)
		}
	})
}
