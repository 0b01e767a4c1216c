package namespaces

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/events"
	"jobcast/jobs"
	"jobcast/jobs/engine"
	"jobcast/jobs/files"
	"jobcast/jobs/memory"
	"jobcast/socketio"
)

type countArgs struct {
	To   int  `json:"to"`
	Fail bool `json:"fail,omitempty"`
}

// count reports one unit a second, and a line of text for each.
func count(ctx context.Context, r *jobs.Run, args countArgs) (int, error) {
	for i := range args.To {
		select {
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-time.After(time.Second):
		}
		r.Progress(float64(i+1), float64(args.To), "second", "")
		r.Log(slog.LevelInfo, fmt.Sprintf("second %d", i+1))
	}
	return args.To, nil
}

// bubble runs a test with the namespace /jobs over a memory store, in fake time.
func bubble(t *testing.T, test func(t *testing.T, l *pipeListener)) {
	bubbleOver(t, memory.New(), test)
}

func bubbleOver(t *testing.T, store jobs.Store, test func(t *testing.T, l *pipeListener)) {
	synctest.Test(t, func(t *testing.T) {
		files, err := files.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		kind := jobs.NewKind[countArgs, int]("count").Described(jobs.About[countArgs]{Title: "Count", JobTitle: func(a countArgs) string {
			return fmt.Sprintf("Count to %d", a.To)
		}})
		engine, err := engine.Open(t.Context(), engine.Config{
			Store:       store,
			Files:       files,
			Workers:     []jobs.Worker{kind.Worker(nil, count)},
			Concurrency: 50,
			Logger:      slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		io := socketio.New(socketio.Config{EncodeError: EncodeError, Logger: slog.New(slog.DiscardHandler)})
		end := Register(io, Jobs, Services{Jobs: engine, Logger: slog.New(slog.DiscardHandler)})
		t.Cleanup(func() {
			if err := end(context.Background()); err != nil {
				t.Error(err)
			}
			if err := engine.Close(context.Background()); err != nil {
				t.Error(err)
			}
			files.Close()
		})
		test(t, serve(t, io))
	})
}

func (c *client) start(args countArgs) jobs.ID {
	c.t.Helper()
	var ack events.StartAck
	c.ask("job:start", map[string]any{"kind": "count", "args": args, "subscribe": false}, &ack)
	if !ack.OK || !ack.Created || ack.Job.State == "" || ack.Sub != nil {
		c.t.Fatalf("start: got %+v", ack)
	}
	return ack.Job.ID
}

// watch subscribes and reads to the end of the job: it returns every seq, those in the answer first.
func (c *client) watch(request map[string]any) (seqs []uint64, last jobs.Event) {
	c.t.Helper()
	var ack events.SubscribeAck
	c.ask("job:subscribe", request, &ack)
	if !ack.OK {
		c.t.Fatal("refused")
	}
	if len(c.events) > 0 {
		c.t.Fatalf("%s came before the answer", c.events[0].name)
	}
	for _, e := range ack.Events {
		seqs, last = append(seqs, e.Seq), e
	}
	if ack.LastSeq != ack.Job.Seq {
		c.t.Fatalf("job at %d, answer at %d", ack.Job.Seq, ack.LastSeq)
	}
	at := ack.LastSeq
	for !ack.Done && !jobs.State(strings.TrimPrefix(string(last.Type), "job.")).Terminal() {
		e := c.next()
		if e.name == "job:log" || e.name == "jobs:changed" {
			continue
		}
		if err := json.Unmarshal(e.payload, &last); err != nil {
			c.t.Fatal(err)
		}
		if e.name != strings.Replace(string(last.Type), ".", ":", 1) {
			c.t.Fatalf("event %s says %s", e.name, last.Type)
		}
		if last.Seq != at+1 || last.Prev != at {
			c.t.Fatalf("got seq %d prev %d after %d", last.Seq, last.Prev, at)
		}
		at = last.Seq
		seqs = append(seqs, last.Seq)
	}
	return seqs, last
}

func contiguous(t *testing.T, seqs []uint64, from uint64) {
	t.Helper()
	for i, seq := range seqs {
		if seq != from+uint64(i) {
			t.Fatalf("got %v, want %d and so on", seqs, from)
		}
	}
}

func TestWatchersWhoComeAtAnyTimeSeeTheSame(t *testing.T) {
	bubble(t, func(t *testing.T, l *pipeListener) {
		starter := l.connect(t, "/jobs")
		id := starter.start(countArgs{To: 10})
		type story struct {
			seqs []uint64
			last jobs.Event
		}
		stories := make(chan story)
		const watchers = 30
		for i := range watchers {
			c := l.connect(t, "/jobs")
			go func() {
				time.Sleep(time.Duration(i) * 400 * time.Millisecond) // the last come when the job is over
				seqs, last := c.watch(map[string]any{"id": id, "replay": "all"})
				stories <- story{seqs, last}
			}()
		}
		var want int
		for i := range watchers {
			s := <-stories
			contiguous(t, s.seqs, 1)
			if s.last.Type != jobs.EventCompleted {
				t.Fatalf("watcher %d ended with %s", i, s.last.Type)
			}
			if want == 0 {
				want = len(s.seqs)
			}
			if len(s.seqs) != want || want < 12 {
				t.Fatalf("got %d events, want %d and at least 12", len(s.seqs), want)
			}
		}
	})
}

func TestSubscribeAfterANumberGoesOnExactlyThere(t *testing.T) {
	bubble(t, func(t *testing.T, l *pipeListener) {
		c := l.connect(t, "/jobs")
		id := c.start(countArgs{To: 10})
		time.Sleep(3500 * time.Millisecond)
		seqs, _ := c.watch(map[string]any{"id": id, "after": 2})
		contiguous(t, seqs, 3)

		var ack events.SubscribeAck
		c.ask("job:subscribe", map[string]any{"id": id, "after": seqs[len(seqs)-1]}, &ack)
		if !ack.Done || !ack.Recovered || len(ack.Events) != 0 {
			t.Fatalf("who has everything: got done %t, recovered %t, %d events", ack.Done, ack.Recovered, len(ack.Events))
		}
		c.ask("job:subscribe", map[string]any{"id": id, "after": 9999, "replay": "all"}, &ack)
		if ack.Recovered || len(ack.Events) != len(seqs)+2 {
			t.Fatalf("who has too much: got recovered %t, %d events", ack.Recovered, len(ack.Events))
		}
		c.ask("job:subscribe", map[string]any{"id": id, "limit": 3}, &ack)
		if ack.Recovered || len(ack.Events) != 3 || ack.Events[2].Type != jobs.EventCompleted || ack.FirstSeq != 1 {
			t.Fatalf("the tail: got recovered %t, %d events, first %d", ack.Recovered, len(ack.Events), ack.FirstSeq)
		}
		ack = events.SubscribeAck{}
		c.ask("job:subscribe", map[string]any{"id": id, "replay": "all", "limit": 3}, &ack)
		if !ack.HasMore || !ack.Recovered || ack.Done || ack.LastSeq != 3 {
			t.Fatalf("a part of all: got hasMore %t, recovered %t, last %d", ack.HasMore, ack.Recovered, ack.LastSeq)
		}
		ack = events.SubscribeAck{}
		c.ask("job:subscribe", map[string]any{"id": id, "replay": "none"}, &ack)
		if len(ack.Events) != 0 || !ack.Done || ack.Job.State != jobs.Completed {
			t.Fatalf("none: got %d events, done %t, %s", len(ack.Events), ack.Done, ack.Job.State)
		}
	})
}

// The second watcher is answered out of what the feed holds, and the fourth asks for more than that.
func TestLaterWatchersAreAnsweredAsTheFirst(t *testing.T) {
	bubble(t, func(t *testing.T, l *pipeListener) {
		c := l.connect(t, "/jobs")
		id := c.start(countArgs{To: 30})
		time.Sleep(10500 * time.Millisecond)
		request := map[string]any{"id": id, "limit": 3, "logs": map[string]any{"tail": 2}}
		var first events.SubscribeAck
		c.ask("job:subscribe", request, &first)
		time.Sleep(5 * time.Second) // the feed goes on
		for i, want := range []struct {
			request map[string]any
			events  int
			lines   int
			more    bool
		}{
			{map[string]any{"id": id, "limit": 3, "logs": map[string]any{"tail": 2}}, 3, 2, false},
			{map[string]any{"id": id, "after": first.LastSeq, "logs": map[string]any{"after": first.Log.Line + 1}}, 6, 5, false},
			{map[string]any{"id": id, "replay": "all", "logs": map[string]any{"tail": 100}}, 19, 16, false},
			{map[string]any{"id": id, "replay": "all", "after": first.LastSeq, "limit": 2, "logs": false}, 2, 0, true},
			{map[string]any{"id": id, "replay": "none"}, 0, 0, false},
		} {
			other := l.connect(t, "/jobs")
			var ack events.SubscribeAck
			other.ask("job:subscribe", want.request, &ack)
			lines := 0
			if ack.Log != nil {
				lines = len(ack.Log.Lines)
			}
			if len(ack.Events) != want.events || lines != want.lines || ack.HasMore != want.more || ack.FirstSeq != 1 || string(ack.Job.Args) != `{"to":30}` {
				t.Errorf("watcher %d: got %d events, %d lines, more %t, first %d, args %s; want %d, %d, %t",
					i, len(ack.Events), lines, ack.HasMore, ack.FirstSeq, ack.Job.Args, want.events, want.lines, want.more)
			}
			if newest := 15 + int64(i/2); lines > 0 && ack.Log.LastLine() != newest { // each watcher stays a second, text comes a moment later
				t.Errorf("watcher %d: got lines to %d, want %d", i, ack.Log.LastLine(), newest)
			}
			if !ack.HasMore {
				at := ack.LastSeq
				for {
					e := other.next()
					if e.name == "job:log" {
						continue
					}
					var got jobs.Event
					decode(t, e.payload, &got)
					if got.Prev != at {
						t.Fatalf("watcher %d: got seq %d prev %d after %d", i, got.Seq, got.Prev, at)
					}
					break
				}
			}
			other.conn.Close()
		}
	})
}

func TestTextIsWatchedWithoutAHole(t *testing.T) {
	bubble(t, func(t *testing.T, l *pipeListener) {
		c := l.connect(t, "/jobs")
		id := c.start(countArgs{To: 20})
		time.Sleep(8100 * time.Millisecond)
		var ack events.SubscribeAck
		c.ask("job:subscribe", map[string]any{"id": id, "logs": map[string]any{"tail": 3}}, &ack)
		if ack.Log == nil || len(ack.Log.Lines) != 3 {
			t.Fatalf("got log %+v, want three lines", ack.Log)
		}
		next := ack.Log.Line + 3
		for {
			e := c.next()
			if e.name == "job:completed" {
				break
			}
			if e.name != "job:log" {
				continue
			}
			var chunk jobs.LogChunk
			decode(t, e.payload, &chunk)
			if chunk.Line != next {
				t.Fatalf("got line %d, want %d", chunk.Line, next)
			}
			next += int64(len(chunk.Lines))
		}
		if next != 21 {
			t.Fatalf("got lines to %d, want 20", next-1)
		}
	})
}

func TestUnsubscribeAndDisconnectEndTheFeed(t *testing.T) {
	bubble(t, func(t *testing.T, l *pipeListener) {
		a, b := l.connect(t, "/jobs"), l.connect(t, "/jobs")
		id := a.start(countArgs{To: 3})
		var sub events.SubscribeAck
		a.ask("job:subscribe", map[string]any{"id": id, "logs": true}, &sub)
		b.ask("job:subscribe", map[string]any{"id": id, "logs": true}, &sub)
		b.conn.Close()
		var ok events.OK
		a.ask("job:unsubscribe", map[string]any{"id": id}, &ok)
		if !ok.OK {
			t.Fatal("refused")
		}
		a.events = nil
		time.Sleep(10 * time.Second)
		var job events.JobAck
		a.ask("job:get", map[string]any{"id": id}, &job)
		if job.Job.State != jobs.Completed || string(job.Job.Args) != `{"to":3}` {
			t.Fatalf("got %s with args %s", job.Job.State, job.Job.Args)
		}
		if len(a.events) != 0 {
			t.Fatalf("%s came after the end of the subscription", a.events[0].name)
		}
	})
}

func TestStartSubscribesInItsAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, l *pipeListener) {
		c := l.connect(t, "/jobs")
		var ack events.StartAck
		c.ask("job:start", map[string]any{"kind": "count", "args": map[string]any{"to": 2}, "idempotencyKey": "k"}, &ack)
		if ack.Sub == nil || len(c.events) != 0 {
			t.Fatalf("got %+v and %d events before it", ack, len(c.events))
		}
		at := ack.Sub.LastSeq
		for {
			e := c.next()
			var got jobs.Event
			decode(t, e.payload, &got)
			if got.Prev != at {
				t.Fatalf("got prev %d, want %d", got.Prev, at)
			}
			if at = got.Seq; e.name == "job:completed" {
				break
			}
		}
		var again events.StartAck
		c.ask("job:start", map[string]any{"kind": "count", "args": map[string]any{"to": 2}, "idempotencyKey": "k"}, &again)
		if again.Created || again.Job.ID != ack.Job.ID || !again.Sub.Done {
			t.Fatalf("got %+v, want the same job", again)
		}
	})
}

func TestCancelIsAnsweredWhateverTheState(t *testing.T) {
	bubble(t, func(t *testing.T, l *pipeListener) {
		c := l.connect(t, "/jobs")
		id := c.start(countArgs{To: 1000})
		time.Sleep(2 * time.Second)
		var ack events.CancelAck
		c.ask("job:cancel", map[string]any{"id": id, "reason": "enough"}, &ack)
		if !ack.OK || ack.Outcome != jobs.OutcomeCancelling {
			t.Fatalf("got %+v", ack)
		}
		_, last := c.watch(map[string]any{"id": id})
		if last.Type != jobs.EventCancelled || !strings.Contains(string(last.Data), "enough") {
			t.Fatalf("got %s %s", last.Type, last.Data)
		}
		c.ask("job:cancel", map[string]any{"id": id}, &ack)
		if !ack.OK || ack.Outcome != jobs.OutcomeAlreadyFinished {
			t.Fatalf("got %+v", ack)
		}
	})
}

func TestTheListIsToldAtMostTwiceASecond(t *testing.T) {
	bubble(t, func(t *testing.T, l *pipeListener) {
		c := l.connect(t, "/jobs")
		var list events.ListAck
		c.ask("jobs:watch", map[string]any{}, &list)
		if !list.OK || len(list.Jobs) != 0 {
			t.Fatalf("got %+v", list)
		}
		begin := time.Now()
		other := l.connect(t, "/jobs")
		for range 20 {
			other.start(countArgs{To: 5})
		}
		changes, newest := 0, map[jobs.ID]jobs.Job{}
		for done := 0; done < 20; {
			e := c.next()
			if e.name != "jobs:changed" {
				t.Fatalf("got %s", e.name)
			}
			changes++
			var changed jobs.Changes
			decode(t, e.payload, &changed)
			for _, job := range changed.Jobs {
				if job.Seq < newest[job.ID].Seq {
					t.Fatalf("job %s went back from %d to %d", job.ID, newest[job.ID].Seq, job.Seq)
				}
				newest[job.ID] = job
			}
			done = 0
			for _, job := range newest {
				if job.State == jobs.Completed {
					done++
				}
			}
		}
		if most := int(time.Since(begin)/listInterval) + 2; changes > most || changes < 5 {
			t.Fatalf("got %d changes in %v, want 5 to %d", changes, time.Since(begin), most)
		}
		var ok events.OK
		c.ask("jobs:unwatch", nil, &ok)
		other.start(countArgs{To: 1})
		time.Sleep(5 * time.Second)
		c.ask("jobs:list", map[string]any{"state": "completed"}, &list)
		if len(list.Jobs) != 21 || len(c.events) > 1 {
			t.Fatalf("got %d jobs, and %d events after jobs:unwatch", len(list.Jobs), len(c.events))
		}
	})
}

// TestTheListIsToldWhatWasRemoved watches the list while jobs go.
func TestTheListIsToldWhatWasRemoved(t *testing.T) {
	bubble(t, func(t *testing.T, l *pipeListener) {
		c, other := l.connect(t, "/jobs"), l.connect(t, "/jobs")
		ids := map[jobs.ID]bool{}
		for range 3 {
			ids[other.start(countArgs{To: 1})] = true
		}
		time.Sleep(10 * time.Second)
		var list events.ListAck
		c.ask("jobs:watch", map[string]any{}, &list)
		if len(list.Jobs) != 3 || list.Counts[jobs.Completed] != 3 {
			t.Fatalf("got %+v", list)
		}
		for id := range ids {
			var ok events.OK
			if other.ask("job:remove", map[string]any{"id": id}, &ok); !ok.OK {
				t.Fatalf("%s was not removed", id)
			}
		}
		for len(ids) > 0 {
			e := c.next()
			if e.name != "jobs:changed" {
				t.Fatalf("got %s", e.name)
			}
			var changed jobs.Changes
			decode(t, e.payload, &changed)
			if len(changed.Jobs) > 0 || changed.Again {
				t.Errorf("got %+v", changed)
			}
			for _, id := range changed.Removed {
				if !ids[id] {
					t.Errorf("%s was told twice, or is none of them", id)
				}
				delete(ids, id)
			}
			if got := changed.Counts[jobs.Completed]; got != len(ids) {
				t.Errorf("got %d completed, want %d", got, len(ids))
			}
		}
	})
}

func TestBadRequestsAreRefusedByName(t *testing.T) {
	bubble(t, func(t *testing.T, l *pipeListener) {
		c := l.connect(t, "/jobs")
		id := c.start(countArgs{To: 1})
		for _, tt := range []struct {
			event   string
			payload any
			code    string
			words   string
		}{
			{"job:get", map[string]any{"id": "a.b"}, jobs.CodeBadRequest, "id"},
			{"job:get", map[string]any{"id": "nope"}, jobs.CodeNotFound, ""},
			{"job:get", map[string]any{"id": 7}, jobs.CodeBadRequest, "id"},
			{"job:get", "x", jobs.CodeBadRequest, "object"},
			{"job:subscribe", map[string]any{"id": "*"}, jobs.CodeBadRequest, "id"},
			{"job:subscribe", map[string]any{"id": id, "replay": "most"}, jobs.CodeBadRequest, "replay"},
			{"job:subscribe", map[string]any{"id": id, "limit": 1001}, jobs.CodeBadRequest, "limit"},
			{"job:subscribe", map[string]any{"id": id, "logs": map[string]any{"tail": -1}}, jobs.CodeBadRequest, "logs"},
			{"job:start", map[string]any{"kind": "nope"}, jobs.CodeBadRequest, "count"},
			{"job:start", map[string]any{"kind": "count", "args": map[string]any{"too": 1}}, jobs.CodeBadRequest, "too"},
			{"job:start", map[string]any{"kind": "count", "runAt": "soon"}, jobs.CodeBadRequest, "runAt"},
			{"job:history", map[string]any{"id": id, "limit": 5000}, jobs.CodeBadRequest, "limit"},
			{"jobs:list", map[string]any{"cursor": "%%"}, jobs.CodeBadRequest, "cursor"},
			{"job:retry", map[string]any{"id": id}, jobs.CodeConflict, "running"},
			{"job:remove", map[string]any{"id": id}, jobs.CodeConflict, "running"},
			{"job:again", map[string]any{"id": id}, jobs.CodeBadRequest, "job:again"},
		} {
			var ack events.Refusal
			c.ask(tt.event, tt.payload, &ack)
			if ack.OK || ack.Error.Code != tt.code {
				t.Errorf("%s %v: got %+v, want code %s", tt.event, tt.payload, ack.Error, tt.code)
				continue
			}
			if said, _ := json.Marshal(ack.Error); !strings.Contains(string(said), tt.words) {
				t.Errorf("%s %v: %s does not name %q", tt.event, tt.payload, said, tt.words)
			}
		}
	})
}

func TestOneSocketHoldsABoundedNumberOfFeeds(t *testing.T) {
	bubble(t, func(t *testing.T, l *pipeListener) {
		c := l.connect(t, "/jobs")
		var last events.Refusal
		for range maxHeld + 1 {
			id := c.start(countArgs{To: 100})
			last = events.Refusal{}
			c.ask("job:subscribe", map[string]any{"id": id, "replay": "none"}, &last)
			if !last.OK {
				break
			}
		}
		if last.OK || last.Error.Code != jobs.CodeTooManyRequests {
			t.Fatalf("got %+v, want too_many_requests", last.Error)
		}
		if !strings.Contains(last.Error.Detail, "at most 1000 jobs") {
			t.Errorf("got %q, want the bound that is held", last.Error.Detail)
		}
	})
}

func TestAPageThatIsAheadOfTheTextBeginsAnew(t *testing.T) {
	bubble(t, func(t *testing.T, l *pipeListener) {
		c := l.connect(t, "/jobs")
		id := c.start(countArgs{To: 5})
		ahead := map[string]any{"id": id, "after": 999, "logs": map[string]any{"after": 999}}
		_, last := c.watch(map[string]any{"id": id})
		if last.Type != jobs.EventCompleted {
			t.Fatalf("got %+v", last)
		}
		var ack events.SubscribeAck
		c.ask("job:subscribe", ahead, &ack)
		if ack.Recovered || ack.Log == nil || ack.Log.Line != 1 || len(ack.Log.Lines) != 5 || len(ack.Events) == 0 || ack.Events[0].Seq != 1 {
			t.Errorf("got %+v with the text %+v, want all of it", ack, ack.Log)
		}
	})
}

// A client that says much that is wrong gets an answer, and a small one.
func TestARefusalOverASocketIsSmall(t *testing.T) {
	bubble(t, func(t *testing.T, l *pipeListener) {
		c := l.connect(t, "/jobs")
		many := map[string]any{"kind": "count"}
		for i := range 50_000 {
			many[fmt.Sprintf("f%06d", i)] = 1
		}
		long := strings.Repeat("\x01", 50_000)
		for name, payload := range map[string]any{
			"job:start":  many,
			"job:get":    map[string]any{"id": long},
			"jobs:list":  map[string]any{"cursor": long},
			long:         "x",
			"job:cancel": map[string]any{"id": "a", "reason": long, "graceMs": long},
		} {
			var ack json.RawMessage
			c.ask(name, payload, &ack)
			var refusal events.Refusal
			if err := json.Unmarshal(ack, &refusal); err != nil || len(ack) > 16<<10 || refusal.Error.Code != jobs.CodeBadRequest {
				t.Errorf("%.20q: got %d bytes, %v, %.200s; want a small refusal", name, len(ack), err, ack)
			}
		}
	})
}

func TestKindsAndTitlesAreToldOverTheSocket(t *testing.T) {
	bubble(t, func(t *testing.T, l *pipeListener) {
		c := l.connect(t, "/jobs")
		var kinds events.KindsAck
		c.ask("jobs:kinds", map[string]any{}, &kinds)
		if !kinds.OK || len(kinds.Kinds) != 1 || kinds.Kinds[0].Title != "Count" || !strings.Contains(string(kinds.Kinds[0].Args), `"to":{"type":"integer"}`) {
			t.Fatalf("got %+v", kinds)
		}
		c.start(countArgs{To: 1})
		c.start(countArgs{To: 1_000_000})
		synctest.Wait() // the list learns of a job after its log has
		var list events.ListAck
		c.ask("jobs:list", map[string]any{"q": "to 1000000", "sort": "title"}, &list)
		if !list.OK || len(list.Jobs) != 1 || list.Jobs[0].Title != "Count to 1000000" {
			t.Errorf("got %+v", list)
		}
	})
}

func TestALineOfAnUnknownTypeIsToldByItsName(t *testing.T) {
	store := memory.New()
	bubbleOver(t, store, func(t *testing.T, l *pipeListener) {
		c := l.connect(t, "/jobs")
		id := c.start(countArgs{To: 5})
		var writer sync.WaitGroup
		defer writer.Wait()
		writer.Go(func() {
			time.Sleep(2500 * time.Millisecond)
			rec, pos, err := store.Last(t.Context(), id)
			if err != nil {
				t.Error(err)
				return
			}
			rec.Job.Seq++
			rec.Event = jobs.Event{Type: "job.child", JobID: id, Seq: rec.Job.Seq, Prev: rec.Job.Seq - 1, Time: time.Now(), Attempt: 1}
			if _, err := store.Append(t.Context(), rec, pos); err != nil {
				t.Error(err)
			}
		})
		seqs, last := c.watch(map[string]any{"id": id}) // which compares names with types
		contiguous(t, seqs, 1)
		if last.Type != jobs.EventCompleted {
			t.Errorf("got %s at the end", last.Type)
		}
	})
}

func TestEveryTypeOfEventHasItsName(t *testing.T) {
	declared := make(map[string]bool)
	for _, m := range events.JobsNamespace.Server {
		declared[m.Name()] = true
	}
	for _, typ := range []jobs.EventType{
		jobs.EventQueued, jobs.EventStarted, jobs.EventProgress, jobs.EventStep,
		jobs.EventCancelling, jobs.EventCompleted, jobs.EventFailed, jobs.EventCancelled,
	} {
		if name := events.JobEvent(typ).Name(); !declared[name] {
			t.Errorf("%s: got %s, which the namespace does not declare", typ, name)
		}
	}
	if got := events.JobEvent("job.odd").Name(); got != "job:odd" {
		t.Errorf("got %q, want job:odd", got)
	}
}
