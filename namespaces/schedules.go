package namespaces

import (
	"context"

	"jobcast/events"
	"jobcast/jobs"
	"jobcast/socketio"
)

func (n *jobsNamespace) putSchedule(ctx context.Context, _ *socketio.Socket, req jobs.ScheduleRequest) (events.ScheduleAck, error) {
	schedule, created, err := n.engine.PutSchedule(ctx, req)
	return events.ScheduleAck{OK: true, Schedule: schedule, Created: created}, err
}

func (n *jobsNamespace) listSchedules(context.Context, *socketio.Socket, struct{}) (events.SchedulesAck, error) {
	return events.SchedulesAck{OK: true, Schedules: n.engine.Schedules()}, nil
}

func (n *jobsNamespace) removeSchedule(ctx context.Context, _ *socketio.Socket, req jobs.ScheduleRef) (events.OK, error) {
	return events.OK{OK: true}, n.engine.RemoveSchedule(ctx, req)
}

func (n *jobsNamespace) runSchedule(ctx context.Context, s *socketio.Socket, req jobs.ScheduleRef) (events.StartAck, error) {
	job, created, err := n.engine.RunSchedule(ctx, req, "", address(s))
	return events.StartAck{OK: true, Job: job, Created: created}, err
}
