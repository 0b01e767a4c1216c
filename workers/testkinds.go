//go:build testkinds

package workers

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"jobcast/jobs"
)

// testKinds are kinds of job for the tests of the whole program; the tag testkinds builds them in.
func testKinds() []jobs.Worker {
	panics := jobs.NewKind[struct{}, struct{}]("test.panic")
	flood := jobs.NewKind[floodArgs, struct{}]("test.flood")
	return []jobs.Worker{
		panics.Worker(nil, func(context.Context, *jobs.Run, struct{}) (struct{}, error) {
			panic("this worker panics on purpose")
		}),
		flood.Worker(nil, writeFlood),
	}
}

// floodArgs ask for text faster than a page can show it.
type floodArgs struct {
	Lines int `json:"lines" jsonschema:"minimum=1,maximum=1000000"`
	Burst int `json:"burst" jsonschema:"minimum=1,maximum=10000"` // lines in each millisecond
}

func writeFlood(ctx context.Context, run *jobs.Run, args floodArgs) (struct{}, error) {
	for n := 0; n < args.Lines && ctx.Err() == nil; {
		for range min(args.Burst, args.Lines-n) {
			n++
			run.Log(slog.LevelInfo, fmt.Sprintf("line %d of the flood, of a length that lines of a log commonly have", n))
		}
		run.Progress(float64(n), float64(args.Lines), "lines", "")
		time.Sleep(time.Millisecond)
	}
	return struct{}{}, ctx.Err()
}
