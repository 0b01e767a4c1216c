package jobstest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"jobcast/jobs"
)

func enqueue(t *testing.T, s jobs.Store, ids ...jobs.ID) {
	t.Helper()
	for _, id := range ids {
		if err := s.Enqueue(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
}

func lease(t *testing.T, s jobs.Store, want jobs.ID) jobs.Held {
	t.Helper()
	l, err := s.Lease(within(t, patience))
	if err != nil {
		t.Fatalf("lease: %v, want %s", err, want)
	}
	if l.ID() != want {
		t.Fatalf("lease: got %s, want %s", l.ID(), want)
	}
	return l
}

func noLease(t *testing.T, s jobs.Store) {
	t.Helper()
	if l, err := s.Lease(within(t, absence)); err == nil {
		t.Fatalf("got a lease of %s, want none", l.ID())
	}
}

func leaseWaitsForEnqueue(t *testing.T, s jobs.Store) {
	began := time.Now()
	noLease(t, s)
	if took := time.Since(began); took > absence+time.Minute {
		t.Errorf("a lease ended %v after its context", took-absence)
	}
	got := make(chan error, 1)
	ctx := within(t, patience)
	go func() {
		l, err := s.Lease(ctx)
		if err == nil && l.ID() != "a" {
			err = fmt.Errorf("got a lease of %s, want a", l.ID())
		}
		got <- err
	}()
	time.Sleep(50 * time.Millisecond)
	enqueue(t, s, "a")
	if err := <-got; err != nil {
		t.Error(err)
	}
}

func leaseIsOldestFirst(t *testing.T, s jobs.Store) {
	enqueue(t, s, "b", "c", "a")
	for _, id := range []jobs.ID{"b", "c", "a"} {
		lease(t, s, id)
	}
	noLease(t, s)
}

func leaseIsExclusive(t *testing.T, s jobs.Store) {
	const n = 40
	ctx := within(t, patience)
	var mu sync.Mutex // guards got
	var got []jobs.ID
	var group sync.WaitGroup
	for range 5 {
		group.Go(func() {
			for range n / 5 {
				l, err := s.Lease(ctx)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				got = append(got, l.ID())
				mu.Unlock()
			}
		})
	}
	var want []jobs.ID
	for i := range n {
		want = append(want, jobs.ID(fmt.Sprintf("job%02d", i)))
	}
	enqueue(t, s, want...)
	group.Wait()
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want each job once", got)
	}
}

func enqueueIsIdempotent(t *testing.T, s jobs.Store) {
	enqueue(t, s, "a", "a", "a")
	l := lease(t, s, "a")
	enqueue(t, s, "a")
	noLease(t, s)
	if err := l.Done(t.Context()); err != nil {
		t.Fatal(err)
	}
	noLease(t, s)
}

func releaseGivesBackAtOnce(t *testing.T, s jobs.Store) {
	enqueue(t, s, "a")
	for range 5 { // giving back is no reason to give up
		if err := lease(t, s, "a").Release(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := lease(t, s, "a").Done(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func doneEmptiesTheQueue(t *testing.T, s jobs.Store) {
	enqueue(t, s, "a", "b")
	a := lease(t, s, "a")
	b := lease(t, s, "b")
	if err := a.Done(t.Context()); err != nil {
		t.Fatal(err)
	}
	noLease(t, s)
	enqueue(t, s, "a")
	if err := lease(t, s, "a").Done(t.Context()); err != nil {
		t.Error(err)
	}
	if err := b.Done(t.Context()); err != nil {
		t.Error(err)
	}
	noLease(t, s)
}

// leaseExpiresUnlessExtended holds one lease and lets another run out.
func leaseExpiresUnlessExtended(t *testing.T, s jobs.Store) {
	enqueue(t, s, "lost", "kept")
	lease(t, s, "lost")
	kept := lease(t, s, "kept")
	began := time.Now()
	ctx := within(t, jobs.LeaseTime+patience)
	var group sync.WaitGroup
	group.Go(func() {
		for time.Since(began) < jobs.LeaseTime+4*time.Second {
			if err := kept.Extend(ctx); err != nil {
				t.Error(err)
			}
			time.Sleep(jobs.LeaseTime / 5)
		}
	})
	again, err := s.Lease(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); again.ID() != "lost" || took < jobs.LeaseTime-time.Second {
		t.Errorf("got a lease of %s after %v, want lost after %v", again.ID(), took, jobs.LeaseTime)
	}
	group.Wait()
	noLease(t, s)
	if err := kept.Done(t.Context()); err != nil {
		t.Error(err)
	}
	if err := again.Done(t.Context()); err != nil {
		t.Error(err)
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
		enqueue(t, s, id)
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
	lease(t, s, "b")
	noLease(t, s)
	if rec, _, err := s.Last(ctx, "b"); err != nil || rec.Event.Seq != 3 {
		t.Errorf("the other job: got seq %d, %v, want 3", rec.Event.Seq, err)
	}
	grow(t, s, "a", 1, 1, 0) // the name is free again
	if err := s.PutArgs(ctx, "a", []byte(`{}`)); err != nil {
		t.Errorf("arguments for the name again: %v", err)
	}
}
