package index

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"jobcast/jobs"
)

// made is the record of a job that was made at a time.
func made(id jobs.ID, at int, seq uint64, state jobs.State) jobs.Record {
	return jobs.Record{
		Event: jobs.Event{JobID: id, Seq: seq},
		Job:   jobs.Job{ID: id, Seq: seq, State: state, CreatedAt: time.Unix(int64(at), 0).UTC()},
	}
}

// told is what changes say, for a test to compare.
func told(c jobs.Changes) string {
	ids := []string{}
	for _, job := range c.Jobs {
		ids = append(ids, fmt.Sprint(job.ID, job.Seq))
	}
	return fmt.Sprint("removed ", c.Removed, " jobs ", ids, " again ", c.Again)
}

func TestSinceTellsOfRemovals(t *testing.T) {
	x := New()
	x.Apply(made("a", 1, 1, jobs.Queued))
	x.Apply(made("b", 2, 1, jobs.Queued))
	_, from, _ := x.Since(0)
	if c, next, wait := x.Since(from); next != from || wait == nil || told(c) != "removed [] jobs [] again false" {
		t.Errorf("nothing has changed: got %s", told(c))
	}
	_, _, wait := x.Since(from)
	x.Remove("none", time.Time{})
	select {
	case <-wait:
		t.Error("the removal of what is not there was told")
	default:
	}
	x.Remove("a", time.Unix(1, 0))
	<-wait
	c, next, _ := x.Since(from)
	if told(c) != "removed [a] jobs [] again false" || c.Counts[jobs.Queued] != 1 || len(c.Gone) != 1 || c.Gone[0].Seq != 1 {
		t.Errorf("got %s, counts %v, gone %v", told(c), c.Counts, c.Gone)
	}
	if c, _, _ := x.Since(0); told(c) != "removed [a] jobs [b1] again false" {
		t.Errorf("from the beginning: got %s", told(c))
	}
	if x.Apply(made("a", 1, 2, jobs.Running)) {
		t.Error("a late record of a removed job was taken in")
	}
	if !x.Apply(made("a", 3, 1, jobs.Queued)) {
		t.Error("another job of the name was not taken in")
	}
	if c, _, _ := x.Since(next); told(c) != "removed [] jobs [a1] again false" {
		t.Errorf("after the removal: got %s", told(c))
	}
	if c, _, _ := x.Since(from); told(c) != "removed [a] jobs [a1] again false" {
		t.Errorf("before the removal: got %s", told(c))
	}
}

func TestSinceTellsOfManyRemovalsInParts(t *testing.T) {
	x := New()
	const all = toldRemovals + 5
	for i := range all {
		x.Apply(made(jobs.ID(fmt.Sprint("job", i)), i, 1, jobs.Completed))
	}
	from := x.Version()
	for i := range all {
		x.Remove(jobs.ID(fmt.Sprint("job", i)), time.Unix(int64(i), 0))
	}
	first, next, _ := x.Since(from)
	rest, end, _ := x.Since(next)
	if len(first.Removed) != toldRemovals || len(rest.Removed) != 5 || rest.Removed[0] != jobs.ID(fmt.Sprint("job", toldRemovals)) {
		t.Errorf("got %d and %v", len(first.Removed), rest.Removed)
	}
	if end != x.Version() {
		t.Errorf("got version %d at the end, want %d", end, x.Version())
	}
}

func TestWhoIsTooFarBehindReadsTheListAgain(t *testing.T) {
	x := New()
	x.Apply(made("kept", 0, 1, jobs.Queued))
	from := x.Version()
	for i := range keptRemovals + 1 {
		id := jobs.ID(fmt.Sprint("job", i))
		x.Apply(made(id, i+1, 1, jobs.Completed))
		x.Remove(id, time.Unix(int64(i+1), 0))
	}
	c, next, _ := x.Since(from)
	if !c.Again || len(c.Jobs) > 0 || len(c.Removed) > 0 || next != x.Version() {
		t.Errorf("got %s, and version %d of %d", told(c), next, x.Version())
	}
	if c.Counts[jobs.Queued] != 1 {
		t.Errorf("got counts %v", c.Counts)
	}
	if c, _, _ := x.Since(from + 2); c.Again || len(c.Removed) != toldRemovals { // the first removal is known
		t.Errorf("one that knows the removal that was forgotten: got %d removed, again %v", len(c.Removed), c.Again)
	}
}

func TestLoadReturnsWhatIsGone(t *testing.T) {
	x := New()
	for i, id := range []jobs.ID{"stays", "gone", "other", "newer"} {
		x.Apply(made(id, i, 1, jobs.Queued))
	}
	since := x.Version() // here the store is read
	x.Apply(made("newer", 3, 2, jobs.Running))
	x.Apply(made("late", 9, 1, jobs.Queued))
	gone := x.Load([]jobs.Record{made("stays", 0, 3, jobs.Running), made("other", 7, 1, jobs.Queued), made("new", 8, 1, jobs.Queued)}, since)
	if slices.Sort(gone); fmt.Sprint(gone) != "[gone other]" {
		t.Errorf("got %v gone, want gone and the old one of the name other", gone)
	}
	page, err := x.List(jobs.ListQuery{Sort: jobs.SortOldest})
	got := []string{}
	for _, job := range page.Jobs {
		got = append(got, fmt.Sprint(job.ID, job.Seq))
	}
	if want := "[stays3 newer2 other1 new1 late1]"; err != nil || fmt.Sprint(got) != want {
		t.Errorf("got %v, %v, want %s", got, err, want)
	}
	if c, _, _ := x.Since(since); len(c.Removed) != 2 || len(c.Jobs) != 5 {
		t.Errorf("got %s", told(c))
	}
}

// TestWatchersHoldTheList lets watchers that look now and then hold what they were told against the index, whatever
// jobs come, change, go, and come again.
func TestWatchersHoldTheList(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	x := New()
	type watcher struct {
		version uint64
		jobs    map[jobs.ID]uint64
	}
	watchers := make([]watcher, 4)
	for i := range watchers {
		watchers[i].jobs = make(map[jobs.ID]uint64)
	}
	there := make(map[jobs.ID]jobs.Record) // what the store has
	now := 0
	for step := range 20_000 {
		id := jobs.ID(fmt.Sprint("job", random.IntN(30)))
		rec, is := there[id]
		switch what := random.IntN(20); {
		case what == 0: // the store is read anew, and this node may learn something meanwhile
			since := x.Version()
			all := slices.Collect(maps.Values(there))
			if is {
				rec.Job.Seq++
				there[id] = rec
				x.Apply(rec)
			}
			x.Load(all, since)
		case !is:
			now++
			there[id] = made(id, now, 1, jobs.Queued)
			x.Apply(there[id])
		case what < 6:
			delete(there, id)
			if what < 4 { // else it is found later: by the next reading, or by another one of that name
				x.Remove(id, rec.Job.CreatedAt)
			}
		default:
			rec.Job.Seq++
			there[id] = rec
			x.Apply(rec)
		}
		w := &watchers[random.IntN(len(watchers))]
		if random.IntN(10) > 0 {
			continue
		}
		for {
			c, next, wait := x.Since(w.version)
			for _, gone := range c.Removed {
				delete(w.jobs, gone)
			}
			for _, job := range c.Jobs {
				w.jobs[job.ID] = job.Seq
			}
			if w.version = next; wait != nil {
				break
			}
		}
		want := make(map[jobs.ID]uint64)
		page, err := x.List(jobs.ListQuery{Limit: jobs.MaxListed})
		if err != nil {
			t.Fatal(err)
		}
		for _, job := range page.Jobs {
			want[job.ID] = job.Seq
		}
		if !maps.Equal(w.jobs, want) {
			t.Fatalf("seed %d, step %d: a watcher holds %v, the index %v", seed, step, w.jobs, want)
		}
	}
	x.Load(slices.Collect(maps.Values(there)), x.Version())
	for id, rec := range there {
		if got := x.Seq(id); got != rec.Job.Seq {
			t.Errorf("seed %d: %s: got seq %d, want %d", seed, id, got, rec.Job.Seq)
		}
	}
	if page, err := x.List(jobs.ListQuery{}); err != nil || len(page.Jobs) != len(there) {
		t.Errorf("seed %d: got %d jobs, %v, want %d", seed, len(page.Jobs), err, len(there))
	}
}
