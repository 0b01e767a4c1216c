package memory_test

import (
	"testing"

	"jobcast/jobs"
	"jobcast/jobs/jobstest"
	"jobcast/jobs/memory"
)

func TestStore(t *testing.T) {
	jobstest.TestStoreInBubble(t, func(*testing.T) jobs.Store { return memory.New() })
}
