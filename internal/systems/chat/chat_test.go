package chat

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/internal/systems/journal"
)

// A shelf is a journal that keeps its newest records only, takes its time, and fails as it is told.
type shelf struct {
	journal.Memory
	keep   int   // zero: all
	before error // fails without having appended, the records with part in them
	part   string
	after  error // fails although it has
}

func (s *shelf) Append(ctx context.Context, data []byte, after uint64) (uint64, error) {
	time.Sleep(time.Millisecond)
	if len(data) > journal.MaxRecordBytes {
		return 0, fmt.Errorf("a record of %d bytes", len(data))
	}
	if s.before != nil && strings.Contains(string(data), s.part) {
		return 0, s.before
	}
	position, err := s.Memory.Append(ctx, data, after)
	if s.after != nil {
		return 0, s.after
	}
	return position, err
}

func (s *shelf) Read(ctx context.Context, after uint64, limit int) ([]journal.Entry, error) {
	last, err := s.Memory.Last(ctx)
	if err == nil && s.keep > 0 && last.Position > uint64(s.keep) {
		after = max(after, last.Position-uint64(s.keep))
	}
	if err != nil {
		return nil, err
	}
	return s.Memory.Read(ctx, after, limit)
}

// chatOn opens a chat that sweeps each `every` records.
func chatOn(t *testing.T, j journal.Journal, every int) *Chat {
	t.Helper()
	c, err := open(t.Context(), j, every)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func join(t *testing.T, c *Chat, name, token string) *Member {
	t.Helper()
	m, err := c.Join(name, token, ForRooms|ForPrivate)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Enter(Lobby, nil); err != nil {
		t.Fatal(err)
	}
	return m
}

func say(t *testing.T, m *Member, room, text string) Message {
	t.Helper()
	said, err := m.Say(t.Context(), room, text)
	if err != nil {
		t.Fatalf("say %q: %v", text, err)
	}
	time.Sleep(time.Second / time.Duration(sayRate)) // so that it is never too much
	return said
}

func tell(t *testing.T, m *Member, to, text string) Delivery {
	t.Helper()
	d, err := m.Tell(t.Context(), to, text)
	if err != nil {
		t.Fatalf("tell %s %q: %v", to, text, err)
	}
	time.Sleep(time.Second / time.Duration(sayRate))
	return d
}

// mail is what Receive gives, as texts.
func mail(m *Member) *[]string {
	got := new([]string)
	m.Receive(func(p Private) { *got = append(*got, p.Text) })
	return got
}

func code(err error) string {
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		return refusal.Code
	}
	return fmt.Sprint(err)
}

func texts(c *Chat, room string) (all []string) {
	past, _, _ := c.After(room, 0)
	for _, m := range past {
		all = append(all, m.Text)
	}
	return all
}

// An image is what a chat must be after a restart, too.
type image struct {
	Last    uint64
	Rooms   map[string][]Message
	Waiting map[string][]Private
	Claims  map[string]claim
	Places  map[string]uint64
}

func imageOf(c *Chat) image {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := image{c.last, map[string][]Message{}, map[string][]Private{}, c.claims, map[string]uint64{}}
	for name, r := range c.rooms {
		if len(r.past) > 0 {
			i.Rooms[name] = slices.Clone(r.past)
		}
	}
	for name, all := range c.waiting {
		for _, l := range all {
			i.Waiting[name] = append(i.Waiting[name], l.Private)
		}
	}
	for name, r := range c.readers.by {
		i.Places[name] = r.at
	}
	return i
}

// reopened checks that what the journal says is what the chat is.
func reopened(t *testing.T, c *Chat, j journal.Journal) *Chat {
	t.Helper()
	c.Close()
	again := chatOn(t, j, c.every)
	if got, want := imageOf(again), imageOf(c); !reflect.DeepEqual(got, want) {
		t.Errorf("after a restart: got\n%+v, want\n%+v", got, want)
	}
	return again
}

const (
	adas = "a secret of Ada's own"
	bobs = "a secret of Bob's own"
)

func TestARestartForgetsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(shelf)
		c := chatOn(t, j, sweepEvery)
		ada, bob, nobody := join(t, c, "Ada", adas), join(t, c, "Bob", ""), c.Anonymous()
		ada.Enter("den", nil)
		for i := range 250 {
			say(t, ada, "den", fmt.Sprint("den ", i))
		}
		say(t, bob, "", "<b>&小米\u2028")
		say(t, nobody, "", "hello")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		c.Next(ctx, "a", "reader", Unknown)
		say(t, nobody, "", "hello, reader")
		if m, _, ok, _ := c.Next(t.Context(), "a", "reader", Unknown); !ok || m.Text != "hello, reader" {
			t.Fatalf("got %+v", m)
		}
		tell(t, bob, "Ada", "one")
		two := tell(t, bob, "Ada", "two")
		tell(t, bob, "Eve", "three")
		ada.Took(two.ID)
		ada.Leave()
		again := reopened(t, c, j)
		if got := texts(again, "den"); len(got) != Kept || got[0] != "den 50" {
			t.Errorf("got %d messages from %q on, want the newest %d", len(got), got[0], Kept)
		}
		if got := *mail(join(t, again, "Ada", adas)); !slices.Equal(got, []string{"one"}) {
			t.Errorf("got %q, want what was not taken", got)
		}
		if m := say(t, again.Anonymous(), "", "next"); m.ID != two.ID+2 {
			t.Errorf("got id %d, want one more than before", m.ID)
		}
	})
}

func TestWhatFailedAndCameToBeGetsItsIDFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(shelf)
		c := chatOn(t, j, sweepEvery)
		ada, bob := join(t, c, "Ada", ""), join(t, c, "Bob", bobs)
		heard := mail(bob)
		say(t, ada, "", "first")
		j.after = errors.New("the answer was lost")
		if _, err := ada.Say(t.Context(), "", "in doubt"); err == nil {
			t.Fatal("an error was expected")
		}
		if _, err := ada.Tell(t.Context(), "Bob", "in doubt, too"); err == nil {
			t.Fatal("an error was expected")
		}
		j.after = nil
		done := make(chan Delivery)
		go func() { d, _ := ada.Tell(t.Context(), "Bob", "private"); done <- d }()
		m := say(t, ada, "", "last")
		d := <-done
		if got := texts(c, Lobby); !slices.Equal(got, []string{"first", "in doubt", "last"}) {
			t.Errorf("got %q", got)
		}
		// The second one failed for good: the journal knew by then that something had come between.
		if !slices.Equal(*heard, []string{"private"}) {
			t.Errorf("got %q", *heard)
		}
		if ids := []uint64{m.ID, d.ID}; slices.Max(ids) != 4 || slices.Min(ids) != 3 {
			t.Errorf("got ids %v, want 3 and 4", ids)
		}
		c = reopened(t, c, j)
		if _, err := c.Join("Bob", adas, ForPrivate); code(err) != Reserved {
			t.Errorf("got %v: a claim was lost", err)
		}
	})
}

func TestWhatCannotBeKeptIsNotSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(shelf)
		c := chatOn(t, j, sweepEvery)
		ada, bob := join(t, c, "Ada", ""), join(t, c, "Bob", "")
		mail(bob)
		d := tell(t, ada, "Bob", "one")
		j.before = errors.New("the disk is full")
		bob.Took(d.ID)
		if _, err := ada.Say(t.Context(), "", "lost"); !errors.Is(err, j.before) {
			t.Errorf("got %v", err)
		}
		if len(texts(c, Lobby)) != 0 {
			t.Error("somebody hears what is not kept")
		}
		j.before = nil
		if m := say(t, ada, "", "kept"); m.ID != 2 {
			t.Errorf("got id %d, want 2", m.ID)
		}
		c = reopened(t, c, j) // what Bob took while the journal failed is in it, too
		if got := mail(join(t, c, "Bob", "")); len(*got) != 0 {
			t.Errorf("Bob gets %q again", *got)
		}
	})
}

func TestClosingRefusesWhatIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(shelf)
		c := chatOn(t, j, sweepEvery)
		ada := join(t, c, "Ada", "")
		results := make(chan error, 30)
		for range 30 {
			go func() { _, err := ada.Say(context.Background(), "", "x"); results <- err }()
		}
		time.Sleep(time.Millisecond / 2) // the first is being written
		c.Close()
		kept := 0
		for range 30 {
			if err := <-results; err == nil {
				kept++
			} else if !errors.Is(err, ErrClosed) {
				t.Errorf("got %v, want ErrClosed", err)
			}
		}
		again := chatOn(t, j, sweepEvery)
		if got := len(texts(again, Lobby)); got != kept {
			t.Errorf("%d are in the journal, %d were acknowledged", got, kept)
		}
		if _, err := ada.Say(t.Context(), "", "late"); !errors.Is(err, ErrClosed) {
			t.Errorf("got %v, want ErrClosed", err)
		}
	})
}

func TestAHearerMissesAndDoublesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := chatOn(t, new(shelf), sweepEvery)
		nobody := c.Anonymous()
		first := say(t, nobody, "", "one")
		say(t, nobody, "", "two")
		var after, now []string
		stop := c.Hear(Anonymous, first.ID, func(m Message) { after = append(after, m.Text) })
		defer c.Hear(Anonymous, Unknown, func(m Message) { now = append(now, m.Text) })()
		say(t, nobody, "", "three")
		stop()
		say(t, nobody, "", "four")
		if got, want := fmt.Sprint(after, now), "[two three] [three four]"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func TestRoomsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := chatOn(t, new(shelf), sweepEvery)
		nobody := c.Anonymous()
		say(t, nobody, "", "stays")
		heard := 0
		defer c.Hear(Anonymous, Unknown, func(Message) { heard++ })()

		// One person is in 50, over however many tabs.
		one := join(t, c, "Ada", adas)
		other := join(t, c, "Ada", adas)
		for i := range MaxRooms - 1 {
			if err := []*Member{one, other}[i%2].Enter(fmt.Sprint("room ", i), nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := one.Enter("one too many", nil); code(err) != TooMany {
			t.Errorf("got %v, want %s", err, TooMany)
		}
		if err := one.Enter("room 1", nil); err != nil {
			t.Errorf("the other tab's room: got %v", err)
		}
		if err := one.Exit("room 1", nil); err != nil {
			t.Error(err)
		}
		if err := one.Enter("one too many", nil); code(err) != TooMany {
			t.Errorf("got %v, want %s while the other tab is in the room", err, TooMany)
		}

		// A thousand rooms with people in them: none goes, nor does the anonymous one.
		for i := range 25 {
			m := join(t, c, fmt.Sprint("guest ", i), "")
			for k := range MaxRooms - 1 {
				if err := m.Enter(fmt.Sprint(i, " ", k), nil); err != nil {
					t.Fatal(err)
				}
			}
			say(t, m, fmt.Sprint(i, " ", 0), "kept")
		}
		if got := texts(c, Anonymous); !slices.Equal(got, []string{"stays"}) {
			t.Errorf("got %q of the anonymous room", got)
		}
		if say(t, nobody, "", "still here"); heard != 1 {
			t.Error("who hears the anonymous room hears no more")
		}
		if got := texts(c, "0 0"); len(got) != 1 {
			t.Errorf("got %q of a room with somebody in it", got)
		}
	})
}

func TestRoomsWithoutPeopleAreForgottenTheQuietestFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := chatOn(t, new(shelf), sweepEvery)
		ada := join(t, c, "Ada", "")
		for i := range maxKnown + 10 {
			room := fmt.Sprint("room ", i)
			ada.Enter(room, nil)
			say(t, ada, room, "x")
			ada.Exit(room, nil)
		}
		if n := len(c.rooms); n > maxKnown {
			t.Errorf("got %d rooms, want at most %d", n, maxKnown)
		}
		if c.rooms["room 0"] != nil || c.rooms[fmt.Sprint("room ", maxKnown+9)] == nil || c.rooms[Lobby] == nil {
			t.Error("not the quietest one has gone")
		}
		ada.Enter("empty", nil)
		if ada.Exit("empty", nil); c.rooms["empty"] != nil {
			t.Error("a room in which nothing was said is remembered")
		}
	})
}

func TestWhatIsKeptOfRoomsIsBounded(t *testing.T) {
	c := &Chat{rooms: map[string]*room{}}
	text := strings.Repeat("x", MaxTextBytes)
	var id uint64
	for i := range 100 {
		r := c.roomLocked(fmt.Sprint("room ", i))
		r.people["Ada"] = 1
		for range Kept + 50 {
			id++
			c.addLocked(r, Message{ID: id, Room: r.name, Text: text})
		}
	}
	if c.pastBytes > maxPastBytes || c.pastBytes < maxPastBytes*9/10 {
		t.Errorf("got %d bytes, want nearly %d", c.pastBytes, maxPastBytes)
	}
	sum := 0
	for _, r := range c.rooms {
		for _, m := range r.past {
			sum += m.size()
		}
	}
	if sum != c.pastBytes {
		t.Errorf("%d bytes are kept and %d counted", sum, c.pastBytes)
	}
	if len(c.rooms) != 100 || len(c.rooms["room 0"].past) != 0 || len(c.rooms["room 99"].past) != Kept {
		t.Error("not what was said in the quietest rooms has gone")
	}
}

func TestTypingIsTheirsWhoAreInTheRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := chatOn(t, new(shelf), sweepEvery)
		var signs []string
		c.watcher.Typing = func(room, name string) { signs = append(signs, name+" in "+room) }
		ada := join(t, c, "Ada", "")
		ada.Typing("")
		ada.Typing("den")
		c.Anonymous().Typing("")
		ada.Leave()
		ada.Typing("")
		if got := strings.Join(signs, ", "); got != "Ada in lobby" {
			t.Errorf("got %s", got)
		}
	})
}
