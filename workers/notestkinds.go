//go:build !testkinds

package workers

import "jobcast/jobs"

func testKinds() []jobs.Worker { return nil }
