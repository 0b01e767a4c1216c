package namespaces

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"jobcast/events"
	"jobcast/jobs"
	"jobcast/socketio"
	"jobcast/workers"
)

const (
	taskTime = workers.TaskTime
	maxTasks = 100 // under way for one client; one more is answered with code 429
)

// jobBurst is how many jobs one client may start at once, and then one each taskTime. They outlive it.
const jobBurst = 10

// jobStarts limits the jobs that are started over a socket.
var jobStarts = socketio.NewData[*rate.Limiter]("jobStarts")

// Task is /testnamespace, the tutorial's background task: every request_for_response is answered
// at once, and again when the work is done.
// request_for_job does the same work as a job: the page may be closed, and opened again.
var Task = Namespace{Path: events.TaskNamespace.Path, Open: openTask}

func openTask(ns *socketio.Namespace, services Services) Close {
	t := &tasks{of: map[*socketio.Socket]int{}}
	ns.OnConnect(func(_ context.Context, s *socketio.Socket) {
		jobStarts.Set(s, rate.NewLimiter(rate.Every(taskTime), jobBurst))
	})
	ns.Handle(
		events.RequestForResponse.On(t.start),
		events.RequestForJob.On(func(ctx context.Context, s *socketio.Socket, req events.TaskRequest) (events.TaskAck, error) {
			if limiter, _ := jobStarts.Get(s); !limiter.Allow() {
				return events.TaskAck{}, jobs.NewProblem(jobs.CodeTooManyRequests, "nobody may start so many tasks; wait until some have ended")
			}
			args, err := json.Marshal(workers.TaskArgs{Param: req.Param})
			if err != nil {
				return events.TaskAck{}, err
			}
			job, _, err := services.Jobs.Start(ctx, jobs.StartRequest{Kind: workers.Task.Name(), Args: args, From: address(s)})
			return events.TaskAck{OK: true, ID: job.ID}, err
		}),
	)
	return nil
}

type tasks struct {
	mu sync.Mutex               // protects the field below
	of map[*socketio.Socket]int // the tasks under way for each client that has any
}

func (t *tasks) start(_ context.Context, s *socketio.Socket, _ events.TaskRequest) error {
	if !t.add(s) {
		return events.Response.Emit(s, events.TaskResponse{Code: "429", Msg: "too many tasks under way"})
	}
	if err := events.Response.Emit(s, events.TaskResponse{Code: "200", Msg: "start to process..."}); err != nil {
		t.done(s)
		return err
	}
	s.Go(func(ctx context.Context) {
		defer t.done(s)
		select {
		case <-time.After(taskTime): // stands for the work
			events.Response.Emit(s, events.TaskResponse{Code: "200", Msg: "processed"})
		case <-ctx.Done():
		}
	})
	return nil
}

func (t *tasks) add(s *socketio.Socket) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.of[s] == maxTasks {
		return false
	}
	t.of[s]++
	return true
}

func (t *tasks) done(s *socketio.Socket) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.of[s]--; t.of[s] == 0 {
		delete(t.of, s)
	}
}
