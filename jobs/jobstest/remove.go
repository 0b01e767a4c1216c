package jobstest

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"

	"jobcast/jobs"
)

// indexTellsOfRemoval removes jobs that the index has yielded, before and after the zero record.
func indexTellsOfRemoval(t *testing.T, s jobs.Store) {
	ctx := within(t, patience)
	for _, id := range []jobs.ID{"a", "b", "c"} {
		grow(t, s, id, 1, 3, 0)
	}
	var story []string
	remove := func(id jobs.ID) {
		if err := s.Remove(ctx, id); err != nil {
			t.Fatal(err)
		}
	}
	there := make(map[jobs.ID]uint64)
	for rec, err := range s.Index(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		id := rec.Event.JobID
		switch {
		case rec.Event.Type == jobs.EventRemoved:
			if !reflect.DeepEqual(rec, jobs.RemovedRecord(id)) {
				t.Errorf("got %+v, want nothing but the id", rec)
			}
			delete(there, id)
			story = append(story, "-"+string(id))
			switch id {
			case "a":
				grow(t, s, "a", 1, 1, 0) // another job of that name
			case "b":
				remove("c")
			}
		case id == "":
			remove("a")
		default:
			there[id] = rec.Event.Seq
			story = append(story, fmt.Sprint("+", id, rec.Event.Seq))
			if id == "a" && rec.Event.Seq == 1 {
				remove("b")
			}
		}
		if _, left := there["c"]; !left && id == "c" {
			break
		}
	}
	if want := (map[jobs.ID]uint64{"a": 1}); !reflect.DeepEqual(there, want) {
		t.Errorf("got %v, want %v: %v", there, want, story)
	}
}

// indexUnderConcurrentRemoves has jobs made, run and removed all the while; in the end the index must know which
// are there, and how far they are.
func indexUnderConcurrentRemoves(t *testing.T, s jobs.Store) {
	const writers, rounds = 6, 10
	ctx := within(t, patience)
	var writing sync.WaitGroup
	for n := range writers {
		writing.Go(func() {
			id := jobs.ID(fmt.Sprint("job", n))
			for round := range rounds {
				grow(t, s, id, 1, uint64(3+round%3), 0)
				if round == rounds-1 && n%2 == 0 {
					return
				}
				if err := s.Remove(ctx, id); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	finished := make(chan struct{})
	go func() { // ends with the writers
		defer close(finished)
		writing.Wait()
		grow(t, s, "end", 1, 1, 0)
	}()
	there := make(map[jobs.ID]uint64)
	for rec, err := range s.Index(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		id := rec.Event.JobID
		if id == "end" {
			break
		}
		if rec.Event.Type == jobs.EventRemoved {
			delete(there, id)
		} else if id != "" {
			there[id] = rec.Event.Seq
		}
	}
	<-finished
	want := make(map[jobs.ID]uint64)
	for n := 0; n < writers; n += 2 {
		want[jobs.ID(fmt.Sprint("job", n))] = 3 + (rounds-1)%3
	}
	if !reflect.DeepEqual(there, want) {
		t.Errorf("got %v, want %v", there, want)
	}
}

func usageGrowsAndShrinks(t *testing.T, s jobs.Store) {
	usage := func() int64 {
		t.Helper()
		u := must(s.Usage(t.Context()))(t)
		if u.Bytes < 0 || u.MaxBytes < 0 || u.MaxBytes > 0 && u.Bytes > u.MaxBytes {
			t.Errorf("got %+v", u)
		}
		return u.Bytes
	}
	empty := usage()
	grow(t, s, "a", 1, 20, 0)
	some := usage()
	grow(t, s, "b", 1, 20, 0)
	more := usage()
	if err := s.Remove(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	if less := usage(); empty >= some || some >= more || less >= more {
		t.Errorf("got %d bytes, then %d, %d and, after a removal, %d", empty, some, more, less)
	}
}
func removeLeavesNothing(t *testing.T, s jobs.Store) {
	ctx := t.Context()
	for _, id := range []jobs.ID{"a", "b"} {
		if err := s.PutArgs(ctx, id, []byte(`{}`)); err != nil {
			t.Fatal(err)
		}
		grow(t, s, id, 1, 3, 0)
		growLog(t, s, id, 2, 3)
	}
	if err := s.Remove(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(ctx, "a"); err != nil && !errors.Is(err, jobs.ErrNotFound) {
		t.Errorf("remove again: %v", err)
	}
	if _, _, err := s.Last(ctx, "a"); !errors.Is(err, jobs.ErrNotFound) {
		t.Errorf("last: got %v, want ErrNotFound", err)
	}
	if recs, _ := s.Read(ctx, "a", 0, 10); len(recs) != 0 {
		t.Errorf("read: got %d records, want none", len(recs))
	}
	if _, err := s.Args(ctx, "a"); !errors.Is(err, jobs.ErrNotFound) {
		t.Errorf("args: got %v, want ErrNotFound", err)
	}
	if _, _, err := s.LastLog(ctx, "a"); !errors.Is(err, jobs.ErrNotFound) {
		t.Errorf("last chunk: got %v, want ErrNotFound", err)
	}
	for rec, err := range s.Index(within(t, patience)) {
		if err != nil || rec.Event.JobID == "a" {
			t.Errorf("index: got %s, %v", rec.Event.JobID, err)
		}
		if rec.Event.JobID == "" {
			break
		}
	}
	if rec, _, err := s.Last(ctx, "b"); err != nil || rec.Event.Seq != 3 {
		t.Errorf("the other job: got seq %d, %v, want 3", rec.Event.Seq, err)
	}
	grow(t, s, "a", 1, 1, 0) // the name is free again
	if err := s.PutArgs(ctx, "a", []byte(`{}`)); err != nil {
		t.Errorf("arguments for the name again: %v", err)
	}
}
