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
	m, at, ok, err := c.Next(ctx, "a", name, after)
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

// glance asks and goes at once, as a client that is gone before anything is said.
func glance(c *Chat, address, name string) error {
	r, err := c.ask(address, name)
	if err != nil {
		return err
	}
	c.next(r, Unknown)
	c.rest(r)
	return nil
}

func TestOneAddressDoesNotTakeEveryReadersPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(shelf)
		c := chatOn(t, j, sweepEvery)
		ask := func(address, name, want string) {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if m, _, _, err := c.Next(ctx, address, name, Unknown); m.Text != want || err != nil {
				t.Errorf("%s: got %q, %v, want %q", name, m.Text, err, want)
			}
		}
		ask("quiet", "ada", "")
		ask("loud", "one of many", "")
		for i := range maxReaders {
			if err := glance(c, "loud", fmt.Sprint("reader ", i)); err != nil {
				t.Fatalf("reader %d: %v", i, err)
			}
		}
		if n := len(c.readers.by); n != maxReadersOf+1 || c.readers.of["loud"].n != maxReadersOf {
			t.Errorf("got %d readers, want %d of the one address", n, maxReadersOf)
		}
		if n := len(c.marks.Places); n > 2*maxReadersOf+2 { // those who are there, and those who are gone
			t.Errorf("%d readers wait to be written", n)
		}
		check := func(when string) {
			say(t, c.Anonymous(), "", when)
			ask("quiet", "ada", when)
			ask("quiet", "new "+when, "") // there is room for new ones
			ask("loud", fmt.Sprint("reader ", maxReaders-1), when)
		}
		check("after the flood")
		c = reopened(t, c, j)
		check("after a restart")
	})
}

func TestTheLongestSilentReaderGoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := chatOn(t, new(shelf), sweepEvery)
		waiting, stop := context.WithCancel(t.Context())
		defer stop()
		answered := make(chan error, 1)
		go func() { // asks first, and still does when all others have gone
			m, _, ok, err := c.Next(waiting, "0", "patient", Unknown)
			if err == nil && (!ok || m.Text != "at last") {
				err = fmt.Errorf("got %q", m.Text)
			}
			answered <- err
		}()
		synctest.Wait()
		for i := range 2 * maxReaders {
			if err := glance(c, fmt.Sprint(i%100), fmt.Sprint("reader ", i)); err != nil {
				t.Fatalf("reader %d: %v", i, err)
			}
			if i > maxReaders && i%1000 == 0 { // asks again and again, and so is never the one
				if err := glance(c, "1", fmt.Sprint("reader ", maxReaders)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if n := len(c.readers.by); n != maxReaders {
			t.Errorf("got %d readers, want %d", n, maxReaders)
		}
		for name, want := range map[string]bool{
			"patient": true, fmt.Sprint("reader ", maxReaders): true, fmt.Sprint("reader ", 2*maxReaders-1): true,
			fmt.Sprint("reader ", maxReaders+1): false, "reader 0": false,
		} {
			if got := c.readers.by[name] != nil; got != want {
				t.Errorf("%s: got %v, want %v", name, got, want)
			}
		}
		say(t, c.Anonymous(), "", "at last")
		if err := <-answered; err != nil {
			t.Error(err)
		}
	})
}

func TestWhoAsksIsNeverForgottenForAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := chatOn(t, new(shelf), sweepEvery)
		var all []*reader
		for i := range maxReadersOf {
			r, err := c.ask("a", fmt.Sprint(i))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, r)
		}
		if err := glance(c, "a", "one too many"); code(err) != TooMany {
			t.Errorf("got %v, want %s", err, TooMany)
		}
		if err := glance(c, "b", "of another address"); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * forgetAfter)
		for _, r := range all {
			c.rest(r)
		}
		if err := glance(c, "a", "one more"); err != nil {
			t.Error(err)
		}
		time.Sleep(forgetAfter + time.Second)
		if err := glance(c, "a", "later"); err != nil || len(c.readers.by) != 1 || len(c.readers.of) != 1 {
			t.Errorf("got %v and %d readers of %d addresses, want the others forgotten", err, len(c.readers.by), len(c.readers.of))
		}
		for _, name := range []string{"", strings.Repeat("x", maxKey+1), "\xff"} {
			if _, _, _, err := c.Next(t.Context(), "a", name, Unknown); code(err) != BadRequest {
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
