package web

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"jobcast/internal/systems/compare"
)

// inRun runs a test in fake time with a run of ten events a second.
func inRun(t *testing.T, test func(t *testing.T, w *world, run *compare.Run)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		runs := new(compare.Runs)
		t.Cleanup(runs.Close)
		run, err := runs.Open(compare.Settings{Rate: 10, Size: 100})
		if err != nil {
			t.Fatal(err)
		}
		test(t, newWorld(t, func(c *Config) { c.Runs = runs }), run)
	})
}

func numbers(events []compare.Event) (ns []uint64) {
	for _, e := range events {
		ns = append(ns, e.N)
	}
	return ns
}

func TestComparedPollsAnswerAtOnceOrWithTheNextEvent(t *testing.T) {
	inRun(t, func(t *testing.T, w *world, run *compare.Run) {
		path := "/api/compare?run=" + run.ID() + "&line="
		time.Sleep(550 * time.Millisecond)
		for _, tt := range []struct {
			query string
			last  uint64
			count int
			waits time.Duration
		}{
			{"short&after=0", 5, 5, 0},
			{"short&after=3", 5, 2, 0},
			{"short&after=5", 5, 0, 0},
			{"long&after=3&wait=10s", 5, 2, 0},
			{"long&after=5&wait=10s", 6, 1, 50 * time.Millisecond},
			{"long&after=6&wait=50ms", 6, 0, 50 * time.Millisecond},
		} {
			begin := time.Now()
			page := decodeBody[comparedPage](t, w.get(path+tt.query))
			if page.Last != tt.last || len(page.Events) != tt.count || page.More || time.Since(begin) != tt.waits {
				t.Errorf("%s: got %v until %d after %v, want %d until %d after %v",
					tt.query, numbers(page.Events), page.Last, time.Since(begin), tt.count, tt.last, tt.waits)
			}
		}
		got := run.Figures().Lines
		if got["short"].Requests != 3 || got["long"].Requests != 3 {
			t.Errorf("got %+v, want three requests of each", got)
		}
	})
}

// Compression would give polls an advantage that the other transports do not have.
func TestComparedPollsAreNotCompressed(t *testing.T) {
	inRun(t, func(t *testing.T, w *world, run *compare.Run) {
		time.Sleep(5 * time.Second)
		resp := w.get("/api/compare?after=0&line=short&run="+run.ID(), "Accept-Encoding", "gzip, deflate, br")
		if body := resp.text(); resp.header.Get("Content-Encoding") != "" || len(body) < 2*minCompressed {
			t.Errorf("got %d bytes, Content-Encoding %q, want many as they are", len(body), resp.header.Get("Content-Encoding"))
		}
	})
}

func TestComparedStreamGoesOnAfterTheLastEventOfTheClient(t *testing.T) {
	inRun(t, func(t *testing.T, w *world, run *compare.Run) {
		time.AfterFunc(2*time.Second+time.Millisecond, run.Close)
		resp := w.get("/api/compare?line=sse&run="+run.ID(), "Accept", "text/event-stream", "Last-Event-ID", "7")
		events, _ := readStream(resp.text())
		if len(events) != 13 || events[0].id != "8" || events[12].id != "20" {
			t.Fatalf("got %d events, want 8 to 20: %v", len(events), events)
		}
		if len(events[0].data) != 100 {
			t.Errorf("got %q, want 100 bytes", events[0].data)
		}
	})
}

func TestComparedRequestsThatDoNotFit(t *testing.T) {
	inRun(t, func(t *testing.T, w *world, run *compare.Run) {
		for query, want := range map[string]int{
			"run=nothing":                       http.StatusNotFound,
			"":                                  http.StatusNotFound,
			"run=" + run.ID() + "&after=-1":     http.StatusBadRequest,
			"run=" + run.ID() + "&wait=forever": http.StatusBadRequest,
			"run=" + run.ID() + "&rate=100":     http.StatusBadRequest,
		} {
			if resp := w.get("/api/compare?" + query); resp.status != want {
				t.Errorf("%q: got %d %s, want %d", query, resp.status, resp.text(), want)
			}
		}
		path := "/ws/compare?run=" + run.ID()
		if resp := w.get(path); resp.status != http.StatusBadRequest {
			t.Errorf("no upgrade: got %d", resp.status)
		}
		if resp := w.get(path, "Upgrade", "websocket", "Origin", "https://elsewhere.example"); resp.status != http.StatusForbidden {
			t.Errorf("a page from elsewhere: got %d", resp.status)
		}
	})
}

// oneConn is a listener with one connection.
type oneConn struct {
	conn atomic.Pointer[net.Conn]
	done chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if c := l.conn.Swap(nil); c != nil {
		return *c, nil
	}
	<-l.done
	return nil, net.ErrClosed
}
func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// comparedClient connects to /ws/compare over a pipe.
func comparedClient(t *testing.T, w *world, run *compare.Run) net.Conn {
	ours, theirs := net.Pipe()
	l := &oneConn{done: make(chan struct{})}
	l.conn.Store(&theirs)
	server := &http.Server{Handler: w}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		ours.Close()
		close(l.done)
		server.Shutdown(context.Background())
		<-served
		synctest.Wait()
	})
	u, _ := url.Parse("ws://server/ws/compare?line=websocket&after=2&run=" + run.ID())
	if _, _, err := (ws.Dialer{}).Upgrade(ours, u); err != nil {
		t.Fatal(err)
	}
	return ours
}

func TestComparedWebSocketGetsEveryEventAndAPong(t *testing.T) {
	inRun(t, func(t *testing.T, w *world, run *compare.Run) {
		conn := comparedClient(t, w, run)
		r := bufio.NewReader(conn)
		said := make(chan error, 1)
		go func() { // both ends of a pipe wait for each other, so this one must not wait for the events
			said <- errors.Join(
				writeText(conn, []byte(strings.Repeat("not listened to ", 1000))),
				wsutil.WriteClientMessage(conn, ws.OpPing, []byte("still there?")))
		}()
		pongs := 0
		for want := uint64(3); want < 30; {
			f, err := ws.ReadFrame(r)
			if err != nil {
				t.Fatal(err)
			}
			if f.Header.OpCode == ws.OpPong && string(f.Payload) == "still there?" {
				pongs++
				continue
			}
			var e compare.Event
			if err := json.Unmarshal(f.Payload, &e); err != nil || e.N != want || len(f.Payload) != 100 {
				t.Fatalf("got %s, want event %d of 100 bytes", f.Payload, want)
			}
			want++
		}
		if err := <-said; err != nil || pongs != 1 {
			t.Errorf("got %d pongs, want 1: %v", pongs, err)
		}
		go run.Close()
		for {
			f, err := ws.ReadFrame(r)
			if err != nil {
				t.Fatalf("got %v, want a goodbye", err)
			}
			if f.Header.OpCode == ws.OpClose {
				break
			}
		}
	})
}

func TestComparedWebSocketThatLeavesIsNotWrittenToAnyMore(t *testing.T) {
	inRun(t, func(t *testing.T, w *world, run *compare.Run) {
		conn := comparedClient(t, w, run)
		conn.Close()
		time.Sleep(time.Second) // what is left behind would block the bubble's end
		if run.Figures().Lines["websocket"].Requests != 1 {
			t.Errorf("got %+v, want one request", run.Figures().Lines)
		}
	})
}
