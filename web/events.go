package web

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
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
	id, err := jobID(c)
	if err != nil {
		return err
	}
	after, _, err := number(c, "after", 0, maxCursor)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Vary", "Accept")
	if wantsStream(c.Request().Header) {
		return s.streamEvents(c, id, after)
	}
	wait, err := wait(c)
	if err != nil {
		return err
	}
	limit, _, err := number(c, "limit", 1, 1000)
	if err != nil {
		return err
	}
	page, err := s.pollEvents(c.Request().Context(), id, after, int(limit), wait)
	if err != nil {
		return err
	}
	return respond(c, http.StatusOK, page)
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

// wantsStream reports whether a client asks for Server-Sent Events.
func wantsStream(h http.Header) bool {
	for _, field := range h.Values("Accept") {
		for mediaType := range strings.SplitSeq(field, ",") {
			mediaType, _, _ = strings.Cut(mediaType, ";")
			if strings.EqualFold(strings.TrimSpace(mediaType), "text/event-stream") {
				return true
			}
		}
	}
	return false
}

// streamEvents sends a job's events as Server-Sent Events, until the terminal one. A browser that was
// cut off comes back by itself with Last-Event-ID; 204 tells it that there is nothing left to come for.
func (s *server) streamEvents(c echo.Context, id jobs.ID, after uint64) error {
	req := c.Request()
	if last := req.Header.Get("Last-Event-ID"); last != "" {
		n, _, err := parseNumber("Last-Event-ID", last, 0, maxCursor)
		if err != nil {
			return err
		}
		after = n
	}
	job, err := s.Jobs.Get(req.Context(), id)
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
	h := c.Response().Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache, no-transform")
	h.Set("X-Accel-Buffering", "no")
	if req.Method == http.MethodHead {
		return c.NoContent(http.StatusOK)
	}
	ctx, cancel := context.WithCancel(req.Context())
	defer cancel()
	stream := openStream(c.Response(), cancel)
	defer stream.close()
	if ahead {
		stream.say("reset", 0)
	}
	for record, err := range s.Jobs.Follow(ctx, id, after) {
		if err != nil {
			if ctx.Err() == nil {
				s.Logger.Error("event stream broke off", "job", id, "err", err)
			}
			return nil // the client comes back for the rest
		}
		if !stream.event(record.Event) {
			return nil
		}
		if record.Job.State.Terminal() {
			stream.say("end", record.Event.Seq)
			return nil
		}
	}
	return nil
}

// An eventStream writes one response, and a comment whenever it was silent for a heartbeat: proxies and
// clients would take it for dead. Its goroutine is that of the timer; close returns after it.
type eventStream struct {
	w    *echo.Response
	conn *http.ResponseController
	stop context.CancelFunc // the reader is gone

	mu     sync.Mutex // protects the response and the fields below
	buf    bytes.Buffer
	broken bool // or closed
	timer  *time.Timer
}

func openStream(w *echo.Response, stop context.CancelFunc) *eventStream {
	s := &eventStream{w: w, conn: http.NewResponseController(w.Writer), stop: stop}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timer = time.AfterFunc(heartbeat, s.beat)
	w.WriteHeader(http.StatusOK)
	s.buf.WriteString("retry: 1000\n\n")
	s.flush()
	return s
}

// event writes one event and returns whether the reader is still there.
func (s *eventStream) event(event jobs.Event) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf.WriteString("id: ")
	s.buf.WriteString(strconv.FormatUint(event.Seq, 10))
	s.buf.WriteString("\nevent: ")
	s.buf.WriteString(string(event.Type))
	s.buf.WriteString("\ndata: ")
	if err := encode(&s.buf, event); err != nil {
		return false // a record that came out of the store does not fail to encode
	}
	s.buf.WriteByte('\n')
	return s.flush()
}

// say writes what concerns the stream and is no line of the log: "end", that nothing follows lastSeq, so that a
// page can close its EventSource; "reset", that what the reader has is not of this log, which follows from its
// beginning.
func (s *eventStream) say(name string, lastSeq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf.WriteString("event: " + name + "\ndata: {\"lastSeq\":" + strconv.FormatUint(lastSeq, 10) + "}\n\n")
	s.flush()
}

func (s *eventStream) beat() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.broken {
		s.buf.WriteString(": still here\n\n")
		s.flush()
	}
}

// flush sends the buffer. It needs mu.
func (s *eventStream) flush() bool {
	if s.broken {
		return false
	}
	// Not every ResponseWriter has deadlines; those of net/http do.
	_ = s.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	_, err := s.w.Write(s.buf.Bytes())
	if err == nil {
		err = s.conn.Flush()
	}
	s.buf.Reset()
	if err != nil {
		s.broken = true
		s.stop()
		return false
	}
	s.timer.Reset(heartbeat)
	return true
}

func (s *eventStream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = true
	s.timer.Stop()
	_ = s.conn.SetWriteDeadline(time.Time{}) // the connection may serve other requests
}
