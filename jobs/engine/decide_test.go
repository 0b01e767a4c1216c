package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"jobcast/jobs"
)

func TestDecide(t *testing.T) {
	order := &cancelOrder{reason: "enough"}
	bad := &jobs.Error{Type: "IOError", Message: "disk full"}
	long := json.RawMessage(`"` + strings.Repeat("x", maxInlineResult) + `"`)
	now := jobs.Job{State: jobs.Running, Attempt: 3, Lost: 1, MaxAttempts: 2, TimeoutMs: 1500, Warnings: 1, Progress: &jobs.Progress{Done: 1, Total: new(4.0), EtaMs: new(int64(9))}}
	for name, c := range map[string]struct {
		out   outcome
		p     policy
		event jobs.EventType
		data  string
		after string // state, attempt, and what else changes
	}{
		"done":                     {outcome{result: json.RawMessage(`7`)}, policy{}, "job.completed", `{"result":7}`, "completed 3 100"},
		"done after a cancel":      {outcome{result: json.RawMessage(`7`)}, policy{cancel: order}, "job.completed", `{"result":7}`, "completed 3 100"},
		"done while the node ends": {outcome{result: json.RawMessage(`7`)}, policy{stopping: true}, "job.completed", `{"result":7}`, "completed 3 100"},
		"done but for a part":      {outcome{result: json.RawMessage(`7`)}, policy{warnings: 2}, "job.completed", `{"result":7,"warnings":2}`, "completed 3"},
		"a long result":            {outcome{result: long}, policy{}, "job.completed", `{}`, "completed 3 100"},
		"cancelled":                {outcome{err: errCancelled}, policy{cancel: order}, "job.cancelled", `{"reason":"enough"}`, "cancelled 3 asked"},
		"cancelled without reason": {outcome{err: bad}, policy{cancel: new(cancelOrder)}, "job.cancelled", ``, "cancelled 3 asked"},
		"both":                     {outcome{err: bad}, policy{cancel: order, stopping: true}, "job.cancelled", `{"reason":"enough"}`, "cancelled 3 asked"},
		"the node stops":           {outcome{err: errStopping}, policy{stopping: true}, "job.queued", `{"reason":"the server that ran the job stops"}`, "queued 2 anew"},
		"an error":                 {outcome{err: errors.New("no")}, policy{}, "job.failed", `{"error":{"type":"error","message":"no","retryable":true,"attempt":3}}`, "failed 3 no"},
		"an error of the job's":    {outcome{err: bad}, policy{}, "job.failed", `{"error":{"type":"IOError","message":"disk full","retryable":true,"attempt":3}}`, "failed 3 disk full"},
		"a problem":                {outcome{err: jobs.NewProblem(jobs.CodeNotFound, "x")}, policy{}, "job.failed", `{"error":{"type":"not_found","message":"Not found: x","retryable":true,"attempt":3}}`, "failed 3 Not found: x"},
		"a panic":                  {outcome{panic: &jobs.Error{Type: "panic", Message: "oh"}}, policy{cancel: order, stopping: true}, "job.failed", `{"error":{"type":"panic","message":"oh","retryable":false,"attempt":3}}`, "failed 3 oh"},
		"too long":                 {outcome{err: errTimeout}, policy{cancel: &cancelOrder{timeout: true}}, "job.failed", `{"error":{"type":"timeout","message":"the run took longer than the 1.5s that it may","code":"timeout","retryable":true,"attempt":3}}`, "failed 3 the run took longer than the 1.5s that it may"},
	} {
		job := now
		v := decide(c.out, c.p, &job)
		v.change(&job)
		after := []string{string(job.State), fmt.Sprint(job.Attempt)}
		if job.State == jobs.Completed && job.Progress.Percent != nil {
			after = append(after, "100")
		}
		if job.CancelRequested {
			after = append(after, "asked")
		}
		if job.Progress == nil && job.StartedAt == nil && job.Warnings == 0 {
			after = append(after, "anew")
		}
		if job.Error != nil {
			after = append(after, job.Error.Message)
		}
		if got := strings.Join(after, " "); v.event != c.event || string(encode(v.data)) != c.data || got != c.after {
			t.Errorf("%s: got %s %s, then %s, want %s %s, then %s", name, v.event, encode(v.data), got, c.event, c.data, c.after)
		}
	}
	if now.Progress.Percent != nil || *now.Progress.EtaMs != 9 || bad.Attempt != 0 {
		t.Error("a snapshot, or the worker's error, was written to")
	}
}

// TestDecideAgain: an attempt that fails is repeated as often, and after as long, as the job, its error and its lost
// workers say.
func TestDecideAgain(t *testing.T) {
	began := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	no := errors.New("no")
	for name, c := range map[string]struct {
		err                    error
		attempt, lost, allowed int
		backoff                *jobs.Backoff
		wait                   time.Duration // until the next attempt; 0: there is none
	}{
		"the last attempt":                 {no, 3, 0, 3, nil, 0},
		"the first of two":                 {no, 1, 0, 2, nil, time.Second},
		"a lost worker uses up no attempt": {no, 3, 1, 3, nil, 2 * time.Second},
		"each wait is the double":          {no, 4, 0, 9, &jobs.Backoff{DelayMs: 500}, 4 * time.Second},
		"up to a bound":                    {no, 80, 0, 99, &jobs.Backoff{DelayMs: 500, MaxMs: 7000}, 7 * time.Second},
		"or always the same":               {no, 4, 0, 9, &jobs.Backoff{Type: jobs.BackoffFixed, DelayMs: 500}, 500 * time.Millisecond},
		"the worker knows better":          {fmt.Errorf("busy: %w", jobs.RetryAfter(no, time.Hour)), 1, 0, 2, nil, time.Hour},
		"the worker has given up":          {fmt.Errorf("bad: %w", jobs.NoRetry(no)), 1, 0, 9, nil, 0},
	} {
		job := jobs.Job{State: jobs.Running, Attempt: c.attempt, Lost: c.lost, MaxAttempts: c.allowed, Worker: "w"}
		v := decide(outcome{err: c.err}, policy{rules: &jobs.Rules{Backoff: c.backoff}, now: func() time.Time { return began }}, &job)
		v.change(&job)
		switch {
		case c.wait == 0 && (v.event != jobs.EventFailed || job.State != jobs.Failed || job.RunAt != nil):
			t.Errorf("%s: got %s, then %s at %v, want failed", name, v.event, job.State, job.RunAt)
		case c.wait != 0 && (v.event != jobs.EventRetrying || job.State != jobs.Scheduled || job.RunAt == nil || !job.RunAt.Equal(began.Add(c.wait))):
			t.Errorf("%s: got %s, then %s at %v, want it again after %v", name, v.event, job.State, job.RunAt, c.wait)
		case c.wait != 0 && (job.Worker != "" || job.Attempt != c.attempt || job.Error == nil || job.Error.Message != c.err.Error()):
			t.Errorf("%s: got worker %q, attempt %d, error %+v", name, job.Worker, job.Attempt, job.Error)
		}
	}
}

func TestDecideLost(t *testing.T) {
	for name, c := range map[string]struct {
		p     policy
		job   jobs.Job
		event jobs.EventType
		after string // state, attempt, lost
	}{
		"once":               {policy{}, jobs.Job{Attempt: 1, MaxAttempts: 1}, jobs.EventQueued, "queued 1 1"},
		"for the third time": {policy{}, jobs.Job{Attempt: 5, Lost: 2, MaxAttempts: 9}, jobs.EventFailed, "failed 5 2"},
		"while it waited":    {policy{}, jobs.Job{Attempt: 5, Lost: 2, Waiting: true, MaxAttempts: 9}, jobs.EventQueued, "queued 4 2"},
		"cancelled":          {policy{cancel: new(cancelOrder)}, jobs.Job{Attempt: 1, MaxAttempts: 9}, jobs.EventCancelled, "cancelled 1 0"},
	} {
		c.job.State = jobs.Running
		v := decideLost(c.p, &c.job)
		v.change(&c.job)
		if got := fmt.Sprint(c.job.State, " ", c.job.Attempt, " ", c.job.Lost); v.event != c.event || got != c.after {
			t.Errorf("%s: got %s, then %s, want %s, then %s", name, v.event, got, c.event, c.after)
		}
	}
}
