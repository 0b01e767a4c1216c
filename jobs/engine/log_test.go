package engine

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/jobs"
	"jobcast/jobs/memory"
)

func TestLogIsStoredInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kind := jobs.NewKind[struct{}, struct{}]("talk")
		e := openEngine(t, memory.New(), "n1", kind.Worker(nil, func(ctx context.Context, r *jobs.Run, _ struct{}) (struct{}, error) {
			r.Log(slog.LevelInfo, "one")
			time.Sleep(150 * time.Millisecond)
			r.Log(slog.LevelInfo, "two")
			time.Sleep(time.Second)
			for i := range 150 {
				r.Log(slog.LevelInfo, fmt.Sprint(i))
			}
			time.Sleep(time.Second)
			return struct{}{}, nil
		}))
		defer closeEngine(t, e)
		began := time.Now()
		job, _, err := e.Start(t.Context(), jobs.StartRequest{Kind: "talk"})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		seen := int64(0)
		for c, err := range e.FollowLogs(t.Context(), job.ID, 0) {
			if err != nil || c.Line != seen+1 {
				t.Fatalf("got line %d, %v, want %d", c.Line, err, seen+1)
			}
			seen = c.LastLine()
			got = append(got, fmt.Sprintf("%d at %v", seen, time.Since(began)))
		}
		if got[0] != "2 at 200ms" {
			t.Errorf("two lines 150 ms apart: got %s, want them at 200ms", got[0])
		}
		if !strings.HasSuffix(got[1], "at 1.15s") { // as soon as there were 64
			t.Errorf("a burst: got lines up to %s, want the first at 1.15s", got[1])
		}
		if end := got[len(got)-1]; end != "152 at 1.15s" && end != "152 at 1.35s" {
			t.Errorf("the rest of the burst: got lines up to %s, want 152 at 1.35s", end)
		}
		for _, c := range []struct {
			q           jobs.LogQuery
			first, last int64
		}{
			{jobs.LogQuery{}, 1, 152}, {jobs.LogQuery{Limit: 10}, 1, 10}, {jobs.LogQuery{After: 60, Limit: 20}, 61, 80}, {jobs.LogQuery{Tail: 5}, 148, 152},
			{jobs.LogQuery{Tail: 1000}, 1, 152}, {jobs.LogQuery{After: 152}, 153, 152}, {jobs.LogQuery{After: 999}, 1000, 999},
		} {
			chunk, err := e.Logs(t.Context(), job.ID, c.q)
			if err != nil || chunk.Line != c.first || chunk.LastLine() != c.last || chunk.Dropped != 0 || chunk.Lines == nil {
				t.Errorf("%+v: got lines %d to %d, dropped %d, %v, want %d to %d", c.q, chunk.Line, chunk.LastLine(), chunk.Dropped, err, c.first, c.last)
			}
		}
		next := int64(141)
		for c := range e.FollowLogs(t.Context(), job.ID, next-1) { // in one chunk or two, as they were stored
			if c.Line != next {
				t.Errorf("after the end: got lines from %d, want %d", c.Line, next)
			}
			if next = c.LastLine() + 1; next >= 153 {
				break
			}
		}
		if next != 153 {
			t.Errorf("after the end: got lines to %d, want 152", next-1)
		}
		if _, err := e.Logs(t.Context(), "none", jobs.LogQuery{}); jobs.ProblemOf(err).Code != jobs.CodeNotFound {
			t.Errorf("no job: got %v", err)
		}
	})
}
