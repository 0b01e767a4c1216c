package web

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/url"
	"strconv"
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
		var line *compare.Line
		if strings.Contains(r.URL.RawQuery, "run=") {
			query, _ := url.ParseQuery(r.URL.RawQuery) // what there is of it will do
			if run := s.Runs.Get(query.Get("run")); run != nil {
				line = run.Line(query.Get("line"))
			}
		}
		compare.Attribute(r.Context(), line)
		if line != nil {
			w = measuredWriter{w}
		}
		next.ServeHTTP(w, r)
	})
}

// measuredWriter lets a connection that is taken over be one of net/http still: the sockets would close a
// plain one and go on with a descriptor of their own, of which nobody could read the counters.
type measuredWriter struct{ http.ResponseWriter }

func (w measuredWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Hijack implements http.Hijacker.
func (w measuredWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	return struct{ net.Conn }{conn}, rw, err
}

// compared returns the run in the query, and the number that the client holds.
func (s *server) compared(c echo.Context) (run *compare.Run, after uint64, err error) {
	if err := checkQuery(c, "run", "line", "after", "wait"); err != nil {
		return nil, 0, err
	}
	if after, _, err = number(c, "after", 0, maxCursor); err != nil {
		return nil, 0, err
	}
	if last := c.Request().Header.Get("Last-Event-ID"); last != "" { // an event stream that comes back
		if after, _, err = parseNumber("Last-Event-ID", last, 0, maxCursor); err != nil {
			return nil, 0, err
		}
	}
	if run = s.Runs.Get(c.QueryParam("run")); run == nil {
		return nil, 0, jobs.NewProblem(jobs.CodeNotFound, "there is no such run any more; open another")
	}
	return run, after, nil
}

// getCompare answers GET /api/compare: at once, as a long poll with wait, or as a stream.
func (s *server) getCompare(c echo.Context) error {
	c.Response().Header().Set("Vary", "Accept")
	run, after, err := s.compared(c)
	if err != nil {
		return err
	}
	if wantsStream(c.Request().Header) {
		return s.streamCompare(c, run, after)
	}
	wait, err := wait(c)
	if err != nil {
		return err
	}
	if wait > 0 {
		run.Await(c.Request().Context(), after, wait)
	}
	page := comparedPage{Events: []compare.Event{}, Last: after}
	if events, more := run.After(after, comparedEvents); len(events) > 0 {
		page = comparedPage{Events: events, Last: events[len(events)-1].N, More: more}
	}
	return respond(c, http.StatusOK, page)
}

// streamCompare sends a run's events as Server-Sent Events until it ends.
func (s *server) streamCompare(c echo.Context, run *compare.Run, after uint64) error {
	h := c.Response().Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache, no-transform")
	h.Set("X-Accel-Buffering", "no")
	if c.Request().Method == http.MethodHead {
		return c.NoContent(http.StatusOK)
	}
	ctx, cancel := context.WithCancel(c.Request().Context())
	defer cancel()
	stream := openStream(c.Response(), cancel)
	defer stream.close()
	for event := range run.Follow(ctx, after) {
		if !stream.compared(event) {
			return nil
		}
	}
	return nil
}

func (s *eventStream) compared(event compare.Event) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf.WriteString("id: ")
	s.buf.WriteString(strconv.FormatUint(event.N, 10))
	s.buf.WriteString("\ndata: ")
	if err := encode(&s.buf, event); err != nil {
		return false // it is two numbers and a text
	}
	s.buf.WriteByte('\n')
	return s.flush()
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
