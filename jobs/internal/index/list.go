package index

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"strings"

	"jobcast/jobs/job"
)

// listed is how many jobs a page has if the query does not say.
const listed = 50

// List returns a page of jobs. The error is a *Problem.
func (x *Index) List(q job.ListQuery) (job.ListPage, error) {
	after, err := q.After()
	if err != nil {
		return job.ListPage{}, err
	}
	limit, words := cmp.Or(q.Limit, listed), strings.Fields(strings.ToLower(q.Query))
	x.mu.RLock()
	defer x.mu.RUnlock()
	page := job.ListPage{Jobs: []job.Job{}, Counts: maps.Clone(x.counts)}
	var last job.Place
	for entry, place := range x.sorted(q.Sort, after, limit+1, func(j *job.Job) bool { return selects(&q, words, j) }) {
		if len(page.Jobs) == limit {
			page.Next = q.Sort.Cursor(last)
			break
		}
		page.Jobs, last = append(page.Jobs, entry.job), place
	}
	return page, nil
}

// selects reports whether a query wants a job; words are those of its text, in small letters.
func selects(q *job.ListQuery, words []string, j *job.Job) bool {
	if q.State != "" && j.State != q.State || q.Kind != "" && j.Kind != q.Kind || q.Tag != "" && !slices.Contains(j.Tags, q.Tag) {
		return false
	}
	if len(words) == 0 {
		return true
	}
	texts := append([]string{string(j.ID), j.Kind, j.Title}, j.Tags...)
	for i := range texts {
		texts[i] = strings.ToLower(texts[i])
	}
	for _, word := range words {
		if !slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, word) }) {
			return false
		}
	}
	return true
}

// sorted yields the first count jobs that are wanted after a place. mu is held.
func (x *Index) sorted(by job.Sort, after *job.Place, count int, wanted func(*job.Job) bool) iter.Seq2[*indexed, job.Place] {
	type found struct {
		entry *indexed
		place job.Place
	}
	return func(yield func(*indexed, job.Place) bool) {
		// The jobs lie in the order in which they were made: those two orders end with the page.
		inOrder := by == "" || by == job.SortNewest || by == job.SortOldest
		var best []found // sorted, at most count
		for i := range x.walk(by, after) {
			entry := x.order[i]
			if !wanted(&entry.job) {
				continue
			}
			place := by.PlaceOf(&entry.job, entry.at)
			switch {
			case inOrder:
				if count--; !yield(entry, place) || count == 0 {
					return
				}
			case after == nil || by.Compare(place, *after) > 0:
				at, _ := slices.BinarySearchFunc(best, place, func(f found, p job.Place) int { return by.Compare(f.place, p) })
				if at < count {
					best = slices.Insert(best, at, found{entry, place})[:min(len(best)+1, count)]
				}
			}
		}
		for _, f := range best {
			if !yield(f.entry, f.place) {
				return
			}
		}
	}
}

// walk yields the positions in order at which a page may find its jobs, the first to look at first. mu is held.
func (x *Index) walk(by job.Sort, after *job.Place) iter.Seq[int] {
	from, to := 0, len(x.order)
	if after != nil && by != job.SortChanged && by != job.SortTitle {
		at, there := slices.BinarySearchFunc(x.order, *after, func(e *indexed, p job.Place) int {
			return job.SortOldest.Compare(job.SortOldest.PlaceOf(&e.job, e.at), p)
		})
		switch {
		case by != job.SortOldest:
			to = at
		case there:
			from = at + 1
		default:
			from = at
		}
	}
	return func(yield func(int) bool) {
		for n := range to - from {
			i := to - 1 - n
			if by == job.SortOldest {
				i = from + n
			}
			if !yield(i) {
				return
			}
		}
	}
}
