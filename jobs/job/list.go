package job

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MaxListed bounds the jobs in a page, and in one Changes.
const MaxListed = 200

// maxQueryLength bounds what is searched for, in bytes.
const maxQueryLength = 500

// ListQuery selects jobs.
type ListQuery struct {
	State State  `json:"state,omitempty"`
	Kind  string `json:"kind,omitempty"`
	Tag   string `json:"tag,omitempty"`

	// Query is words. Each must be a part of the id, the kind, the title or a tag, in any case of its
	// letters.
	Query string `json:"q,omitempty"`

	Sort   Sort   `json:"sort,omitempty"`   // empty means newest
	Limit  int    `json:"limit,omitempty"`  // 1 to 200; 0 means 50
	Cursor string `json:"cursor,omitempty"` // ListPage.Next of the page before, which had the same Sort
}

// Sort is the order of a list.
type Sort string

// The orders: by the time when the jobs were made; by that of their newest event, the newest first; by title,
// in any case of its letters.
const (
	SortNewest  Sort = "newest"
	SortOldest  Sort = "oldest"
	SortChanged Sort = "changed"
	SortTitle   Sort = "title"
)

// ListPage is a part of a list. Its jobs come without Args and Result.
type ListPage struct {
	Jobs   []Job         `json:"jobs"`
	Next   string        `json:"next,omitempty"`
	Counts map[State]int `json:"counts"` // of all jobs, by state; every state is there
}

// A Place is where a job stands in a list.
type Place struct {
	ID  ID
	At  time.Time // when it was made, or of its newest event
	Key string    // what comes before At: a title in small letters
}

// PlaceOf is the place of a job whose newest event was at a time.
func (s Sort) PlaceOf(j *Job, changed time.Time) Place {
	p := Place{ID: j.ID, At: j.CreatedAt}
	switch s {
	case SortChanged:
		p.At = changed
	case SortTitle:
		p.Key = strings.ToLower(cmp.Or(j.Title, j.Kind))
	}
	return p
}

// Compare is negative where a comes before b in a list.
func (s Sort) Compare(a, b Place) int {
	newest := cmp.Or(b.At.Compare(a.At), cmp.Compare(b.ID, a.ID))
	if s == SortOldest {
		return -newest
	}
	return cmp.Or(cmp.Compare(a.Key, b.Key), newest)
}

// Cursor is the cursor of the page that goes on after a place.
func (s Sort) Cursor(p Place) string {
	if s == "" {
		s = SortNewest
	}
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s %d %s %s", s, p.At.UnixMicro(), p.ID, p.Key))
}

// After returns the place that the page comes after; nil means that it is the first. The error is a *Problem.
func (q *ListQuery) After() (*Place, error) {
	switch {
	case q.Limit < 0 || q.Limit > MaxListed:
		return nil, BadRequest("/limit", fmt.Sprintf("must be 1 to %d", MaxListed))
	case q.State != "" && !slices.Contains([]State{Scheduled, Queued, Running, Completed, Failed, Cancelled}, q.State):
		return nil, BadRequest("/state", "must be one of scheduled, queued, running, completed, failed, cancelled")
	case q.Sort != "" && !slices.Contains([]Sort{SortNewest, SortOldest, SortChanged, SortTitle}, q.Sort):
		return nil, BadRequest("/sort", "must be one of newest, oldest, changed, title")
	case len(q.Query) > maxQueryLength:
		return nil, BadRequest("/q", fmt.Sprintf("must have at most %d bytes", maxQueryLength))
	case q.Cursor == "":
		return nil, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(q.Cursor)
	parts := strings.SplitN(string(raw), " ", 4)
	if err != nil || len(parts) != 4 {
		return nil, BadRequest("/cursor", wrongCursor)
	}
	micros, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil || Sort(parts[0]) != cmp.Or(q.Sort, SortNewest) {
		return nil, BadRequest("/cursor", wrongCursor)
	}
	return &Place{ID: ID(parts[2]), At: time.UnixMicro(micros), Key: parts[3]}, nil
}

const wrongCursor = "is not a cursor that this server gave out for a list in this order"
