package engineio

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A wakeRevision notes when its sessions are due.
type wakeRevision struct {
	revision4
	mu  *sync.Mutex
	due map[*Session][]time.Duration
}

func (r wakeRevision) dueLocked(s *Session, now time.Duration) ending {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.due[s] = append(r.due[s], now)
	return ending{}
}

// Every session is woken when its last deadline comes, and once, however often it was set before.
func TestTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 2))
		server := NewServer(Config{Accept: func(*Session) Handler { return nobody{} }})
		rev := wakeRevision{mu: new(sync.Mutex), due: make(map[*Session][]time.Duration)}
		want := make(map[*Session]time.Duration)
		sessions := make([]*Session, 500)
		for i := range sessions {
			sessions[i] = &Session{server: server, rev: rev}
		}
		const steps, step = 50, time.Second
		for range steps {
			for range 200 {
				s := sessions[random.IntN(len(sessions))]
				s.mu.Lock()
				rev.mu.Lock()
				woken := len(rev.due[s]) > 0
				rev.mu.Unlock()
				if woken {
					// It has no deadline any more.
				} else if random.IntN(5) == 0 {
					server.timers.remove(s)
					s.heartbeat.deadline = 0
					delete(want, s)
				} else {
					s.heartbeat.armLocked(s, time.Duration(random.Int64N(int64(20*step))))
					want[s] = s.heartbeat.deadline
				}
				s.mu.Unlock()
			}
			time.Sleep(step)
			synctest.Wait()
		}
		time.Sleep(20 * step)
		synctest.Wait()
		for i, s := range sessions {
			got, at := rev.due[s], want[s]
			if at == 0 && len(got) > 0 || at != 0 && (len(got) != 1 || got[0] != at) {
				t.Errorf("session %d was woken at %v, want %v", i, got, at)
			}
		}
		if n := len(server.timers.heap); n > 0 {
			t.Errorf("got %d entries that are left, want none", n)
		}
		if err := server.Close(context.Background()); err != nil { // waits for the timer
			t.Error(err)
		}
	})
}
