package jobstest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"jobcast/jobs"
)

func logAppendAndLast(t *testing.T, s jobs.Store) {
	ctx := t.Context()
	if _, _, err := s.LastLog(ctx, "a"); !errors.Is(err, jobs.ErrNotFound) {
		t.Fatalf("before the first chunk: got %v, want ErrNotFound", err)
	}
	grow(t, s, "a", 1, 2, 0) // the log's positions have nothing to do with the events'
	first, err := s.AppendLog(ctx, chunk("a", 1, 3), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.AppendLog(ctx, chunk("a", 1, 3), 0); !errors.Is(err, jobs.ErrConflict) {
		t.Errorf("a first chunk again: got %v, want ErrConflict", err)
	}
	want := chunk("a", 4, 2)
	want.Lines[0].Fields = map[string]any{"ms": 812.0}
	second, err := s.AppendLog(ctx, want, first)
	if err != nil {
		t.Fatal(err)
	}
	got, at, err := s.LastLog(ctx, "a")
	if err != nil || at != second || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("last: got %v at %d, %v, want %v at %d", got, at, err, want, second)
	}
	if rec, _, err := s.Last(ctx, "a"); err != nil || rec.Event.Seq != 2 {
		t.Errorf("the job's events: got %d, %v, want 2", rec.Event.Seq, err)
	}
}

// growLog appends count chunks of n lines.
func growLog(t *testing.T, s jobs.Store, id jobs.ID, count, n int) {
	t.Helper()
	var pos jobs.Position
	for i := range count {
		next, err := s.AppendLog(t.Context(), chunk(id, int64(i*n+1), n), pos)
		if err != nil {
			t.Errorf("append chunk %d: %v", i, err)
			return
		}
		pos = next
	}
}

func logReadFromTheMiddleOfAChunk(t *testing.T, s jobs.Store) {
	growLog(t, s, "a", 10, 5)
	growLog(t, s, "b", 1, 5)
	for _, c := range []struct {
		after       int64
		limit       int
		first, last int64 // lines; 0 means no chunk at all
	}{
		{0, 2, 1, 10}, {5, 1, 6, 10}, {7, 2, 6, 15}, {9, 1, 6, 10}, {10, 1, 11, 15}, {0, 100, 1, 50}, {49, 9, 46, 50}, {50, 9, 0, 0},
	} {
		chunks, err := s.ReadLog(t.Context(), "a", c.after, c.limit)
		if err != nil {
			t.Fatal(err)
		}
		var first, last int64
		for _, ch := range chunks {
			if first == 0 {
				first = ch.Line
			} else if ch.Line != last+1 {
				t.Errorf("after %d: got a chunk at line %d, want %d", c.after, ch.Line, last+1)
			}
			last = ch.LastLine()
		}
		if first != c.first || last != c.last {
			t.Errorf("after %d limit %d: got lines %d to %d, want %d to %d", c.after, c.limit, first, last, c.first, c.last)
		}
	}
}

func followLogHasNoHoles(t *testing.T, s jobs.Store) {
	const count, n, followers = 60, 4, 12
	ctx := within(t, patience)
	var group sync.WaitGroup
	for f := range followers {
		after := int64(f % 6 * 3)
		group.Go(func() {
			time.Sleep(time.Duration(f) * 4 * time.Millisecond)
			last := after
			for ch, err := range s.FollowLog(ctx, "a", after) {
				end := ch.LastLine()
				if err != nil || ch.Line > last+1 || end <= last {
					t.Errorf("after line %d: got lines %d to %d, %v", last, ch.Line, end, err)
					return
				}
				if last = end; last == count*n {
					return
				}
			}
			t.Errorf("follower %d: ended at line %d", f, last)
		})
	}
	growLog(t, s, "a", count, n)
	group.Wait()
}
