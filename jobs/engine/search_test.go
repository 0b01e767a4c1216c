package engine

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/jobs"
	"jobcast/jobs/memory"
)

// slowText is a store whose text takes half a second to read.
type slowText struct {
	jobs.Store
	reads int
}

func (s *slowText) ReadLog(ctx context.Context, id jobs.ID, after int64, _ int) ([]jobs.LogChunk, error) {
	s.reads++
	time.Sleep(500 * time.Millisecond)
	return s.Store.ReadLog(ctx, id, after, 1)
}

func TestLogIsSearched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &slowText{Store: memory.New()}
		kind := jobs.NewKind[struct{}, struct{}]("talk")
		e := openEngine(t, store, "n1", kind.Worker(nil, func(_ context.Context, r *jobs.Run, _ struct{}) (struct{}, error) {
			for i := range 640 { // in ten chunks
				switch {
				case i%100 == 99:
					r.Log(slog.LevelInfo, fmt.Sprintf("Größe of part %d", i+1))
				case i == 300:
					r.Log(slog.LevelWarn, "cannot read", slog.String("path", "/tmp/Secret"))
				default:
					r.Log(slog.LevelInfo, fmt.Sprint(i+1))
				}
				if i%64 == 63 {
					time.Sleep(time.Second)
				}
			}
			return struct{}{}, nil
		}))
		defer closeEngine(t, e)
		job, _, err := e.Start(t.Context(), jobs.StartRequest{Kind: "talk"})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		search := func(q jobs.LogQuery) (lines []int64, found jobs.LogFound) {
			t.Helper()
			began := time.Now()
			found, err := e.SearchLogs(t.Context(), job.ID, q)
			if err != nil {
				t.Fatalf("%+v: %v", q, err)
			}
			if took := time.Since(began); took > 1500*time.Millisecond {
				t.Errorf("%+v: took %v, want at most a second and one read", q, took)
			}
			for _, hit := range found.Hits {
				lines = append(lines, hit.Line)
			}
			return lines, found
		}
		var all []int64
		for q := (jobs.LogQuery{Q: "größe OF"}); ; {
			lines, found := search(q)
			all = append(all, lines...)
			if q.After = found.LastLine; !found.More {
				break
			}
		}
		if want := []int64{100, 200, 300, 400, 500, 600}; !slices.Equal(all, want) {
			t.Errorf("got lines %v, want %v", all, want)
		}
		if store.reads < 11 {
			t.Errorf("got %d reads, want one for each chunk", store.reads)
		}
		if lines, found := search(jobs.LogQuery{Q: "PATH=/tmp/secret", After: 256}); !slices.Equal(lines, []int64{301}) || !found.More {
			t.Errorf("a field: got %v, %+v", lines, found)
		}
		if lines, found := search(jobs.LogQuery{Q: "1", Limit: 3, After: 9}); !slices.Equal(lines, []int64{10, 11, 12}) || found.LastLine != 12 || !found.More {
			t.Errorf("a limit: got %v, %+v", lines, found)
		}
		if lines, found := search(jobs.LogQuery{Q: "640", After: 900}); lines != nil || found.Hits == nil || found.LastLine != 900 || found.More {
			t.Errorf("behind the end: got %v, %+v", lines, found)
		}
		for _, q := range []jobs.LogQuery{{}, {Q: "x", Tail: 1}, {Q: "x", Limit: 1001}} {
			if _, err := e.SearchLogs(t.Context(), job.ID, q); jobs.ProblemOf(err).Code != jobs.CodeBadRequest {
				t.Errorf("%+v: got %v, want a refusal", q, err)
			}
		}
		if _, err := e.SearchLogs(t.Context(), "none", jobs.LogQuery{Q: "x"}); jobs.ProblemOf(err).Code != jobs.CodeNotFound {
			t.Errorf("no job: got %v", err)
		}
	})
}
