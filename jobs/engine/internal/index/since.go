package index

import (
	"container/list"
	"maps"
	"time"

	"jobcast/jobs"
)

const (
	// keptRemovals is how many removals are remembered; the oldest go. Who is further behind is told to read
	// the list again.
	keptRemovals = 10_000
	// toldRemovals is how many of them one Changes has at most.
	toldRemovals = 1000
)

// removals remembers which jobs were removed last.
type removals struct {
	order     *list.List // of removal, the newest at the back
	by        map[jobs.ID]*list.Element
	forgotten uint64 // the version of the newest removal that is not remembered any more
}

type removal struct {
	id      jobs.ID
	last    jobs.Event // the newest of its log
	made    time.Time  // when the job was made; zero: there is another one of that name since
	version uint64
}

func newRemovals() removals {
	return removals{order: list.New(), by: make(map[jobs.ID]*list.Element)}
}

func (r *removals) add(last jobs.Event, made time.Time, version uint64) {
	id := last.JobID
	if older := r.by[id]; older != nil {
		r.order.Remove(older)
	}
	r.by[id] = r.order.PushBack(&removal{id, last, made, version})
	if r.order.Len() > keptRemovals {
		oldest := r.order.Remove(r.order.Front()).(*removal)
		delete(r.by, oldest.id)
		r.forgotten = oldest.version
	}
}

// has reports whether a job was removed, so that what is said of it comes late. Of a job of the same name that was
// made later it takes note.
func (r *removals) has(j *jobs.Job) bool {
	at := r.by[j.ID]
	if at == nil {
		return false
	}
	gone := at.Value.(*removal)
	if j.CreatedAt.Equal(gone.made) && j.Seq > 1 {
		return true
	}
	gone.made = time.Time{}
	return false
}

// Since returns what has changed after a version, the first to change first: at most jobs.MaxListed jobs and 1,000
// that were removed; and the version to ask for next. If nothing has, wait is closed when something does. Of whom
// the index has forgotten removals, it knows that the list must be read again, which Changes.Again says.
func (x *Index) Since(version uint64) (c jobs.Changes, next uint64, wait <-chan struct{}) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.version <= version {
		x.waited = true
		return c, version, x.changed
	}
	c.Jobs, c.Counts = []jobs.Job{}, maps.Clone(x.counts)
	if version < x.removed.forgotten {
		c.Again = true
		return c, x.version, nil
	}
	changed := newerThan(x.recent, version, func(v any) uint64 { return v.(*indexed).version })
	removed := newerThan(x.removed.order, version, func(v any) uint64 { return v.(*removal).version })
	for changed != nil || removed != nil {
		if removed == nil || changed != nil && changed.Value.(*indexed).version < removed.Value.(*removal).version {
			if len(c.Jobs) == jobs.MaxListed {
				return c, version, nil
			}
			entry := changed.Value.(*indexed)
			c.Jobs, version = append(c.Jobs, entry.job), entry.version
			changed = changed.Next()
			continue
		}
		if len(c.Removed) == toldRemovals {
			return c, version, nil
		}
		gone := removed.Value.(*removal)
		c.Removed, version = append(c.Removed, gone.id), gone.version
		c.Gone = append(c.Gone, gone.last)
		removed = removed.Next()
	}
	return c, x.version, nil
}

// newerThan returns the first element of a list, which is in order, that has a version after the given one, or nil.
func newerThan(l *list.List, version uint64, of func(any) uint64) *list.Element {
	var first *list.Element
	for p := l.Back(); p != nil && of(p.Value) > version; p = p.Prev() {
		first = p
	}
	return first
}

// Version is that of the newest change.
func (x *Index) Version() uint64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.version
}
