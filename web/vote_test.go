package web

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"jobcast/internal/systems/journal"
	"jobcast/internal/systems/vote"
	"jobcast/namespaces"
	"jobcast/socketio"
)

// rawListener has the other ends of pipes.
type rawListener struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l *rawListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *rawListener) Close() error   { return nil }
func (l *rawListener) Addr() net.Addr { return &net.TCPAddr{} }

// listenRaw serves h on pipes until the test ends, or drain is called.
func listenRaw(t *testing.T, h http.Handler) (l *rawListener, drain context.CancelFunc) {
	l = &rawListener{conns: make(chan net.Conn), done: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	server := &http.Server{Handler: h, BaseContext: func(net.Listener) context.Context { return ctx }}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		cancel()
		close(l.done)
		server.Shutdown(context.Background())
		<-served
	})
	return l, cancel
}

func (l *rawListener) dial(t *testing.T, path string) net.Conn {
	t.Helper()
	pipe, theirs := net.Pipe()
	ours := &turnConn{pipe, make(chan struct{}, 1)}
	t.Cleanup(func() { ours.Close() })
	l.conns <- theirs
	u, _ := url.Parse("ws://server" + path)
	if _, _, err := (ws.Dialer{}).Upgrade(ours, u); err != nil {
		t.Fatal(err)
	}
	return ours
}

// A turnConn is written by one goroutine at a time: a test's own, and the one that reads and answers pings. A
// pipe sees to that too, but by a mutex, and while a goroutine waits for a mutex the time of a bubble stands
// still.
type turnConn struct {
	net.Conn
	turn chan struct{} // has room for who writes
}

func (c *turnConn) Write(p []byte) (int, error) {
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	return c.Conn.Write(p)
}

// writeText writes a text in one piece, so that a pong does not come between its header and its payload.
func writeText(w io.Writer, p []byte) error {
	_, err := w.Write(ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame(p))))
	return err
}

func inVote(t *testing.T, test func(t *testing.T, w *world, votes *vote.Vote)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		votes, err := vote.Open(t.Context(), new(journal.Memory))
		if err != nil {
			t.Fatal(err)
		}
		test(t, newWorld(t, func(c *Config) {
			io := socketio.New(socketio.Config{EncodeError: namespaces.EncodeError})
			end := namespaces.Register(io, namespaces.Vote, namespaces.Services{Vote: votes})
			t.Cleanup(func() {
				io.Close(context.Background())
				end(context.Background())
			})
			c.Sockets, c.Vote, c.Origins = io, votes, []string{"https://friend.example"}
		}), votes)
	})
}

func TestAThousandVotesOverEveryWayInAreSeenOverEveryWayOut(t *testing.T) {
	inVote(t, func(t *testing.T, w *world, v0 *vote.Vote) {
		const each = 25
		want := [4]int64{0, 300, 200, 600}
		for i := range 1000 {
			want[i%each%3+1]++
		}
		l, _ := listenRaw(t, w)
		var voters, followers sync.WaitGroup
		check := func(how string, got [4]int64) {
			if got != want {
				t.Errorf("%s ends with %v, want %v", how, got, want)
			}
		}
		full := func(got [4]int64) bool { return got[1]+got[2]+got[3] >= 2100 }
		take := func(into *[4]int64, candidates ...vote.Candidate) {
			for _, c := range candidates {
				into[c.UID] = max(into[c.UID], c.Count)
			}
		}
		for range 10 { // raw WebSockets
			conn := l.dial(t, "/ws/vote")
			got := [4]int64{0, 300, 200, 600}
			voters.Go(func() {
				for i := range each {
					writeText(conn, fmt.Append(nil, i%3+1))
				}
			})
			followers.Go(func() {
				for !full(got) {
					data, err := wsutil.ReadServerText(conn)
					var c vote.Candidate
					if err != nil || json.Unmarshal(data, &c) != nil {
						t.Errorf("got %q, %v", data, err)
						return
					}
					take(&got, c)
				}
				check("a raw WebSocket", got)
			})
		}
		for range 10 { // Socket.IO
			conn := l.dial(t, "/socket.io/?EIO=4&transport=websocket")
			wsutil.ReadServerText(conn) // OPEN
			writeText(conn, []byte("40/vote,"))
			if data, err := wsutil.ReadServerText(conn); err != nil || !strings.HasPrefix(string(data), "40/vote,") {
				t.Fatalf("got %q, %v, want a CONNECT", data, err)
			}
			var got [4]int64
			voters.Go(func() {
				for i := range each {
					writeText(conn, fmt.Appendf(nil, `42/vote,%d["vote",{"uid":%d}]`, i, i%3+1))
				}
			})
			followers.Go(func() {
				for !full(got) {
					data, err := wsutil.ReadServerText(conn)
					if err != nil {
						t.Error(err)
						return
					}
					var args []json.RawMessage
					var v struct {
						votes
						vote.Candidate
					}
					if rest, ok := strings.CutPrefix(string(data), "42/vote,"); ok && json.Unmarshal([]byte(rest), &args) == nil && json.Unmarshal(args[1], &v) == nil {
						take(&got, append(v.Candidates, v.Candidate)...)
					}
				}
				check("Socket.IO", got)
			})
		}
		for range 20 { // requests
			voters.Go(func() {
				for i := range each {
					if resp := w.post("/api/vote", fmt.Sprintf(`{"uid":%d}`, i%3+1)); resp.status != http.StatusOK {
						t.Errorf("got %d %s", resp.status, resp.text())
					}
				}
			})
			followers.Go(func() {
				var got [4]int64
				begin := time.Now()
				for rev := uint64(0); !full(got); {
					if time.Since(begin) > time.Minute {
						break // check says what is missing
					}
					page := decodeBody[votes](t, w.get(fmt.Sprintf("/api/vote?after=%d&wait=30s", rev)))
					rev = page.Rev
					take(&got, page.Candidates...)
				}
				check("a long poll", got)
			})
		}
		stream, ctx := newResponse(), context.Background()
		ctx, leave := context.WithCancel(ctx)
		followers.Go(func() { w.serve(ctx, stream, "GET", "/api/vote", nil, "Accept", "text/event-stream") })
		voters.Wait()
		time.Sleep(time.Second)
		leave()
		followers.Wait()
		var got [4]int64
		list, _ := readStream(stream.text())
		for _, e := range list {
			var v struct {
				votes
				vote.Candidate
			}
			if err := json.Unmarshal([]byte(e.data), &v); err != nil {
				t.Fatal(err)
			}
			take(&got, append(v.Candidates, v.Candidate)...)
		}
		check("an event stream", got)
		if rev, _ := v0.Now(); rev != 1001 {
			t.Errorf("got revision %d, want 1001", rev)
		}
	})
}

func TestVotePollsAnswerAtOnceOrWithTheNextVote(t *testing.T) {
	inVote(t, func(t *testing.T, w *world, v *vote.Vote) {
		first := w.get("/api/vote")
		if got, want := first.text(), `{"rev":1,"candidates":[{"uid":1,"name":"小米","count":300},{"uid":2,"name":"小康","count":200},{"uid":3,"name":"小明","count":600}]}`+"\n"; got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
		tag := first.header.Get("ETag")
		if resp := w.get("/api/vote", "If-None-Match", tag); resp.status != http.StatusNotModified || tag == "" {
			t.Errorf("got %d, want 304 for %s", resp.status, tag)
		}
		begin := time.Now()
		time.AfterFunc(5*time.Second, func() { v.Cast(context.Background(), 3) })
		for _, tt := range []struct {
			query string
			rev   uint64
			at    time.Duration
		}{{"after=1&wait=2s", 1, 2 * time.Second}, {"after=0&wait=30s", 1, 2 * time.Second}, {"after=99&wait=30s", 1, 2 * time.Second},
			{"after=1&wait=30s", 2, 5 * time.Second}, {"after=1&wait=30s", 2, 5 * time.Second}} {
			page := decodeBody[votes](t, w.get("/api/vote?"+tt.query))
			if page.Rev != tt.rev || time.Since(begin) != tt.at {
				t.Errorf("%s: got revision %d after %v, want %d after %v", tt.query, page.Rev, time.Since(begin), tt.rev, tt.at)
			}
		}
		if resp := w.get("/api/vote", "If-None-Match", tag); resp.status != http.StatusOK {
			t.Errorf("got %d after a vote, want 200", resp.status)
		}
		for body, want := range map[string]int{`{"uid":9}`: 404, `{"uid":"9"}`: 404, `{}`: 404, `{"uid":"x"}`: 400, `{"uid":"01"}`: 400,
			`{"uid":1.5}`: 400, `{"uid":[1]}`: 400, `{"uid":1,"n":5}`: 400} {
			if resp := w.post("/api/vote", body); resp.status != want || resp.header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s: got %d %s, want %d", body, resp.status, resp.text(), want)
			}
		}
	})
}

func TestAVoteByRequestMayWriteItsUIDAsText(t *testing.T) {
	inVote(t, func(t *testing.T, w *world, v *vote.Vote) {
		for i, tt := range []struct{ contentType, body string }{
			{"application/json", `{"uid":1}`},
			{"application/json", `{"uid":"1"}`},
			{"application/x-www-form-urlencoded", "uid=1"},
			{"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"uid\"\r\n\r\n1\r\n--b--\r\n"},
		} {
			resp := w.do("POST", "/api/vote", tt.body, "Content-Type", tt.contentType)
			want := fmt.Sprintf(`{"ok":true,"rev":%d,"candidate":{"uid":1,"name":"小米","count":%d}}`+"\n", i+2, i+301)
			if got := resp.text(); resp.status != http.StatusOK || got != want {
				t.Errorf("%s: got %d %s, want %s", tt.body, resp.status, got, want)
			}
		}
		for body, want := range map[string]int{"uid=9": 404, "uid=": 400, "": 400, "uid=x": 400, "uid=%zz": 400} {
			resp := w.do("POST", "/api/vote", body, "Content-Type", "application/x-www-form-urlencoded")
			if resp.status != want {
				t.Errorf("form %s: got %d %s, want %d", body, resp.status, resp.text(), want)
			}
		}
	})
}

func TestARawVoteIsAUIDAndNothingElse(t *testing.T) {
	inVote(t, func(t *testing.T, w *world, v *vote.Vote) {
		l, drain := listenRaw(t, w)
		conn := l.dial(t, "/ws/vote")
		for _, text := range []string{"", "9", "01", " 1", "1 ", "+1", "<b>", `{"uid":1}`} {
			writeText(conn, []byte(text))
			if got, err := wsutil.ReadServerText(conn); err != nil || !strings.HasPrefix(string(got), `{"error":"`) {
				t.Errorf("%q: got %s, %v, want an error", text, got, err)
			}
		}
		wsutil.WriteClientBinary(conn, []byte("1"))
		if got, err := wsutil.ReadServerText(conn); err != nil || !strings.HasPrefix(string(got), `{"error":"`) {
			t.Errorf("binary: got %s, %v, want an error", got, err)
		}
		if rev, _ := v.Now(); rev != 1 {
			t.Errorf("got revision %d, want 1", rev)
		}
		writeText(conn, []byte("1"))
		if got, err := wsutil.ReadServerText(conn); err != nil || string(got) != `{"uid":1,"name":"小米","count":301}` {
			t.Errorf("got %s, %v", got, err)
		}
		f, err := ws.ReadFrame(conn) // nothing happens for a while
		if err != nil || f.Header.OpCode != ws.OpPing {
			t.Errorf("got %v, %v, want a ping", f.Header, err)
		}
		drain()
		f, err = ws.ReadFrame(conn)
		if err != nil || f.Header.OpCode != ws.OpClose {
			t.Errorf("got %v, %v, want a goodbye", f.Header, err)
		}
	})
}

// slowJournal takes a second for each record.
type slowJournal struct{ journal.Memory }

func (j *slowJournal) Append(ctx context.Context, data []byte, after uint64) (uint64, error) {
	time.Sleep(time.Second)
	return j.Memory.Append(ctx, data, after)
}

func TestAVoteThatIsBeingWrittenIsAnsweredBeforeTheServerStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		votes, err := vote.Open(t.Context(), new(slowJournal))
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld(t, func(c *Config) { c.Vote = votes })
		l, drain := listenRaw(t, w)
		conn := l.dial(t, "/ws/vote")
		writeText(conn, []byte("1"))
		synctest.Wait()
		drain()
		closed := make(chan error)
		go func() { closed <- w.Handler.(*Handler).Close(context.Background()) }()
		if got, err := wsutil.ReadServerText(conn); err != nil || string(got) != `{"uid":1,"name":"小米","count":301}` {
			t.Errorf("got %s, %v, want the vote's answer", got, err)
		}
		f, err := ws.ReadFrame(conn)
		if code, _ := ws.ParseCloseFrameData(f.Payload); err != nil || code != ws.StatusGoingAway {
			t.Errorf("got %d, %v, want a goodbye with %d", code, err, ws.StatusGoingAway)
		}
		if err := <-closed; err != nil {
			t.Errorf("close: %v", err)
		}
	})
}

func TestARawVoteNeedsAWebSocketOfThisSite(t *testing.T) {
	inVote(t, func(t *testing.T, w *world, _ *vote.Vote) {
		if resp := w.get("/ws/vote"); resp.status != http.StatusBadRequest {
			t.Errorf("no upgrade: got %d", resp.status)
		}
		if resp := w.get("/ws/vote", "Upgrade", "websocket", "Origin", "https://elsewhere.example"); resp.status != http.StatusForbidden {
			t.Errorf("a page from elsewhere: got %d", resp.status)
		}
		if resp := w.get("/ws/vote", "Upgrade", "websocket", "Origin", "https://friend.example"); resp.status == http.StatusForbidden {
			t.Errorf("a page from an origin that is allowed: got %d %s", resp.status, resp.text())
		}
	})
}
