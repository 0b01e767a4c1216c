package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/jobs"
	"jobcast/jobs/memory"
)

func TestListSorts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		e := openEngine(t, store, "n1")
		for _, j := range []struct {
			id     jobs.ID
			title  string
			millis int // that it takes: the last to end is the last to change
		}{{"a", "Zebra", 9000}, {"b", "ant", 5000}, {"c", "Ant", 3000}, {"d", "äpfel", 9500}, {"e", "bee", 4500}} {
			req := jobs.StartRequest{Kind: "count", ID: j.id, Title: j.title, Args: encode(countArgs{N: 1, Gap: time.Duration(j.millis) * time.Millisecond})}
			if _, _, err := e.Start(t.Context(), req); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		time.Sleep(time.Minute)
		closeEngine(t, e)
		e = openEngine(t, store, "n2")
		defer closeEngine(t, e)
		for sort, want := range map[jobs.Sort]string{"": "edcba", jobs.SortNewest: "edcba", jobs.SortOldest: "abcde", jobs.SortTitle: "cbead", jobs.SortChanged: "deabc"} {
			for limit := 1; limit <= 6; limit++ {
				got := ""
				for q := (jobs.ListQuery{Sort: sort, Limit: limit}); ; {
					page, err := e.List(q)
					if err != nil {
						t.Fatal(err)
					}
					for _, job := range page.Jobs {
						got += string(job.ID)
					}
					if q.Cursor = page.Next; q.Cursor == "" {
						break
					}
				}
				if got != want {
					t.Errorf("%q by %d: got %s, want %s", sort, limit, got, want)
				}
			}
		}
		page, err := e.List(jobs.ListQuery{Sort: jobs.SortTitle, Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.List(jobs.ListQuery{Sort: jobs.SortOldest, Cursor: page.Next}); jobs.ProblemOf(err) == nil {
			t.Error("the cursor of another order: got no error")
		}
		if page, err := e.List(jobs.ListQuery{Query: "ÄPFEL"}); err != nil || len(page.Jobs) != 1 {
			t.Errorf("q finds a title: got %d jobs, %v", len(page.Jobs), err)
		}
	})
}

func TestListPagesAndFilters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		e := openEngine(t, store, "n1")
		var ids []jobs.ID
		for i := range 25 {
			req := jobs.StartRequest{Kind: "count", ID: jobs.ID(fmt.Sprintf("job-%02d", i)), Args: encode(countArgs{N: 1})}
			if i%5 == 0 {
				req.Tags = []string{"user:42"}
			}
			if i == 7 {
				req.Args = encode(countArgs{Do: "fail"})
			}
			if _, _, err := e.Start(t.Context(), req); err != nil {
				t.Fatal(err)
			}
			ids = append(ids, req.ID)
			if i%2 == 0 {
				time.Sleep(time.Second) // else the same moment: the id decides
			}
		}
		time.Sleep(time.Minute)
		slices.Reverse(ids)
		closeEngine(t, e)
		e = openEngine(t, store, "n2") // the order survives: it is in the records
		defer closeEngine(t, e)
		var got []jobs.ID
		for q := (jobs.ListQuery{Limit: 10}); ; {
			page, err := e.List(q)
			if err != nil {
				t.Fatal(err)
			}
			for _, job := range page.Jobs {
				got = append(got, job.ID)
				if job.Args != nil || job.Result != nil {
					t.Errorf("%s comes with arguments or result", job.ID)
				}
			}
			if page.Counts[jobs.Completed] != 24 || page.Counts[jobs.Failed] != 1 || len(page.Counts) != 6 {
				t.Errorf("got counts %v", page.Counts)
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
		}
		if !slices.Equal(got, ids) {
			t.Errorf("got %v, want %v", got, ids)
		}
		for _, c := range []struct {
			q    jobs.ListQuery
			want int
		}{
			{jobs.ListQuery{State: jobs.Failed}, 1}, {jobs.ListQuery{State: jobs.Queued}, 0}, {jobs.ListQuery{Tag: "user:42"}, 5}, {jobs.ListQuery{Kind: "count"}, 25},
			{jobs.ListQuery{Kind: "coun"}, 0}, {jobs.ListQuery{Query: "JOB-1"}, 10}, {jobs.ListQuery{Query: "coun"}, 25}, {jobs.ListQuery{Query: "zz"}, 0},
			{jobs.ListQuery{Query: "COUNT ob-1"}, 10}, {jobs.ListQuery{Query: "count zz"}, 0}, {jobs.ListQuery{Query: "ser:4"}, 5}, {jobs.ListQuery{Query: " "}, 25},
		} {
			if page, err := e.List(c.q); err != nil || len(page.Jobs) != c.want || page.Jobs == nil || page.Next != "" {
				t.Errorf("%+v: got %d, next %q, %v, want %d", c.q, len(page.Jobs), page.Next, err, c.want)
			}
		}
		for _, q := range []jobs.ListQuery{{Limit: 201}, {Limit: -1}, {State: "odd"}, {Cursor: "!"}, {Cursor: "eA"}, {Sort: "odd"}, {Query: strings.Repeat("x", 501)}} {
			if _, err := e.List(q); jobs.ProblemOf(err) == nil || jobs.ProblemOf(err).Code != jobs.CodeBadRequest {
				t.Errorf("%+v: got %v, want bad_request", q, err)
			}
		}
	})
}

func TestWatchYieldsTheNewestState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		e, other := openEngine(t, store, "n1"), openEngine(t, store, "n2")
		defer closeEngine(t, e)
		startCount(t, e, countArgs{N: 1})
		time.Sleep(time.Minute)
		changes := other.Watch(t.Context(), 500*time.Millisecond)
		id := startCount(t, e, countArgs{N: 100, Gap: 100 * time.Millisecond})
		var at []time.Time
		for c, err := range changes {
			if err != nil {
				t.Fatal(err)
			}
			at = append(at, time.Now())
			if len(c.Jobs) != 1 || c.Jobs[0].ID != id || c.Jobs[0].Result != nil {
				t.Fatalf("got %d jobs, the first %+v", len(c.Jobs), c.Jobs[0])
			}
			if c.Jobs[0].State == jobs.Completed {
				if c.Counts[jobs.Completed] != 2 || c.Counts[jobs.Running] != 0 {
					t.Errorf("got counts %v", c.Counts)
				}
				break
			}
		}
		for i := 1; i < len(at); i++ {
			if gap := at[i].Sub(at[i-1]); gap < 500*time.Millisecond {
				t.Errorf("got changes after %v, want at most one each 500ms", gap)
			}
		}
		if n := len(at); n < 18 || n > 22 {
			t.Errorf("got %d changes in 10 s, want about 20", n)
		}
		ended := make(chan error, 1)
		go func() {
			var last error
			for _, err := range other.Watch(context.Background(), time.Second) {
				last = err
			}
			ended <- last
		}()
		synctest.Wait()
		closeEngine(t, other)
		if err := <-ended; !errors.Is(err, jobs.ErrClosed) {
			t.Errorf("when the engine closes: got %v, want ErrClosed", err)
		}
	})
}

func TestWatchBoundsAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := openEngine(t, memory.New(), "n1")
		defer closeEngine(t, e)
		changes := e.Watch(t.Context(), time.Second)
		for i := range 450 {
			e.index.Apply(jobs.Record{Event: jobs.Event{JobID: jobs.ID(fmt.Sprint(i))}, Job: jobs.Job{ID: jobs.ID(fmt.Sprint(i)), State: jobs.Completed, Seq: 1}})
		}
		seen, sizes := make(map[jobs.ID]bool), []int{}
		for c := range changes {
			sizes = append(sizes, len(c.Jobs))
			for _, job := range c.Jobs {
				seen[job.ID] = true
			}
			if len(seen) == 450 {
				break
			}
		}
		if fmt.Sprint(sizes) != "[200 200 50]" {
			t.Errorf("got %v jobs in each change, want 200, 200, 50", sizes)
		}
	})
}

// brokenIndex ends the first index after it went live.
type brokenIndex struct {
	jobs.Store
	opened int
}

func TestIndexIsReadAnewAfterAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &brokenIndex{Store: memory.New()}
		e := openEngine(t, store, "n1")
		defer closeEngine(t, e)
		other := openEngine(t, store.Store, "n2")
		id := startCount(t, other, countArgs{N: 1})
		closeEngine(t, other)
		time.Sleep(10 * time.Second)
		if page, _ := e.List(jobs.ListQuery{}); store.opened != 2 || len(page.Jobs) != 1 || page.Jobs[0].ID != id {
			t.Errorf("got %d jobs after reading the index %d times", len(page.Jobs), store.opened)
		}
	})
}
