package jobs

import (
	"cmp"
	"container/list"
	"context"
	"encoding/base64"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	defaultListed = 50
	maxListed     = 200 // jobs in a page, and in one Changes
)

// index holds the newest snapshot of every job, without arguments and result.
type index struct {
	mu      sync.RWMutex // guards everything below
	jobs    map[ID]*indexed
	order   []*indexed // oldest first, by CreatedAt and ID
	counts  map[State]int
	recent  *list.List // of *indexed, the one that changed last at the back
	version uint64     // of the newest change
	changed chan struct{}
	waited  bool // someone waits for changed to be closed
}

type indexed struct {
	job     Job
	at      time.Time // of the newest event
	version uint64
	recent  *list.Element
}

func newIndex() *index {
	counts := make(map[State]int)
	for _, s := range []State{Scheduled, Queued, Running, Completed, Failed, Cancelled} {
		counts[s] = 0
	}
	return &index{jobs: make(map[ID]*indexed), counts: counts, recent: list.New(), changed: make(chan struct{})}
}

func compareJobs(a, b *Job) int {
	return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
}

// load takes in many records at once, in any order.
func (x *index) load(recs []Record) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, rec := range recs {
		if entry := x.put(rec); entry != nil {
			x.order = append(x.order, entry)
		}
	}
	slices.SortFunc(x.order, func(a, b *indexed) int { return compareJobs(&a.job, &b.job) })
}

// apply takes in a record, unless it knows a newer one of the job.
func (x *index) apply(rec Record) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if entry := x.put(rec); entry != nil {
		i, _ := slices.BinarySearchFunc(x.order, &entry.job, func(e *indexed, job *Job) int { return compareJobs(&e.job, job) })
		x.order = slices.Insert(x.order, i, entry)
	}
}

// put returns the entry if it is a new one, which the caller puts in order. mu is held.
func (x *index) put(rec Record) *indexed {
	rec.Job.Args, rec.Job.Result = nil, nil
	entry := x.jobs[rec.Job.ID]
	isNew := entry == nil
	switch {
	case isNew:
		entry = new(indexed)
		x.jobs[rec.Job.ID] = entry
		entry.recent = x.recent.PushBack(entry)
	case rec.Job.Seq <= entry.job.Seq:
		return nil
	default:
		x.counts[entry.job.State]--
		x.recent.MoveToBack(entry.recent)
	}
	entry.job, entry.at = rec.Job, rec.Event.Time
	x.counts[rec.Job.State]++
	x.version++
	entry.version = x.version
	if x.waited {
		close(x.changed)
		x.changed, x.waited = make(chan struct{}), false
	}
	if !isNew {
		return nil
	}
	return entry
}

// unfinished are the jobs that have not ended and that nothing has happened to since a time.
func (x *index) unfinished(since time.Time) []ID {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var ids []ID
	for _, entry := range x.order {
		if !entry.job.State.Terminal() && !entry.at.After(since) {
			ids = append(ids, entry.job.ID)
		}
	}
	return ids
}

// since returns at most maxListed jobs that have changed after a version, the first to change first,
// and the version to ask for next. If there are none, wait is closed when there are.
func (x *index) since(version uint64) (c Changes, next uint64, wait <-chan struct{}) {
	x.mu.Lock()
	defer x.mu.Unlock()
	from := x.recent.Back()
	if from == nil || from.Value.(*indexed).version <= version {
		x.waited = true
		return c, version, x.changed
	}
	for p := from.Prev(); p != nil && p.Value.(*indexed).version > version; p = p.Prev() {
		from = p
	}
	for ; from != nil && len(c.Jobs) < maxListed; from = from.Next() {
		entry := from.Value.(*indexed)
		c.Jobs = append(c.Jobs, entry.job)
		version = entry.version
	}
	c.Counts = maps.Clone(x.counts)
	return c, version, nil
}

// List returns a page of jobs, newest first, out of the memory of this node. The error is a *Problem.
func (e *Engine) List(q ListQuery) (ListPage, error) {
	before, err := q.check()
	if err != nil {
		return ListPage{}, err
	}
	limit, text := cmp.Or(q.Limit, defaultListed), strings.ToLower(q.Query)
	x := e.index
	x.mu.RLock()
	defer x.mu.RUnlock()
	page := ListPage{Jobs: []Job{}, Counts: maps.Clone(x.counts)}
	end := len(x.order)
	if before != nil {
		end, _ = slices.BinarySearchFunc(x.order, before, func(e *indexed, job *Job) int { return compareJobs(&e.job, job) })
	}
	for i := end - 1; i >= 0; i-- {
		job := &x.order[i].job
		if q.State != "" && job.State != q.State || q.Kind != "" && job.Kind != q.Kind ||
			q.Tag != "" && !slices.Contains(job.Tags, q.Tag) ||
			text != "" && !strings.Contains(strings.ToLower(string(job.ID)), text) && !strings.Contains(job.Kind, text) {
			continue
		}
		if len(page.Jobs) == limit {
			page.Next = cursorAfter(&page.Jobs[limit-1])
			break
		}
		page.Jobs = append(page.Jobs, *job)
	}
	return page, nil
}

// check returns the job that the page comes before, in the order of creation; nil means the newest.
func (q *ListQuery) check() (*Job, error) {
	switch {
	case q.Limit < 0 || q.Limit > maxListed:
		return nil, BadRequest("/limit", fmt.Sprintf("must be 1 to %d", maxListed))
	case q.State != "" && !slices.Contains([]State{Scheduled, Queued, Running, Completed, Failed, Cancelled}, q.State):
		return nil, BadRequest("/state", "must be one of scheduled, queued, running, completed, failed, cancelled")
	case q.Cursor == "":
		return nil, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(q.Cursor)
	at, id, ok := strings.Cut(string(raw), " ")
	micros, numErr := strconv.ParseInt(at, 10, 64)
	if err != nil || !ok || numErr != nil {
		return nil, BadRequest("/cursor", "is not a cursor that this server gave out")
	}
	return &Job{ID: ID(id), CreatedAt: time.UnixMicro(micros)}, nil
}

func cursorAfter(job *Job) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d %s", job.CreatedAt.UnixMicro(), job.ID))
}

// Watch yields what has changed in the list of jobs, at most every interval and only the newest state
// of each, until ctx is done. It starts with the first change after the call of Watch itself: who calls
// Watch, then List, and then ranges misses nothing. When the engine closes, it yields ErrClosed.
func (e *Engine) Watch(ctx context.Context, interval time.Duration) iter.Seq2[Changes, error] {
	e.index.mu.RLock()
	version := e.index.version
	e.index.mu.RUnlock()
	return func(yield func(Changes, error) bool) {
		seen := version
		for ctx.Err() == nil {
			changes, next, wait := e.index.since(seen)
			if wait != nil {
				select {
				case <-wait:
					continue
				case <-ctx.Done():
					return
				case <-e.work.Done():
					yield(Changes{}, ErrClosed)
					return
				}
			}
			seen = next
			if !yield(changes, nil) {
				return
			}
			pause := time.NewTimer(interval)
			select {
			case <-pause.C:
			case <-ctx.Done():
			case <-e.work.Done():
			}
			pause.Stop()
		}
	}
}
