package namespaces

import (
	"context"

	"jobcast/events"
	"jobcast/jobs"
)

const (
	defaultReplay = 200  // events in the answer to a subscription
	maxReplay     = 1000 // the same, and log lines
	defaultTail   = 200  // log lines in it
)

// check refuses a request whose values are out of range.
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

// span says which events a request wants of a job that is at seq: at most limit of those after from.
func span(req events.SubscribeRequest, seq uint64) (from uint64, limit int) {
	limit = defaultReplay
	if req.Limit != nil {
		limit = *req.Limit
	}
	if req.Replay == events.ReplayNone {
		limit = 0
	}
	from = req.After
	if from > seq {
		from = 0 // another job's number, or another store's: begin anew
	}
	if req.Replay != events.ReplayAll && seq-from > uint64(limit) {
		from = seq - uint64(limit)
	}
	return from, limit
}

// replay makes the answer for a job at its newest event, out of those known after span's from.
func replay(req events.SubscribeRequest, job jobs.Job, known []jobs.Event, oldest uint64) events.SubscribeAck {
	_, limit := span(req, job.Seq)
	ack := events.SubscribeAck{OK: true, Job: job, Events: known, FirstSeq: oldest, LastSeq: job.Seq}
	if len(known) > limit {
		ack.Events = known[:limit]
	}
	if n := len(ack.Events); n > 0 {
		ack.LastSeq = ack.Events[n-1].Seq
		ack.Recovered = ack.Events[0].Seq == req.After+1
	} else {
		ack.Events = []jobs.Event{}
		ack.Recovered = req.After == job.Seq
	}
	ack.HasMore = ack.LastSeq < job.Seq
	ack.Done = !ack.HasMore && job.State.Terminal()
	return ack
}

// missed reads what the request asks for out of the store.
func (n *jobsNamespace) missed(ctx context.Context, req events.SubscribeRequest) (events.SubscribeAck, error) {
	job, err := n.engine.Get(ctx, req.ID)
	if err != nil {
		return events.SubscribeAck{}, err
	}
	from, limit := span(req, job.Seq)
	var known []jobs.Event
	oldest := uint64(1)
	if limit > 0 && from < job.Seq {
		if known, _, err = n.engine.History(ctx, job.ID, from, limit); err != nil {
			return events.SubscribeAck{}, err
		}
		for len(known) > 0 && known[len(known)-1].Seq > job.Seq { // appended since; a feed brings them
			known = known[:len(known)-1]
		}
	}
	if len(known) == 0 || known[0].Seq > 1 {
		first, _, err := n.engine.History(ctx, job.ID, 0, 1)
		if err != nil {
			return events.SubscribeAck{}, err
		}
		if len(first) > 0 {
			oldest = first[0].Seq
		}
	}
	ack := replay(req, job, known, oldest)
	if wantsText(req) {
		text, err := n.engine.Logs(ctx, job.ID, jobs.LogQuery{Tail: tail(*req.Logs)})
		if err != nil {
			return ack, err
		}
		ack.Log = cutText(text, *req.Logs)
	}
	return ack, nil
}

func wantsText(req events.SubscribeRequest) bool { return req.Logs != nil && !req.Logs.Off }

// tail is how many of the newest lines a request wants.
func tail(want events.LogsWanted) int {
	switch {
	case want.Tail > 0:
		return want.Tail
	case want.After > 0:
		return maxReplay
	}
	return defaultTail
}

// cutText takes out of a chunk the lines that the page holds, and says how many older ones it left out. A page
// that holds more than there is holds another text's: it begins anew.
func cutText(c jobs.LogChunk, want events.LogsWanted) *jobs.LogChunk {
	if want.After > c.LastLine() {
		want.After = 0
	}
	skip := max(0, len(c.Lines)-tail(want))
	if want.After > 0 {
		skip = max(skip, min(len(c.Lines), int(want.After-c.Line+1)))
	}
	c.Line += int64(skip)
	c.Lines = c.Lines[skip:]
	c.Dropped = 0
	if want.After > 0 {
		c.Dropped = max(0, c.Line-1-want.After)
	}
	return &c
}

// remembered makes the answer out of what the feeds of a job hold, if they hold enough.
func remembered(req events.SubscribeRequest, now entry, p past, text *past) (events.SubscribeAck, bool) {
	from, limit := span(req, now.job.Seq)
	if req.After > now.job.Seq {
		return events.SubscribeAck{}, false // the page may be ahead of the feed
	}
	var known []jobs.Event
	if limit > 0 && from < now.job.Seq {
		if len(p.events) == 0 || p.events[0].Seq > from+1 {
			return events.SubscribeAck{}, false
		}
		known = p.events[from+1-p.events[0].Seq:]
	}
	ack := replay(req, now.job, known, p.oldest)
	if text != nil {
		if req.Logs.After > text.text.LastLine() {
			return ack, false // as above
		}
		if int64(len(text.text.Lines)) < min(int64(tail(*req.Logs)), text.text.LastLine()) {
			return ack, false
		}
		ack.Log = cutText(text.text, *req.Logs)
	}
	return ack, true
}
