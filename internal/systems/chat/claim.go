package chat

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"strings"
	"time"
)

const (
	// A token has minToken to maxToken bytes.
	minToken = 16
	maxToken = 256
	// maxClaims bounds the nicknames of which it is remembered who had them last. When there are more, the
	// older half of those for whom nothing waits is forgotten.
	maxClaims = 10_000
)

// A claim is what is remembered of the last one who had a nickname and came with a token. What waits for
// the nickname is for them, and it is theirs until they have taken it. Who comes without a token, or first
// with another one, while nothing waits takes the claim's place.
type claim struct {
	Proof []byte    `json:"proof"` // the token's SHA-256; the token itself is nowhere
	At    time.Time `json:"at"`
}

// proofOf is nil without a token.
func proofOf(token string) ([]byte, error) {
	switch n := len(token); {
	case n == 0:
		return nil, nil
	case n < minToken || n > maxToken:
		return nil, refuse(BadToken, "a token has %d to %d bytes, and should be random", minToken, maxToken)
	}
	sum := sha256.Sum256([]byte(token))
	return sum[:], nil
}

// claimLocked gives a nickname that nobody has to who comes with a proof, or nil. The hashes may be
// compared in any time: who cannot choose the hash learns nothing from it.
func (c *Chat) claimLocked(name string, proof []byte, now time.Time) error {
	before, claimed := c.claims[name]
	if claimed && bytes.Equal(before.Proof, proof) {
		return nil
	}
	if claimed && len(c.waiting[name]) > 0 {
		return refuse(Reserved, "words wait here for somebody else, who had the nickname %s", name)
	}
	var to *claim // who comes without a token leaves none
	if proof != nil {
		to = &claim{proof, now.UTC()}
	} else if !claimed {
		return nil
	}
	c.setClaimLocked(name, to)
	c.marks.Claims[name] = to
	c.wake()
	return nil
}

func (c *Chat) setClaimLocked(name string, to *claim) {
	delete(c.claims, name)
	if to == nil {
		return
	}
	if len(c.claims) >= maxClaims {
		c.forgetClaimsLocked()
	}
	c.claims[name] = *to
}

func (c *Chat) forgetClaimsLocked() {
	var free []string
	for name := range c.claims {
		if len(c.waiting[name]) == 0 && c.people[name] == nil {
			free = append(free, name)
		}
	}
	slices.SortFunc(free, func(a, b string) int {
		if c := c.claims[a].At.Compare(c.claims[b].At); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
	for _, name := range free[:(len(free)+1)/2] {
		delete(c.claims, name)
	}
}
