//go:build testkinds

package workers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"jobcast/jobs"
)

// workArgs say how long a run takes, and how many fail.
type workArgs struct {
	Steps int `json:"steps" jsonschema:"minimum=1,maximum=10000"`
	Every int `json:"every" jsonschema:"minimum=1,maximum=10000"` // milliseconds that each step takes
	Fail  int `json:"fail,omitempty" jsonschema:"minimum=0"`      // the runs of attempts up to this one end with an error
}

type workResult struct {
	Attempt int `json:"attempt"`
}

// testWork reports each of its steps, and a line for each.
func testWork() jobs.Worker {
	kind := jobs.NewKind[workArgs, workResult]("test.work")
	return kind.Worker(nil, func(ctx context.Context, run *jobs.Run, args workArgs) (workResult, error) {
		for n := range args.Steps {
			run.Progress(float64(n), float64(args.Steps), "step", fmt.Sprint("step ", n+1))
			run.Log(slog.LevelInfo, fmt.Sprintf("attempt %d, step %d", run.Attempt(), n+1))
			select {
			case <-ctx.Done():
				return workResult{}, ctx.Err()
			case <-time.After(time.Duration(args.Every) * time.Millisecond):
			}
		}
		if run.Attempt() <= args.Fail {
			return workResult{}, errors.New("this run fails on purpose")
		}
		return workResult{run.Attempt()}, nil
	})
}
