package ready

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"jobcast/jobs"
)

// put puts jobs, each queued a second after the one before. The text is ID:priority:owner:key:kind:queue, and may end
// early.
func put(s *Set, texts ...string) {
	for _, text := range texts {
		f := append(strings.Split(text, ":"), "", "", "", "", "")
		j := Job{ID: jobs.ID(f[0]), Priority: f[1], Owner: f[2], Key: f[3], Kind: f[4], Queue: f[5], Seq: 1}
		j.Since = time.Unix(int64(s.turn), 0)
		s.turn++
		s.Put(j)
	}
}

// drain takes all that Next gives.
func drain(s *Set, f Filter) string {
	var ids []string
	for {
		j, ok := s.Next(f)
		if !ok {
			return strings.Join(ids, " ")
		}
		ids = append(ids, string(j.ID))
	}
}

func wantDrained(t *testing.T, s *Set, f Filter, want string) {
	t.Helper()
	if got := drain(s, f); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPrioritiesAreStrict(t *testing.T) {
	s := New()
	put(s, "l1:low", "d1", "h1:high", "d2:default", "l2:low", "h2:high")
	wantDrained(t, s, Filter{}, "h1 h2 d1 d2 l1 l2")
}

func TestEverySixteenthIsTheOldest(t *testing.T) {
	s := New()
	put(s, "l1:low", "l2:low")
	for n := range 40 {
		put(s, fmt.Sprintf("h%02d:high", n))
	}
	got := strings.Fields(drain(s, Filter{}))
	if got[15] != "l1" || got[31] != "l2" {
		t.Errorf("got %v, want l1 as the 16th and l2 as the 32nd", got)
	}
}

func TestOwnersTakeTurnsAndAreFirstInFirstOut(t *testing.T) {
	s := New()
	put(s, "a1::a", "a2::a", "a3::a", "a4::a", "b1::b", "b2::b", "c1", "c2")
	wantDrained(t, s, Filter{}, "a1 b1 c1 a2 b2 c2 a3 a4")
}

func TestAnOwnerHasOneTurnForAllItsKinds(t *testing.T) {
	s := New()
	put(s, "a1::a::x", "a2::a::y", "b1::b::x", "b2::b::y")
	wantDrained(t, s, Filter{}, "a1 b1 a2 b2")
}

func TestQueuesTakeTurns(t *testing.T) {
	s := New()
	put(s, "a1:::::a", "a2:::::a", "a3:::::a", "b1:low::::b", "b2:low::::b")
	wantDrained(t, s, Filter{}, "a1 b1 a2 b2 a3")
}

func TestAFilterPassesOverKindsAndQueues(t *testing.T) {
	s := New()
	put(s, "a1:high:::x:a", "a2::::y:a", "b1::::y:b", "c1::::y:c", "d1::::y:d")
	s.Pause("d", true)
	wantDrained(t, s, Filter{Kinds: map[string]bool{"y": true}, Queues: []string{"a", "b", "d"}, Blocked: func(queue string) bool { return queue == "b" }}, "a2")
	wantDrained(t, s, Filter{}, "b1 c1 a1")
	s.Pause("d", false)
	wantDrained(t, s, Filter{}, "d1")
}

func TestAJobWaitsForItsKeyInItsPlace(t *testing.T) {
	s := New()
	s.Running("r", "other", "k")
	put(s, "1::::", "2:::k", "3:::k", "4")
	if p, _ := s.Place("2"); p != (Place{Position: 2, WaitsFor: jobs.WaitsForKey, Holder: "r"}) {
		t.Errorf("got %+v, want position 2, waiting for the key that r has", p)
	}
	j, _ := s.Next(Filter{})
	s.Ended("r")
	s.Release(j.ID)
	wantDrained(t, s, Filter{}, "1 2 4")
	s.Running("2", "", "k")
	wantDrained(t, s, Filter{}, "")
	s.Ended("2")
	wantDrained(t, s, Filter{}, "3")
}

func TestAReservedJobKeepsItsKeyUntilItIsGivenBackOrRemoved(t *testing.T) {
	s := New()
	put(s, "1:::k", "2:::k")
	s.Next(Filter{})
	wantDrained(t, s, Filter{}, "")
	s.Release("1")
	wantDrained(t, s, Filter{}, "1")
	s.Remove("1")
	wantDrained(t, s, Filter{}, "2")
}

func TestReleaseGivesTheTurnBack(t *testing.T) {
	s := New()
	put(s, "a1::a", "a2::a", "b1::b", "q1:::::q")
	for range 20 { // more often than the oldest has its turn
		j, _ := s.Next(Filter{})
		if j.ID != "a1" {
			t.Fatalf("got %s, want a1", j.ID)
		}
		s.Release(j.ID)
	}
	wantDrained(t, s, Filter{}, "a1 q1 b1 a2")
}

func TestWhatAnotherServerTakesIsItsOwnersTurn(t *testing.T) {
	s := New()
	put(s, "a1::a", "a2::a", "b1::b")
	s.Running("a1", "", "")
	wantDrained(t, s, Filter{}, "b1 a2")
}

func TestOldNewsAreIgnored(t *testing.T) {
	s := New()
	s.Put(Job{ID: "1", Queue: "new", Seq: 5})
	s.Put(Job{ID: "1", Queue: "old", Seq: 4})
	s.Next(Filter{})
	s.Put(Job{ID: "1", Queue: "new", Seq: 5})
	wantDrained(t, s, Filter{}, "")
	s.Put(Job{ID: "1", Queue: "newer", Seq: 6})
	if j, _ := s.Next(Filter{}); j.Queue != "newer" {
		t.Errorf("got queue %q, want newer", j.Queue)
	}
}

func TestAJobThatIsQueuedAgainDoesNotRun(t *testing.T) {
	s := New()
	s.Running("1", "", "k")
	put(s, "2:::k", "1:::k")
	if got := s.Queues()[0].Running; got != 0 {
		t.Errorf("got %d running, want 0", got)
	}
	wantDrained(t, s, Filter{}, "2")
}

func TestChangedIsClosedByWhatMakesAJobAvailable(t *testing.T) {
	tests := map[string]struct{ before, change func(*Set) }{
		"put":      {func(s *Set) {}, func(s *Set) { put(s, "1") }},
		"release":  {func(s *Set) { put(s, "1"); s.Next(Filter{}) }, func(s *Set) { s.Release("1") }},
		"unpaused": {func(s *Set) { put(s, "1"); s.Pause("", true) }, func(s *Set) { s.Pause("", false) }},
		"key free": {func(s *Set) { s.Running("r", "", "k"); put(s, "1:::k") }, func(s *Set) { s.Ended("r") }},
		"key of one removed": {func(s *Set) { put(s, "0:::k", "1:::k"); s.Next(Filter{}) },
			func(s *Set) { s.Remove("0") }},
		"queue below its limit": {func(s *Set) { s.Running("r", "", "") }, func(s *Set) { s.Ended("r") }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := New()
			test.before(s)
			changed := s.Changed()
			select {
			case <-changed:
				t.Fatal("closed before anything changed")
			default:
			}
			test.change(s)
			select {
			case <-changed:
			default:
				t.Error("not closed")
			}
		})
	}
}

func TestQueuesAreCounted(t *testing.T) {
	s := New()
	put(s, "1:high:::x:a", "2::::y:a", "3:low:::y:a", "4::::y:b")
	s.Running("5", "a", "")
	s.Pause("c", true)
	first := s.jobs.get("1").since
	s.Next(Filter{Queues: []string{"a"}}) // still queued
	want := []QueueInfo{
		{Name: "a", Depth: Depth{High: 1, Default: 1, Low: 1}, Running: 1, Oldest: first},
		{Name: "b", Depth: Depth{Default: 1}, Oldest: s.jobs.get("4").since},
		{Name: "c", Paused: true},
	}
	if got := s.Queues(); !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := s.WithoutKind(map[string]bool{"x": true}); len(got) != 1 || got["y"] != 3 {
		t.Errorf("got %v without a worker, want 3 of y", got)
	}
}

func TestEachJobIsGivenToOneOfManyWhoAsk(t *testing.T) {
	s := New()
	all := many(2000, 20, func(i int) string { return fmt.Sprint(i % 100) })
	ids := make([]jobs.ID, len(all))
	for i, j := range all {
		ids[i] = j.ID
	}
	var (
		mu    sync.Mutex // protects the field below
		given = make(map[jobs.ID]int)
		wg    sync.WaitGroup
	)
	for range 4 {
		wg.Go(func() {
			for {
				changed := s.Changed()
				j, ok := s.Next(Filter{})
				mu.Lock()
				if ok {
					given[j.ID]++
				}
				done := len(given) == len(all)
				mu.Unlock()
				switch {
				case ok:
					s.Places(ids[:10])
					s.Running(j.ID, j.Queue, j.Key)
					s.Ended(j.ID) // wakes the others
				case done:
					return
				default:
					<-changed
				}
			}
		})
	}
	for _, j := range all {
		s.Put(j)
	}
	wg.Wait()
	for id, times := range given {
		if times != 1 {
			t.Errorf("got %s %d times, want once", id, times)
		}
	}
	wantEmpty(t, s)
}

// 100,000 jobs, each with an owner and a key of its own, come and go; what is left of memory is nothing that counts.
func TestNothingIsLeftOfWhatHasGone(t *testing.T) {
	s := New()
	memory := func() int {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	before, at := memory(), 0
	for _, j := range many(100_000, 100_000, func(i int) string { return fmt.Sprint("key ", i) }) {
		s.Put(j)
	}
	for ; ; at++ {
		j, ok := s.Next(Filter{})
		if !ok {
			break
		}
		s.Running(j.ID, j.Queue, j.Key)
		s.Ended(j.ID)
	}
	if at != 100_000 {
		t.Errorf("got %d jobs, want 100,000", at)
	}
	wantEmpty(t, s)
	if left := memory() - before; left > 1<<20 {
		t.Errorf("got %d bytes left, want less than 1 MiB", left)
	}
	runtime.KeepAlive(s)
}

// many makes jobs of five kinds and three priorities in one queue.
func many(n, owners int, key func(i int) string) []Job {
	all := make([]Job, n)
	for i := range all {
		all[i] = Job{ID: jobs.ID(fmt.Sprintf("%026d", i)), Queue: "default", Kind: kindNames[i%5], Priority: priorities[i%3],
			Owner: fmt.Sprint("owner ", i%owners), Key: key(i), Seq: 1, Since: time.Unix(int64(i), 0)}
	}
	return all
}

var kindNames = []string{"csv", "video", "report", "mail", "sync"}

func noKey(int) string { return "" }

// One operation is a job that is put, taken, and removed, with 100,000 jobs that wait.
func BenchmarkPutNextRemove(b *testing.B) {
	keys := map[string]func(int) string{
		"without keys":  noKey,
		"a key each":    func(i int) string { return fmt.Sprint(i) },
		"one key":       func(int) string { return "k" },
		"a key of many": func(i int) string { return fmt.Sprint(i % 1000) },
	}
	for name, key := range keys {
		b.Run(name, func(b *testing.B) {
			all := many(100_000, 1000, key)
			s := New()
			for _, j := range all {
				s.Put(j)
			}
			// Jobs of an unknown kind in front of all.
			for i, j := range many(100_000, 1000, noKey) {
				j.ID, j.Kind, j.Priority, j.Since = jobs.ID(fmt.Sprint("unknown", i)), "unknown", "high", time.Time{}
				s.Put(j)
			}
			f := Filter{Kinds: make(map[string]bool)}
			for _, kind := range kindNames {
				f.Kinds[kind] = true
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				j, ok := s.Next(f)
				if !ok {
					b.Fatal("got no job")
				}
				s.Remove(j.ID)
				j.Since = time.Unix(int64(len(all)+i), 0)
				s.Put(j)
			}
		})
	}
}

func BenchmarkFill(b *testing.B) {
	all := many(100_000, 1000, noKey)
	b.ReportAllocs()
	for b.Loop() {
		s := New()
		for _, j := range all {
			s.Put(j)
		}
	}
}

func BenchmarkPlaces(b *testing.B) {
	s := New()
	for _, j := range many(100_000, 1000, noKey) {
		s.Put(j)
	}
	last := jobs.ID(fmt.Sprintf("%026d", 99_999))
	for b.Loop() {
		s.Place(last)
	}
}

// TestWhoIsPutBackIsNext: a job that was running comes before the jobs of other owners, but not before those of a higher
// priority.
func TestWhoIsPutBackIsNext(t *testing.T) {
	s := New()
	now := time.Now()
	for i, owner := range []string{"a", "b", "c"} {
		s.Put(Job{ID: jobs.ID(owner), Queue: "q", Kind: "k", Owner: owner, Seq: 1, Since: now.Add(time.Duration(i))})
	}
	s.Put(Job{ID: "high", Queue: "q", Kind: "k", Priority: "high", Owner: "a", Seq: 1, Since: now.Add(9)})
	s.Put(Job{ID: "back", Queue: "q", Kind: "k", Owner: "d", Seq: 1, Since: now.Add(-1), Again: true})
	var got []jobs.ID
	for {
		j, ok := s.Next(Filter{})
		if !ok {
			break
		}
		s.Running(j.ID, "q", "")
		got = append(got, j.ID)
	}
	if want := []jobs.ID{"high", "back", "a", "b", "c"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
