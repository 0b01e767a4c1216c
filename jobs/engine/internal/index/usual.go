package index

import (
	"slices"
	"time"

	"jobcast/jobs"
)

const (
	keptRuns = 100 // of each kind, whose times are remembered; the oldest go
	fewRuns  = 3   // with fewer, nothing is said of a kind
)

// ran is a run that completed.
type ran struct {
	id       jobs.ID
	finished time.Time
	took     time.Duration
}

// remember takes note of how long a job took that completed. mu is held.
func (x *Index) remember(j *jobs.Job) {
	if j.State != jobs.Completed || j.StartedAt == nil || j.FinishedAt == nil {
		return
	}
	runs := x.runs[j.Kind]
	i, _ := slices.BinarySearchFunc(runs, *j.FinishedAt, func(r ran, t time.Time) int { return r.finished.Compare(t) })
	runs = slices.Insert(runs, i, ran{j.ID, *j.FinishedAt, j.FinishedAt.Sub(*j.StartedAt)})
	if len(runs) > keptRuns {
		runs = slices.Delete(runs, 0, 1)
	}
	x.runs[j.Kind] = runs
}

// forgetRun takes out the run of a job that was removed. mu is held.
func (x *Index) forgetRun(j *jobs.Job) {
	if j.State != jobs.Completed {
		return
	}
	runs := slices.DeleteFunc(x.runs[j.Kind], func(r ran) bool { return r.id == j.ID })
	if x.runs[j.Kind] = runs; len(runs) == 0 {
		delete(x.runs, j.Kind)
	}
}

// Usual says how long jobs of a kind take, or nil if too few have completed. Slow is left to the caller.
func (x *Index) Usual(kind string) *jobs.Usual {
	x.mu.RLock()
	runs := slices.Clone(x.runs[kind])
	x.mu.RUnlock()
	if len(runs) < fewRuns {
		return nil
	}
	previous := runs[len(runs)-1].id
	slices.SortFunc(runs, func(a, b ran) int { return int(a.took - b.took) })
	at := func(share float64) int64 {
		return runs[min(int(share*float64(len(runs))), len(runs)-1)].took.Milliseconds()
	}
	return &jobs.Usual{Runs: len(runs), MedianMs: at(0.5), LowMs: at(0.1), HighMs: at(0.9), SlowMs: at(0.95), PreviousID: previous}
}
