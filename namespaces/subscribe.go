package namespaces

import (
	"context"
	"iter"
	"time"

	"jobcast/events"
	"jobcast/jobs"
	"jobcast/socketio"
)

const (
	defaultReplay = 200  // events in the answer to a subscription
	maxReplay     = 1000 // the same, and log lines
	defaultTail   = 200  // log lines in it

	rejoin = 2 * time.Millisecond // between two tries to join a feed
)

func eventTopic(id jobs.ID) string { return "job:" + string(id) }
func logTopic(id jobs.ID) string   { return "log:" + string(id) }

// subscribe answers with what the page has missed and makes it a watcher, in one step: what follows the
// answer is what comes after it in the log.
func (n *JobsNamespace) subscribe(ctx context.Context, s *socketio.Socket, req events.SubscribeRequest, answer func(events.SubscribeAck) error) error {
	if err := check(req); err != nil {
		return err
	}
	for {
		n.feeds.letGo(s, eventTopic(req.ID), logTopic(req.ID))
		ack, err := n.missed(ctx, req)
		if err != nil {
			return err
		}
		if ack.HasMore || ack.Done {
			return answer(ack)
		}
		if joined, err := n.join(s, req.After, ack, answer); joined || err != nil {
			return err
		}
		select { // the job moved on between the read and the join
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(rejoin):
		}
	}
}

func check(req events.SubscribeRequest) error {
	switch req.Replay {
	case "", events.ReplayAll, events.ReplayTail, events.ReplayNone:
	default:
		return jobs.BadRequest("/replay", "replay is all, tail or none")
	}
	if req.Limit != nil && (*req.Limit < 0 || *req.Limit > maxReplay) {
		return jobs.BadRequest("/limit", "limit is a number from 0 to 1000")
	}
	if l := req.Logs; l != nil && (l.After < 0 || l.Tail < 0 || l.Tail > maxReplay) {
		return jobs.BadRequest("/logs", "logs.after is not negative, and logs.tail at most 1000")
	}
	return nil
}

// missed reads what the request asks for out of the log.
func (n *JobsNamespace) missed(ctx context.Context, req events.SubscribeRequest) (events.SubscribeAck, error) {
	job, err := n.engine.Get(ctx, req.ID)
	if err != nil {
		return events.SubscribeAck{}, err
	}
	limit := defaultReplay
	if req.Limit != nil {
		limit = *req.Limit
	}
	after := req.After
	if after > job.Seq {
		after = 0 // another job's number, or another store's: begin anew
	}
	if req.Replay == events.ReplayNone {
		limit = 0
	}
	from := after
	if req.Replay != events.ReplayAll && job.Seq-after > uint64(limit) {
		from = job.Seq - uint64(limit)
	}

	ack := events.SubscribeAck{OK: true, Job: job, Events: []jobs.Event{}, LastSeq: job.Seq, FirstSeq: 1}
	if limit > 0 && from < job.Seq {
		list, more, err := n.engine.History(ctx, job.ID, from, limit)
		if err != nil {
			return ack, err
		}
		for len(list) > 0 && list[len(list)-1].Seq > job.Seq { // appended since; a feed brings them
			list = list[:len(list)-1]
		}
		if len(list) > 0 {
			ack.Events, ack.LastSeq, ack.HasMore = list, list[len(list)-1].Seq, more && req.Replay == events.ReplayAll
		}
	}
	first := job.Seq + 1 // of what the answer holds
	if len(ack.Events) > 0 {
		first = ack.Events[0].Seq
	}
	ack.Recovered = after == req.After && first == after+1
	if first > 1 {
		if oldest, _, err := n.engine.History(ctx, job.ID, 0, 1); err == nil && len(oldest) > 0 {
			ack.FirstSeq = oldest[0].Seq
		}
	}
	ack.Done = !ack.HasMore && job.State.Terminal() && ack.LastSeq >= job.Seq
	if req.Logs != nil && !req.Logs.Off {
		if ack.Log, err = n.missedLog(ctx, job.ID, *req.Logs); err != nil {
			return ack, err
		}
	}
	return ack, nil
}

// missedLog reads the newest lines of a job's text that the page does not hold, and says how many older
// ones it left out.
func (n *JobsNamespace) missedLog(ctx context.Context, id jobs.ID, want events.LogsWanted) (*jobs.LogChunk, error) {
	tail := want.Tail
	switch {
	case tail == 0 && want.After > 0:
		tail = maxReplay
	case tail == 0:
		tail = defaultTail
	}
	chunk, err := n.engine.Logs(ctx, id, jobs.LogQuery{Tail: tail})
	if err != nil || want.After == 0 {
		return &chunk, err
	}
	if held := want.After - chunk.Line + 1; held > 0 {
		held = min(held, int64(len(chunk.Lines)))
		chunk.Line += held
		chunk.Lines = chunk.Lines[held:]
	}
	chunk.Dropped = max(0, chunk.Line-1-want.After)
	return &chunk, nil
}

// join makes s a watcher of what comes after ack, and answers with it in the same step. It does neither
// if the watchers hold more by now, or less than the page does.
func (n *JobsNamespace) join(s *socketio.Socket, after uint64, ack events.SubscribeAck, answer func(events.SubscribeAck) error) (joined bool, err error) {
	id := ack.Job.ID
	held := n.feeds.hold(eventTopic(id), s, entry{last: int64(ack.LastSeq), job: ack.Job}, n.eventSource(id))
	if held == nil {
		return false, errTooMany
	}
	first := func(now entry) bool {
		if last := uint64(now.last); last > ack.LastSeq || last < min(after, ack.LastSeq) {
			return false
		}
		cut(&ack, now)
		err = answer(ack)
		return true
	}
	if ack.Log == nil {
		return held.join(s, first), err
	}
	lastLine := ack.Log.Line + int64(len(ack.Log.Lines)) - 1
	log := n.feeds.hold(logTopic(id), s, entry{last: lastLine}, n.logSource(id))
	if log == nil {
		n.feeds.letGo(s, eventTopic(id))
		return false, errTooMany
	}
	return held.join(s, func(now entry) bool {
		return log.join(s, func(text entry) bool {
			if text.last > lastLine {
				return false
			}
			ack.Log.Lines = ack.Log.Lines[:max(0, int64(len(ack.Log.Lines))-(lastLine-text.last))]
			return first(now)
		})
	}), err
}

// cut takes out of the ack what the watchers have yet to get.
func cut(ack *events.SubscribeAck, now entry) {
	for len(ack.Events) > 0 && ack.Events[len(ack.Events)-1].Seq > uint64(now.last) {
		ack.Events = ack.Events[:len(ack.Events)-1]
	}
	ack.LastSeq = uint64(now.last)
	args := ack.Job.Args
	ack.Job = now.job
	ack.Job.Args = args
	ack.Done = now.job.State.Terminal()
}

// eventSource is a job's log as a feed reads it. A page that stops at the terminal event has seen all of
// the job's text.
func (n *JobsNamespace) eventSource(id jobs.ID) source {
	return func(ctx context.Context, after int64) iter.Seq2[entry, error] {
		return func(yield func(entry, error) bool) {
			for rec, err := range n.engine.Follow(ctx, id, uint64(after)) {
				if err == nil && rec.Job.State.Terminal() && rec.Job.Log != nil {
					n.feeds.settle(ctx, logTopic(id), rec.Job.Log.Lines)
				}
				e := entry{last: int64(rec.Event.Seq), job: rec.Job, emit: func(to socketio.Emitter) error {
					return events.JobEvents[rec.Event.Type].Emit(to, rec.Event)
				}}
				if !yield(e, err) {
					return
				}
			}
		}
	}
}

// logSource is a job's text as a feed reads it.
func (n *JobsNamespace) logSource(id jobs.ID) source {
	return func(ctx context.Context, after int64) iter.Seq2[entry, error] {
		return func(yield func(entry, error) bool) {
			for chunk, err := range n.engine.FollowLogs(ctx, id, after) {
				e := entry{last: chunk.Line + int64(len(chunk.Lines)) - 1, emit: func(to socketio.Emitter) error {
					return events.JobLog.Emit(to, chunk)
				}}
				if !yield(e, err) {
					return
				}
			}
		}
	}
}
