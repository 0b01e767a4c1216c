package web

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"jobcast/internal/systems/compare"
	"jobcast/internal/websocket"
	"jobcast/jobs"
)

// comparedEvents bounds the events of one answer to a poll.
const comparedEvents = 256

// comparedPage is what a poll gets. A client asks next with after=last.
type comparedPage struct {
	Events []compare.Event `json:"events"`
	Last   uint64          `json:"last"` // the number of the last event here; with none, what was asked for
	More   bool            `json:"more"` // there are more now
}

// measured counts what a run's requests cost: those that name a run and one of its lines, on whatever path
// they come in. It stands before the sockets too.
func (s *server) measured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var run *compare.Run
		var line *compare.Line
		if strings.Contains(r.URL.RawQuery, "run=") {
			query, _ := url.ParseQuery(r.URL.RawQuery) // what there is of it will do
			if run = s.Runs.Get(query.Get("run")); run != nil {
				line = run.Line(query.Get("line"))
			}
		}
		if r.ProtoMajor == 1 {
			compare.Attribute(r.Context(), line)
		} else if line != nil {
			run.Share(line)
		}
		next.ServeHTTP(w, r)
	})
}

// compared returns the run in the query, and the number that the client holds.
func (s *server) compared(c echo.Context) (run *compare.Run, after uint64, err error) {
	q := query{c: c}
	q.only("run", "line", "after", "wait")
	if after = q.resumeAfter(); q.err != nil {
		return nil, 0, q.err
	}
	if run = s.Runs.Get(c.QueryParam("run")); run == nil {
		return nil, 0, jobs.NewProblem(jobs.CodeNotFound, "there is no such run any more; open another")
	}
	return run, after, nil
}

// getCompare answers GET /api/compare: at once, as a long poll with wait, or as a stream.
func (s *server) getCompare(c echo.Context) error {
	stream := wantsStream(c)
	run, after, err := s.compared(c)
	if err != nil {
		return err
	}
	if stream {
		return streamCompare(c, run, after)
	}
	q := query{c: c}
	wait := q.wait()
	if q.err != nil {
		return q.err
	}
	if wait > 0 {
		run.Await(c.Request().Context(), after, wait)
	}
	page := comparedPage{Events: []compare.Event{}, Last: after}
	if events, more := run.After(after, comparedEvents); len(events) > 0 {
		page = comparedPage{Events: events, Last: events[len(events)-1].N, More: more}
	}
	var body bytes.Buffer
	if err := encode(&body, page); err != nil {
		return err
	}
	// As it is: the comparison is of transports, and no other line of it is compressed.
	return writeBody(c, http.StatusOK, "application/json", body.Bytes())
}

// streamCompare sends a run's events as Server-Sent Events until it ends.
func streamCompare(c echo.Context, run *compare.Run, after uint64) error {
	return respondStream(c, func(ctx context.Context, stream *eventStream) {
		for event := range run.Follow(ctx, after) {
			if !stream.send(event.N, "", event) {
				return
			}
		}
	})
}

// socketCompare answers GET /ws/compare: one text frame for each event, until the run ends or the client
// goes. What a client says is read and ignored.
func (s *server) socketCompare(c echo.Context) error {
	run, after, err := s.compared(c)
	if err != nil {
		return err
	}
	return s.raw(c, websocket.Options{}, func(ctx context.Context, socket *websocket.Socket) error {
		return socket.Talk(ctx, func(ctx context.Context) {
			for event := range run.Follow(ctx, after) {
				if sendJSON(socket, event) != nil {
					return
				}
			}
			if ctx.Err() == nil {
				socket.Close(0, "the run has ended")
			}
		}, func([]byte, bool) error { return nil })
	})
}
