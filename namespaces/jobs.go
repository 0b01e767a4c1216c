package namespaces

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"jobcast/events"
	"jobcast/jobs"
	"jobcast/jobs/engine"
	"jobcast/socketio"
)

// listInterval is how often watchers of the list are told what has changed.
const listInterval = 500 * time.Millisecond

const listRoom = "jobs"

// Jobs is /jobs: jobs are started, watched and cancelled. It runs a goroutine for the list, one for
// the places of queued jobs, and those of its feeds.
var Jobs = Namespace{Path: events.JobsNamespace.Path, Open: openJobs}

type jobsNamespace struct {
	ns     *socketio.Namespace
	engine *engine.Engine
	log    *slog.Logger
	feeds  *feeds

	list sync.Mutex // held while watchers of the list are told something, so that states come in order
}

func openJobs(ns *socketio.Namespace, s Services) Close {
	n := &jobsNamespace{ns: ns, engine: s.Jobs, log: s.Logger, feeds: newFeeds(ns, s.Logger)}
	ns.Handle(
		events.JobStart.OnAnswer(n.start),
		events.JobSubscribe.OnAnswer(n.subscribe),
		events.JobUnsubscribe.On(n.unsubscribe),
		events.JobGet.On(n.get),
		events.JobHistory.On(n.history),
		events.JobLogs.On(n.logs),
		events.JobCancel.On(n.cancelJob),
		events.JobRetry.On(n.retryJob),
		events.JobRemove.On(n.removeJob),
		events.JobSend.On(n.send),
		events.QueuePause.On(n.pause),
		events.QueueResume.On(n.resume),
		events.QueuesList.On(n.listQueues),
		events.SchedulePut.On(n.putSchedule),
		events.ScheduleList.On(n.listSchedules),
		events.ScheduleRemove.On(n.removeSchedule),
		events.ScheduleRun.On(n.runSchedule),
		events.JobsList.On(n.listJobs),
		events.JobsWatch.OnAnswer(n.watch),
		events.JobsUnwatch.On(n.unwatch),
		events.JobsKinds.On(n.kinds),
	)
	ns.OnDisconnect(func(s *socketio.Socket, _ socketio.Reason) { n.feeds.letGo(s) })
	list, places := Background(n.tellList), Background(n.tellPlaces)
	return func(ctx context.Context) error {
		return errors.Join(list(ctx), places(ctx), n.feeds.close(ctx))
	}
}

func (n *jobsNamespace) start(ctx context.Context, s *socketio.Socket, req jobs.StartRequest, answer func(events.StartAck) error) error {
	req.From = address(s)
	job, created, err := n.engine.Start(ctx, req)
	if err != nil {
		return err
	}
	ack := events.StartAck{OK: true, Job: job, Created: created}
	if req.Subscribe != nil && !*req.Subscribe {
		return answer(ack)
	}
	sub := events.SubscribeRequest{ID: job.ID}
	if req.Logs {
		sub.Logs = &events.LogsWanted{}
	}
	return n.subscribe(ctx, s, sub, func(sub events.SubscribeAck) error {
		ack.Sub = &sub
		return answer(ack)
	})
}

func (n *jobsNamespace) unsubscribe(_ context.Context, s *socketio.Socket, req events.JobRef) (events.OK, error) {
	n.letGo(s, req.ID)
	return events.OK{OK: true}, nil
}

func (n *jobsNamespace) get(ctx context.Context, _ *socketio.Socket, req events.JobRef) (events.JobAck, error) {
	job, err := n.engine.Get(ctx, req.ID)
	return events.JobAck{OK: true, Job: job}, err
}

func (n *jobsNamespace) history(ctx context.Context, _ *socketio.Socket, req events.HistoryRequest) (events.HistoryAck, error) {
	list, more, err := n.engine.History(ctx, req.ID, req.After, req.Limit)
	if err != nil {
		return events.HistoryAck{}, err
	}
	ack := events.HistoryAck{OK: true, Events: list, LastSeq: req.After, HasMore: more}
	if len(list) > 0 {
		ack.LastSeq = list[len(list)-1].Seq
	} else {
		ack.Events = []jobs.Event{}
	}
	return ack, nil
}

func (n *jobsNamespace) logs(ctx context.Context, _ *socketio.Socket, req events.LogsRequest) (events.LogsAck, error) {
	if req.Q != "" {
		found, err := n.engine.SearchLogs(ctx, req.ID, req.LogQuery)
		return events.LogsAck{OK: true, Found: &found}, err
	}
	chunk, err := n.engine.Logs(ctx, req.ID, req.LogQuery)
	return events.LogsAck{OK: true, Log: &chunk}, err
}

func (n *jobsNamespace) cancelJob(ctx context.Context, _ *socketio.Socket, req jobs.CancelRequest) (events.CancelAck, error) {
	outcome, job, err := n.engine.Cancel(ctx, req)
	return events.CancelAck{OK: true, Outcome: outcome, Job: job}, err
}

func (n *jobsNamespace) retryJob(ctx context.Context, s *socketio.Socket, req jobs.RetryRequest) (events.StartAck, error) {
	job, created, err := n.engine.Retry(ctx, req, address(s))
	return events.StartAck{OK: true, Job: job, Created: created}, err
}

func (n *jobsNamespace) removeJob(ctx context.Context, _ *socketio.Socket, req jobs.RemoveRequest) (events.OK, error) {
	if err := req.Check(); err != nil {
		return events.OK{}, err
	}
	return events.OK{OK: true}, n.engine.Remove(ctx, req.ID)
}

func (n *jobsNamespace) send(ctx context.Context, _ *socketio.Socket, req jobs.SendRequest) (events.LineAck, error) {
	seq, err := n.engine.Send(ctx, req)
	return events.LineAck{OK: true, Seq: seq}, err
}

func (n *jobsNamespace) listJobs(_ context.Context, _ *socketio.Socket, req jobs.ListQuery) (events.ListAck, error) {
	page, err := n.engine.List(req)
	return events.ListAck{OK: true, ListPage: page}, err
}

// watch answers with the list, which is followed by what changes after it.
func (n *jobsNamespace) watch(_ context.Context, s *socketio.Socket, req jobs.ListQuery, answer func(events.ListAck) error) error {
	n.list.Lock()
	defer n.list.Unlock()
	page, err := n.engine.List(req)
	if err != nil {
		return err
	}
	s.Join(listRoom)
	return answer(events.ListAck{OK: true, ListPage: page})
}

func (n *jobsNamespace) unwatch(_ context.Context, s *socketio.Socket, _ struct{}) (events.OK, error) {
	s.Leave(listRoom)
	return events.OK{OK: true}, nil
}

func (n *jobsNamespace) kinds(context.Context, *socketio.Socket, struct{}) (events.KindsAck, error) {
	return events.KindsAck{OK: true, Kinds: n.engine.Kinds()}, nil
}

// tellList tells the watchers of the list what has changed.
func (n *jobsNamespace) tellList(ctx context.Context) {
	to := n.ns.To(listRoom)
	for changes, err := range n.engine.Watch(ctx, listInterval) {
		if err != nil {
			if ctx.Err() == nil {
				n.log.Error("watchers of the list are told nothing any more", "nsp", "/jobs", "err", err)
			}
			return
		}
		n.list.Lock()
		for _, gone := range changes.Gone {
			if err := events.JobRemoved.Emit(n.ns.To(removedRoom(gone.JobID)), gone); err != nil {
				n.log.Error("cannot tell that a job was removed", "nsp", "/jobs", "err", err)
			}
		}
		if err := events.JobsChanged.Emit(to, changes); err != nil {
			n.log.Error("cannot tell the list's watchers", "nsp", "/jobs", "err", err)
		}
		n.list.Unlock()
	}
}
