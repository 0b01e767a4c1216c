package index

import "jobcast/jobs"

// Finished is how many jobs have finished.
func (x *Index) Finished() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.counts[jobs.Completed] + x.counts[jobs.Failed] + x.counts[jobs.Cancelled]
}

// OldestFinished returns at most n jobs that have finished, those that were made first.
func (x *Index) OldestFinished(n int) []jobs.ID {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var ids []jobs.ID
	for _, entry := range x.order {
		if len(ids) >= n {
			break
		}
		if entry.job.State.Terminal() {
			ids = append(ids, entry.job.ID)
		}
	}
	return ids
}
