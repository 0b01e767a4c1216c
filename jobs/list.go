package jobs

// MaxListed bounds the jobs in a page, and in one Changes.
const MaxListed = 200

// ListQuery selects jobs.
type ListQuery struct {
	State    State  `json:"state,omitempty"`
	Kind     string `json:"kind,omitempty"`
	Queue    string `json:"queue,omitempty"`
	Tag      string `json:"tag,omitempty"`
	ParentID ID     `json:"parentId,omitempty"` // the children of one job

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

// LogQuery selects log lines: those after line After, or the newest Tail, or those after line After that have Q in
// them.
type LogQuery struct {
	After int64  `json:"after,omitempty"`
	Tail  int    `json:"tail,omitempty"`  // 1 to 1,000; wins over After, and is refused with Q
	Limit int    `json:"limit,omitempty"` // 1 to 1,000 lines; 0 means 200
	Q     string `json:"q,omitempty"`     // a part of a line, in any case of its letters; at most 200 bytes
}

// LogHit is a line in which a search found its words.
type LogHit struct {
	Line int64 `json:"line"`
	LogLine
}

// LogFound is what a search for LogQuery.Q has found, oldest first. A search ends after a second or with Limit lines
// found; More says that there are lines behind LastLine at which it has not looked. It goes on with After = LastLine.
type LogFound struct {
	JobID    ID       `json:"jobId"`
	Hits     []LogHit `json:"hits"`
	LastLine int64    `json:"lastLine"` // the last line that was looked at, or After if there was none
	More     bool     `json:"more"`
}

// Changes are the jobs whose newest state a list must show, and those that it must not show any more. Removed is
// to be looked at first: a job may be in both, where one was removed and another of that name was made.
type Changes struct {
	Jobs    []Job         `json:"jobs"` // at most 200, without Args and Result
	Removed []ID          `json:"removed,omitempty"`
	Gone    []Event       `json:"-"`               // the same as Removed, for those who watch one of them: an event of type EventRemoved each
	Again   bool          `json:"again,omitempty"` // too many were removed to say which: read the list again
	Counts  map[State]int `json:"counts"`          // of all jobs, by state; every state is there
}
