package namespaces

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"jobcast/socketio"
)

// A client speaks to one namespace over a pipe, in a synctest bubble: it has no port, and its time is
// the bubble's.
type client struct {
	t      *testing.T
	conn   net.Conn
	ns     string
	nextID int
	events []event // that came while something else was waited for
}

type event struct {
	name    string
	payload json.RawMessage
	ack     string // the id of the acknowledgement that is asked for, if one is
}

// pipeListener gives an http.Server the other ends of pipes.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *pipeListener) Close() error   { return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// serve serves io on pipes until the test ends.
func serve(t *testing.T, io *socketio.Server) *pipeListener {
	l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	web := &http.Server{Handler: io}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		web.Serve(l)
	}()
	t.Cleanup(func() {
		close(l.done)
		io.Close(context.Background())
		web.Close()
		<-ended
	})
	return l
}

func (l *pipeListener) connect(t *testing.T, ns string) *client {
	t.Helper()
	c := l.connectTo(t, "40"+ns+",", "40"+ns+",")
	c.ns = ns
	return c
}

// connectTo connects with the CONNECT packet that is given, and expects an answer that begins so.
func (l *pipeListener) connectTo(t *testing.T, packet, answer string) *client {
	t.Helper()
	ours, theirs := net.Pipe()
	l.conns <- theirs
	t.Cleanup(func() { ours.Close() })
	u, _ := url.Parse("ws://server/socket.io/?EIO=4&transport=websocket")
	if _, _, err := (ws.Dialer{}).Upgrade(ours, u); err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, conn: ours}
	c.read() // OPEN
	c.write(packet)
	if got := c.read(); !strings.HasPrefix(got, answer) {
		t.Fatalf("got %q, want %s…", got, answer)
	}
	return c
}

func (c *client) write(packet string) {
	c.t.Helper()
	if err := wsutil.WriteClientText(c.conn, []byte(packet)); err != nil {
		c.t.Fatal(err)
	}
}

// read returns the next packet, and answers pings.
func (c *client) read() string {
	c.t.Helper()
	c.conn.SetReadDeadline(time.Now().Add(10 * time.Minute))
	for {
		packet, err := wsutil.ReadServerText(c.conn)
		if err != nil {
			c.t.Fatalf("read: %v", err)
		}
		if string(packet) != "2" {
			return string(packet)
		}
		c.write("3")
	}
}

// ask emits an event and decodes its acknowledgement into ack. The events that came before it are kept.
func (c *client) ask(name string, payload, ack any) {
	c.t.Helper()
	body, err := json.Marshal([]any{name, payload})
	if err != nil {
		c.t.Fatal(err)
	}
	id := c.nextID
	c.nextID++
	c.write(fmt.Sprintf("42%s,%d%s", c.ns, id, body))
	want := "43" + c.ns + "," + strconv.Itoa(id)
	for {
		packet := c.read()
		if rest, ok := strings.CutPrefix(packet, want); ok {
			var args []json.RawMessage
			if err := json.Unmarshal([]byte(rest), &args); err != nil || len(args) != 1 {
				c.t.Fatalf("%s: ack %q: %v", name, packet, err)
			}
			if err := json.Unmarshal(args[0], ack); err != nil {
				c.t.Fatalf("%s: ack %s: %v", name, args[0], err)
			}
			return
		}
		c.events = append(c.events, c.parse(packet))
	}
}

// next returns the next event.
func (c *client) next() event {
	c.t.Helper()
	if len(c.events) > 0 {
		e := c.events[0]
		c.events = c.events[1:]
		return e
	}
	return c.parse(c.read())
}

func (c *client) parse(packet string) event {
	c.t.Helper()
	rest, ok := strings.CutPrefix(packet, "42"+c.ns+",")
	body := strings.TrimLeft(rest, "0123456789")
	id := strings.TrimSuffix(rest, body)
	var args []json.RawMessage
	if !ok || json.Unmarshal([]byte(body), &args) != nil || len(args) != 2 {
		c.t.Fatalf("got %q, want an event with one payload", packet)
	}
	e := event{ack: id}
	decode(c.t, args[0], &e.name)
	e.payload = args[1]
	return e
}

func decode(t testing.TB, payload []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(payload, v); err != nil {
		t.Fatalf("%s: %v", payload, err)
	}
}
