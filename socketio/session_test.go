package socketio

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"jobcast/engineio"
)

// pipe is a session in memory with the client at its other end, and the test in the client's place.
//
// Its packets are written as in the newer dialect. If it speaks the older one, it translates.
type pipe struct {
	t    *testing.T
	conn *conn
	id   string
	old  bool

	reading sync.Mutex // held during the calls of conn, which come one at a time
	over    bool       // Closed was called

	mu      sync.Mutex // protects the fields below
	got     []string   // what the server has sent; a binary message is "b" and its bytes in hexadecimal
	err     error      // of Send
	stalled bool
	reason  engineio.Reason // once closed
	joining joining

	listening func(message string) // is told of every text that is sent
}

// joining says how far an old client is with the main namespace: the server joins it by itself, the test
// when it has a reason to.
type joining struct {
	seen     bool   // the test has joined
	answered bool   // the server has
	answer   string // kept until the test has
}

func (p *pipe) ID() string { return p.id }
func (p *pipe) Handshake() *engineio.Handshake {
	return &engineio.Handshake{Header: http.Header{"X-From": {"pipe"}}}
}
func (p *pipe) Transport() string { return "pipe" }
func (p *pipe) Revision() int {
	if p.old {
		return 3
	}
	return 4
}

func (p *pipe) Send(frames ...*engineio.Frame) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reason != "" {
		return engineio.ErrClosed
	}
	if p.err != nil {
		return p.err
	}
	for _, f := range frames {
		m := f.Message()
		if p.listening != nil {
			p.listening(string(m.Data))
		}
		if m.Binary {
			p.got = append(p.got, fmt.Sprintf("b%x", m.Data))
		} else if j := &p.joining; p.old && !j.answered && (string(m.Data) == "0" || strings.HasPrefix(string(m.Data), `4"`)) {
			j.answered, j.answer = true, string(m.Data)
			p.deliverAnswer()
		} else {
			p.got = append(p.got, string(m.Data))
		}
	}
	return nil
}

func (p *pipe) SendVolatile(frames ...*engineio.Frame) bool {
	p.mu.Lock()
	stalled := p.stalled
	p.mu.Unlock()
	return !stalled && p.Send(frames...) == nil
}

func (p *pipe) Close(reason engineio.Reason) {
	p.mu.Lock()
	first := p.reason == ""
	if first {
		p.reason = reason
	}
	p.mu.Unlock()
	if first {
		go func() {
			p.reading.Lock()
			defer p.reading.Unlock()
			p.over = true
			p.conn.Closed(reason)
		}()
	}
}

func (p *pipe) message(m engineio.Message) {
	p.reading.Lock()
	defer p.reading.Unlock()
	if !p.over {
		p.conn.Receive(m)
	}
}

// dial opens a session.
func dial(t *testing.T, srv *Server) *pipe {
	_, old := oldClients.Load(srv)
	p := &pipe{t: t, id: rand.Text()[:20], old: old}
	p.reading.Lock() // an old client may be closed before conn is set
	p.conn = srv.accept(p)
	p.reading.Unlock()
	t.Cleanup(func() { p.Close(engineio.TransportClose) })
	return p
}

// join opens a session and connects to a namespace.
func join(t *testing.T, srv *Server, namespace string) (*pipe, *Socket) {
	t.Helper()
	p := dial(t, srv)
	p.send("0" + namespace + ",")
	if namespace == "/" {
		p.want(`0{"sid":"SID"}`)
	} else {
		p.want(`0` + namespace + `,{"sid":"SID"}`)
	}
	s, _ := p.conn.find(namespace)
	return p, s
}

// send has the client send text messages.
func (p *pipe) send(messages ...string) {
	for _, m := range messages {
		if p.old && strings.HasPrefix(m, "0") {
			if m = toDialect4(m); m == "0" && p.joinMain() {
				continue
			}
		}
		p.message(engineio.Message{Data: []byte(m)})
	}
}

// joinMain stands for the CONNECT to the main namespace that an old client does not send. It returns false
// if the client has joined before.
func (p *pipe) joinMain() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	first := !p.joining.seen
	p.joining.seen = true
	p.deliverAnswer()
	return first
}

func (p *pipe) deliverAnswer() {
	if j := &p.joining; j.seen && j.answer != "" {
		p.got = append(p.got, j.answer)
		j.answer = ""
	}
}

// toDialect4 has the credentials of a CONNECT as a query.
func toDialect4(connect string) string {
	namespace, auth, _ := strings.Cut(connect, ",")
	var credentials map[string]string
	if json.Unmarshal([]byte(auth), &credentials) != nil || namespace == "0/" {
		return strings.TrimSuffix(connect, "/,")
	}
	query := url.Values{}
	for name, value := range credentials {
		query.Set(name, value)
	}
	return namespace + "?" + query.Encode() + ","
}

var welcome = regexp.MustCompile(`^0(/[^,]*,)?$`)

func (p *pipe) sendBinary(data ...byte) {
	p.message(engineio.Message{Binary: true, Data: data})
}

var sid = regexp.MustCompile(`"sid":"[0-9A-Za-z_-]{20}"`)

// take waits until the server has nothing left to do, and takes what it has sent, with SID for the ids.
func (p *pipe) take() []string {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	got := p.got
	p.got = nil
	for i := range got {
		got[i] = sid.ReplaceAllString(got[i], `"sid":"SID"`)
		if p.old && welcome.MatchString(got[i]) {
			got[i] += `{"sid":"SID"}`
		}
	}
	return got
}

func (p *pipe) want(want ...string) {
	p.t.Helper()
	if got := p.take(); !slices.Equal(got, want) {
		p.t.Errorf("client got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// wantRefusal checks the answer to a client that may not join /ns.
func (p *pipe) wantRefusal(namespace, message, data string) {
	p.t.Helper()
	message = strconv.Quote(message)
	switch {
	case !p.old && data != "":
		p.want("4" + namespace + `,{"message":` + message + `,"data":` + data + `}`)
	case !p.old:
		p.want("4" + namespace + `,{"message":` + message + `}`)
	case data != "":
		p.want("4" + namespace + "," + data)
	default:
		p.want("4" + namespace + "," + message)
	}
}

func (p *pipe) wantClosed(want Reason) {
	p.t.Helper()
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reason != engineio.Reason(want) {
		p.t.Errorf("session closed with %q, want %q", p.reason, want)
	}
}

// oldClients has the servers whose clients speak the older dialect.
var oldClients sync.Map

// bubble runs a test with a server of its own in a synctest bubble, which fails the test if a goroutine
// is left behind, once for clients of each dialect.
func bubble(t *testing.T, cfg Config, test func(t *testing.T, srv *Server)) {
	t.Helper()
	t.Run("dialect 5", func(t *testing.T) { bubbleWith(t, false, cfg, test) })
	t.Run("dialect 4", func(t *testing.T) { bubbleWith(t, true, cfg, test) })
}

func bubbleWith(t *testing.T, old bool, cfg Config, test func(t *testing.T, srv *Server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if cfg.Logger == nil {
			cfg.Logger = slog.New(slog.DiscardHandler)
		}
		srv := New(cfg)
		if old {
			oldClients.Store(srv, true)
		}
		t.Cleanup(func() {
			oldClients.Delete(srv)
			if err := srv.Close(context.Background()); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
		test(t, srv)
	})
}

// list is what callbacks write down.
type list struct {
	mu    sync.Mutex
	items []string
}

func (l *list) add(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.items = append(l.items, fmt.Sprintf(format, args...))
}

func (l *list) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Equal(l.items, want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(l.items, "\n\t"), strings.Join(want, "\n\t"))
	}
}
