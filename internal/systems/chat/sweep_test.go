package chat

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// old is a chat in which much has happened once, and then nothing but small talk.
func old(t *testing.T, j *shelf, every, talk int) (*Chat, *Member) {
	t.Helper()
	c := chatOn(t, j, every)
	ada, bob := join(t, c, "Ada", adas), join(t, c, "Bob", bobs)
	ada.Enter("den", nil)
	for i := range 3 {
		say(t, ada, "den", fmt.Sprint("den ", i))
	}
	for i := range 3 {
		tell(t, ada, "Bob", fmt.Sprint("for Bob ", i))
	}
	glance(c, "a", "reader")
	bob.Leave()
	nobody := c.Anonymous()
	for i := range talk {
		say(t, nobody, "", fmt.Sprint("small talk ", i))
		if i%100 == 99 {
			glance(c, "a", "reader") // or it would be forgotten
		}
	}
	return c, ada
}

func TestWhatIsTrueOutlivesTheJournalsOldestRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &shelf{keep: 60}
		c, _ := old(t, j, 20, 500)
		c = reopened(t, c, j)
		if got := texts(c, "den"); !slices.Equal(got, []string{"den 0", "den 1", "den 2"}) {
			t.Errorf("got %q of the den", got)
		}
		if got := texts(c, Anonymous); len(got) != Kept || got[Kept-1] != "small talk 499" {
			t.Errorf("got %d messages of the anonymous room", len(got))
		}
		if _, err := c.Join("Bob", adas, ForPrivate); code(err) != Reserved {
			t.Errorf("got %v, want Bob's claim remembered", err)
		}
		bob := join(t, c, "Bob", bobs)
		if got := *mail(bob); !slices.Equal(got, []string{"for Bob 0", "for Bob 1", "for Bob 2"}) {
			t.Errorf("got %q", got)
		}
		bob.TookAll(Unknown)
		// What was taken stays taken, though earlier sweeps have it.
		c = reopened(t, c, j)
		if got := *mail(join(t, c, "Bob", bobs)); len(got) != 0 {
			t.Errorf("Bob gets %q again", got)
		}
	})
}

func TestASweepMayEndAnywhere(t *testing.T) {
	text := strings.Repeat("小", MaxTextBytes/3-1)
	for parts := range 6 {
		synctest.Test(t, func(t *testing.T) {
			j := &shelf{}
			c := chatOn(t, j, 10_000)
			ada, bob := join(t, c, "Ada", adas), join(t, c, "Bob", bobs)
			bob.Leave()
			var last Delivery
			for i := range 120 { // three records' worth, and as much for Bob
				say(t, ada, "", fmt.Sprint(i, text))
				last = tell(t, ada, "Bob", fmt.Sprint(i, text))
			}
			c.Close()
			before := imageOf(c)

			// As the writer does it, but that the process dies after so many parts.
			s := c.newSweep()
			for n := range parts {
				r := c.part(s)
				if n == 1 { // in the middle Bob takes what an earlier part has, and something more is said
					bob := &Member{chat: c, nickname: "Bob"}
					bob.Took(last.ID - 238)
					bob.Took(last.ID)
					before = imageOf(c)
				}
				if err := c.commit(&r); err != nil {
					t.Fatal(err)
				}
				if r.Again.Done {
					break
				}
			}
			r := record{marks: c.marks.move()}
			if err := c.commit(&r); err != nil {
				t.Fatal(err)
			}
			again := chatOn(t, j, 10_000)
			again.Close()
			got := imageOf(again)
			if fmt.Sprint(got) != fmt.Sprint(before) {
				t.Errorf("after %d parts: got %d waiting, want %d", parts, len(got.Waiting["Bob"]), len(before.Waiting["Bob"]))
			}
		})
	}
}

func TestASweepThatFailedIsMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &shelf{keep: 60}
		c, _ := old(t, j, 20, 10)
		j.before, j.part = errors.New("the disk is full"), `"again"`
		nobody := c.Anonymous()
		for i := range 25 {
			say(t, nobody, "", fmt.Sprint("during ", i))
		}
		j.before = nil
		for i := range 100 {
			say(t, nobody, "", fmt.Sprint("after ", i))
		}
		c = reopened(t, c, j)
		if got := *mail(join(t, c, "Bob", bobs)); len(got) != 3 {
			t.Errorf("got %q", got)
		}
	})
}

func TestASweepIsDueAfterARestartToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &shelf{}
		c, _ := old(t, j, sweepEvery, 50)
		c.Close()
		again := chatOn(t, j, 20)
		time.Sleep(time.Second)
		last, _ := j.Last(t.Context())
		var r record
		if err := json.Unmarshal(last.Data, &r); err != nil || r.Again == nil || !r.Again.Done {
			t.Errorf("got %s, want the end of a sweep", last.Data)
		}
		if again.Close(); again.since > 1 {
			t.Errorf("got %d records since", again.since)
		}
	})
}

func TestMuchThatHappensToPeopleFitsIntoRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &shelf{} // refuses a record that is too large
		c := chatOn(t, j, 50)
		nobody := c.Anonymous()
		for i := range 4000 {
			name := fmt.Sprint(i, strings.Repeat("\x01", maxKey-5))
			if err := glance(c, fmt.Sprint(i%10), name); err != nil {
				t.Fatal(err)
			}
		}
		say(t, nobody, "", "x")
		time.Sleep(time.Minute)
		for range 100 {
			say(t, nobody, "", "more")
		}
		again := reopened(t, c, j)
		if len(again.readers.by) != 4000 {
			t.Errorf("got %d readers, want 4,000", len(again.readers.by))
		}
	})
}
