package chat

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestDeliveredIsWhatAClientHasTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := chatOn(t, new(shelf), sweepEvery)
		ada := join(t, c, "Ada", "")
		wait := func(d Delivery) string {
			begin := time.Now()
			return fmt.Sprint(d.Wait(t.Context()), " after ", time.Since(begin))
		}
		if got := wait(tell(t, ada, "Bob", "nobody there")); got != "false after 0s" {
			t.Errorf("nobody there: got %s", got)
		}
		bob := join(t, c, "Bob", "")
		if got := wait(tell(t, ada, "Bob", "does not listen")); got != "false after 0s" {
			t.Errorf("nobody listens: got %s", got)
		}
		mail(bob)
		if got := wait(tell(t, ada, "Bob", "no answer")); got != "false after 2s" {
			t.Errorf("without an answer: got %s", got)
		}
		d, err := ada.Tell(t.Context(), "Bob", "taken")
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(30*time.Millisecond, func() { bob.Took(d.ID); bob.Took(d.ID) })
		if got := wait(d); got != "true after 30ms" {
			t.Errorf("taken: got %s", got)
		}
		if got := wait(d); got != "true after 0s" {
			t.Errorf("taken before: got %s", got)
		}
	})
}

func TestWhatNoClientTookIsGivenToTheNextOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(shelf)
		c := chatOn(t, j, sweepEvery)
		ada, one, two := join(t, c, "Ada", ""), join(t, c, "Bob", bobs), join(t, c, "Bob", bobs)
		first, second := mail(one), mail(two)
		a := tell(t, ada, "Bob", "a")
		b := tell(t, ada, "Bob", "b")
		tell(t, ada, "Bob", "c")
		// One tab has taken the second, and the other nothing: the first is not lost by it.
		one.Took(b.ID)
		ada.Took(a.ID) // is not hers to take
		for _, got := range [][]string{*first, *second} {
			if !slices.Equal(got, []string{"a", "b", "c"}) {
				t.Errorf("got %q, want each once in one connection", got)
			}
		}
		if got := *mail(join(t, c, "Bob", bobs)); !slices.Equal(got, []string{"a", "c"}) {
			t.Errorf("a third tab: got %q, want what was not taken", got)
		}
		one.Leave()
		two.Leave()
		c = reopened(t, c, j)
		bob := join(t, c, "Bob", bobs)
		if got := *mail(bob); !slices.Equal(got, []string{"a", "c"}) {
			t.Errorf("after a restart: got %q, want what was not taken", got)
		}
		bob.TookAll(a.ID + 1)
		c = reopened(t, c, j)
		if got := *mail(join(t, c, "Bob", bobs)); !slices.Equal(got, []string{"c"}) {
			t.Errorf("got %q, want what came after all that was taken", got)
		}
	})
}

func TestOnlyTheTwoGetIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := chatOn(t, new(shelf), sweepEvery)
		ada, bob, eve := join(t, c, "Ada", ""), join(t, c, "Bob", ""), join(t, c, "Eve", "")
		adas, bobs, eves := mail(ada), mail(bob), mail(eve)
		tell(t, ada, " Bob ", "secret")
		tell(t, ada, "Ada", "to myself")
		if got := fmt.Sprint(*adas, *bobs, *eves); got != "[secret to myself] [secret] []" {
			t.Errorf("got %s", got)
		}
		if _, err := c.Anonymous().Tell(t.Context(), "Bob", "x"); code(err) != Forbidden {
			t.Errorf("anonymous: got %v", err)
		}
		for _, to := range []string{"", " ", "a\x00b", strings.Repeat("x", MaxNameRunes+1)} {
			if _, err := ada.Tell(t.Context(), to, "x"); code(err) != BadRequest {
				t.Errorf("to %q: got %v", to, err)
			}
		}
	})
}

func TestWhatWaitsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(shelf)
		c := chatOn(t, j, sweepEvery)
		ada := join(t, c, "Ada", "")
		for i := range MaxWaiting {
			tell(t, ada, "Bob", fmt.Sprint(i))
		}
		if _, err := ada.Tell(t.Context(), "Bob", "one too many"); code(err) != TooMany {
			t.Errorf("got %v, want %s", err, TooMany)
		}
		if got := *mail(join(t, c, "Bob", "")); len(got) != MaxWaiting || got[MaxWaiting-1] != fmt.Sprint(MaxWaiting-1) {
			t.Errorf("got %d, want all %d", len(got), MaxWaiting)
		}
		// Who is there and takes nothing has them wait like who is not there.
		if _, err := ada.Tell(t.Context(), "Bob", "one too many"); code(err) != TooMany {
			t.Errorf("got %v, want %s", err, TooMany)
		}
		for i := c.letters; i < maxWaiting; i++ {
			c.waitLocked(Private{ID: uint64(i + 1000), To: fmt.Sprint("somebody ", i/100), At: time.Now()})
		}
		if _, err := ada.Tell(t.Context(), "Carl", "for nobody there"); code(err) != TooMany {
			t.Errorf("got %v, want %s when so much waits for all", err, TooMany)
		}
		eve := join(t, c, "Eve", "")
		mail(eve)
		if d := tell(t, ada, "Eve", "who is there"); c.letters != maxWaiting+1 {
			t.Errorf("got %+v and %d letters", d, c.letters)
		}
		time.Sleep(maxWait)
		if tell(t, ada, "Carl", "after a month"); c.letters != 1 {
			t.Errorf("got %d letters, want what waited for a month let go", c.letters)
		}
		time.Sleep(maxWait + time.Second)
		c.Close()
		if c = chatOn(t, j, sweepEvery); c.letters != 0 {
			t.Errorf("got %d letters after a restart a month later", c.letters)
		}
	})
}

func TestManyAtOnceForOneAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := chatOn(t, new(shelf), sweepEvery)
		results := make(chan error)
		for i := range 10 {
			m := join(t, c, fmt.Sprint("sender ", i), "")
			for range sayBurst {
				go func() { _, err := m.Tell(t.Context(), "Bob", "x"); results <- err }()
			}
		}
		kept := 0
		for range 10 * sayBurst {
			if err := <-results; err == nil {
				kept++
			} else if code(err) != TooMany {
				t.Error(err)
			}
		}
		if kept != MaxWaiting || c.letters != MaxWaiting {
			t.Errorf("got %d kept and %d waiting, want %d", kept, c.letters, MaxWaiting)
		}
	})
}

func TestWhatWaitsIsForWhoCameWithTheToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(shelf)
		c := chatOn(t, j, sweepEvery)
		ada := join(t, c, "Ada", "")
		try := func(token string) string {
			m, err := c.Join("Bob", token, ForRooms|ForPrivate)
			if err != nil {
				return code(err)
			}
			got := mail(m)
			m.Leave()
			return fmt.Sprint("gets ", *got)
		}
		check := func(what, got, want string) {
			t.Helper()
			if got != want {
				t.Errorf("%s: got %s, want %s", what, got, want)
			}
		}
		tell(t, ada, "Bob", "0")
		check("nobody had the name before", try(adas), "gets [0]")
		(&Member{chat: c, nickname: "Bob"}).TookAll(Unknown)
		check("it is free, and nothing waits", try(bobs), "gets []")
		d := tell(t, ada, "Bob", "1")
		check("another token", try(adas), Reserved)
		check("no token", try(""), Reserved)
		ada.Leave()
		c = reopened(t, c, j)
		check("another token after a restart", try(adas), Reserved)
		check("a token too short", try("short"), BadToken)
		check("a token too long", try(strings.Repeat("x", maxToken+1)), BadToken)

		bob := join(t, c, "Bob", bobs)
		check("somebody has it", try(adas), Taken)
		check("somebody has it", try(""), Taken)
		check("another tab", try(bobs), "gets [1]")
		bob.Took(d.ID)
		bob.Leave()
		check("all is taken, no token", try(""), "gets []")
		ada = join(t, c, "Ada", "")
		tell(t, ada, "Bob", "2")
		check("who came without a token is anybody", try(""), "gets [2]")
		check("who came without a token is anybody", try(adas), "gets [2]")
		check("and bound to the first with one", try(""), Reserved)
	})
}

func TestTwoWithoutATokenAreOneOnlyWithDifferentWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := chatOn(t, new(shelf), sweepEvery)
		for _, bad := range []struct {
			name, one, other string
			first, second    Ways
			code             string
		}{
			{"both for rooms", "", "", ForRooms, ForRooms, Taken},
			{"a room and private words", "", "", ForRooms, ForPrivate, ""},
			{"private words of who has a token", adas, "", ForRooms, ForPrivate, Taken},
			{"private words with another token", adas, bobs, ForRooms, ForPrivate, Taken},
			{"a token where there was none", "", adas, ForRooms, ForPrivate, Taken},
			{"the same token", adas, adas, ForRooms, ForRooms, ""},
		} {
			m, err := c.Join("Ada", bad.one, bad.first)
			if err != nil {
				t.Fatal(err)
			}
			other, err := c.Join("Ada", bad.other, bad.second)
			if got := code(err); err == nil && bad.code != "" || err != nil && got != bad.code {
				t.Errorf("%s: got %s, want %q", bad.name, got, bad.code)
			}
			if other != nil {
				other.Leave()
			}
			m.Leave()
		}
	})
}

func TestClaimsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := chatOn(t, new(shelf), sweepEvery)
		ada := join(t, c, "Ada", adas)
		bob := join(t, c, "Bob", bobs)
		bob.Leave()
		tell(t, ada, "Bob", "waits")
		for i := range maxClaims + 100 {
			time.Sleep(time.Millisecond)
			m, err := c.Join(fmt.Sprint("guest ", i), adas, ForRooms)
			if err != nil {
				t.Fatal(err)
			}
			m.Leave()
		}
		if len(c.claims) > maxClaims {
			t.Errorf("got %d claims, want at most %d", len(c.claims), maxClaims)
		}
		for name, want := range map[string]bool{"Ada": true, "Bob": true, "guest 0": false, "guest 10000": true} {
			if _, got := c.claims[name]; got != want {
				t.Errorf("%s is remembered: %v, want %v", name, got, want)
			}
		}
	})
}

func TestWhoHasLeftHasLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := chatOn(t, new(shelf), sweepEvery)
		var left []string
		c.watcher.Left = func(room, name string) { left = append(left, name+" "+room) }
		ada := join(t, c, "Ada", "")
		ada.Leave()
		ada.Leave()
		if !slices.Equal(left, []string{"Ada lobby"}) {
			t.Errorf("got %q, want one leaving", left)
		}
		if err := ada.Enter("den", nil); err == nil || c.rooms["den"] != nil {
			t.Errorf("got %v, and a room: %v", err, c.rooms["den"])
		}
		if got := mail(ada); len(*got) != 0 || len(c.people) != 0 {
			t.Errorf("got %q and %d people", *got, len(c.people))
		}
		if _, err := ada.Say(t.Context(), "", "said before"); err != nil {
			t.Errorf("what it has said before: got %v", err)
		}
	})
}
