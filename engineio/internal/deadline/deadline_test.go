package deadline

import (
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A sleeper has a deadline that moves, and notes when it has come.
type sleeper struct {
	queue *Queue[sleeper, *sleeper]
	slot  int // the queue's

	mu       sync.Mutex
	deadline time.Duration // zero if there is none
	woken    []time.Duration
}

func (s *sleeper) Slot() *int { return &s.slot }

func (s *sleeper) Wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch now := s.queue.Now(); {
	case s.deadline == 0:
	case now < s.deadline:
		s.queue.Set(s, s.deadline)
	default:
		s.woken = append(s.woken, now)
	}
}

// Everything is woken when its last deadline comes, however often it was set before.
func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 2))
		var wg sync.WaitGroup
		var queue Queue[sleeper, *sleeper]
		queue.Init(&wg)
		wg.Add(1) // what the sleepers are of
		sleepers := make([]*sleeper, 500)
		for i := range sleepers {
			sleepers[i] = &sleeper{queue: &queue}
		}
		const steps, step = 50, time.Second
		for range steps {
			for range 200 {
				s := sleepers[random.IntN(len(sleepers))]
				s.mu.Lock()
				if len(s.woken) > 0 {
					// It has no deadline any more.
				} else if random.IntN(5) == 0 {
					s.deadline = 0
					queue.Remove(s)
				} else {
					s.deadline = queue.Now() + time.Duration(random.Int64N(int64(20*step)))
					queue.Set(s, s.deadline)
				}
				s.mu.Unlock()
			}
			time.Sleep(step)
			synctest.Wait()
		}
		time.Sleep(20 * step)
		synctest.Wait()
		for i, s := range sleepers {
			if s.deadline == 0 && len(s.woken) > 0 || s.deadline != 0 && (len(s.woken) != 1 || s.woken[0] != s.deadline) {
				t.Errorf("sleeper %d was woken at %v, want %v", i, s.woken, s.deadline)
			}
		}
		if n := len(queue.heap); n > 0 {
			t.Errorf("got %d entries that are left, want none", n)
		}
		wg.Done()
		wg.Wait() // for the timer
	})
}

// A timer that is not needed any more is not waited for.
func TestQueueStopsItsTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var wg sync.WaitGroup
		var queue Queue[sleeper, *sleeper]
		queue.Init(&wg)
		s := &sleeper{queue: &queue}
		queue.Set(s, time.Hour)
		queue.Remove(s)
		queue.Remove(s)
		wg.Wait()
		if now := queue.Now(); now != 0 {
			t.Errorf("got %v until the timer was gone, want nothing", now)
		}
	})
}
