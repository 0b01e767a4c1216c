package vote

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/internal/systems/journal"
)

func open(t *testing.T, j journal.Journal) *Vote {
	t.Helper()
	v, err := Open(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func counts(candidates []Candidate) (n [3]int64) {
	for _, c := range candidates {
		n[c.UID-1] = c.Count
	}
	return n
}

// slow is a journal that takes its time, so that votes wait, and fails as it is told.
type slow struct {
	journal.Memory
	records int
	before  error // fails without having appended
	after   error // fails although it has
}

func (s *slow) Append(ctx context.Context, data []byte, after uint64) (uint64, error) {
	time.Sleep(time.Millisecond)
	if s.before != nil {
		return 0, s.before
	}
	s.records++
	position, err := s.Memory.Append(ctx, data, after)
	if s.after != nil {
		return 0, s.after
	}
	return position, err
}

func TestConcurrentVotesAreCountedOnceAndSeenByAllWhoFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(slow)
		v := open(t, j)
		ctx, cancel := context.WithCancel(t.Context())
		var followers, voters sync.WaitGroup
		ends := make([][3]int64, 10)
		for i := range ends {
			followers.Go(func() {
				last := uint64(0)
				for c, err := range v.Follow(ctx, 0) {
					switch {
					case err != nil:
						return
					case c.All != nil:
						ends[i] = counts(c.All)
					case c.Rev != last+1 || c.Count != ends[i][c.UID-1]+1:
						t.Errorf("got %+v after revision %d and %v", c, last, ends[i])
						return
					default:
						ends[i][c.UID-1] = c.Count
					}
					last = c.Rev
				}
			})
		}
		var mu sync.Mutex
		revs := map[uint64]bool{}
		for i := range 1000 {
			voters.Go(func() {
				c, rev, err := v.Cast(ctx, UID(i%3+1))
				mu.Lock()
				defer mu.Unlock()
				if err != nil || c.UID != i%3+1 || revs[rev] {
					t.Errorf("got %+v, revision %d, %v", c, rev, err)
				}
				revs[rev] = true
			})
		}
		voters.Wait()
		synctest.Wait()
		cancel()
		followers.Wait()
		want := [3]int64{634, 533, 933}
		for i, got := range ends {
			if got != want {
				t.Errorf("follower %d ends with %v, want %v", i, got, want)
			}
		}
		rev, candidates := v.Now()
		if counts(candidates) != want || rev != 1001 {
			t.Errorf("got %v at %d, want %v at 1001", candidates, rev, want)
		}
		if j.records > 10 {
			t.Errorf("1,000 votes took %d records", j.records)
		}
		rev, again := open(t, &j.Memory).Now()
		if !slices.Equal(candidates, again) || rev != 1001 {
			t.Errorf("after reopening got %v at %d, want %v", again, rev, candidates)
		}
	})
}

func TestAVoteThatCannotCountIsRefused(t *testing.T) {
	v := open(t, new(journal.Memory))
	for _, uid := range []UID{0, 4, -1} {
		if _, _, err := v.Cast(t.Context(), uid); !errors.Is(err, ErrUnknown) {
			t.Errorf("%d: got %v", uid, err)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := v.Cast(gone, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if rev, _ := v.Now(); rev != 1 {
		t.Errorf("got revision %d, want 1", rev)
	}
}

func TestVotesAfterAFailureAreCountedOnTopOfWhatTheJournalHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(slow)
		v := open(t, j)
		broken := errors.New("the disk is full")
		for _, tt := range []struct {
			before, after error
			want          int64
		}{{nil, nil, 301}, {broken, nil, 301}, {nil, broken, 302}, {nil, nil, 303}} {
			j.before, j.after = tt.before, tt.after
			_, _, err := v.Cast(t.Context(), 1)
			if failed := tt.before != nil || tt.after != nil; errors.Is(err, broken) != failed {
				t.Fatalf("got %v", err)
			}
			if _, again := open(t, &j.Memory).Now(); again[0].Count != tt.want {
				t.Fatalf("got %d, want %d", again[0].Count, tt.want)
			}
		}
		if rev, now := v.Now(); now[0].Count != 303 || rev != 4 {
			t.Fatalf("got %v at %d, want 303 at 4", now, rev)
		}
		// The revision that nobody was told of is a hole, and who is before it gets the whole.
		for c := range v.Follow(t.Context(), 2) {
			if c.All == nil || counts(c.All)[0] != 303 {
				t.Fatalf("got %+v, want all", c)
			}
			break
		}
	})
}

func TestAFollowerThatFallsTooFarBehindGetsTheWhole(t *testing.T) {
	v := open(t, new(journal.Memory))
	for range kept + 10 {
		if _, _, err := v.Cast(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
	}
	for after, whole := range map[uint64]bool{0: true, 1: true, 10: true, 11: false, kept + 10: false, kept + 12: true} {
		for c, err := range v.Follow(t.Context(), after) {
			if err != nil || (c.All != nil) != whole || !whole && c.Rev != after+1 {
				t.Errorf("after %d got %+v, %v", after, c, err)
			}
			break
		}
	}
}
