package engine

import (
	"context"
	"testing"
	"testing/synctest"

	"jobcast/jobs"
	"jobcast/jobs/memory"
)

// quickResume is a store where another server ends each pause as soon as it is stored.
type quickResume struct{ jobs.Store }

func (s *quickResume) PutCell(ctx context.Context, group, key string, value []byte, after jobs.Position) (jobs.Position, error) {
	pos, err := s.Store.PutCell(ctx, group, key, value, after)
	if err == nil && group == queueGroup {
		err = s.DeleteCell(ctx, group, key, pos)
		synctest.Wait() // who watches has seen all of it
	}
	return pos, err
}

// TestAPauseThatWasEndedElsewhereHoldsNothing: a resume on another server that comes while a pause is still being
// answered here is not lost.
func TestAPauseThatWasEndedElsewhereHoldsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := openEngine(t, &quickResume{memory.New()}, "n1")
		defer closeEngine(t, e)
		if _, err := e.Pause(t.Context(), jobs.QueueRequest{Queue: "reports"}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for _, q := range e.Queues() {
			if q.Paused {
				t.Errorf("got %s paused, want it to go on", q.Name)
			}
		}
	})
}
