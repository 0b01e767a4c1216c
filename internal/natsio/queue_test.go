package natsio

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"jobcast/jobs"
)

// TestCancelledLeaseLosesNoJob cancels each lease just when a job comes. A job that crosses its cancellation
// must be free for the next at once, and not after LeaseTime.
func TestCancelledLeaseLosesNoJob(t *testing.T) {
	s := open(t, Config{leaseTime: time.Hour})
	const n = 300
	got := make(map[jobs.ID]bool)
	done := func(l jobs.Held) {
		got[l.ID()] = true
		if err := l.Done(t.Context()); err != nil {
			t.Error(err)
		}
	}
	for i := range n {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			l, err := s.Lease(ctx)
			if err == nil {
				done(l)
			} else if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}()
		for waiting := false; !waiting; {
			consumer, err := s.js.Consumer(within(t), workStream, workers)
			if err != nil {
				t.Fatal(err)
			}
			waiting = consumer.CachedInfo().NumWaiting > 0
			select {
			case <-ended: // with a job that crossed an earlier cancellation
				waiting = true
			default:
			}
		}
		if err := s.Enqueue(t.Context(), jobs.ID(fmt.Sprint("job", i))); err != nil {
			t.Error(err)
		}
		for range i % 10 * 100 { // now sooner, now later
			runtime.Gosched()
		}
		cancel()
		<-ended
	}
	for len(got) < n && !t.Failed() {
		l, err := s.Lease(within(t))
		if err != nil {
			t.Fatal(err)
		}
		done(l)
	}
}

func TestLeaseEndsWithItsContext(t *testing.T) {
	s := open(t, Config{})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if l, err := s.Lease(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, %v, want DeadlineExceeded", l, err)
	}
}

// TestStaleLeaseIsRefused takes a job again from under a lease, as if its time were over.
func TestStaleLeaseIsRefused(t *testing.T) {
	s := open(t, Config{})
	ctx := within(t)
	if err := s.Enqueue(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	first, err := s.Lease(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.acknowledge(ctx, first.(*lease).reply, giveBack); err != nil {
		t.Fatal(err)
	}
	second, err := s.Lease(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for doing, do := range map[string]func(context.Context) error{
		"extend": first.Extend, "done": first.Done, "release": first.Release,
	} {
		if err := do(ctx); !errors.Is(err, jobs.ErrConflict) {
			t.Errorf("%s of the lost lease: got %v, want ErrConflict", doing, err)
		}
	}
	if err := second.Extend(ctx); err != nil {
		t.Errorf("extend of the lease that holds: %v", err)
	}
	if err := second.Done(ctx); err != nil {
		t.Errorf("done of the lease that holds: %v", err)
	}
	if err := second.Done(ctx); !errors.Is(err, jobs.ErrConflict) {
		t.Errorf("done again: got %v, want ErrConflict", err)
	}
}

// TestLeaseAcrossReconnect brings jobs while the connection of the one who waits for them is down. One that
// was sent into the lost connection comes again when the lease on it has run out.
func TestLeaseAcrossReconnect(t *testing.T) {
	for range 4 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			s := open(t, Config{})
			ctx := within(t)
			var group sync.WaitGroup
			group.Go(func() {
				l, err := s.Lease(ctx)
				if err != nil || l.ID() != "a" {
					t.Errorf("got %v, %v, want a", l, err)
					return
				}
				if err := l.Done(ctx); err != nil {
					t.Errorf("done: %v", err)
				}
			})
			time.Sleep(time.Millisecond) // most often, it waits by then
			if err := s.ask.ForceReconnect(); err != nil {
				t.Fatal(err)
			}
			if err := s.live.Publish(workPrefix+"a", nil); err != nil {
				t.Fatal(err)
			}
			group.Wait()
		})
	}
}
