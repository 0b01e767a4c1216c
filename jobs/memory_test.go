package jobs_test

import (
	"testing"

	"jobcast/jobs"
	"jobcast/jobs/jobstest"
)

func TestMemoryStore(t *testing.T) {
	jobstest.TestStoreInBubble(t, func(*testing.T) jobs.Store { return jobs.NewMemoryStore() })
}
