package engine

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"jobcast/jobs"
)

func TestDecide(t *testing.T) {
	order := &cancelOrder{reason: "enough"}
	bad := &jobs.Error{Type: "IOError", Message: "disk full"}
	long := json.RawMessage(`"` + strings.Repeat("x", maxInlineResult) + `"`)
	now := jobs.Job{State: jobs.Running, Attempt: 2, MaxAttempts: 3, Warnings: 1, Progress: &jobs.Progress{Done: 1, Total: new(4.0), EtaMs: new(int64(9))}}
	for name, c := range map[string]struct {
		out   outcome
		p     policy
		event jobs.EventType
		data  string
		after string // state, attempt, and what else changes
	}{
		"done":                     {outcome{result: json.RawMessage(`7`)}, policy{}, "job.completed", `{"result":7}`, "completed 2 100"},
		"done after a cancel":      {outcome{result: json.RawMessage(`7`)}, policy{cancel: order}, "job.completed", `{"result":7}`, "completed 2 100"},
		"done while the node ends": {outcome{result: json.RawMessage(`7`)}, policy{stopping: true}, "job.completed", `{"result":7}`, "completed 2 100"},
		"done but for a part":      {outcome{result: json.RawMessage(`7`)}, policy{warnings: 2}, "job.completed", `{"result":7,"warnings":2}`, "completed 2"},
		"a long result":            {outcome{result: long}, policy{}, "job.completed", `{}`, "completed 2 100"},
		"cancelled":                {outcome{err: errCancelled}, policy{cancel: order}, "job.cancelled", `{"reason":"enough"}`, "cancelled 2 asked"},
		"cancelled without reason": {outcome{err: bad}, policy{cancel: new(cancelOrder)}, "job.cancelled", ``, "cancelled 2 asked"},
		"both":                     {outcome{err: bad}, policy{cancel: order, stopping: true}, "job.cancelled", `{"reason":"enough"}`, "cancelled 2 asked"},
		"the node stops":           {outcome{err: errStopping}, policy{stopping: true}, "job.queued", `{"reason":"the node that ran the job stops"}`, "queued 1 anew"},
		"an error":                 {outcome{err: errors.New("no")}, policy{}, "job.failed", `{"error":{"type":"error","message":"no","retryable":false,"attempt":2}}`, "failed 2 no"},
		"an error of the job's":    {outcome{err: bad}, policy{}, "job.failed", `{"error":{"type":"IOError","message":"disk full","retryable":false,"attempt":2}}`, "failed 2 disk full"},
		"a problem":                {outcome{err: jobs.NewProblem(jobs.CodeNotFound, "x")}, policy{}, "job.failed", `{"error":{"type":"not_found","message":"Not found: x","retryable":false,"attempt":2}}`, "failed 2 Not found: x"},
		"a panic":                  {outcome{panic: &jobs.Error{Type: "panic", Message: "oh"}}, policy{cancel: order, stopping: true}, "job.failed", `{"error":{"type":"panic","message":"oh","retryable":false,"attempt":2}}`, "failed 2 oh"},
	} {
		job := now
		v := decide(c.out, c.p, &job)
		v.change(&job)
		after := []string{string(job.State), map[int]string{1: "1", 2: "2"}[job.Attempt]}
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
