package index

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"jobcast/jobs"
)

// maxQueryLength bounds what is searched for, in bytes.
const maxQueryLength = 500

// place is where a job stands in a list.
type place struct {
	id  jobs.ID
	at  time.Time // when it was made, or of its newest event
	key string    // what comes before at: a title in small letters
}

// placeOf is the place of a job whose newest event was at a time.
func placeOf(by jobs.Sort, j *jobs.Job, changed time.Time) place {
	p := place{id: j.ID, at: j.CreatedAt}
	switch by {
	case jobs.SortChanged:
		p.at = changed
	case jobs.SortTitle:
		p.key = strings.ToLower(cmp.Or(j.Title, j.Kind))
	}
	return p
}

// compare is negative where a comes before b in a list.
func compare(by jobs.Sort, a, b place) int {
	newest := cmp.Or(b.at.Compare(a.at), cmp.Compare(b.id, a.id))
	if by == jobs.SortOldest {
		return -newest
	}
	return cmp.Or(cmp.Compare(a.key, b.key), newest)
}

// cursor is the cursor of the page that goes on after a place.
func cursor(by jobs.Sort, p place) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s %d %s %s", cmp.Or(by, jobs.SortNewest), p.at.UnixMicro(), p.id, p.key))
}

// after checks a query, and returns the place that its page comes after; nil means that it is the first. The error is a *jobs.Problem.
func after(q *jobs.ListQuery) (*place, error) {
	switch {
	case q.Limit < 0 || q.Limit > jobs.MaxListed:
		return nil, jobs.BadRequest("/limit", fmt.Sprintf("must be 1 to %d", jobs.MaxListed))
	case q.State != "" && !slices.Contains([]jobs.State{jobs.Scheduled, jobs.Queued, jobs.Running, jobs.Completed, jobs.Failed, jobs.Cancelled}, q.State):
		return nil, jobs.BadRequest("/state", "must be one of scheduled, queued, running, completed, failed, cancelled")
	case q.Sort != "" && !slices.Contains([]jobs.Sort{jobs.SortNewest, jobs.SortOldest, jobs.SortChanged, jobs.SortTitle}, q.Sort):
		return nil, jobs.BadRequest("/sort", "must be one of newest, oldest, changed, title")
	case len(q.Query) > maxQueryLength:
		return nil, jobs.BadRequest("/q", fmt.Sprintf("must have at most %d bytes", maxQueryLength))
	case q.Cursor == "":
		return nil, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(q.Cursor)
	parts := strings.SplitN(string(raw), " ", 4)
	if err != nil || len(parts) != 4 {
		return nil, jobs.BadRequest("/cursor", wrongCursor)
	}
	micros, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil || jobs.Sort(parts[0]) != cmp.Or(q.Sort, jobs.SortNewest) {
		return nil, jobs.BadRequest("/cursor", wrongCursor)
	}
	return &place{id: jobs.ID(parts[2]), at: time.UnixMicro(micros), key: parts[3]}, nil
}

const wrongCursor = "is not a cursor that this server gave out for a list in this order"
