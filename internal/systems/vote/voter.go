package vote

import (
	"context"
	"errors"
	"time"

	"golang.org/x/time/rate"
)

// What one connection may vote, a second and at once, and what all requests of one address may together: a whole
// school may be behind it.
const (
	voterRate    = 20
	voterBurst   = 100
	addressRate  = 200
	addressBurst = 2000
)

// ErrTooFast is the error of a vote of someone who votes without end. It was not counted.
var ErrTooFast = errors.New("vote: too many votes of one client")

// A Voter is one connection. NewVoter makes one.
type Voter struct{ limiter *rate.Limiter }

// NewVoter returns a connection that has not voted yet.
func NewVoter() *Voter { return &Voter{rate.NewLimiter(voterRate, voterBurst)} }

// CastBy is Cast for a client with a connection. Its error may also be ErrTooFast.
func (v *Vote) CastBy(ctx context.Context, voter *Voter, uid UID) (Candidate, uint64, error) {
	if !voter.limiter.Allow() {
		return Candidate{}, 0, ErrTooFast
	}
	return v.Cast(ctx, uid)
}

// CastFrom is Cast for a client that has nothing but an address. Its error may also be ErrTooFast.
func (v *Vote) CastFrom(ctx context.Context, address string, uid UID) (Candidate, uint64, error) {
	if !v.addresses.Allow(address, time.Now()) {
		return Candidate{}, 0, ErrTooFast
	}
	return v.Cast(ctx, uid)
}
