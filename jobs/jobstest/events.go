package jobstest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"jobcast/jobs"
)

func appendAndLast(t *testing.T, s jobs.Store) {
	ctx := t.Context()
	if _, _, err := s.Last(ctx, "a"); !errors.Is(err, jobs.ErrNotFound) {
		t.Fatalf("last of no job: got %v, want ErrNotFound", err)
	}
	pos := grow(t, s, "a", 1, 1, 0)
	grow(t, s, "b", 1, 3, 0)
	pos = grow(t, s, "a", 2, 2, pos)
	rec, at, err := s.Last(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	if rec.Event.JobID != "a" || rec.Event.Seq != 2 || rec.Job.Seq != 2 || at != pos || pos == 0 {
		t.Errorf("got %s seq %d (job %d) at %d, want a seq 2 at %d", rec.Event.JobID, rec.Event.Seq, rec.Job.Seq, at, pos)
	}
}

func recordsKeepEveryField(t *testing.T, s jobs.Store) {
	at := time.Date(2026, 11, 20, 20, 24, 0, 123456000, time.UTC)
	total, percent, rate, eta := 120.0, 34.2, 4.6, int64(17200)
	want := record("a", 1)
	want.Event.Type, want.Event.Time, want.Event.State = jobs.EventFailed, at, jobs.Failed
	want.Event.Data = json.RawMessage(`{"error":{"message":"Zoë < \u0000","type":"x"}}`)
	want.Job = jobs.Job{
		ID: "a", Kind: "test", Queue: "default", Priority: "high", State: jobs.Failed, Seq: 1, Attempt: 2, MaxAttempts: 3,
		Tags:     []string{"user:42", "ü"},
		Progress: &jobs.Progress{Done: 41, Total: &total, Unit: "file", Percent: &percent, Message: "m", Step: &jobs.Step{Index: 1, Count: 2, Name: "Read"}, Rate: &rate, EtaMs: &eta},
		Result:   json.RawMessage(`{"n":9007199254740993}`), Error: &jobs.Error{Type: "x", Message: "y", Stack: "z", Code: "c", Retryable: true, Attempt: 2},
		Artifacts:       []jobs.Artifact{{Name: "n", Href: "/h", Type: "text/plain", Size: 1 << 40}},
		CancelRequested: true, Worker: "w", CreatedAt: at, StartedAt: &at, FinishedAt: &at,
		Log: &jobs.LogInfo{Lines: 3, Bytes: 4, FirstLine: 1},
	}
	if _, err := s.Append(t.Context(), want, 0); err != nil {
		t.Fatal(err)
	}
	wantJSON := string(must(json.Marshal(want))(t))
	last, _, err := s.Last(t.Context(), "a")
	if got := string(must(json.Marshal(last))(t)); err != nil || got != wantJSON {
		t.Errorf("last: got %s, %v, want %s", got, err, wantJSON)
	}
	for rec, err := range s.Follow(within(t, patience), "a", 0) {
		if got := string(must(json.Marshal(rec))(t)); err != nil || got != wantJSON {
			t.Errorf("follow: got %s, %v, want %s", got, err, wantJSON)
		}
		break
	}
}

func appendRefusesStalePosition(t *testing.T, s jobs.Store) {
	ctx := t.Context()
	first := grow(t, s, "a", 1, 1, 0)
	other := grow(t, s, "b", 1, 1, 0)
	for _, after := range []jobs.Position{0, other, first + 1000} {
		if _, err := s.Append(ctx, record("a", 2), after); !errors.Is(err, jobs.ErrConflict) {
			t.Errorf("append after %d: got %v, want ErrConflict", after, err)
		}
	}
	second := grow(t, s, "a", 2, 2, first)
	if _, err := s.Append(ctx, record("a", 3), first); !errors.Is(err, jobs.ErrConflict) {
		t.Errorf("append after the record before the last: got %v, want ErrConflict", err)
	}
	if _, err := s.Append(ctx, record("none", 2), second); !errors.Is(err, jobs.ErrConflict) {
		t.Errorf("append to no job after %d: got %v, want ErrConflict", second, err)
	}
	if rec, at, err := s.Last(ctx, "a"); err != nil || rec.Event.Seq != 2 || at != second {
		t.Errorf("after the refusals: got seq %d at %d, %v, want 2 at %d", rec.Event.Seq, at, err, second)
	}
}

func appendUnderContention(t *testing.T, s jobs.Store) {
	const writers, each = 8, 20
	ctx := within(t, patience)
	grow(t, s, "a", 1, 1, 0)
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			for won := 0; won < each; {
				last, pos, err := s.Last(ctx, "a")
				if err != nil {
					t.Error(err)
					return
				}
				_, err = s.Append(ctx, record("a", last.Event.Seq+1), pos)
				if err == nil {
					won++
				} else if !errors.Is(err, jobs.ErrConflict) {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	recs, err := s.Read(ctx, "a", 0, 1000)
	if err != nil || len(recs) != writers*each+1 {
		t.Fatalf("got %d records, %v, want %d", len(recs), err, writers*each+1)
	}
	for i, rec := range recs {
		if rec.Event.Seq != uint64(i+1) {
			t.Fatalf("record %d: got seq %d, want %d", i, rec.Event.Seq, i+1)
		}
	}
}

func createUnderContention(t *testing.T, s jobs.Store) {
	var group sync.WaitGroup
	for n := range 10 {
		id := jobs.ID(fmt.Sprint("job", n))
		var created atomic.Int32
		for range 6 {
			group.Go(func() {
				switch _, err := s.Append(t.Context(), record(id, 1), 0); {
				case err == nil:
					created.Add(1)
				case !errors.Is(err, jobs.ErrConflict):
					t.Error(err)
				}
			})
		}
		group.Wait()
		if created.Load() != 1 {
			t.Errorf("%s: got %d creations, want 1", id, created.Load())
		}
	}
}

func readPages(t *testing.T, s jobs.Store) {
	ctx := t.Context()
	pos := grow(t, s, "a", 1, 20, 0)
	grow(t, s, "b", 1, 5, 0)
	grow(t, s, "a", 21, 25, pos)
	for _, c := range []struct {
		after uint64
		limit int
		want  []uint64
	}{
		{0, 3, []uint64{1, 2, 3}}, {3, 2, []uint64{4, 5}}, {23, 10, []uint64{24, 25}}, {25, 10, nil}, {99, 10, nil},
	} {
		recs, err := s.Read(ctx, "a", c.after, c.limit)
		if err != nil {
			t.Fatal(err)
		}
		var got []uint64
		for _, rec := range recs {
			got = append(got, rec.Event.Seq)
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("after %d limit %d: got %v, want %v", c.after, c.limit, got, c.want)
		}
	}
	if recs, err := s.Read(ctx, "none", 0, 10); len(recs) != 0 || err != nil && !errors.Is(err, jobs.ErrNotFound) {
		t.Errorf("no job: got %d records, %v, want none", len(recs), err)
	}
}

// followHasNoHoles lets followers join at every stage of a job that grows all the while.
func followHasNoHoles(t *testing.T, s jobs.Store) {
	const last, followers = 300, 30
	ctx := within(t, patience)
	pos := grow(t, s, "a", 1, 20, 0)
	var group sync.WaitGroup
	for n := range followers {
		after := uint64(n * 7 % 25)
		group.Go(func() {
			time.Sleep(time.Duration(n) * 3 * time.Millisecond)
			want := after + 1
			for rec, err := range s.Follow(ctx, "a", after) {
				if err != nil || rec.Event.JobID != "a" || rec.Event.Seq != want {
					t.Errorf("follower %d after %d: got %s %d, %v, want a %d", n, after, rec.Event.JobID, rec.Event.Seq, err, want)
					return
				}
				if want == last {
					return
				}
				want++
			}
			t.Errorf("follower %d after %d: ended before %d", n, after, want)
		})
	}
	group.Go(func() {
		for seq := uint64(21); seq <= last; seq++ {
			pos = grow(t, s, "a", seq, seq, pos)
			if seq%10 == 0 {
				time.Sleep(5 * time.Millisecond)
			}
		}
	})
	group.Wait()
}

func followEnds(t *testing.T, s jobs.Store) {
	terminal := record("a", 2)
	terminal.Event.Type, terminal.Event.State, terminal.Job.State = jobs.EventCompleted, jobs.Completed, jobs.Completed
	pos := grow(t, s, "a", 1, 1, 0)
	if _, err := s.Append(t.Context(), terminal, pos); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	seen := make(chan uint64, 10)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for rec, err := range s.Follow(ctx, "a", 0) {
			if err != nil {
				if ctx.Err() == nil {
					t.Error(err)
				}
				return
			}
			seen <- rec.Event.Seq
		}
	}()
	for want := range uint64(2) {
		if got := <-seen; got != want+1 {
			t.Errorf("got %d, want %d", got, want+1)
		}
	}
	select {
	case <-ended:
		t.Error("ended at the terminal record by itself")
	case <-time.After(absence):
	}
	cancel()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("still following after its context ended")
	}
}

func followIsOfOneJob(t *testing.T, s jobs.Store) {
	ctx := within(t, patience)
	a, ab := grow(t, s, "a", 1, 1, 0), grow(t, s, "a-b", 1, 1, 0)
	var group sync.WaitGroup
	group.Go(func() {
		for seq := uint64(2); seq <= 30; seq++ {
			a = grow(t, s, "a", seq, seq, a)
			ab = grow(t, s, "a-b", seq, seq, ab)
			grow(t, s, jobs.ID(fmt.Sprint("z", seq)), 1, 1, 0)
		}
	})
	want := uint64(1)
	for rec, err := range s.Follow(ctx, "a", 0) {
		if err != nil || rec.Event.JobID != "a" || rec.Event.Seq != want {
			t.Fatalf("got %s %d, %v, want a %d", rec.Event.JobID, rec.Event.Seq, err, want)
		}
		if want++; want > 30 {
			break
		}
	}
	group.Wait()
	if want != 31 {
		t.Errorf("ended before %d", want)
	}
}

func indexThenLive(t *testing.T, s jobs.Store) {
	ctx := within(t, patience)
	a := grow(t, s, "a", 1, 3, 0)
	grow(t, s, "b", 1, 2, 0)
	before := make(map[jobs.ID]uint64)
	after := make(map[jobs.ID]uint64)
	live := false
	for rec, err := range s.Index(ctx) {
		switch {
		case err != nil:
			t.Fatal(err)
		case rec.Event.JobID == "" && live:
			t.Fatal("a second zero record")
		case rec.Event.JobID == "":
			live = true
			a = grow(t, s, "a", 4, 5, a)
			grow(t, s, "c", 1, 1, 0)
		case live:
			after[rec.Event.JobID] = rec.Event.Seq
		case before[rec.Event.JobID] != 0:
			t.Errorf("%s twice before the zero record", rec.Event.JobID)
		default:
			before[rec.Event.JobID] = rec.Event.Seq
		}
		if after["a"] == 5 && after["c"] == 1 {
			break
		}
	}
	if want := map[jobs.ID]uint64{"a": 3, "b": 2}; !reflect.DeepEqual(before, want) {
		t.Errorf("before the zero record: got %v, want %v", before, want)
	}
	if want := map[jobs.ID]uint64{"a": 5, "c": 1}; !reflect.DeepEqual(after, want) {
		t.Errorf("after it: got %v, want %v", after, want)
	}
}

func indexUnderConcurrentAppends(t *testing.T, s jobs.Store) {
	const writers, last = 10, 30
	ctx := within(t, patience)
	var group sync.WaitGroup
	for n := range writers {
		group.Go(func() { grow(t, s, jobs.ID(fmt.Sprint("job", n)), 1, last, 0) })
	}
	done, live := make(map[jobs.ID]bool), false
	newest := make(map[jobs.ID]uint64)
	for rec, err := range s.Index(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		id := rec.Event.JobID
		if id == "" {
			live = true
		} else if live && rec.Event.Seq < newest[id] {
			t.Errorf("%s: got seq %d after %d", id, rec.Event.Seq, newest[id])
		}
		newest[id] = rec.Event.Seq
		if rec.Event.Seq == last {
			done[id] = true
		}
		if live && len(done) == writers {
			break
		}
	}
	group.Wait()
	if len(done) != writers {
		t.Errorf("got the end of %d jobs, want %d", len(done), writers)
	}
}

func args(t *testing.T, s jobs.Store) {
	ctx := t.Context()
	if _, err := s.Args(ctx, "a"); !errors.Is(err, jobs.ErrNotFound) {
		t.Errorf("no job: got %v, want ErrNotFound", err)
	}
	big := json.RawMessage(`"` + string(make256KiB()) + `"`)
	for id, want := range map[jobs.ID]json.RawMessage{"a": json.RawMessage(`{"path":"/x y"}`), "b": big, "c": json.RawMessage(`null`)} {
		if err := s.PutArgs(ctx, id, want); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Args(ctx, id); err != nil || string(got) != string(want) {
			t.Errorf("%s: got %d bytes, %v, want %d", id, len(got), err, len(want))
		}
		if err := s.PutArgs(ctx, id, json.RawMessage(`1`)); !errors.Is(err, jobs.ErrConflict) {
			t.Errorf("%s: a second time: got %v, want ErrConflict", id, err)
		}
		if got, err := s.Args(ctx, id); err != nil || string(got) != string(want) {
			t.Errorf("%s: after the refusal: got %d bytes, %v, want the first %d", id, len(got), err, len(want))
		}
	}
	if _, _, err := s.Last(ctx, "a"); !errors.Is(err, jobs.ErrNotFound) {
		t.Errorf("arguments alone made a job: got %v, want ErrNotFound", err)
	}
}

func make256KiB() []byte {
	b := make([]byte, 256<<10-2)
	for i := range b {
		b[i] = 'a' + byte(i%26)
	}
	return b
}
