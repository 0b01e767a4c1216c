package engineio

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf16"

	"github.com/gobwas/ws"

	"jobcast/engineio/parser"
)

// An env is a server behind net/http, and a client.
type env struct {
	t      *testing.T
	eio    string // the revision that the client speaks
	server *Server
	http   *http.Server
	client *http.Client
	dial   func() (net.Conn, error)

	patience time.Duration // with the server's Close
}

const (
	bubblePatience   = time.Minute
	loopbackPatience = 50 * time.Millisecond
)

// eachRevision runs f for a client of each revision that the server speaks.
func eachRevision(t *testing.T, cfg Config, f func(t *testing.T, eio string)) {
	t.Helper()
	t.Run("revision 4", func(t *testing.T) { f(t, "4") })
	if !cfg.DisableRevision3 {
		t.Run("revision 3", func(t *testing.T) { f(t, "3") })
	}
}

// inBubble runs f in a bubble of fake time, with a server that is reached through pipes, once for each
// revision. A goroutine that the server leaves behind fails the test.
func inBubble(t *testing.T, cfg Config, f func(*env)) {
	t.Helper()
	eachRevision(t, cfg, func(t *testing.T, eio string) { inBubbleWith(t, eio, cfg, f) })
}

func inBubbleWith(t *testing.T, eio string, cfg Config, f func(*env)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
		e := newEnv(t, cfg, l, l.dial)
		e.eio, e.patience = eio, bubblePatience
		defer e.close()
		f(e)
	})
}

// onLoopback runs f with a server that is reached over TCP, where connections are read and written
// without blocking, once for each revision.
func onLoopback(t *testing.T, cfg Config, f func(*env)) {
	t.Helper()
	eachRevision(t, cfg, func(t *testing.T, eio string) { onLoopbackWith(t, eio, cfg, f) })
}

// onLoopbackWith runs f once for each way of reading connections.
func onLoopbackWith(t *testing.T, eio string, cfg Config, f func(*env)) {
	t.Helper()
	t.Run("a goroutine for each", func(t *testing.T) {
		cfg.DisablePoller = true
		onSockets(t, eio, cfg, f)
	})
	if runtime.GOOS == "linux" {
		t.Run("a poller", func(t *testing.T) {
			cfg.DisablePoller = false
			onSockets(t, eio, cfg, f)
		})
	}
}

func onSockets(t *testing.T, eio string, cfg Config, f func(*env)) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := newEnv(t, cfg, l, func() (net.Conn, error) { return net.Dial("tcp", l.Addr().String()) })
	e.eio, e.patience = eio, loopbackPatience
	defer e.close()
	f(e)
}

func newEnv(t *testing.T, cfg Config, l net.Listener, dial func() (net.Conn, error)) *env {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Accept == nil {
		cfg.Accept = func(s *Session) Handler { return echoHandler{s} }
	}
	e := &env{t: t, server: NewServer(cfg), dial: dial}
	e.http = &http.Server{Handler: e.server}
	go e.http.Serve(l)
	e.client = &http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return dial() },
	}}
	return e
}

func (e *env) close() {
	ctx, cancel := context.WithTimeout(context.Background(), e.patience)
	defer cancel()
	// In real time nobody waits for clients that a test has left behind.
	if err := e.server.Close(ctx); err != nil && e.patience == bubblePatience {
		e.t.Errorf("close: %v", err)
	}
	e.client.CloseIdleConnections()
	e.http.Close()
}

type echoHandler struct{ session *Session }

func (h echoHandler) Receive(m Message) {
	m.Data = bytes.Clone(m.Data)
	_ = h.session.Send(NewFrame(m))
}

func (echoHandler) Closed(Reason) {}

// A recorder is a handler that notes what it is told.
type recorder struct {
	session *Session
	mu      sync.Mutex
	got     []string
	closed  chan Reason // has room for one
}

func newRecorder(s *Session) *recorder { return &recorder{session: s, closed: make(chan Reason, 1)} }

func (r *recorder) Receive(m Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, string(m.Data))
}

func (r *recorder) messages() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.got...)
}

func (r *recorder) Closed(reason Reason) { r.closed <- reason }

// accepting returns a configuration whose sessions arrive on the channel.
func accepting(cfg Config) (Config, <-chan *recorder) {
	ch := make(chan *recorder, 100)
	var mu sync.Mutex
	var last *Server
	cfg.Accept = func(s *Session) Handler {
		mu.Lock()
		defer mu.Unlock()
		for last != s.server && len(ch) > 0 {
			<-ch // of a server before this one
		}
		last = s.server
		r := newRecorder(s)
		ch <- r
		return r
	}
	return cfg, ch
}

const base = "http://engine.test/engine.io/"

// query gives a query of revision 4 the number of the client's.
func (e *env) query(query string) string { return strings.Replace(query, "EIO=4", "EIO="+e.eio, 1) }

// do sends a request and returns the answer with its body. Payloads are written as in revision 4.
func (e *env) do(method, query, body string, header ...string) (*http.Response, string) {
	e.t.Helper()
	return e.doContext(context.Background(), method, query, body, header...)
}

func (e *env) doContext(ctx context.Context, method, query, body string, header ...string) (*http.Response, string) {
	e.t.Helper()
	if e.eio == "3" && body != "" {
		body = toRevision3(body)
	}
	r, err := http.NewRequestWithContext(ctx, method, base+e.query(query), strings.NewReader(body))
	if err != nil {
		e.t.Fatal(err)
	}
	if body == "" {
		r.Body, r.ContentLength = nil, 0
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := e.client.Do(r)
	if err != nil {
		if ctx.Err() == nil {
			e.t.Errorf("%s %s: %v", method, query, err)
		}
		return &http.Response{}, ""
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		e.t.Errorf("%s %s: %v", method, query, err)
	}
	if e.eio == "3" && method == "GET" && resp.StatusCode == http.StatusOK {
		return resp, fromRevision3(e.t, resp.Header.Get("Content-Type"), answer)
	}
	return resp, string(answer)
}

// toRevision3 writes a payload of revision 4 as one of revision 3.
func toRevision3(payload string) string {
	var b strings.Builder
	for p := range strings.SplitSeq(payload, "\x1e") {
		if base64, ok := strings.CutPrefix(p, "b"); ok {
			p = "b4" + base64
		}
		fmt.Fprintf(&b, "%d:%s", len(utf16.Encode([]rune(p))), p)
	}
	return b.String()
}

// fromRevision3 is the inverse.
func fromRevision3(t *testing.T, contentType string, payload []byte) string {
	t.Helper()
	packets := parser.PacketsV3
	if contentType == "application/octet-stream" {
		packets = parser.BinaryPacketsV3
	}
	var all []parser.Packet
	for p, err := range packets(payload) {
		if err != nil {
			t.Errorf("answer %q: %v", payload, err)
			break
		}
		all = append(all, p)
	}
	return string(parser.AppendPayload(nil, all...))
}

// handshake is what the OPEN packet tells.
type handshake struct {
	SID          string
	Upgrades     []string
	PingInterval int
	PingTimeout  int
	MaxPayload   int
}

// open opens a session that polls.
func (e *env) open() (sid string) {
	e.t.Helper()
	_, body := e.do("GET", "?EIO=4&transport=polling", "")
	return parseOpen(e.t, body).SID
}

func parseOpen(t *testing.T, packet string) (h handshake) {
	t.Helper()
	data, ok := strings.CutPrefix(packet, "0")
	if err := json.Unmarshal([]byte(data), &h); !ok || err != nil {
		t.Fatalf("got %q, want an OPEN packet (%v)", packet, err)
	}
	return h
}

func (e *env) poll(sid string) (int, string) {
	e.t.Helper()
	resp, body := e.do("GET", "?EIO=4&transport=polling&sid="+sid, "")
	return resp.StatusCode, body
}

func (e *env) post(sid, payload string) (int, string) {
	e.t.Helper()
	resp, body := e.do("POST", "?EIO=4&transport=polling&sid="+sid, payload)
	return resp.StatusCode, body
}

// wantPoll polls and compares.
func (e *env) wantPoll(sid string, status int, body string) {
	e.t.Helper()
	if s, b := e.poll(sid); s != status || status == 200 && b != body {
		e.t.Errorf("poll: got %d %q, want %d %q", s, b, status, body)
	}
}

func (e *env) wantPost(sid, payload string, status int, body string) {
	e.t.Helper()
	if s, b := e.post(sid, payload); s != status || status == 200 && b != body {
		e.t.Errorf("post %.50q: got %d %q, want %d %q", payload, s, b, status, body)
	}
}

// A wsClient is the client's end of a WebSocket.
type wsClient struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

// errRefused says that there is no WebSocket but an answer.
type errRefused int

func (e errRefused) Error() string { return http.StatusText(int(e)) }

func (e *env) tryWebSocket(query string) (*wsClient, error) {
	return e.tryWebSocketAt("/engine.io/" + query)
}

func (e *env) tryWebSocketAt(target string) (*wsClient, error) {
	conn, err := e.dial()
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(time.Minute)) // lest a test hangs
	_, err = io.WriteString(conn, "GET "+e.query(target)+" HTTP/1.1\r\nHost: engine.test\r\nConnection: keep-alive, Upgrade\r\n"+
		"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	if err != nil {
		return nil, err
	}
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		conn.Close()
		return nil, errRefused(resp.StatusCode)
	}
	if got, want := resp.Header.Get("Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="; got != want {
		e.t.Errorf("got Sec-WebSocket-Accept %q, want %q", got, want)
	}
	return &wsClient{e.t, conn, r}, nil
}

func (e *env) webSocket(query string) *wsClient {
	e.t.Helper()
	return e.webSocketAt("/engine.io/" + query)
}

func (e *env) webSocketAt(target string) *wsClient {
	e.t.Helper()
	c, err := e.tryWebSocketAt(target)
	if err != nil {
		e.t.Fatalf("websocket %s: %v", target, err)
	}
	return c
}

// openWebSocket opens a session on WebSocket.
func (e *env) openWebSocket() (*wsClient, handshake) {
	e.t.Helper()
	c := e.webSocket("?EIO=4&transport=websocket")
	return c, parseOpen(e.t, c.text())
}

func (c *wsClient) close() { c.conn.Close() }

func (c *wsClient) write(p []byte) {
	c.t.Helper()
	if _, err := c.conn.Write(p); err != nil {
		c.t.Errorf("write: %v", err)
	}
}

// clientFrame returns a frame as a client sends it.
func clientFrame(fin bool, op ws.OpCode, payload string) []byte {
	return rawFrame(ws.Header{Fin: fin, OpCode: op, Masked: true, Mask: [4]byte{1, 2, 3, 4}}, payload)
}

// rawFrame returns a frame with that header and the payload's length.
func rawFrame(h ws.Header, payload string) []byte {
	h.Length = int64(len(payload))
	p := []byte(payload)
	if h.Masked {
		ws.Cipher(p, h.Mask, 0)
	}
	return append(encodeHeader(h), p...)
}

// header returns a masked header that announces a length.
func header(op ws.OpCode, length int64) []byte {
	return encodeHeader(ws.Header{Fin: true, OpCode: op, Masked: true, Length: length})
}

func encodeHeader(h ws.Header) []byte {
	var b bytes.Buffer
	if err := ws.WriteHeader(&b, h); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func (c *wsClient) send(text string) { c.t.Helper(); c.write(clientFrame(true, ws.OpText, text)) }

// errClosed is what reading returns after the server's close frame.
type errClosed struct {
	code   ws.StatusCode
	reason string
}

func (e errClosed) Error() string { return "closed: " + e.reason }

// read returns the next frame.
func (c *wsClient) read() (ws.OpCode, string, error) {
	h, err := ws.ReadHeader(c.r)
	if err != nil {
		return 0, "", err
	}
	if h.Masked || h.Rsv != 0 || !h.Fin {
		c.t.Errorf("got a frame %+v from the server", h)
	}
	p := make([]byte, h.Length)
	if _, err := io.ReadFull(c.r, p); err != nil {
		return 0, "", err
	}
	if h.OpCode == ws.OpClose {
		e := errClosed{}
		if len(p) >= 2 {
			e.code, e.reason = ws.StatusCode(binary.BigEndian.Uint16(p)), string(p[2:])
		}
		return h.OpCode, string(p), e
	}
	return h.OpCode, string(p), nil
}

// text returns the next frame, which must be text.
func (c *wsClient) text() string {
	c.t.Helper()
	op, p, err := c.read()
	if err != nil || op != ws.OpText {
		c.t.Fatalf("read: got opcode %x, %q, %v, want text", op, p, err)
	}
	return p
}

func (c *wsClient) wantText(want string) {
	c.t.Helper()
	if got := c.text(); got != want {
		c.t.Errorf("got %q, want %q", got, want)
	}
}

// wantClose reads until the server closes with that code, and checks that it then closes the connection.
func (c *wsClient) wantClose(code ws.StatusCode) {
	c.t.Helper()
	var err error
	for err == nil {
		_, _, err = c.read()
	}
	closed, ok := errors.AsType[errClosed](err)
	if !ok || closed.code != code {
		c.t.Fatalf("got %v %v, want close code %d", err, closed.code, code)
	}
	if _, _, err := c.read(); !errors.Is(err, io.EOF) {
		c.t.Errorf("after the close frame: got %v, want EOF", err)
	}
}

// waitClosed reads until the connection is closed in whatever way.
func (c *wsClient) waitClosed() {
	c.t.Helper()
	for {
		if _, _, err := c.read(); err != nil {
			if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
				c.t.Error("the connection stays open")
			}
			c.conn.Close()
			return
		}
	}
}

// A pipeListener accepts the server's ends of pipes.
type pipeListener struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func (l *pipeListener) dial() (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }
