package chat

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// next asks as a reader does, for a second at the most.
func next(t *testing.T, c *Chat, name string, after uint64) (string, uint64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	m, at, ok, err := c.Next(ctx, name, after)
	if err != nil {
		t.Fatal(err)
	}
	if !ok {
		return "", at
	}
	return m.Text, at
}

func TestAReaderGoesOnWhereItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(shelf)
		c := chatOn(t, j, sweepEvery)
		nobody := c.Anonymous()
		say(t, nobody, "", "before")
		ask := func(what string, after uint64, want string, wantAt uint64) {
			t.Helper()
			if got, at := next(t, c, "reader", after); got != want || at != wantAt {
				t.Errorf("%s: got %q at %d, want %q at %d", what, got, at, want, wantAt)
			}
		}
		ask("the first time", Unknown, "", 1)
		for i := range 4 {
			say(t, nobody, "", fmt.Sprint(i))
		}
		ask("the next", Unknown, "0", 2)
		c.Close()
		c = chatOn(t, j, sweepEvery)
		ask("after a restart", Unknown, "1", 3)
		ask("its answer was lost", 2, "1", 3)
		ask("it says where it is", 3, "2", 4)
		ask("and then not", Unknown, "3", 5)
		ask("there is no more", Unknown, "", 5)
		ask("a place that is not there yet", 99, "", 5)
		time.Sleep(forgetAfter + time.Second)
		say(t, c.Anonymous(), "", "missed")
		ask("forgotten", Unknown, "", 6)
		ask("forgotten, and says where it is", 5, "missed", 6)
	})
}

func TestNoQueueGrowsForAReaderWhoDoesNotAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(shelf)
		c := chatOn(t, j, sweepEvery)
		for i := range maxReaders {
			if _, _, more, err := c.next(fmt.Sprint("reader ", i), Unknown); more == nil || err != nil {
				t.Fatal(err)
			}
		}
		if _, _, _, err := c.next("one too many", Unknown); code(err) != TooMany {
			t.Errorf("got %v, want %s", err, TooMany)
		}
		c = reopened(t, c, j)
		if _, _, _, err := c.next("one too many", Unknown); code(err) != TooMany {
			t.Errorf("got %v, want %s", err, TooMany)
		}
		time.Sleep(forgetAfter + time.Second)
		if _, _, _, err := c.next("later", Unknown); err != nil || len(c.readers.by) != 1 {
			t.Errorf("got %v and %d readers, want the others forgotten", err, len(c.readers.by))
		}
		for _, name := range []string{"", strings.Repeat("x", maxKey+1), "\xff"} {
			if _, _, _, err := c.Next(t.Context(), name, Unknown); code(err) != BadRequest {
				t.Errorf("%q: got %v", name, err)
			}
		}
	})
}

func TestWhatComesFromOneAddressIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := chatOn(t, new(shelf), sweepEvery)
		count := func(address string, n int) (kept int) {
			for range n {
				if _, err := c.SayFrom(t.Context(), address, "x"); err == nil {
					kept++
				} else if code(err) != TooMany {
					t.Error(err)
				}
			}
			return kept
		}
		if got := count("loud", 1000); got != 40 { // a message takes a millisecond
			t.Errorf("got %d of 1,000 kept, want 40", got)
		}
		if got := count("calm", 1); got != 1 {
			t.Error("another address is limited, too")
		}
		if _, err := c.SayFrom(t.Context(), "calm", ""); code(err) != BadRequest {
			t.Errorf("an empty message: got %v", err)
		}
	})
}
