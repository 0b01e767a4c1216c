package workers

import (
	"context"
	"strings"
	"time"

	"jobcast/jobs"
	"jobcast/workers/internal/names"
)

// TaskTime is how long the tutorials' background task takes.
const TaskTime = 5 * time.Second

// Task is the tutorials' background task as a job: it does nothing for five seconds and says how far it
// is. It stands for work, and is the shortest example of a kind.
var Task = jobs.NewKind[TaskArgs, TaskResult]("task").Described(jobs.About[TaskArgs]{
	Title:    "Background task",
	Sentence: "The tutorial’s work: five seconds of it",
	JobTitle: func(args TaskArgs) string { return strings.TrimSpace("Background task " + names.Show(args.Param)) },
})

// TaskArgs are the arguments of Task.
type TaskArgs struct {
	Param string `json:"param" jsonschema:"title=Parameter" jsonschema_description:"Any text. It changes nothing."`
}

// TaskResult is the result of Task.
type TaskResult struct {
	Code string `json:"code"` // "200"
	Msg  string `json:"msg"`
}

func newTask() jobs.Worker { return Task.Worker(nil, runTask) }

func runTask(ctx context.Context, r *jobs.Run, _ TaskArgs) (TaskResult, error) {
	const parts = 20
	for i := range parts {
		r.Progress(float64(i), parts, "", "processing")
		select {
		case <-time.After(TaskTime / parts):
		case <-ctx.Done():
			return TaskResult{}, context.Cause(ctx)
		}
	}
	r.Progress(parts, parts, "", "")
	return TaskResult{Code: "200", Msg: "processed"}, nil
}
