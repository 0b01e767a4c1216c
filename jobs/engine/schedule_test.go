package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	_ "time/tzdata" // the zones of the tests are there on every machine

	"jobcast/jobs"
	"jobcast/jobs/memory"
)

// everySecond is a schedule whose jobs do as args say.
func everySecond(args countArgs) jobs.ScheduleRequest {
	return jobs.ScheduleRequest{ID: "s", EveryMs: 1000, Start: jobs.StartRequest{Kind: "count", Args: encode(args)}}
}

func putSchedule(t *testing.T, e *Engine, req jobs.ScheduleRequest) jobs.Schedule {
	t.Helper()
	s, _, err := e.PutSchedule(t.Context(), req)
	if err != nil {
		t.Fatalf("put %s: %v", req.ID, err)
	}
	return s
}

// ticked are the jobs of a schedule in a store, by the time of their ticks. A tick that has made two fails the test.
func ticked(t *testing.T, store jobs.Store) []jobs.Job {
	t.Helper()
	var all []jobs.Job
	for rec, err := range store.Index(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if rec.Event.JobID == "" {
			break
		}
		if rec.Job.Schedule != nil {
			all = append(all, rec.Job)
		}
	}
	slices.SortFunc(all, func(a, b jobs.Job) int { return a.Schedule.Tick.Compare(b.Schedule.Tick) })
	for i := 1; i < len(all); i++ {
		if all[i].Schedule.Tick.Equal(all[i-1].Schedule.Tick) {
			t.Errorf("the tick of %v has made two jobs, %s and %s", all[i].Schedule.Tick, all[i-1].ID, all[i].ID)
		}
	}
	return all
}

// seconds are the ticks of jobs, in seconds from a time on; the late ones end with an L.
func seconds(all []jobs.Job, from time.Time) string {
	shown := make([]string, len(all))
	for i, job := range all {
		shown[i] = fmt.Sprint(job.Schedule.Tick.Sub(from).Seconds())
		if job.Schedule.Late {
			shown[i] += "L"
		}
	}
	return strings.Join(shown, " ")
}

// upTo are the seconds from 1 to n.
func upTo(n int) string {
	shown := make([]string, n)
	for i := range shown {
		shown[i] = fmt.Sprint(i + 1)
	}
	return strings.Join(shown, " ")
}

func TestThreeServersServeEachTickOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		var engines []*Engine
		for n := range 3 {
			e := openEngine(t, store, fmt.Sprint("n", n))
			defer closeEngine(t, e)
			engines = append(engines, e)
		}
		s := putSchedule(t, engines[0], everySecond(countArgs{N: 1}))
		if s.NextAt == nil || !s.NextAt.Equal(s.CreatedAt.Add(time.Second)) || s.Overlap != jobs.OverlapSkip || s.Timezone != "UTC" {
			t.Errorf("got %+v", s)
		}
		time.Sleep(60500 * time.Millisecond)
		all := ticked(t, store)
		if got := seconds(all, s.CreatedAt); got != upTo(60) {
			t.Errorf("got ticks %s", got)
		}
		for _, e := range engines {
			list := e.Schedules()
			if len(list) != 1 || list[0].LastAt == nil || list[0].LastJobID != all[59].ID || !list[0].LastAt.Equal(all[59].Schedule.Tick) ||
				!list[0].NextAt.Equal(s.CreatedAt.Add(61*time.Second)) {
				t.Errorf("%s lists %+v", e.node, list)
			}
		}
		for _, job := range all {
			if job.State != jobs.Completed || job.Schedule.ID != "s" {
				t.Errorf("got %s %+v", job.State, job.Schedule)
			}
		}
		if last, _, err := store.Last(t.Context(), all[0].ID); err != nil || last.Owner != "schedule:s" {
			t.Errorf("got owner %q, %v", last.Owner, err)
		}
	})
}

func TestTicksOfAnOutageComeOnceAndSaySo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		first := openEngine(t, store, "n1")
		s := putSchedule(t, first, everySecond(countArgs{}))
		daily := everySecond(countArgs{})
		daily.ID, daily.EveryMs = "daily", 24*3_600_000
		putSchedule(t, first, daily)
		time.Sleep(2500 * time.Millisecond)
		closeEngine(t, first)
		time.Sleep(24 * time.Hour)
		second := openEngine(t, store, "n2")
		defer closeEngine(t, second)
		time.Sleep(2 * time.Second)
		if got, want := seconds(ticked(t, store), s.CreatedAt), "1 2 86400L 86402L 86403 86404"; got != want {
			t.Errorf("got ticks %s, want %s", got, want)
		}
	})
}

func TestPausedScheduleHasNoTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		e := openEngine(t, store, "n1")
		defer closeEngine(t, e)
		req := everySecond(countArgs{})
		began := putSchedule(t, e, req).CreatedAt
		time.Sleep(2500 * time.Millisecond)
		req.Paused = true
		paused := putSchedule(t, e, req)
		if paused.NextAt != nil || !paused.CreatedAt.Equal(began) || paused.UpdatedAt.Equal(began) || paused.LastAt == nil {
			t.Errorf("got %+v", paused)
		}
		time.Sleep(10 * time.Second)
		run, created, err := e.RunSchedule(t.Context(), jobs.ScheduleRef{ID: "s"}, "k", "")
		if err != nil || !created || run.Schedule == nil || run.Schedule.ID != "s" {
			t.Errorf("run: %+v, %t, %v", run.Schedule, created, err)
		}
		again, created, err := e.RunSchedule(t.Context(), jobs.ScheduleRef{ID: "s"}, "k", "")
		if err != nil || created || again.ID != run.ID {
			t.Errorf("run again: %s, %t, %v", again.ID, created, err)
		}
		if list := e.Schedules(); len(list) != 1 || list[0].LastJobID == run.ID {
			t.Errorf("a run by hand counts as a tick: %+v", list)
		}
		req.Paused = false
		req.EveryMs = 2000
		if s := putSchedule(t, e, req); !s.NextAt.Equal(began.Add(14 * time.Second)) {
			t.Errorf("got the next tick at %v", s.NextAt.Sub(began))
		}
		time.Sleep(4 * time.Second)
		if got, want := seconds(ticked(t, store), began), "1 2 12.5 14 16"; got != want {
			t.Errorf("got ticks %s, want %s", got, want)
		}
		if err := e.RemoveSchedule(t.Context(), jobs.ScheduleRef{ID: "s"}); err != nil {
			t.Error(err)
		}
		time.Sleep(10 * time.Second)
		if got := len(ticked(t, store)); got != 5 || len(e.Schedules()) != 0 {
			t.Errorf("got %d jobs after the schedule was removed, and %v", got, e.Schedules())
		}
		// One of the same name has ticks of its own.
		putSchedule(t, e, req)
		time.Sleep(2500 * time.Millisecond)
		if got := len(ticked(t, store)); got != 6 {
			t.Errorf("got %d jobs", got)
		}
	})
}

func TestOverlap(t *testing.T) {
	args := countArgs{N: 1, Gap: 2500 * time.Millisecond}
	for overlap, want := range map[jobs.Overlap]string{
		jobs.OverlapSkip:   "1 completed, 4 completed, 7 completed",
		jobs.OverlapQueue:  "1 completed, 2 completed, 3 completed, 4 running, 5 queued, 6 queued, 7 queued, 8 queued, 9 queued",
		jobs.OverlapCancel: "1 cancelled, 2 cancelled, 3 cancelled, 4 cancelled, 5 cancelled, 6 cancelled, 7 cancelled, 8 cancelled, 9 running",
	} {
		t.Run(string(overlap), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := memory.New()
				var now, most atomic.Int32
				worker := count.Worker(nil, func(ctx context.Context, r *jobs.Run, args countArgs) (countResult, error) {
					n := now.Add(1)
					defer now.Add(-1)
					most.Store(max(n, most.Load()))
					return runCount(ctx, r, args)
				})
				e := openEngine(t, store, "n1", worker)
				defer closeEngine(t, e)
				req := everySecond(args)
				req.Overlap = overlap
				s := putSchedule(t, e, req)
				time.Sleep(9700 * time.Millisecond)
				var got []string
				for _, job := range ticked(t, store) {
					got = append(got, fmt.Sprint(job.Schedule.Tick.Sub(s.CreatedAt).Seconds(), " ", job.State))
				}
				if got := strings.Join(got, ", "); got != want {
					t.Errorf("got %s\nwant %s", got, want)
				}
				if most.Load() != 1 {
					t.Errorf("%d ran at once", most.Load())
				}
			})
		})
	}
}

// TestClockThatJumps: the clock is set forward by an hour, and back.
func TestClockThatJumps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		var jump atomic.Int64
		e := openEngineWith(t, store, Config{Node: "n1", Now: func() time.Time { return time.Now().Add(time.Duration(jump.Load())) }})
		defer closeEngine(t, e)
		req := everySecond(countArgs{})
		req.EveryMs = 60_000
		s := putSchedule(t, e, req)
		time.Sleep(150 * time.Second) // 60 and 120
		jump.Store(int64(time.Hour))  // 3,750: of those that were jumped over the newest comes, late
		time.Sleep(60 * time.Second)  // 3,780
		jump.Store(0)                 // 210: nothing comes twice
		time.Sleep(30 * time.Second)
		if got, want := seconds(ticked(t, store), s.CreatedAt), "60 120 3720L 3780"; got != want {
			t.Errorf("got ticks %s, want %s", got, want)
		}
		time.Sleep(time.Hour + time.Second) // 3,840 is the next one
		if got, want := seconds(ticked(t, store), s.CreatedAt), "60 120 3720L 3780 3840"; got != want {
			t.Errorf("got ticks %s, want %s", got, want)
		}
	})
}

// TestClocksOfTimeZones: what comes of the night in which the clocks change.
func TestClocksOfTimeZones(t *testing.T) {
	for _, test := range []struct{ zone, cron, from, want string }{
		{"Europe/Berlin", "30 2 * * *", "2026-03-28T23:00:00Z", "2026-03-29T01:30:00Z"},
		{"Europe/Berlin", "30 2 * * *", "2026-10-24T23:00:00Z", "2026-10-25T00:30:00Z"},
		{"America/New_York", "30 1 * * *", "2026-11-01T04:00:00Z", "2026-11-01T05:30:00Z"},
		{"America/New_York", "30 2 * * *", "2026-03-08T05:00:00Z", "2026-03-08T07:30:00Z"},
	} {
		synctest.Test(t, func(t *testing.T) {
			from, err := time.Parse(time.RFC3339, test.from)
			if err != nil {
				t.Fatal(err)
			}
			store, ahead := memory.New(), time.Until(from)
			e := openEngineWith(t, store, Config{Node: "n1", Now: func() time.Time { return time.Now().Add(ahead) }})
			defer closeEngine(t, e)
			req := everySecond(countArgs{})
			req.EveryMs, req.Cron, req.Timezone = 0, test.cron, test.zone
			putSchedule(t, e, req)
			time.Sleep(5 * time.Hour)
			var got []string
			for _, job := range ticked(t, store) {
				got = append(got, job.Schedule.Tick.Format(time.RFC3339))
				if job.Schedule.Late {
					t.Errorf("%v is late", job.Schedule.Tick)
				}
			}
			if got := strings.Join(got, " "); got != test.want {
				t.Errorf("%s in %s: got %s, want %s", test.cron, test.zone, got, test.want)
			}
		})
	}
}

// TestEveryCrashOfATick kills the engine at each of its writes in turn, before and after the write reaches the store,
// and lets another go on.
func TestEveryCrashOfATick(t *testing.T) {
	for _, overlap := range []jobs.Overlap{jobs.OverlapQueue, jobs.OverlapCancel} {
		for _, before := range []bool{true, false} {
			for writes := 1; writes <= 20; writes++ {
				t.Run(fmt.Sprintf("%s/writes=%d/before=%t", overlap, writes, before), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						store := memory.New()
						setter := openEngine(t, store, "n0")
						req := everySecond(countArgs{N: 1, Gap: 300 * time.Millisecond})
						req.EveryMs, req.Overlap = 10_000, overlap
						if overlap == jobs.OverlapCancel {
							req.Start.Args = encode(countArgs{Do: "hang"})
						}
						began := putSchedule(t, setter, req).CreatedAt
						closeEngine(t, setter)
						dying := newMortalStore(store, -1, before)
						first := openEngine(t, dying, "n1")
						time.Sleep(9 * time.Second) // the beats of its session are past
						dying.dieAfter(writes)
						time.Sleep(20500 * time.Millisecond) // at 29.5: the ticks 10 and 20, if it lives
						closeEngine(t, first)
						second := openEngine(t, store, "n2")
						defer closeEngine(t, second)
						time.Sleep(11 * time.Second) // and 30, 40
						all := ticked(t, store)
						got := strings.ReplaceAll(seconds(all, began), "L", "")
						if got != "10 20 30 40" && got != "20 30 40" { // 10 may be one of the outage
							t.Errorf("got ticks %s", seconds(all, began))
						}
						if list := second.Schedules(); len(list) != 1 || list[0].LastAt.Sub(began) != 40*time.Second || list[0].LastJobID != all[len(all)-1].ID {
							t.Errorf("got %+v", list)
						}
					})
				})
			}
		}
	}
}

// TestScheduleOnAStoreThatFails: writes fail by chance, with and without effect, on three servers.
func TestScheduleOnAStoreThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		calm := openEngine(t, store, "n0")
		s := putSchedule(t, calm, everySecond(countArgs{}))
		closeEngine(t, calm)
		var flaky []*mortalStore
		for n := range 3 {
			own := newMortalStore(store, -1, false)
			e := openEngine(t, own, fmt.Sprint("n", n+1))
			defer closeEngine(t, e)
			own.fail(rand.New(rand.NewPCG(uint64(n), 7)))
			flaky = append(flaky, own)
		}
		time.Sleep(120 * time.Second)
		for _, own := range flaky {
			own.fail(nil)
		}
		time.Sleep(10 * time.Second)
		all := ticked(t, store) // and none twice
		if last := all[len(all)-1].Schedule.Tick.Sub(s.CreatedAt); last < 128*time.Second || len(all) < 40 {
			t.Errorf("got %d ticks, the last at %v", len(all), last)
		}
	})
}

func TestWrongSchedulesAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := openEngine(t, memory.New(), "n1")
		defer closeEngine(t, e)
		for pointer, change := range map[string]func(*jobs.ScheduleRequest){
			"/cron":         func(r *jobs.ScheduleRequest) { r.EveryMs, r.Cron = 0, "61 * * * *" },
			"/timezone":     func(r *jobs.ScheduleRequest) { r.EveryMs, r.Cron, r.Timezone = 0, "0 1 * * *", "Europe/Nowhere" },
			"/everyMs":      func(r *jobs.ScheduleRequest) { r.EveryMs = 999 },
			"/start/kind":   func(r *jobs.ScheduleRequest) { r.Start.Kind = "nope" },
			"/start/args/n": func(r *jobs.ScheduleRequest) { r.Start.Args = encode(countArgs{N: -1}) },
			"/start/id":     func(r *jobs.ScheduleRequest) { r.Start.ID = "x" },
			"/start/args":   func(r *jobs.ScheduleRequest) { r.Start.Args = encode(strings.Repeat("x", 70<<10)) },
		} {
			req := everySecond(countArgs{})
			change(&req)
			_, _, err := e.PutSchedule(t.Context(), req)
			p, ok := errors.AsType[*jobs.Problem](err)
			if !ok || len(p.Errors) == 0 || p.Errors[0].Pointer != pointer || p.Status >= 500 {
				t.Errorf("%s: got %+v", pointer, err)
			}
		}
		for _, err := range []error{
			e.RemoveSchedule(t.Context(), jobs.ScheduleRef{ID: "nope"}),
			func() error {
				_, _, err := e.RunSchedule(t.Context(), jobs.ScheduleRef{ID: "nope"}, "", "")
				return err
			}(),
		} {
			if p, ok := errors.AsType[*jobs.Problem](err); !ok || p.Code != jobs.CodeNotFound || p.Title != "No such schedule" {
				t.Errorf("got %v", err)
			}
		}
		if list := e.Schedules(); len(list) != 0 {
			t.Errorf("got %+v", list)
		}
	})
}

func TestNumberOfSchedulesIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := openEngine(t, memory.New(), "n1")
		defer closeEngine(t, e)
		req := everySecond(countArgs{})
		req.Paused = true
		for n := range maxSchedules {
			req.ID = jobs.ID(fmt.Sprint("s", n))
			putSchedule(t, e, req)
		}
		putSchedule(t, e, req) // another one in its place
		req.ID = "more"
		_, _, err := e.PutSchedule(t.Context(), req)
		if p, ok := errors.AsType[*jobs.Problem](err); !ok || p.Code != jobs.CodeConflict || !strings.Contains(p.Detail, "1000 schedules") {
			t.Errorf("got %v", err)
		}
		if err := e.RemoveSchedule(t.Context(), jobs.ScheduleRef{ID: "s7"}); err != nil {
			t.Error(err)
		}
		putSchedule(t, e, req)
	})
}

// TestTickWaitsForAServerThatHasItsKind: one that does not know the kind leaves its ticks to others.
func TestTickWaitsForAServerThatHasItsKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		first := openEngine(t, store, "n1")
		s := putSchedule(t, first, everySecond(countArgs{}))
		closeEngine(t, first)
		other := openEngineWith(t, store, Config{Node: "n2", Workers: []jobs.Worker{}})
		defer closeEngine(t, other)
		time.Sleep(5500 * time.Millisecond)
		if all := ticked(t, store); len(all) != 0 {
			t.Errorf("got %s", seconds(all, s.CreatedAt))
		}
		second := openEngine(t, store, "n3")
		defer closeEngine(t, second)
		time.Sleep(time.Second)
		if got, want := seconds(ticked(t, store), s.CreatedAt), "5L 6"; got != want {
			t.Errorf("got ticks %s, want %s", got, want)
		}
	})
}
