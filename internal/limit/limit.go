// Package limit says whether a client may do a thing once more, so that one that does it without end costs
// the others nothing. It knows neither clients nor things. It runs no goroutine.
package limit

import (
	"maps"
	"math"
	"sync"
	"time"
)

// A Rate is how often a thing may be done: so many times a second, and so many at once after a pause.
type Rate struct {
	PerSecond float64
	Burst     float64
}

// A Client is one who does it. The zero value has done nothing yet. Its method may be called from any
// goroutine.
type Client struct {
	mu   sync.Mutex // protects the fields below
	used float64
	at   time.Time
}

// Take counts one more, and reports whether that is allowed; what is not is not counted.
func (c *Client) Take(r Rate, now time.Time) bool { return c.Wait(r, now) == 0 }

// Wait is Take, and returns zero, or after how long one more will be allowed.
func (c *Client) Wait(r Rate, now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.used = max(0, c.used-r.PerSecond*now.Sub(c.at).Seconds())
	c.at = now
	if over := c.used + 1 - r.Burst; over > 0 {
		return max(1, time.Duration(math.Ceil(over/r.PerSecond*float64(time.Second))))
	}
	c.used++
	return 0
}

// rested reports whether the client is as good as a new one.
func (c *Client) rested(r Rate, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.used <= r.PerSecond*now.Sub(c.at).Seconds()
}

// maxAddresses bounds the clients of Addresses; one more is refused until others have rested.
const maxAddresses = 10_000

// Addresses are clients without a connection of their own, by their addresses. The zero value has none.
type Addresses struct {
	mu sync.Mutex // protects the field below
	by map[string]*Client
}

// Take is the Take of the client with that address.
func (a *Addresses) Take(address string, r Rate, now time.Time) bool {
	return a.Wait(address, r, now) == 0
}

// crowded is how long a client waits for whom there is no room.
const crowded = time.Second

// Wait is the Wait of the client with that address.
func (a *Addresses) Wait(address string, r Rate, now time.Time) time.Duration {
	a.mu.Lock()
	c := a.by[address]
	if c == nil {
		if len(a.by) >= maxAddresses {
			maps.DeleteFunc(a.by, func(_ string, c *Client) bool { return c.rested(r, now) })
		}
		if len(a.by) >= maxAddresses {
			a.mu.Unlock()
			return crowded
		}
		if a.by == nil {
			a.by = make(map[string]*Client)
		}
		c = new(Client)
		a.by[address] = c
	}
	a.mu.Unlock()
	return c.Wait(r, now)
}
