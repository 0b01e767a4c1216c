// Package limit bounds how often each of many clients may do a thing, so that one that does it without end costs
// the others nothing:
//
//	starts := limit.New(50, 200) // 50 a second, 200 at once after a pause
//	if wait := starts.Wait(limit.Address(r.RemoteAddr), time.Now()); wait > 0 {
//		// refuse, and say after how long one more is allowed
//	}
//
// It is a bounded table of limiters of golang.org/x/time/rate. Who has one client only, such as one connection,
// uses a rate.Limiter itself. The package does not know what is done. It runs no goroutine.
package limit

import (
	"maps"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// maxKeys bounds the clients of a Table; one more is refused until others are as good as new.
	maxKeys = 10_000
	// fullWait is how long a client waits for whom there is no room.
	fullWait = time.Second
)

// A Table holds a limiter for each client, by a key such as its address. Its methods may be called from any
// goroutine, and do not block.
type Table struct {
	rate  rate.Limit
	burst int

	mu       sync.Mutex // protects the field below
	limiters map[string]*rate.Limiter
}

// New returns a table without clients. Each may do a thing perSecond times a second, and burst times at once after
// a pause. Both must be above zero.
func New(perSecond float64, burst int) *Table {
	return &Table{rate: rate.Limit(perSecond), burst: burst, limiters: make(map[string]*rate.Limiter)}
}

// Allow counts one more of the client with that key, and reports whether it is allowed. One that is refused is not
// counted.
func (t *Table) Allow(key string, now time.Time) bool { return t.Wait(key, now) == 0 }

// Wait is Allow, and returns zero if it is allowed, or after how long one more will be.
func (t *Table) Wait(key string, now time.Time) time.Duration {
	l := t.limiter(key, now)
	switch {
	case l == nil:
		return fullWait
	case l.AllowN(now, 1):
		return 0
	}
	missing := 1 - l.TokensAt(now)
	return max(1, time.Duration(math.Ceil(missing/float64(t.rate)*float64(time.Second))))
}

// limiter returns the limiter of a client, or nil if there is no room for it.
func (t *Table) limiter(key string, now time.Time) *rate.Limiter {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.limiters[key]
	if l == nil {
		if len(t.limiters) >= maxKeys {
			maps.DeleteFunc(t.limiters, func(_ string, l *rate.Limiter) bool { return l.TokensAt(now) >= float64(t.burst) })
		}
		if len(t.limiters) >= maxKeys {
			return nil
		}
		l = rate.NewLimiter(t.rate, t.burst)
		t.limiters[key] = l
	}
	return l
}
