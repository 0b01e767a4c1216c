package natsio

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"jobcast/jobs"
)

// wantFrom reads records that must be contiguous, until one has the Seq last.
func wantFrom(ctx context.Context, t *testing.T, s *Store, id jobs.ID, after, last uint64, each func(seq uint64)) {
	t.Helper()
	want := after + 1
	for rec, err := range s.Follow(ctx, id, after) {
		if err != nil || rec.Event.JobID != id || rec.Event.Seq != want {
			t.Errorf("follow %s after %d: got %s %d, %v, want %d", id, after, rec.Event.JobID, rec.Event.Seq, err, want)
			return
		}
		if each != nil {
			each(want)
		}
		if want == last {
			return
		}
		want++
	}
	t.Errorf("follow %s after %d: ended before %d", id, after, want)
}

func TestFollowFillsGaps(t *testing.T) {
	s := open(t, Config{})
	const last = 400
	var n, lost atomic.Int64
	s.hooks.dropLive = func(string) bool {
		drop := n.Add(1)%3 == 0
		if drop {
			lost.Add(1)
		}
		return drop
	}
	ctx := within(t)
	pos := grow(t, s, "a", 1, 10, 0)
	var group, following sync.WaitGroup
	following.Add(5)
	for i := range 5 {
		group.Go(func() {
			wantFrom(ctx, t, s, "a", uint64(i), last, func(seq uint64) {
				if seq == 10 {
					following.Done()
				}
			})
		})
	}
	following.Wait()
	stop := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		// A hook cannot tell the subscription that it lost the last message, so there is always one more.
		for seq := uint64(11); ; seq++ {
			select {
			case <-stop:
				return
			default:
				pos = grow(t, s, "a", seq, seq, pos)
			}
		}
	})
	group.Wait()
	close(stop)
	writer.Wait()
	if lost.Load() == 0 {
		t.Error("no message was lost, so nothing was tested")
	}
}

// TestFollowAfterPause lets a reader stop for longer than its backlog, with nothing appended after that.
func TestFollowAfterPause(t *testing.T) {
	s := open(t, Config{})
	const last = 10 * liveBacklog
	pos := grow(t, s, "a", 1, 1, 0)
	wantFrom(within(t), t, s, "a", 0, last, func(seq uint64) {
		if seq == 1 {
			pos = grow(t, s, "a", 2, 3, pos)
		}
		if seq == 3 { // live by now
			grow(t, s, "a", 4, last, pos)
			for s.live.Stats().InMsgs < last-1 { // all that were sent live, which is all but the first
				time.Sleep(time.Millisecond)
			}
		}
	})
}

func TestFollowAcrossReconnect(t *testing.T) {
	s := open(t, Config{})
	const last = 300
	pos := grow(t, s, "a", 1, 1, 0)
	var group sync.WaitGroup
	ctx := within(t)
	for range 10 {
		group.Go(func() { wantFrom(ctx, t, s, "a", 0, last, nil) })
	}
	for seq := uint64(2); seq <= last; seq++ {
		if seq%50 == 0 {
			if err := s.live.ForceReconnect(); err != nil {
				t.Fatal(err)
			}
		}
		pos = grow(t, s, "a", seq, seq, pos)
	}
	group.Wait()
}

func TestFollowManyJobs(t *testing.T) {
	s := open(t, Config{})
	ctx := within(t)
	const followers = 1000
	var following, group sync.WaitGroup
	grow(t, s, "a", 1, 1, 0)
	following.Add(followers)
	for i := range followers {
		group.Go(func() {
			wantFrom(ctx, t, s, jobs.ID(fmt.Sprint("job", i%100)), 0, 5, func(seq uint64) {
				if seq == 1 {
					following.Done()
				}
			})
		})
	}
	var pos [100]jobs.Position
	for i := range pos {
		pos[i] = grow(t, s, jobs.ID(fmt.Sprint("job", i)), 1, 1, 0)
	}
	following.Wait()
	for i := range pos {
		grow(t, s, jobs.ID(fmt.Sprint("job", i)), 2, 5, pos[i])
	}
	group.Wait()
}

// TestSeekFindsItsPlace reads from every part of a log that lies unevenly among others in the stream.
func TestSeekFindsItsPlace(t *testing.T) {
	s := open(t, Config{})
	var pos, other jobs.Position
	var seq, others uint64
	for _, step := range []struct{ ours, theirs uint64 }{{300, 0}, {1, 900}, {5, 500}, {400, 3}, {1, 700}, {60, 60}, {0, 300}} {
		pos = grow(t, s, "a", seq+1, seq+step.ours, pos)
		other = grow(t, s, "b", others+1, others+step.theirs, other)
		seq, others = seq+step.ours, others+step.theirs
	}
	for after := uint64(0); after <= seq; after += 7 {
		recs, err := s.Read(t.Context(), "a", after, 3)
		if err != nil {
			t.Fatal(err)
		}
		if want := min(3, seq-after); uint64(len(recs)) != want {
			t.Fatalf("after %d: got %d records, want %d", after, len(recs), want)
		}
		for i, rec := range recs {
			if rec.Event.JobID != "a" || rec.Event.Seq != after+uint64(i)+1 {
				t.Fatalf("after %d: record %d is %s %d", after, i, rec.Event.JobID, rec.Event.Seq)
			}
		}
		from, err := s.events.seek(t.Context(), eventPrefix+"a", after)
		if err != nil {
			t.Fatal(err)
		}
		if from == 0 {
			continue
		}
		e, err := s.getNext(t.Context(), eventStream, eventPrefix+"a", from)
		if err != nil {
			t.Fatal(err)
		}
		if key, err := s.events.keyOf(e); err != nil || key > after || after-key > skippable {
			t.Errorf("seek %d: got an entry with seq %d, %v, want at most %d before", after, key, err, skippable)
		}
	}
}

func TestOldestEventsFallOut(t *testing.T) {
	s := open(t, Config{})
	const last = maxEvents + 150
	grow(t, s, "a", 1, last, 0)
	for _, c := range []struct{ after, want uint64 }{
		{0, 151}, {40, 151}, {150, 151}, {151, 152}, {1000, 1001}, {last - 1, last},
	} {
		recs, err := s.Read(t.Context(), "a", c.after, 2)
		if err != nil || len(recs) == 0 || recs[0].Event.Seq != c.want {
			t.Errorf("after %d: got %d records, %v, want them from %d", c.after, len(recs), err, c.want)
		}
	}
	for rec, err := range s.Follow(within(t), "a", 0) {
		if err != nil || rec.Event.Seq != 151 {
			t.Errorf("follow: got %d, %v, want 151", rec.Event.Seq, err)
		}
		break
	}
}

// TestManyAppenders has 200 jobs written at once, a job that all of them fight for, and an index that must
// see it all in order.
func TestManyAppenders(t *testing.T) {
	s := open(t, Config{})
	const writers, each = 200, 20
	ctx := within(t)
	var group sync.WaitGroup
	var won atomic.Int64
	for i := range writers {
		group.Go(func() {
			grow(t, s, jobs.ID(fmt.Sprint("job", i)), 1, each, 0)
			if _, err := s.Append(ctx, record("prize", 1), 0); err == nil {
				won.Add(1)
			}
		})
	}
	seen := make(map[jobs.ID]uint64)
	ended, live := 0, false
	for rec, err := range s.Index(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		id, seq := rec.Event.JobID, rec.Event.Seq
		switch {
		case id == "":
			live = true
		case seq <= seen[id]:
			t.Fatalf("%s: got seq %d after %d", id, seq, seen[id])
		case live && seen[id] != 0 && seq != seen[id]+1:
			t.Fatalf("%s: got seq %d after %d, want no hole", id, seq, seen[id])
		}
		seen[id] = seq
		if seq == each {
			ended++
		}
		if live && ended == writers && seen["prize"] == 1 {
			break
		}
	}
	group.Wait()
	if ended != writers || won.Load() != 1 {
		t.Errorf("got the end of %d jobs and %d winners, want %d and 1", ended, won.Load(), writers)
	}
	for i := range writers {
		recs, err := s.Read(ctx, jobs.ID(fmt.Sprint("job", i)), 0, 100)
		if err != nil || len(recs) != each {
			t.Fatalf("job%d: got %d records, %v, want %d", i, len(recs), err, each)
		}
	}
}

// TestIndexFillsGaps lets the index lose live messages, and its reader stop.
func TestIndexFillsGaps(t *testing.T) {
	s := open(t, Config{})
	var n atomic.Int64
	s.hooks.dropLive = func(string) bool { return n.Add(1)%5 == 0 }
	const last = 8 * liveBacklog
	pos := grow(t, s, "a", 1, 1, 0)
	var newest uint64
	for rec, err := range s.Index(within(t)) {
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case rec.Event.JobID == "":
			pos = grow(t, s, "a", 2, 3, pos)
			continue
		case rec.Event.Seq != newest+1:
			t.Fatalf("got seq %d after %d", rec.Event.Seq, newest)
		}
		newest = rec.Event.Seq
		if newest == 3 {
			grow(t, s, "a", 4, last, pos)
		}
		if newest == last {
			break
		}
	}
	if newest != last {
		t.Errorf("ended at %d, want %d", newest, last)
	}
}

func TestIndexOfNothing(t *testing.T) {
	s := open(t, Config{})
	for rec, err := range s.Index(within(t)) {
		if err != nil || rec.Event.JobID != "" {
			t.Errorf("got %s, %v, want the zero record", rec.Event.JobID, err)
		}
		break
	}
}
