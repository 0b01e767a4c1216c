package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/jobs"
	"jobcast/jobs/memory"
)

type word struct {
	Word string `json:"word"`
}

var (
	say    = jobs.NewMessage[word]("say")
	hears  = jobs.NewKind[struct{}, []string]("hears").Unless(jobs.Defaults{MaxAttempts: 2})
	hearIt = hears.Worker(nil, func(ctx context.Context, r *jobs.Run, _ struct{}) ([]string, error) {
		var heard []string
		for {
			got, err := say.Receive(ctx, r)
			if err != nil {
				return nil, err
			}
			r.Progress(float64(len(heard)+1), 0, "word", got.Word)
			if heard = append(heard, got.Word); got.Word == "fail" {
				return nil, errors.New("as it was told")
			} else if got.Word == "end" {
				return heard, nil
			}
		}
	})
)

func sendWord(t *testing.T, e *Engine, id jobs.ID, words ...string) {
	t.Helper()
	for _, w := range words {
		if _, err := e.Send(t.Context(), jobs.SendRequest{ID: id, Name: "say", Payload: encode(word{w})}); err != nil {
			t.Errorf("send %s: %v", w, err)
		}
	}
}

// TestMessagesReachTheWorker: before it runs, while it runs on another server, and between two attempts.
func TestMessagesReachTheWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		e, other := openEngine(t, store, "n1", hearIt), openEngine(t, store, "n2")
		defer closeEngine(t, e)
		defer closeEngine(t, other)
		if _, err := e.Pause(t.Context(), jobs.QueueRequest{}); err != nil {
			t.Fatal(err)
		}
		job, _, err := e.Start(t.Context(), jobs.StartRequest{Kind: "hears"})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		sendWord(t, other, job.ID, "early", "second")
		if _, err := other.Send(t.Context(), jobs.SendRequest{ID: job.ID, Name: "unheard"}); err != nil {
			t.Error(err)
		}
		if _, err := other.Send(t.Context(), jobs.SendRequest{ID: job.ID, Name: "say", Payload: []byte(`[7]`)}); err != nil {
			t.Error(err)
		}
		if _, err := e.Resume(t.Context(), jobs.QueueRequest{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		sendWord(t, other, job.ID, "live", "fail")
		time.Sleep(100 * time.Millisecond) // the first wait is a second
		if now, _ := e.Get(t.Context(), job.ID); now.State != jobs.Scheduled {
			t.Errorf("got %s, want it between two attempts", now.State)
		}
		sendWord(t, other, job.ID, "between")
		time.Sleep(10 * time.Second)
		sendWord(t, e, job.ID, "end")
		recs := story(t, e, job.ID)
		if end := last(recs).Job; end.State != jobs.Completed || string(end.Result) != `["between","end"]` {
			t.Errorf("got %s, %s", end.State, end.Result)
		}
		for _, rec := range recs {
			if rec.Event.Type == jobs.EventStalled {
				t.Error("a worker that waits for a message is said to be stalled")
			}
		}
		if lines := strings.Join(checkLines(t, e, job.ID), "\n"); !strings.Contains(lines, `"say" was left out`) {
			t.Errorf("the text does not say that a message did not fit: %s", lines)
		}
		if _, err := e.Send(t.Context(), jobs.SendRequest{ID: job.ID, Name: "say"}); jobs.ProblemOf(err).Code != jobs.CodeConflict {
			t.Errorf("to a finished job: got %v, want conflict", err)
		}
		if _, err := e.Send(t.Context(), jobs.SendRequest{ID: "nobody", Name: "say"}); jobs.ProblemOf(err).Code != jobs.CodeNotFound {
			t.Errorf("to no job: got %v", err)
		}
	})
}

// TestMessagesSurviveACrash kills the server after each of its writes; what was not received comes to the next run, and
// what was received long ago does not.
func TestMessagesSurviveACrash(t *testing.T) {
	for writes := 1; writes < 12; writes++ {
		synctest.Test(t, func(t *testing.T) {
			store := memory.New()
			dying := newMortalStore(store, -1, writes%2 == 0)
			first, other := openEngine(t, dying, "n1", hearIt), openEngine(t, store, "n2")
			job, _, err := first.Start(t.Context(), jobs.StartRequest{Kind: "hears"})
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			dying.dieAfter(writes)
			var want []string
			for i := range 8 {
				want = append(want, fmt.Sprint("w", i))
				sendWord(t, other, job.ID, want[i])
				time.Sleep(time.Second)
			}
			dying.kill()
			closeEngine(t, first)
			second := openEngine(t, store, "n1", hearIt)
			sendWord(t, other, job.ID, "end")
			end := last(story(t, second, job.ID)).Job
			closeEngine(t, second)
			closeEngine(t, other)
			heard := strings.Split(strings.Trim(string(end.Result), `[]"`), `","`)
			// Both runs together have heard all, and the second goes on at most two before where the first was.
			if end.State != jobs.Completed || len(heard) > 9 || strings.Join(heard, " ") != strings.Join(append(want, "end")[9-len(heard):], " ") {
				t.Errorf("after %d writes: got %s, %q", writes, end.State, heard)
			}
		})
	}
}

func TestUnreadMessagesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := openEngine(t, memory.New(), "n1")
		defer closeEngine(t, e)
		id := startCount(t, e, countArgs{Do: "hang"})
		for i := range maxUnread {
			if _, err := e.Send(t.Context(), jobs.SendRequest{ID: id, Name: "x"}); err != nil {
				t.Fatalf("message %d: %v", i, err)
			}
		}
		if _, err := e.Send(t.Context(), jobs.SendRequest{ID: id, Name: "x"}); jobs.ProblemOf(err).Code != jobs.CodeTooManyRequests {
			t.Errorf("one more: got %v, want too_many_requests", err)
		}
	})
}
