package namespaces

import (
	"context"
	"encoding/json"
	"iter"
	"slices"
	"time"

	"jobcast/events"
	"jobcast/jobs"
	"jobcast/socketio"
)

// rejoin is the time between two tries to join a feed.
const rejoin = 2 * time.Millisecond

func eventTopic(id jobs.ID) string { return "job:" + string(id) }
func logTopic(id jobs.ID) string   { return "log:" + string(id) }

// subscribe answers with what the page has missed and makes it a watcher, in one step: what follows the
// answer is what comes after it in the log. Only the first watcher of a job, and one who asks for more
// than its feed holds, cost a read of the store.
func (n *jobsNamespace) subscribe(ctx context.Context, s *socketio.Socket, req events.SubscribeRequest, answer func(events.SubscribeAck) error) error {
	if err := check(req); err != nil {
		return err
	}
	n.letGo(s, req.ID)
	plain := answer
	answer = func(ack events.SubscribeAck) error {
		if !ack.HasMore && len(s.Rooms()) < maxFollowed {
			s.Join(removedRoom(req.ID))
		}
		return plain(ack)
	}
	if answered, err := n.joinOthers(s, req, answer); answered {
		return err
	}
	for {
		n.letGo(s, req.ID)
		ack, err := n.missed(ctx, req)
		if err != nil {
			return err
		}
		if ack.HasMore || ack.Done {
			return answer(ack)
		}
		if joined, err := n.join(s, req, ack, answer); joined || err != nil {
			return err
		}
		select { // the job moved on between the read and the join
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(rejoin):
		}
	}
}

func (n *jobsNamespace) letGo(s *socketio.Socket, id jobs.ID) {
	n.feeds.letGo(s, eventTopic(id), logTopic(id))
	s.Leave(removedRoom(id))
}

// removedRoom is that of those who are told when a job is removed: they have subscribed to it, and it may have ended
// since.
func removedRoom(id jobs.ID) string { return "removed:" + string(id) }

// maxFollowed bounds the rooms of one socket, so that who subscribes to very many finished jobs costs no memory
// without end. Who is in so many is not told of the removal of one job more.
const maxFollowed = 4 * maxHeld

// joinOthers makes s a watcher beside those who are there, if there are any and what they were told is
// enough for the answer.
func (n *jobsNamespace) joinOthers(s *socketio.Socket, req events.SubscribeRequest, answer func(events.SubscribeAck) error) (answered bool, err error) {
	held := n.feeds.hold(eventTopic(req.ID), s, entry{}, past{}, nil)
	if held == nil {
		return false, nil
	}
	more := false
	first := func(now entry, p past, text *past) bool {
		ack, ok := remembered(req, now, p, text)
		if ok {
			more = ack.HasMore
			err = answer(ack)
		}
		return ok
	}
	if wantsText(req) {
		log := n.feeds.hold(logTopic(req.ID), s, entry{}, past{}, nil)
		answered = log != nil && held.join(s, func(now entry, p past) bool {
			return log.join(s, func(_ entry, text past) bool { return first(now, p, &text) })
		})
	} else {
		answered = held.join(s, func(now entry, p past) bool { return first(now, p, nil) })
	}
	if answered && more {
		n.letGo(s, req.ID)
	}
	return answered, err
}

// join makes s a watcher of what comes after ack, and answers with it in the same step. It does neither
// if the watchers hold more by now, or less than the page does.
func (n *jobsNamespace) join(s *socketio.Socket, req events.SubscribeRequest, ack events.SubscribeAck, answer func(events.SubscribeAck) error) (joined bool, err error) {
	id := ack.Job.ID
	known := past{oldest: ack.FirstSeq, events: slices.Clone(ack.Events)}
	held := n.feeds.hold(eventTopic(id), s, entry{last: int64(ack.LastSeq), job: ack.Job}, known, n.eventSource(id))
	if held == nil {
		return false, errTooMany
	}
	first := func(now entry) bool {
		if last := uint64(now.last); last > ack.LastSeq || last < min(req.After, ack.LastSeq) {
			return false
		}
		cut(&ack, now)
		err = answer(ack)
		return true
	}
	if ack.Log == nil {
		return held.join(s, func(now entry, _ past) bool { return first(now) }), err
	}
	last := ack.Log.LastLine()
	text := *ack.Log
	text.Lines = slices.Clone(text.Lines)
	log := n.feeds.hold(logTopic(id), s, entry{last: last}, past{text: text}, n.logSource(id))
	if log == nil {
		n.letGo(s, id)
		return false, errTooMany
	}
	joined = held.join(s, func(now entry, _ past) bool {
		return log.join(s, func(text entry, _ past) bool {
			if text.last > last {
				return false
			}
			ack.Log.Lines = ack.Log.Lines[:max(0, int64(len(ack.Log.Lines))-(last-text.last))]
			return first(now)
		})
	})
	return joined, err
}

// cut takes out of the ack what the watchers have yet to get.
func cut(ack *events.SubscribeAck, now entry) {
	for len(ack.Events) > 0 && ack.Events[len(ack.Events)-1].Seq > uint64(now.last) {
		ack.Events = ack.Events[:len(ack.Events)-1]
	}
	ack.LastSeq = uint64(now.last)
	read := ack.Job
	ack.Job = now.job
	ack.Job.Args = read.Args
	if ack.Job.State == read.State { // what is not in a record
		ack.Job.Usual, ack.Job.WaitsFor, ack.Job.QueuePosition, ack.Job.ExpectedStartAt = read.Usual, read.WaitsFor, read.QueuePosition, read.ExpectedStartAt
	}
	ack.Done = now.job.State.Terminal()
}

// eventSource is a job's log as a feed reads it. A page that stops at the terminal event has seen all of
// the job's text.
func (n *jobsNamespace) eventSource(id jobs.ID) source {
	return func(ctx context.Context, after int64) iter.Seq2[entry, error] {
		return func(yield func(entry, error) bool) {
			for rec, err := range n.engine.Follow(ctx, id, uint64(after)) {
				if err == nil && rec.Job.State.Terminal() && rec.Job.Log != nil {
					n.feeds.settle(ctx, logTopic(id), rec.Job.Log.Lines)
				}
				e := entry{last: int64(rec.Event.Seq), job: rec.Job, event: rec.Event, emit: func(to socketio.Emitter) error {
					return tellEvent(to, rec.Event)
				}}
				if !yield(e, err) {
					return
				}
			}
		}
	}
}

// tellEvent tells a line of a job's log: a custom event under its own name too, unless that is reserved.
func tellEvent(to socketio.Emitter, e jobs.Event) error {
	if err := events.JobEvent(e.Type).Emit(to, e); err != nil || e.Type != jobs.EventEvent {
		return err
	}
	var of jobs.DataEvent
	if json.Unmarshal(e.Data, &of) != nil || of.Name == "" || jobs.Reserved(of.Name) {
		return nil
	}
	return socketio.NewEvent[jobs.Event](of.Name).Emit(to, e)
}

// logSource is a job's text as a feed reads it.
func (n *jobsNamespace) logSource(id jobs.ID) source {
	return func(ctx context.Context, after int64) iter.Seq2[entry, error] {
		return func(yield func(entry, error) bool) {
			for chunk, err := range n.engine.FollowLogs(ctx, id, after) {
				e := entry{last: chunk.LastLine(), text: chunk, emit: func(to socketio.Emitter) error {
					return events.JobLog.Emit(to, chunk)
				}}
				if !yield(e, err) {
					return
				}
			}
		}
	}
}
