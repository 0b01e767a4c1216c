package vote

import (
	"context"
	"errors"
	"time"

	"jobcast/internal/limit"
)

var (
	// voterRate is what one connection may vote, and addressRate what all requests of one address may
	// together: a whole school may be behind it.
	voterRate   = limit.Rate{PerSecond: 20, Burst: 100}
	addressRate = limit.Rate{PerSecond: 200, Burst: 2000}
)

// ErrTooFast is the error of a vote of someone who votes without end. It was not counted.
var ErrTooFast = errors.New("vote: too many votes of one client")

// A Voter is one connection. The zero value has not voted yet.
type Voter struct{ client limit.Client }

// CastBy is Cast for a client with a connection. Its error may also be ErrTooFast.
func (v *Vote) CastBy(ctx context.Context, voter *Voter, uid UID) (Candidate, uint64, error) {
	if !voter.client.Take(voterRate, time.Now()) {
		return Candidate{}, 0, ErrTooFast
	}
	return v.Cast(ctx, uid)
}

// CastFrom is Cast for a client that has nothing but an address. Its error may also be ErrTooFast.
func (v *Vote) CastFrom(ctx context.Context, address string, uid UID) (Candidate, uint64, error) {
	if !v.addresses.Take(address, addressRate, time.Now()) {
		return Candidate{}, 0, ErrTooFast
	}
	return v.Cast(ctx, uid)
}
