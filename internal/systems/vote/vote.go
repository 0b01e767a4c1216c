// Package vote counts votes for three candidates, once and for all who ask over whatever transport. It
// knows neither HTTP nor sockets, nor where its journal keeps what it writes.
//
// Each vote makes a revision. A record of the journal is the whole at one revision, so that only the last
// has to be read; votes that come while a record is written go into the next one together.
//
// It runs no goroutine: of those who vote, one writes for all who wait.
package vote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"jobcast/internal/limit"
	"jobcast/internal/systems/journal"
)

const (
	// maxWaiting bounds the votes that wait to be written; one more is refused with ErrBusy.
	maxWaiting = 10_000
	// maxBatch bounds the votes of one record, so that a follower that reads at all misses none of them.
	maxBatch = kept / 4
	// kept is how many changes can be read again. Who falls further behind gets the whole instead.
	kept = 4096
	// writeTimeout bounds the writing of one record.
	writeTimeout = 10 * time.Second
)

var (
	// ErrUnknown is the error of a vote for nobody.
	ErrUnknown = errors.New("vote: no such candidate")
	// ErrBusy is the error of a vote too many at one time. It was not counted.
	ErrBusy = errors.New("vote: too many votes at one time")
)

// A Candidate is who can be voted for, with the votes so far.
type Candidate struct {
	UID   int    `json:"uid"`
	Name  string `json:"name"`
	Count int64  `json:"count"`
}

// A Change is one vote: the revision that it made, and its candidate then.
type Change struct {
	Rev uint64 `json:"rev"`
	Candidate
	// All is set where changes before this one were missed: then the rest is not, and this is how all
	// stands at Rev. It must not be changed.
	All []Candidate `json:"-"`
}

// A Vote counts. Its methods may be called from any goroutine, and those that read take no lock.
type Vote struct {
	journal   journal.Journal
	addresses *limit.Table
	state     atomic.Pointer[state]
	ring      [kept]atomic.Pointer[Change] // revision r is at r % kept, unless it was overwritten

	mu      sync.Mutex // protects the fields below
	waiting []*ballot
	writing bool // someone writes, or was asked to by its ballot's turn

	position uint64 // of the newest record; belongs to the one who writes
}

// state is what is written. It is never changed, only replaced.
type state struct {
	record
	next chan struct{} // closed when there is another
}

// record is what the journal keeps.
type record struct {
	Rev        uint64      `json:"rev"` // 1 before the first vote
	Candidates []Candidate `json:"candidates"`
	Changed    int         `json:"changed,omitempty"` // the uid of the last vote
}

// A ballot is a vote that waits to be written.
type ballot struct {
	candidate int
	turn      chan struct{} // closed when it is up to this voter to write
	done      chan struct{} // closed when the fields below are set
	change    Change
	err       error
}

// Open reads the newest record, or begins with the tutorial's candidates if there is none.
func Open(ctx context.Context, j journal.Journal) (*Vote, error) {
	v := &Vote{journal: j, addresses: limit.New(addressRate, addressBurst)}
	v.state.Store(&state{
		record: record{Rev: 1, Candidates: []Candidate{{1, "小米", 300}, {2, "小康", 200}, {3, "小明", 600}}},
		next:   make(chan struct{}),
	})
	if err := v.reload(ctx); err != nil {
		return nil, err
	}
	return v, nil
}

// reload takes what the journal has, if it is not what was last written.
func (v *Vote) reload(ctx context.Context) error {
	last, err := v.journal.Last(ctx)
	if err != nil {
		return fmt.Errorf("vote: read the last record: %w", err)
	}
	if last.Position == v.position {
		return nil
	}
	var r record
	if err := json.Unmarshal(last.Data, &r); err != nil {
		return fmt.Errorf("vote: decode the last record: %w", err)
	}
	v.position = last.Position
	v.publish(r)
	return nil
}

// publish needs the changes up to r in the ring, where they are known.
func (v *Vote) publish(r record) {
	before := v.state.Swap(&state{record: r, next: make(chan struct{})})
	close(before.next)
}

// Now is how the vote stands. The slice must not be changed.
func (v *Vote) Now() (rev uint64, candidates []Candidate) {
	now := v.state.Load()
	return now.Rev, now.Candidates
}

// Cast counts a vote and returns, with its candidate and the revision then, when it is as safe as the
// journal makes it. ctx is not looked at any more once the vote waits to be written: who leaves has voted.
// The error is ErrUnknown or ErrBusy, or that of ctx or the journal; only after the journal's may the vote
// count nevertheless.
func (v *Vote) Cast(ctx context.Context, uid UID) (Candidate, uint64, error) {
	if err := ctx.Err(); err != nil {
		return Candidate{}, 0, err
	}
	// Which candidates there are never changes.
	i := slices.IndexFunc(v.state.Load().Candidates, func(c Candidate) bool { return c.UID == int(uid) })
	if i < 0 {
		return Candidate{}, 0, ErrUnknown
	}
	b := &ballot{candidate: i, turn: make(chan struct{}), done: make(chan struct{})}
	v.mu.Lock()
	if len(v.waiting) >= maxWaiting {
		v.mu.Unlock()
		return Candidate{}, 0, ErrBusy
	}
	v.waiting = append(v.waiting, b)
	if !v.writing {
		v.writing = true
		close(b.turn)
	}
	v.mu.Unlock()
	select {
	case <-b.done:
	case <-b.turn:
		v.write(context.WithoutCancel(ctx))
	}
	return b.change.Candidate, b.change.Rev, b.err
}

// write writes what waits, which begins with the caller's ballot, and passes the turn on.
func (v *Vote) write(ctx context.Context) {
	v.mu.Lock()
	n := min(len(v.waiting), maxBatch)
	batch := slices.Clone(v.waiting[:n])
	v.waiting = slices.Delete(v.waiting, 0, n)
	v.mu.Unlock()

	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	err := v.count(ctx, batch)
	for _, b := range batch {
		b.err = err
		close(b.done)
	}

	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.waiting) > 0 {
		close(v.waiting[0].turn)
	} else {
		v.writing = false
	}
}

// count makes one record of a batch. After an error the journal may have it nevertheless, which the next
// append is told by a conflict.
func (v *Vote) count(ctx context.Context, batch []*ballot) error {
	err := v.append(ctx, batch)
	if errors.Is(err, journal.ErrConflict) { // nothing was appended, so that no vote counts twice
		if err = v.reload(ctx); err == nil {
			err = v.append(ctx, batch)
		}
	}
	if err != nil {
		for _, b := range batch {
			b.change = Change{}
		}
		return fmt.Errorf("vote: write: %w", err)
	}
	return nil
}

func (v *Vote) append(ctx context.Context, batch []*ballot) error {
	r := v.state.Load().record
	r.Candidates = slices.Clone(r.Candidates)
	for _, b := range batch {
		c := &r.Candidates[b.candidate]
		c.Count++
		r.Rev++
		r.Changed = c.UID
		b.change = Change{Rev: r.Rev, Candidate: *c}
	}
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	position, err := v.journal.Append(ctx, data, v.position)
	if err != nil {
		return err
	}
	v.position = position
	for _, b := range batch {
		v.ring[b.change.Rev%kept].Store(&b.change)
	}
	v.publish(r)
	return nil
}

// Follow yields the changes after a revision as they come, each the next after the one before. Who holds
// no revision (zero), one of other data, or one that is too long ago, first gets a Change with All. It ends
// with the error of ctx.
func (v *Vote) Follow(ctx context.Context, after uint64) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		for {
			if err := ctx.Err(); err != nil {
				yield(Change{}, err)
				return
			}
			now := v.state.Load()
			if after == now.Rev {
				select {
				case <-now.next:
				case <-ctx.Done():
				}
				continue
			}
			change := Change{Rev: now.Rev, All: now.Candidates}
			if after < now.Rev {
				if next := v.ring[(after+1)%kept].Load(); next != nil && next.Rev == after+1 {
					change = *next
				}
			}
			after = change.Rev
			if !yield(change, nil) {
				return
			}
		}
	}
}
