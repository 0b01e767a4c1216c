package index

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"strings"

	"jobcast/jobs"
)

// listed is how many jobs a page has if the query does not say.
const listed = 50

// List returns a page of jobs. The error is a *Problem.
func (x *Index) List(q jobs.ListQuery) (jobs.ListPage, error) {
	after, err := after(&q)
	if err != nil {
		return jobs.ListPage{}, err
	}
	limit, words := cmp.Or(q.Limit, listed), strings.Fields(strings.ToLower(q.Query))
	x.mu.RLock()
	defer x.mu.RUnlock()
	page := jobs.ListPage{Jobs: []jobs.Job{}, Counts: maps.Clone(x.counts)}
	var last place
	for entry, place := range x.sorted(q.Sort, after, limit+1, func(j *jobs.Job) bool { return selects(&q, words, j) }) {
		if len(page.Jobs) == limit {
			page.Next = cursor(q.Sort, last)
			break
		}
		page.Jobs, last = append(page.Jobs, entry.job), place
	}
	return page, nil
}

// selects reports whether a query wants a job; words are those of its text, in small letters.
func selects(q *jobs.ListQuery, words []string, j *jobs.Job) bool {
	if q.State != "" && j.State != q.State || q.Kind != "" && j.Kind != q.Kind || q.Queue != "" && j.Queue != q.Queue ||
		q.ParentID != "" && j.ParentID != q.ParentID || q.Tag != "" && !slices.Contains(j.Tags, q.Tag) {
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
func (x *Index) sorted(by jobs.Sort, after *place, count int, wanted func(*jobs.Job) bool) iter.Seq2[*indexed, place] {
	type found struct {
		entry *indexed
		place place
	}
	return func(yield func(*indexed, place) bool) {
		// The jobs lie in the order in which they were made: those two orders end with the page.
		inOrder := by == "" || by == jobs.SortNewest || by == jobs.SortOldest
		var best []found // sorted, at most count
		for i := range x.walk(by, after) {
			entry := x.order[i]
			if !wanted(&entry.job) {
				continue
			}
			at := placeOf(by, &entry.job, entry.at)
			switch {
			case inOrder:
				if count--; !yield(entry, at) || count == 0 {
					return
				}
			case after == nil || compare(by, at, *after) > 0:
				i, _ := slices.BinarySearchFunc(best, at, func(f found, p place) int { return compare(by, f.place, p) })
				if i < count {
					best = slices.Insert(best, i, found{entry, at})[:min(len(best)+1, count)]
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
func (x *Index) walk(by jobs.Sort, after *place) iter.Seq[int] {
	from, to := 0, len(x.order)
	if after != nil && by != jobs.SortChanged && by != jobs.SortTitle {
		at, there := slices.BinarySearchFunc(x.order, *after, func(e *indexed, p place) int {
			return compare(jobs.SortOldest, placeOf(jobs.SortOldest, &e.job, e.at), p)
		})
		switch {
		case by != jobs.SortOldest:
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
			if by == jobs.SortOldest {
				i = from + n
			}
			if !yield(i) {
				return
			}
		}
	}
}
