package engine

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestWhoWaitsHoldsNoSlot: a run that waits lets a new one begin, and comes back before the next new one.
func TestWhoWaitsHoldsNoSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(1)
		if !s.try() || s.try() {
			t.Fatal("got not one slot")
		}
		first := newPlace(s)
		answer := make(chan error)
		back := make(chan error, 1)
		go func() { back <- first.while(t.Context(), func() error { return <-answer }) }()
		synctest.Wait()
		if !first.away() || !s.try() {
			t.Fatal("who waits still holds its slot")
		}
		second := newPlace(s)
		answer <- nil
		synctest.Wait()
		if len(back) != 0 || s.try() {
			t.Error("two runs have the one slot")
		}
		second.end()
		if err := <-back; err != nil || first.away() || s.try() {
			t.Errorf("got %v, away %t, want the slot back before anyone new", err, first.away())
		}
		first.end()
		if idle, _ := s.idle(); !idle {
			t.Error("a slot was lost")
		}
	})
}

func TestWhoIsCancelledComesBackWithoutASlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(1)
		s.try()
		first := newPlace(s)
		ctx, cancel := context.WithCancelCause(t.Context())
		back := make(chan error, 1)
		go func() { back <- first.while(ctx, func() error { time.Sleep(time.Minute); return nil }) }()
		synctest.Wait()
		s.try()
		time.Sleep(2 * time.Minute)
		cancel(errCancelled)
		if err := <-back; !errors.Is(err, errCancelled) {
			t.Errorf("got %v, want why the context ended", err)
		}
		first.end()
		if idle, _ := s.idle(); idle {
			t.Error("it gave up a slot that it did not have")
		}
		s.leave()
		if first, second := s.try(), s.try(); !first || second {
			t.Error("want one slot")
		}
	})
}
