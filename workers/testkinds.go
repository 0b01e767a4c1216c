//go:build testkinds

package workers

import (
	"context"

	"jobcast/jobs"
)

// testKinds are kinds of job for the tests of the whole program; the tag testkinds builds them in.
func testKinds() []jobs.Worker {
	panics := jobs.NewKind[struct{}, struct{}]("test.panic")
	return []jobs.Worker{
		panics.Worker(nil, func(context.Context, *jobs.Run, struct{}) (struct{}, error) {
			panic("this worker panics on purpose")
		}),
	}
}
