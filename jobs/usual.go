package jobs

// Usual is how long the jobs of a kind take: of the newest runs that completed, at most 100. It is told with a running
// job, from which time was left to guess, and never stored.
type Usual struct {
	Runs       int   `json:"runs"`       // how many were looked at, 3 at least
	MedianMs   int64 `json:"medianMs"`   // half of them took less
	LowMs      int64 `json:"lowMs"`      // a tenth of them took less
	HighMs     int64 `json:"highMs"`     // a tenth of them took more
	SlowMs     int64 `json:"slowMs"`     // one in twenty took more
	Slow       bool  `json:"slow"`       // the job has taken longer than 95 of 100 runs
	PreviousID ID    `json:"previousId"` // the newest of them, whose steps can be laid beside the job's
}
