package web

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"jobcast/jobs"
)

// eventPage is a part of a job's log. A client asks next with after=LastSeq, until Done.
type eventPage struct {
	Events []jobs.Event `json:"events"`
	// LastSeq is the sequence of the last event here; with none, that of the job, but not more than
	// what was asked for.
	LastSeq uint64 `json:"lastSeq"`
	// FirstSeq is set if the events before it are no longer stored.
	FirstSeq uint64 `json:"firstSeq,omitempty"`
	// Recovered says that nothing is missing between what was asked for and what is here. If it is false, the
	// events before FirstSeq are gone, or the client has more than the job: then they begin anew.
	Recovered bool `json:"recovered"`
	Done      bool `json:"done"` // no event will ever follow LastSeq
	HasMore   bool `json:"hasMore"`
}

// getEvents answers GET /api/jobs/ID/events, as a long poll or as a stream.
func (s *server) getEvents(c echo.Context) error {
	q := query{c: c}
	id := q.jobID()
	after, _ := q.after()
	if q.err != nil {
		return q.err
	}
	if wantsStream(c) {
		return s.streamEvents(c, id)
	}
	wait := q.wait()
	limit, _ := q.number("limit", 1, 1000)
	if q.err != nil {
		return q.err
	}
	page, err := s.pollEvents(c.Request().Context(), id, after, int(limit), wait)
	if err != nil {
		return err
	}
	return s.respond(c, http.StatusOK, page)
}

// pollEvents returns the events after a sequence. It waits only if there is none and one may yet come.
func (s *server) pollEvents(ctx context.Context, id jobs.ID, after uint64, limit int, wait time.Duration) (eventPage, error) {
	job, err := s.Jobs.Get(ctx, id)
	if err != nil {
		return eventPage{}, err
	}
	recovered := after <= job.Seq
	if !recovered {
		after = 0 // another job's number, or another store's
	}
	if job.Seq == after {
		none := eventPage{Events: []jobs.Event{}, LastSeq: after, Recovered: recovered, Done: job.State.Terminal()}
		if none.Done {
			return none, nil
		}
		if grown, err := s.grows(ctx, id, after, wait); err != nil || !grown {
			return none, err
		}
	}
	events, more, err := s.Jobs.History(ctx, id, after, limit)
	if err != nil {
		return eventPage{}, err
	}
	page := eventPage{Events: events, LastSeq: after, Recovered: recovered, HasMore: more}
	if len(events) == 0 {
		page.Events = []jobs.Event{}
		return page, nil
	}
	if first := events[0].Seq; first > after+1 {
		page.FirstSeq, page.Recovered = first, false
	}
	last := events[len(events)-1]
	page.LastSeq = last.Seq
	page.Done = last.Type == jobs.EventCompleted || last.Type == jobs.EventFailed || last.Type == jobs.EventCancelled
	return page, nil
}

// streamNote is what concerns the stream and is no line of the log: "end", that nothing follows LastSeq, so that a
// page can close its EventSource; "reset", that what the reader has is not of this log, which follows from its
// beginning.
type streamNote struct {
	LastSeq uint64 `json:"lastSeq"`
}

// streamEvents sends a job's events as Server-Sent Events, until the terminal one. A browser that was
// cut off comes back by itself with Last-Event-ID; 204 tells it that there is nothing left to come for.
func (s *server) streamEvents(c echo.Context, id jobs.ID) error {
	q := query{c: c}
	after := q.resumeAfter()
	if q.err != nil {
		return q.err
	}
	job, err := s.Jobs.Get(c.Request().Context(), id)
	if err != nil {
		return err
	}
	ahead := after > job.Seq
	if ahead {
		after = 0 // another job's number, or another store's: begin anew, as for sockets
	}
	if job.State.Terminal() && job.Seq == after {
		return c.NoContent(http.StatusNoContent)
	}
	return respondStream(c, func(ctx context.Context, stream *eventStream) {
		if ahead {
			stream.send(0, "reset", streamNote{})
		}
		for record, err := range s.Jobs.Follow(ctx, id, after) {
			if err != nil {
				if ctx.Err() == nil {
					s.Logger.Error("event stream broke off", "job", id, "err", err)
				}
				return // the client comes back for the rest
			}
			if !stream.send(record.Event.Seq, string(record.Event.Type), record.Event) {
				return
			}
			if record.Job.State.Terminal() {
				stream.send(0, "end", streamNote{record.Event.Seq})
				return
			}
		}
	})
}
