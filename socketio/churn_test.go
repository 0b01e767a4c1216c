package socketio_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"jobcast/engineio"
	"jobcast/socketio"
)

// churned is how many clients TestClientsComeAndGo has.
const churned = 10_000

// TestClientsComeAndGo has 10,000 clients of both revisions, over polling, WebSocket and polling that is
// upgraded, that join a namespace and a room, get an acknowledgement, wait for one that never comes, and
// go, half of them without a goodbye. The server keeps nothing of them: no session, no goroutine, no memory.
// It runs over TCP in real time, because that is where connections are read without blocking.
func TestClientsComeAndGo(t *testing.T) {
	var present atomic.Int64
	srv := socketio.New(socketio.Config{
		Engine: engineio.Config{PingInterval: time.Second, PingTimeout: 20 * time.Second},
		Logger: slog.New(slog.DiscardHandler),
	})
	ns := srv.Of("/churn")
	ns.OnConnect(func(_ context.Context, s *socketio.Socket) {
		present.Add(1)
		s.Join("all", "room of "+s.ID())
	})
	ns.OnDisconnect(func(*socketio.Socket, socketio.Reason) { present.Add(-1) })
	question := socketio.NewCall[string, string]("question")
	ns.Handle(socketio.NewCall[string, string]("echo").On(func(_ context.Context, s *socketio.Socket, text string) (string, error) {
		s.Go(func(ctx context.Context) { question.Ask(ctx, s, "anyone?") }) // nobody answers
		return text, nil
	}))
	web := httptest.NewServer(srv)
	defer web.Close()

	churn(t, web.Listener.Addr().String(), 2000) // pools and caches are filled
	settle(t, &present)
	time.Sleep(22 * time.Second) // a session that only began is noticed when its ping is not answered
	objects, bytes := heap()
	churn(t, web.Listener.Addr().String(), churned)
	settle(t, &present)
	// What the server keeps is counted in objects: its maps and slices stay as large as they once were, and
	// are few.
	var more, grown float64
	for range 240 {
		o, b := heap()
		if more, grown = float64(o-objects)/churned, float64(b-bytes)/churned; more < 0.2 {
			break
		}
		time.Sleep(500 * time.Millisecond)
	}
	t.Logf("a client that has gone left %.2f objects and %.0f bytes", more, grown)
	if more >= 0.2 || grown >= 200 {
		t.Errorf("a client that has gone left %.2f objects and %.0f bytes, want none", more, grown)
	}
	web.CloseClientConnections()
	if err := srv.Close(t.Context()); err != nil { // waits for every goroutine
		t.Error(err)
	}
}

// settle waits until the server's clients are gone.
func settle(t *testing.T, present *atomic.Int64) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Minute)
	for present.Load() > 0 || stacksOfServer() > 0 {
		if time.Now().After(deadline) {
			t.Fatalf("five minutes after the last client has gone: %d sockets, and goroutines:\n%s", present.Load(), stacks())
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func stacks() string {
	buf := make([]byte, 1<<20)
	return string(buf[:runtime.Stack(buf, true)])
}

// ownGoroutine matches those that the server has while it has no client.
var ownGoroutine = regexp.MustCompile(`socketio\.\(\*tasks\)\.work`)

// stacksOfServer counts the goroutines that exist on behalf of a client.
func stacksOfServer() (n int) {
	for g := range strings.SplitSeq(stacks(), "\n\n") {
		inEngine := strings.Contains(g, "jobcast/engineio.(*Session)") || strings.Contains(g, "jobcast/engineio.(*wsConn)")
		if inEngine || strings.Contains(g, "jobcast/socketio.") && !ownGoroutine.MatchString(g) && !strings.Contains(g, "socketio_test.TestClientsComeAndGo") {
			n++
		}
	}
	return n
}

// heap is what is reachable.
func heap() (objects, bytes int64) {
	for range 3 { // pools need two
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapObjects), int64(m.HeapAlloc)
}

// churn has n clients come and go, 50 at a time.
func churn(t *testing.T, addr string, n int) {
	t.Helper()
	var wg sync.WaitGroup
	var next atomic.Int64
	for range 50 {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n || t.Failed() {
					return
				}
				if err := comeAndGo(addr, i); err != nil {
					t.Errorf("client %d: %v", i, err)
				}
			}
		})
	}
	wg.Wait()
}

// comeAndGo is one client. Its number says what it does.
func comeAndGo(addr string, i int) error {
	c := &visitor{base: "http://" + addr + "/socket.io/", revision: 4 - i%2, cut: i/2%2 == 0}
	c.http.Transport = &http.Transport{MaxIdleConnsPerHost: 2}
	defer c.http.CloseIdleConnections()
	if i%10 == 9 { // does not get past the handshake
		_, err := c.get("")
		return err
	}
	switch i / 4 % 3 {
	case 0:
		return c.overWebSocket("")
	case 1:
		return c.overPolling()
	default:
		return c.upgraded()
	}
}

// A visitor is a client that stays for a moment.
type visitor struct {
	http     http.Client
	base     string
	revision int
	cut      bool // it leaves without a goodbye
}

func (c *visitor) query(transport, sid string) string {
	q := fmt.Sprintf("?EIO=%d&b64=1&transport=%s", c.revision, transport)
	if sid != "" {
		q += "&sid=" + sid
	}
	return q
}

func (c *visitor) get(sid string) (string, error) {
	resp, err := c.http.Get(c.base + c.query("polling", sid))
	return answer(resp, err)
}

func (c *visitor) post(sid, packet string) error {
	if c.revision == 3 {
		packet = fmt.Sprintf("%d:%s", len(packet), packet)
	}
	resp, err := c.http.Post(c.base+c.query("polling", sid), "text/plain;charset=UTF-8", strings.NewReader(packet))
	_, err = answer(resp, err)
	return err
}

func answer(resp *http.Response, err error) (string, error) {
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, body)
	}
	return string(body), err
}

var sidField = regexp.MustCompile(`"sid":"([^"]+)"`)

const (
	joinPacket = "40/churn,"
	echoPacket = `42/churn,7["echo","hello"]`
	echoAnswer = `43/churn,7["hello"]`
)

// pollFor polls until what it wants has come.
func (c *visitor) pollFor(sid, want string) error {
	for {
		body, err := c.get(sid)
		if err != nil || strings.Contains(body, want) {
			return err
		}
	}
}

func (c *visitor) overPolling() error {
	open, err := c.get("")
	if err != nil {
		return err
	}
	sid := sidField.FindStringSubmatch(open)[1]
	if err := c.joinByPolling(sid); err != nil {
		return err
	}
	if err := c.post(sid, echoPacket); err != nil {
		return err
	}
	if err := c.pollFor(sid, echoAnswer); err != nil || c.cut {
		return err
	}
	return c.post(sid, "1")
}

func (c *visitor) joinByPolling(sid string) error {
	if err := c.post(sid, joinPacket); err != nil {
		return err
	}
	return c.pollFor(sid, "40/churn,")
}

func (c *visitor) upgraded() error {
	open, err := c.get("")
	if err != nil {
		return err
	}
	sid := sidField.FindStringSubmatch(open)[1]
	if err := c.joinByPolling(sid); err != nil {
		return err
	}
	return c.overWebSocket(sid)
}

// overWebSocket opens a session, or upgrades one that has joined.
func (c *visitor) overWebSocket(sid string) error {
	url := "ws" + strings.TrimPrefix(c.base, "http") + c.query("websocket", sid)
	conn, ahead, _, err := ws.Dial(context.Background(), url)
	if err != nil {
		return err
	}
	defer conn.Close()
	var r io.Reader = conn
	if ahead != nil {
		r = io.MultiReader(bufio.NewReader(io.LimitReader(ahead, int64(ahead.Buffered()))), conn)
	}
	conn.SetDeadline(time.Now().Add(time.Minute))
	exchange := func(say, want string) error {
		if say != "" {
			if err := wsutil.WriteClientText(conn, []byte(say)); err != nil {
				return err
			}
		}
		for {
			p, err := wsutil.ReadServerText(readWriter{r, conn})
			if err != nil {
				return fmt.Errorf("%w, while waiting for %s", err, want)
			}
			if strings.HasPrefix(string(p), want) {
				return nil
			}
			if string(p) == "2" {
				if err := wsutil.WriteClientText(conn, []byte("3")); err != nil {
					return err
				}
			}
		}
	}
	if sid == "" {
		err = errors.Join(exchange("", "0{"), exchange(joinPacket, "40/churn,"))
	} else if err = exchange("2probe", "3probe"); err == nil {
		err = wsutil.WriteClientText(conn, []byte("5"))
	}
	if err == nil {
		err = exchange(echoPacket, echoAnswer)
	}
	if err != nil || c.cut {
		if tcp, ok := conn.(*net.TCPConn); ok {
			tcp.SetLinger(0) // a reset, as from a client that has vanished
		}
		return err
	}
	return wsutil.WriteClientText(conn, []byte("1"))
}

type readWriter struct {
	io.Reader
	io.Writer
}
