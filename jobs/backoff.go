package jobs

import (
	"math"
	"math/rand/v2"
	"time"
)

// Limits of a Backoff, and what its zero values mean.
const (
	DefaultDelay    = time.Second
	DefaultMaxDelay = 10 * time.Minute
	maxDelayMs      = 30 * 24 * 3_600_000
)

// The types of a Backoff.
const (
	BackoffFixed       = "fixed"
	BackoffExponential = "exponential"
)

// Backoff says how long a job waits after an attempt that has failed.
type Backoff struct {
	Type    string  `json:"type,omitempty"`    // "fixed" or "exponential", which doubles the wait each time; empty means exponential
	DelayMs int64   `json:"delayMs,omitempty"` // the first wait; 0 means 1,000
	MaxMs   int64   `json:"maxMs,omitempty"`   // the longest wait; 0 means 600,000
	Jitter  float64 `json:"jitter,omitempty"`  // the share of the wait, 0 to 1, that is left to chance: the wait is then shorter by up to it
}

// Wait is how long to wait after the given number of failures, which counts from 1.
func (b *Backoff) Wait(failures int) time.Duration {
	delay, longest := time.Duration(b.DelayMs)*time.Millisecond, time.Duration(b.MaxMs)*time.Millisecond
	if delay == 0 {
		delay = DefaultDelay
	}
	if longest == 0 {
		longest = DefaultMaxDelay
	}
	wait := float64(delay)
	if b.Type != BackoffFixed {
		wait *= math.Pow(2, float64(max(0, failures-1)))
	}
	wait = min(wait, float64(longest))
	return time.Duration(wait * (1 - b.Jitter*rand.Float64()))
}

// backoffField is where the backoff of a request goes. It refuses unknown fields, which a Backoff that a newer server
// has stored may have.
type backoffField struct{ into **Backoff }

// UnmarshalJSON decodes a backoff from a client.
func (f *backoffField) UnmarshalJSON(data []byte) error {
	var b Backoff
	*f.into = &b
	return fields{"type": &b.Type, "delayMs": &b.DelayMs, "maxMs": &b.MaxMs, "jitter": &b.Jitter}.decode(data, func(name string) string {
		if name == "type" && b.Type == "" {
			return wrongBackoff
		}
		return ""
	})
}

const wrongBackoff = "must be fixed or exponential"

// check says what is wrong with a backoff that a client has sent.
func (b *Backoff) check(refuse func(pointer, detail string)) {
	if b.Type != "" && b.Type != BackoffFixed && b.Type != BackoffExponential {
		refuse("/backoff/type", wrongBackoff)
	}
	if b.DelayMs < 0 || b.DelayMs > maxDelayMs {
		refuse("/backoff/delayMs", "must be 0 to 2592000000")
	}
	if b.MaxMs < 0 || b.MaxMs > maxDelayMs {
		refuse("/backoff/maxMs", "must be 0 to 2592000000")
	}
	if !(b.Jitter >= 0 && b.Jitter <= 1) {
		refuse("/backoff/jitter", "must be 0 to 1")
	}
}
