package engine

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"sync"
	"time"

	"jobcast/internal/limit"
	"jobcast/jobs"
)

// queuedWait is how long a client is told to wait when too many of its jobs are queued: nobody knows when one
// of them begins.
const queuedWait = 5 * time.Second

// starts bounds what each client, by its address, may ask of the queue, which all share.
type starts struct {
	rate      float64
	burst     int
	maxQueued int
	addresses *limit.Table // nil if any number may be started

	mu    sync.Mutex     // protects the field below
	being map[string]int // jobs that are being made for each owner, and that the index may not know yet
}

func newStarts(cfg Config) *starts {
	s := &starts{rate: cfg.StartRate, burst: cfg.StartBurst, maxQueued: cfg.MaxQueued}
	if s.rate > 0 && s.burst > 0 {
		s.addresses = limit.New(s.rate, s.burst)
	}
	return s
}

// mayStart takes one of the starts that a client has, or says when it will have one.
func (s *starts) mayStart(from string) error {
	if from == "" || s.addresses == nil {
		return nil
	}
	wait := s.addresses.Wait(from, time.Now())
	if wait == 0 {
		return nil
	}
	return tooManyStarts(wait, "nobody may start more than %v jobs a second, or %v at once; wait a moment", s.rate, s.burst)
}

// mayQueue reserves a place in the queue, of those that an owner has, until release is called. queued is how
// many of theirs the index knows to wait there.
func (s *starts) mayQueue(owner string, queued func(owner string) int) (release func(), err error) {
	if owner == "" || s.maxQueued <= 0 {
		return func() {}, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.being[owner]+queued(owner) >= s.maxQueued {
		return nil, tooManyStarts(queuedWait, "%d jobs that were started from your address wait already; start more when some of them have begun", s.maxQueued)
	}
	if s.being == nil {
		s.being = make(map[string]int)
	}
	s.being[owner]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.being[owner]--; s.being[owner] == 0 {
			delete(s.being, owner)
		}
	}, nil
}

func tooManyStarts(wait time.Duration, detail string, args ...any) error {
	p := jobs.NewProblem(jobs.CodeTooManyRequests, fmt.Sprintf(detail, args...))
	p.RetryAfterMs = (wait + time.Millisecond - 1).Milliseconds()
	return p
}

// ownerOf is what a job's records say of who started it. A job is kept for long, so it is not the address
// itself, but enough to tell whose jobs are whose.
func ownerOf(from string) string {
	if from == "" {
		return ""
	}
	sum := sha256.Sum256([]byte("jobs: started from\x00" + from))
	return base32.StdEncoding.EncodeToString(sum[:10])
}
