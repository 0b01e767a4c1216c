// Package compare is one stream of numbered, timed events, made for a visitor who wants to see it arrive
// over several transports at once, and the measuring of what each of them cost: bytes and requests of the
// connections, and processor time of the process. It knows neither HTTP nor sockets: who delivers the
// events is the business of those who call it.
//
// Its goroutines are one for each run, which makes the events; Run.Close and Runs.Close wait for them.
package compare

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	mathrand "math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// MaxRate is how many events a second a run makes at the most; one is the least.
	MaxRate = 50
	// MinSize is the least size of one event, in bytes of its JSON.
	MinSize = 64
	// MaxSize is the greatest.
	MaxSize = 16 << 10
	// maxRuns bounds the runs at one time; one more is refused with ErrFull.
	maxRuns = 64
	// kept is how many events of a run can be read again. A reader that falls further behind misses the
	// oldest, and sees by the numbers that it does.
	kept = 2048
)

var (
	// ErrFull is the error of a run too many.
	ErrFull = errors.New("compare: too many runs at one time")
	// ErrSettings is wrapped by the error about settings out of bounds.
	ErrSettings = errors.New("compare: settings out of bounds")
)

// Settings are what a visitor chooses.
type Settings struct {
	Rate int `json:"rate"` // events a second, 1 to MaxRate
	Size int `json:"size"` // bytes of an event's JSON, MinSize to MaxSize
}

func (s Settings) check() error {
	if s.Rate < 1 || s.Rate > MaxRate {
		return fmt.Errorf("%w: rate must be from 1 to %d", ErrSettings, MaxRate)
	}
	if s.Size < MinSize || s.Size > MaxSize {
		return fmt.Errorf("%w: size must be from %d to %d", ErrSettings, MinSize, MaxSize)
	}
	return nil
}

// An Event is one event of a run. The same value goes out over every transport.
type Event struct {
	N   uint64 `json:"n"`   // 1, 2, 3, …
	At  int64  `json:"at"`  // when it was made, in microseconds since 1970 by the server's clock
	Pad string `json:"pad"` // makes the event as large as was asked for
}

// filler is what every Pad is a part of: 64 letters without a pattern, because Socket.IO may compress long
// answers to polls. What is as even as this it makes smaller by a quarter, and no more.
var filler = func() string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	random := mathrand.New(mathrand.NewPCG(1, 2)) // the same in every process
	text := make([]byte, 8*MaxSize)
	for i := range text {
		text[i] = letters[random.IntN(len(letters))]
	}
	return string(text)
}()

func newEvent(n uint64, at time.Time, size int) Event {
	e := Event{N: n, At: at.UnixMicro()}
	bare := len(fmt.Sprintf(`{"n":%d,"at":%d,"pad":""}`, e.N, e.At))
	// Each event goes on where the one before has ended, or a few in one answer would be compressed as copies.
	begin := int(n*uint64(size)) % (len(filler) - MaxSize)
	e.Pad = filler[begin:][:min(max(size-bare, 0), MaxSize)]
	return e
}

// Runs are the runs of all visitors. The zero value has none.
type Runs struct {
	mu     sync.Mutex // protects the fields below
	by     map[string]*Run
	closed bool
}

// Open starts a run. The error is ErrFull, or wraps ErrSettings.
func (rs *Runs) Open(s Settings) (*Run, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	r := &Run{id: rand.Text(), runs: rs, settings: s, changed: make(chan struct{}, 1), more: make(chan struct{})}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.closed || len(rs.by) >= maxRuns {
		r.cancel()
		return nil, ErrFull
	}
	if rs.by == nil {
		rs.by = make(map[string]*Run)
	}
	rs.by[r.id] = r
	r.done.Go(r.make)
	return r, nil
}

// Get returns the run with that id, or nil.
func (rs *Runs) Get(id string) *Run {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return rs.by[id]
}

// Close ends every run, and refuses new ones.
func (rs *Runs) Close() {
	rs.mu.Lock()
	rs.closed = true
	all := make([]*Run, 0, len(rs.by))
	for _, r := range rs.by {
		all = append(all, r)
	}
	rs.mu.Unlock()
	for _, r := range all {
		r.Close()
	}
}

// A Run is the stream of one visitor.
type Run struct {
	id     string
	runs   *Runs
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	done   sync.WaitGroup
	lines  lines
	shared atomic.Bool // requests came in over connections that others share

	changed chan struct{} // has room for one: the settings are others now

	mu       sync.Mutex // protects the fields below
	settings Settings
	last     uint64
	ring     [kept]Event   // event n is at n % kept
	more     chan struct{} // closed when there is another event
}

// ID is the run's identifier, 130 random bits: who has it may read the run.
func (r *Run) ID() string { return r.id }

// Line returns what the run measures of one of its transports, or nil for a name that is not in Names.
func (r *Run) Line(name string) *Line { return r.lines.get(name) }

// Set changes the settings, from the next event on. The error wraps ErrSettings.
func (r *Run) Set(s Settings) error {
	if err := s.check(); err != nil {
		return err
	}
	r.mu.Lock()
	r.settings = s
	r.mu.Unlock()
	select {
	case r.changed <- struct{}{}:
	default:
	}
	return nil
}

// Close ends the run: who follows it comes to an end. It may be called twice.
func (r *Run) Close() {
	r.cancel()
	r.done.Wait()
	r.runs.mu.Lock()
	defer r.runs.mu.Unlock()
	delete(r.runs.by, r.id)
}

// make makes the events until the run ends.
func (r *Run) make() {
	ticker := time.NewTicker(time.Second) // until the settings have been read
	defer ticker.Stop()
	r.changed <- struct{}{}
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-r.changed:
			r.mu.Lock()
			period := time.Second / time.Duration(r.settings.Rate)
			r.mu.Unlock()
			ticker.Reset(period)
		case <-ticker.C:
			r.add()
		}
	}
}

func (r *Run) add() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last++
	// The clock is read here and not taken from the ticker: a tick that waited for its turn would make
	// every transport look late.
	r.ring[r.last%kept] = newEvent(r.last, time.Now(), r.settings.Size)
	close(r.more)
	r.more = make(chan struct{})
}

// Last is the number of the newest event.
func (r *Run) Last() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

// After returns at most limit events after number n, oldest first, and whether there are more.
func (r *Run) After(n uint64, limit int) (events []Event, more bool) {
	events, more, _ = r.after(n, limit)
	return events, more
}

// after is After, and returns what is closed when there is another event.
func (r *Run) after(n uint64, limit int) (events []Event, more bool, next <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last > kept {
		n = max(n, r.last-kept)
	}
	for n < r.last && len(events) < limit {
		n++
		events = append(events, r.ring[n%kept])
	}
	return events, n < r.last, r.more
}

// Await waits until there is an event after number n, the time is over, or the run or ctx ends.
func (r *Run) Await(ctx context.Context, n uint64, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		events, _, next := r.after(n, 1)
		if len(events) > 0 {
			return
		}
		select {
		case <-next:
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		case <-r.ctx.Done():
			return
		}
	}
}

// followed is how many events Follow takes at once.
const followed = 64

// Follow yields the events after number n, those there are and then each new one, until the run or ctx
// ends.
func (r *Run) Follow(ctx context.Context, n uint64) iter.Seq[Event] {
	return func(yield func(Event) bool) {
		for {
			events, _, next := r.after(n, followed)
			for _, e := range events {
				if r.ctx.Err() != nil || ctx.Err() != nil || !yield(e) {
					return
				}
				n = e.N
			}
			if len(events) > 0 {
				continue
			}
			select {
			case <-next:
			case <-ctx.Done():
				return
			case <-r.ctx.Done():
				return
			}
		}
	}
}
