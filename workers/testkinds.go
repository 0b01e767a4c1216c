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
	form := jobs.NewKind[formArgs, formArgs]("test.form").Described(jobs.About[formArgs]{
		Title: "Every field", Sentence: "Gives back what it was asked for",
		JobTitle: func(args formArgs) string { return "Form of " + args.Name },
	})
	flood := jobs.NewKind[floodArgs, struct{}]("test.flood")
	says := jobs.NewKind[sayArgs, []string]("test.says")
	return []jobs.Worker{
		panics.Worker(nil, func(context.Context, *jobs.Run, struct{}) (struct{}, error) {
			panic("this worker panics on purpose")
		}),
		flood.Worker(nil, writeFlood),
		testWork(),
		says.Worker(nil, say),
		form.Worker(nil, func(_ context.Context, _ *jobs.Run, args formArgs) (formArgs, error) { return args, nil }),
	}
}

// formArgs have a field of each shape that a form may have to draw.
type formArgs struct {
	Name   string         `json:"name" jsonschema:"title=Name,required,pattern=^[a-z]+$,example=ada" jsonschema_description:"Small letters."`
	Note   string         `json:"note,omitempty" jsonschema:"maxLength=500"`
	Count  int            `json:"count" jsonschema:"minimum=1,maximum=9,default=3"`
	Share  float64        `json:"share,omitempty"`
	Deep   bool           `json:"deep" jsonschema:"title=Look deep"`
	Colour string         `json:"colour" jsonschema:"enum=red,enum=green,default=green"`
	Words  []string       `json:"words,omitempty" jsonschema:"maxItems=2"`
	Sizes  []int          `json:"sizes,omitempty"`
	Inside *inside        `json:"inside,omitempty"`
	Any    map[string]any `json:"any,omitempty"`
}

type inside struct {
	X int `json:"x"`
}

// floodArgs ask for text faster than a page can show it.
type floodArgs struct {
	Lines    int   `json:"lines" jsonschema:"minimum=1,maximum=1000000"`
	Burst    int   `json:"burst" jsonschema:"minimum=1,maximum=10000"`          // lines at once
	Every    int   `json:"every,omitempty" jsonschema:"minimum=1,maximum=1000"` // milliseconds from one burst to the next; 0 means 1
	Warnings int64 `json:"warnings,omitempty"`
}

func writeFlood(ctx context.Context, run *jobs.Run, args floodArgs) (struct{}, error) {
	run.Warn(args.Warnings)
	for n := 0; n < args.Lines && ctx.Err() == nil; {
		for range min(args.Burst, args.Lines-n) {
			n++
			run.Log(slog.LevelInfo, fmt.Sprintf("line %d of the flood, of a length that lines of a log commonly have", n))
		}
		run.Progress(float64(n), float64(args.Lines), "lines", "")
		time.Sleep(time.Duration(max(args.Every, 1)) * time.Millisecond)
	}
	return struct{}{}, ctx.Err()
}

// sayArgs ask for custom events and live values, or for what the worker is told.
type sayArgs struct {
	Pages int  `json:"pages,omitempty" jsonschema:"maximum=1000"`
	Hear  bool `json:"hear,omitempty"`
	Quiet int  `json:"quiet,omitempty" jsonschema:"maximum=60000"` // milliseconds of silence in the end
}

type pageEvent struct {
	N int `json:"n"`
}

var (
	pageReported = jobs.NewEvent[pageEvent]("report:page")
	pageReserved = jobs.NewEvent[pageEvent]("job:completed") // which must not be taken for the end
)

func say(ctx context.Context, run *jobs.Run, args sayArgs) ([]string, error) {
	if args.Hear {
		return hear(ctx, run)
	}
	if err := pageReserved.Emit(ctx, run, pageEvent{0}); err != nil {
		return nil, err
	}
	for n := range args.Pages {
		if err := pageReported.Emit(ctx, run, pageEvent{n + 1}); err != nil {
			return nil, err
		}
		if err := run.Set("page", n+1); err != nil {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
	}
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-time.After(time.Duration(args.Quiet) * time.Millisecond):
	}
	return nil, nil
}

var (
	told  = jobs.NewMessage[string]("tell")
	heard = jobs.NewEvent[string]("heard")
)

// hear says again what it is told, until it is told to end.
func hear(ctx context.Context, run *jobs.Run) ([]string, error) {
	var all []string
	for {
		text, err := told.Receive(ctx, run)
		if err != nil {
			return nil, err
		}
		if text == "end" {
			return all, nil
		}
		all = append(all, text)
		if err := heard.Emit(ctx, run, text); err != nil {
			return nil, err
		}
	}
}
