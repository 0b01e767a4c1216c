// Package index holds the newest snapshot of every job in memory: for lists of jobs, and for who watches
// them. It knows neither where the records come from nor who asks. It runs no goroutine.
package index

import (
	"cmp"
	"container/list"
	"slices"
	"sync"
	"time"

	"jobcast/jobs"
)

// An Index holds the snapshots without arguments and result. Its methods may be called from any goroutine.
type Index struct {
	mu      sync.RWMutex // guards everything below
	jobs    map[jobs.ID]*indexed
	order   []*indexed // oldest first, by CreatedAt and ID
	counts  map[jobs.State]int
	queued  map[string]int // by owner; those without one are not counted
	recent  *list.List     // of *indexed, the one that changed last at the back
	removed removals
	runs    map[string][]ran // of each kind, those that completed, by when they finished
	version uint64           // of the newest change
	changed chan struct{}
	waited  bool // someone waits for changed to be closed
}

type indexed struct {
	job     jobs.Job
	at      time.Time // of the newest event
	version uint64
	owner   string
	recent  *list.Element
}

// New returns an index without jobs.
func New() *Index {
	counts := make(map[jobs.State]int)
	for _, s := range []jobs.State{jobs.Scheduled, jobs.Queued, jobs.Running, jobs.Completed, jobs.Failed, jobs.Cancelled} {
		counts[s] = 0
	}
	return &Index{
		jobs: make(map[jobs.ID]*indexed), counts: counts, queued: make(map[string]int),
		recent: list.New(), removed: newRemovals(), runs: make(map[string][]ran), changed: make(chan struct{}),
	}
}

func compareJobs(a, b *jobs.Job) int {
	return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
}

// Load takes in all jobs that there are, each with its newest record, in any order. They were read after the index
// had version since: a job that is not among them has been removed, if nothing has changed it after that version. Load
// returns those.
func (x *Index) Load(recs []jobs.Record, since uint64) (removed []jobs.ID) {
	x.mu.Lock()
	defer x.mu.Unlock()
	made := make(map[jobs.ID]time.Time, len(recs))
	for _, rec := range recs {
		made[rec.Job.ID] = rec.Job.CreatedAt
	}
	x.order = slices.DeleteFunc(x.order, func(entry *indexed) bool {
		at, there := made[entry.job.ID]
		gone := entry.version <= since && (!there || !at.Equal(entry.job.CreatedAt)) // or it is another one of that name
		if gone {
			x.drop(entry)
			removed = append(removed, entry.job.ID)
		}
		return gone
	})
	for _, rec := range recs {
		if entry, isNew := x.put(rec); isNew {
			x.order = append(x.order, entry)
		}
	}
	slices.SortFunc(x.order, func(a, b *indexed) int { return compareJobs(&a.job, &b.job) })
	return removed
}

// Apply takes in a record, unless it knows it, or a newer one of the job, or that the job was removed; it reports
// whether it has taken it in.
func (x *Index) Apply(rec jobs.Record) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	entry, isNew := x.put(rec)
	if isNew {
		i, _ := x.find(&entry.job)
		x.order = slices.Insert(x.order, i, entry)
	}
	return entry != nil
}

// Job returns the newest snapshot of a job, without arguments and result.
func (x *Index) Job(id jobs.ID) (jobs.Job, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if entry := x.jobs[id]; entry != nil {
		return entry.job, true
	}
	return jobs.Job{}, false
}

// Seq is that of a job's newest record; 0 if it is not there.
func (x *Index) Seq(id jobs.ID) uint64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if entry := x.jobs[id]; entry != nil {
		return entry.job.Seq
	}
	return 0
}

// Made is when a job was made, and whether it is there.
func (x *Index) Made(id jobs.ID) (at time.Time, there bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if entry := x.jobs[id]; entry != nil {
		return entry.job.CreatedAt, true
	}
	return time.Time{}, false
}

// Remove takes out the job that was made at a time, and not a later one of that name. It reports whether it was there.
func (x *Index) Remove(id jobs.ID, made time.Time) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	entry := x.jobs[id]
	if entry == nil || !entry.job.CreatedAt.Equal(made) {
		return false
	}
	if i, there := x.find(&entry.job); there {
		x.order = slices.Delete(x.order, i, i+1)
	}
	x.drop(entry)
	return true
}

// find returns where in order a job is, or would be. mu is held.
func (x *Index) find(j *jobs.Job) (int, bool) {
	return slices.BinarySearchFunc(x.order, j, func(e *indexed, j *jobs.Job) int { return compareJobs(&e.job, j) })
}

// drop forgets an entry, which the caller takes out of order. mu is held.
func (x *Index) drop(entry *indexed) {
	delete(x.jobs, entry.job.ID)
	x.forgetRun(&entry.job)
	x.recent.Remove(entry.recent)
	x.count(entry, -1)
	x.version++
	x.removed.add(jobs.Event{
		Type: jobs.EventRemoved, JobID: entry.job.ID, Seq: entry.job.Seq, Prev: entry.job.Seq - 1, Time: entry.at,
		Attempt: entry.job.Attempt, State: entry.job.State,
	}, entry.job.CreatedAt, x.version)
	x.tell()
}

// tell wakes those who wait for a change. mu is held.
func (x *Index) tell() {
	if x.waited {
		close(x.changed)
		x.changed, x.waited = make(chan struct{}), false
	}
}

// put returns the entry if it has changed, and whether it is a new one, which the caller puts in order. mu is held.
func (x *Index) put(rec jobs.Record) (_ *indexed, isNew bool) {
	rec.Job.Args, rec.Job.Result = nil, nil
	entry := x.jobs[rec.Job.ID]
	if entry != nil && rec.Job.CreatedAt.After(entry.job.CreatedAt) {
		// It is another job of that name: the old one was removed, and that was not told yet.
		if i := slices.Index(x.order, entry); i >= 0 { // Load may have disturbed the order
			x.order = slices.Delete(x.order, i, i+1)
		}
		x.drop(entry)
		entry = nil
	}
	isNew = entry == nil
	switch {
	case isNew && x.removed.has(&rec.Job):
		return nil, false
	case isNew:
		entry = new(indexed)
		x.jobs[rec.Job.ID] = entry
		entry.recent = x.recent.PushBack(entry)
	case rec.Job.Seq <= entry.job.Seq, rec.Job.CreatedAt.Before(entry.job.CreatedAt):
		return nil, false
	default:
		x.count(entry, -1)
		x.recent.MoveToBack(entry.recent)
	}
	entry.job, entry.at = rec.Job, rec.Event.Time
	entry.owner = rec.Owner
	x.remember(&entry.job)
	x.count(entry, 1)
	x.version++
	entry.version = x.version
	x.tell()
	return entry, isNew
}

// count adds an entry to what is counted, or takes it away. mu is held.
func (x *Index) count(entry *indexed, by int) {
	x.counts[entry.job.State] += by
	if entry.owner == "" || entry.job.State != jobs.Queued {
		return
	}
	if x.queued[entry.owner] += by; x.queued[entry.owner] == 0 {
		delete(x.queued, entry.owner)
	}
}

// Queued is how many jobs of an owner wait in the queue.
func (x *Index) Queued(owner string) int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.queued[owner]
}
