package web

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/jobs"
)

// sse is one event of a stream, as a client reads it.
type sse struct {
	id, event, data string
}

// readStream returns the events that came in whole, and the comments among them.
func readStream(text string) (events []sse, comments int) {
	blocks := strings.Split(text, "\n\n")
	for _, block := range blocks[:len(blocks)-1] { // what follows the last blank line was cut
		var e sse
		for line := range strings.Lines(block) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
			value = strings.TrimPrefix(value, " ")
			switch name {
			case "":
				comments++
			case "id":
				e.id = value
			case "event":
				e.event = value
			case "data":
				e.data += value
			}
		}
		if e.data != "" {
			events = append(events, e)
		}
	}
	return events, comments
}

var stream = []string{"Accept", "text/event-stream"}

func TestStreamOfEvents(t *testing.T) {
	inTime(t, func(t *testing.T, w *world) {
		job := w.start(`{"kind":"count","args":{"n":5}}`)
		resp := w.get(job+"/events", "Accept", "text/html, Text/Event-Stream;q=0.9")
		for name, want := range map[string]string{
			"Content-Type": "text/event-stream", "Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no", "Vary": "Accept",
		} {
			if got := resp.header.Get(name); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
		events, _ := readStream(resp.text())
		if resp.status != 200 || len(events) < 4 {
			t.Fatalf("got %d %s", resp.status, resp.text())
		}
		for i, e := range events[:len(events)-1] {
			var event jobs.Event
			if err := json.Unmarshal([]byte(e.data), &event); err != nil {
				t.Fatalf("%q: %v", e.data, err)
			}
			if seq := uint64(i + 1); event.Seq != seq || e.id != fmt.Sprint(seq) || e.event != string(event.Type) {
				t.Errorf("event %d: got id %s, event %s, data %s", i, e.id, e.event, e.data)
			}
		}
		last, end := events[len(events)-2], events[len(events)-1]
		if last.event != "job.completed" || end.event != "end" || end.id != "" || end.data != fmt.Sprintf(`{"lastSeq":%s}`, last.id) {
			t.Errorf("the end: got %+v, %+v", last, end)
		}
		if !resp.deadline.IsZero() {
			t.Errorf("the connection is left with the deadline %v", resp.deadline)
		}
		for _, header := range [][]string{
			append([]string{"Last-Event-ID", last.id}, stream...),
		} {
			if resp := w.get(job+"/events", header...); resp.status != 204 || resp.text() != "" {
				t.Errorf("%v: got %d %q, want 204", header, resp.status, resp.text())
			}
		}
		resumed, _ := readStream(w.get(job+"/events?after=1", append([]string{"Last-Event-ID", "3"}, stream...)...).text())
		if len(resumed) == 0 || resumed[0].id != "4" {
			t.Errorf("Last-Event-ID against after: got %+v, want it to begin with 4", resumed)
		}
		head := w.do("HEAD", job+"/events", "", stream...)
		if head.status != 200 || head.text() != "" {
			t.Errorf("HEAD: got %d %q", head.status, head.text())
		}
	})
}

func TestAStreamAheadOfTheLogStartsOver(t *testing.T) {
	inTime(t, func(t *testing.T, w *world) {
		ask := append([]string{"Last-Event-ID", "999999"}, stream...)
		check := func(what string, resp *response) {
			t.Helper()
			events, _ := readStream(resp.text())
			if resp.status != 200 || len(events) < 5 || events[0] != (sse{"", "reset", `{"lastSeq":0}`}) {
				t.Fatalf("%s: got %d %.300s, want it to begin with a reset", what, resp.status, resp.text())
			}
			for i, e := range events[1 : len(events)-1] {
				if e.id != fmt.Sprint(i+1) {
					t.Fatalf("%s: got id %s after %d events", what, e.id, i)
				}
			}
			if last, end := events[len(events)-2], events[len(events)-1]; last.event != "job.completed" || end.event != "end" {
				t.Errorf("%s: the end: got %+v, %+v", what, last, end)
			}
		}
		job := w.start(`{"kind":"count","args":{"n":5}}`)
		check("a running job", w.get(job+"/events", ask...))
		check("a job that has ended", w.get(job+"/events", ask...))

		over := decodeBody[eventPage](t, w.get(job+"/events?after=999999&wait=30s"))
		if len(over.Events) < 5 || over.Events[0].Seq != 1 || !over.Done || over.Recovered {
			t.Errorf("a poll: got %+v, want all events", over)
		}
		lines := decodeBody[logPage](t, w.get(job+"/logs?after=999999&wait=30s"))
		if len(lines.Lines) != 5 || lines.Line != 1 || lines.LastLine != 5 || !lines.Done {
			t.Errorf("the text: got %+v, want all five lines", lines)
		}
	})
}

func TestStreamCutAtRandomResumesWithoutAHole(t *testing.T) {
	for seed := range uint64(20) {
		inTime(t, func(t *testing.T, w *world) {
			random := rand.New(rand.NewPCG(seed, 1))
			job := w.start(`{"kind":"count","args":{"n":60}}`)
			var seqs []uint64
			lastID, streams := "", 0
			for ended := false; !ended; streams++ {
				if streams > 2000 {
					t.Fatalf("seed %d: no end after %v", seed, seqs)
				}
				header := slices.Clone(stream)
				if lastID != "" {
					header = append(header, "Last-Event-ID", lastID)
				}
				ctx, hangUp := context.WithTimeout(t.Context(), time.Duration(random.IntN(3000))*time.Millisecond)
				resp := newResponse()
				resp.room = random.IntN(3000)
				w.serve(ctx, resp, "GET", job+"/events", strings.NewReader(""), header...)
				hangUp()
				events, _ := readStream(resp.text())
				for _, e := range events {
					if e.event == "end" {
						ended = true
						continue
					}
					seq, err := strconv.ParseUint(e.id, 10, 64)
					if err != nil {
						t.Fatal(err)
					}
					seqs, lastID = append(seqs, seq), e.id
				}
				ended = ended || resp.status == 204
			}
			checkWhole(t, w, job, seqs)
			if streams < 3 {
				t.Errorf("seed %d: %d streams: nothing was cut", seed, streams)
			}
		})
	}
}

// checkWhole fails unless seqs are all of a finished job's events, once each and in order.
func checkWhole(t *testing.T, w *world, job string, seqs []uint64) {
	t.Helper()
	last := decodeBody[jobs.Job](t, w.get(job))
	if !last.State.Terminal() || uint64(len(seqs)) != last.Seq {
		t.Errorf("got %d events of a %s job with seq %d", len(seqs), last.State, last.Seq)
	}
	for i, seq := range seqs {
		if seq != uint64(i+1) {
			t.Fatalf("got %v, want every number from 1 once", seqs)
		}
	}
}

func TestSilentStreamGetsAComment(t *testing.T) {
	inTime(t, func(t *testing.T, w *world) {
		job := w.start(`{"kind":"forever"}`)
		synctest.Wait()
		ctx, hangUp := context.WithTimeout(t.Context(), 4*heartbeat+time.Second)
		defer hangUp()
		resp := newResponse()
		for i := range 4 {
			time.AfterFunc(time.Duration(i)*heartbeat+time.Second, func() {
				resp.mu.Lock()
				defer resp.mu.Unlock()
				if resp.flushed < resp.body.Len() {
					t.Errorf("after heartbeat %d: %d of %d bytes are on their way", i, resp.flushed, resp.body.Len())
				}
			})
		}
		w.serve(ctx, resp, "GET", job+"/events", strings.NewReader(""), stream...)
		if events, comments := readStream(resp.text()); comments != 4 || len(events) == 0 {
			t.Errorf("got %d comments and %d events in 4 heartbeats, want 4 comments", comments, len(events))
		}
	})
}

func TestStreamNobodyReadsIsFreed(t *testing.T) {
	inTime(t, func(t *testing.T, w *world) {
		job := w.start(`{"kind":"forever"}`)
		synctest.Wait()
		began := time.Now()
		resp := newResponse()
		go func() {
			time.Sleep(time.Minute)
			resp.mu.Lock()
			resp.stuck = true
			resp.mu.Unlock()
		}()
		w.serve(t.Context(), resp, "GET", job+"/events", strings.NewReader(""), stream...)
		if took, most := time.Since(began), time.Minute+heartbeat+writeTimeout; took < time.Minute || took > most {
			t.Errorf("the handler returned after %v, want at most %v", took, most)
		}
	})
}

func TestLongPoll(t *testing.T) {
	inTime(t, func(t *testing.T, w *world) {
		job := w.start(`{"kind":"forever"}`)
		synctest.Wait()
		all := decodeBody[eventPage](t, w.get(job+"/events"))
		last := all.LastSeq
		if len(all.Events) != 2 || last != 2 || all.Done || all.HasMore || all.FirstSeq != 0 {
			t.Fatalf("a running job: got %+v, want queued and started", all)
		}
		first := decodeBody[eventPage](t, w.get(job+"/events?limit=1&wait=10"))
		if len(first.Events) != 1 || first.LastSeq != 1 || !first.HasMore || first.Done {
			t.Errorf("limit=1: got %+v", first)
		}

		began := time.Now()
		resp := w.get(fmt.Sprintf("%s/events?after=%d&wait=7s", job, last))
		if took := time.Since(began); resp.text() != `{"events":[],"lastSeq":2,"recovered":true,"done":false,"hasMore":false}`+"\n" || took != 7*time.Second {
			t.Errorf("nothing new: got %s after %v, want an empty array after 7s", resp.text(), took)
		}
		began = time.Now()
		ahead := decodeBody[eventPage](t, w.get(job+"/events?after=77&wait=7s"))
		if took := time.Since(began); len(ahead.Events) != 2 || ahead.LastSeq != last || ahead.Recovered || took != 0 {
			t.Errorf("a cursor ahead of the log: got %+v after %v, want both events at once, not recovered", ahead, took)
		}

		began = time.Now()
		time.AfterFunc(2*time.Second, func() { w.post(job+"/cancel", "{}") })
		var types []jobs.EventType
		for done := false; !done; {
			page := decodeBody[eventPage](t, w.get(fmt.Sprintf("%s/events?after=%d&wait=30", job, last)))
			for _, event := range page.Events {
				types = append(types, event.Type)
			}
			if done, last = page.Done, page.LastSeq; len(page.Events) == 0 {
				t.Fatalf("got %+v, want events", page)
			}
		}
		if took := time.Since(began); types[len(types)-1] != jobs.EventCancelled || took < 2*time.Second || took > 3*time.Second {
			t.Errorf("cancelled meanwhile: got %v after %v", types, took)
		}
		began = time.Now()
		over := decodeBody[eventPage](t, w.get(fmt.Sprintf("%s/events?after=%d&wait=30", job, last)))
		if took := time.Since(began); !over.Done || len(over.Events) != 0 || over.LastSeq != last || took > 0 {
			t.Errorf("after the end: got %+v after %v, want done at once", over, took)
		}
	})
}

func TestLongPollCutAtRandomResumesWithoutAHole(t *testing.T) {
	for seed := range uint64(20) {
		inTime(t, func(t *testing.T, w *world) {
			random := rand.New(rand.NewPCG(seed, 2))
			job := w.start(`{"kind":"count","args":{"n":60}}`)
			var seqs []uint64
			var after uint64
			for done := false; !done; {
				ctx, hangUp := context.WithTimeout(t.Context(), time.Duration(random.IntN(500))*time.Millisecond)
				resp := newResponse()
				w.serve(ctx, resp, "GET", fmt.Sprintf("%s/events?after=%d&wait=%dms&limit=%d", job, after, random.IntN(400), 1+random.IntN(9)), strings.NewReader(""))
				lost := ctx.Err() != nil // and the answer with it
				hangUp()
				if lost || random.IntN(4) == 0 {
					continue
				}
				page := decodeBody[eventPage](t, resp)
				for _, event := range page.Events {
					seqs = append(seqs, event.Seq)
				}
				after, done = page.LastSeq, page.Done
			}
			checkWhole(t, w, job, seqs)
		})
	}
}

func TestLogs(t *testing.T) {
	inTime(t, func(t *testing.T, w *world) {
		job := w.start(`{"kind":"count","args":{"n":30}}`)
		resp := w.get(job + "/logs")
		if got := decodeBody[logPage](t, resp); resp.status != 200 || got.Done || got.LastLine != 0 || !strings.Contains(resp.text(), `"lines":[]`) {
			t.Errorf("before the first line: got %s", resp.text())
		}
		var lines []string
		var after int64
		for done := false; !done; {
			page := decodeBody[logPage](t, w.get(fmt.Sprintf("%s/logs?after=%d&wait=30s&limit=7", job, after)))
			for i, line := range page.Lines {
				if number := page.Line + int64(i); number != int64(len(lines)+1) {
					t.Fatalf("got line %d after %d lines", number, len(lines))
				}
				lines = append(lines, line.Text)
			}
			after, done = page.LastLine, page.Done
		}
		if len(lines) != 30 || lines[0] != "line 1" || lines[29] != "line 30" {
			t.Errorf("got %q", lines)
		}
		text := w.get(job + "/logs?format=text&tail=2")
		if text.text() != "line 29\nline 30\n" || text.header.Get(lastLineHeader) != "30" ||
			text.header.Get("Content-Type") != "text/plain; charset=utf-8" || text.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("text: got %q, %v", text.text(), text.header)
		}
		found := decodeBody[jobs.LogFound](t, w.get(job+"/logs?q=LINE+2&after=1&limit=4"))
		if len(found.Hits) != 4 || found.Hits[0].Line != 2 || found.Hits[3].Text != "line 22" || found.LastLine != 22 || !found.More {
			t.Errorf("a search: got %+v, want lines 2, 20, 21 and 22", found)
		}
		began := time.Now()
		over := decodeBody[logPage](t, w.get(job+"/logs?after=30&wait=30s"))
		if !over.Done || over.LastLine != 30 || time.Since(began) > 0 {
			t.Errorf("after the last line: got %+v after %v, want done at once", over, time.Since(began))
		}
	})
}
