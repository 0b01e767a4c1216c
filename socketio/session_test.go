package socketio

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"jobcast/engineio"
)

// pipe is a session in memory with the client at its other end, and the test in the client's place.
type pipe struct {
	t    *testing.T
	conn *conn

	reading sync.Mutex // held during the calls of conn, which come one at a time
	over    bool       // Closed was called

	mu      sync.Mutex // protects the fields below
	got     []string   // what the server has sent; a binary message is "b" and its bytes in hexadecimal
	err     error      // of Send
	stalled bool
	reason  engineio.Reason // once closed
}

func (p *pipe) ID() string { return "0123456789" }
func (p *pipe) Handshake() *engineio.Handshake {
	return &engineio.Handshake{Header: http.Header{"X-From": {"pipe"}}}
}
func (p *pipe) Transport() string { return "pipe" }

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
		if m.Binary {
			p.got = append(p.got, fmt.Sprintf("b%x", m.Data))
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
		p.conn.Message(m)
	}
}

// dial opens a session.
func dial(t *testing.T, srv *Server) *pipe {
	p := &pipe{t: t}
	p.conn = srv.accept(p)
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
		p.message(engineio.Message{Data: []byte(m)})
	}
}

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
	}
	return got
}

func (p *pipe) want(want ...string) {
	p.t.Helper()
	if got := p.take(); !slices.Equal(got, want) {
		p.t.Errorf("client got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
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

// bubble runs a test with a server of its own in a synctest bubble, which fails the test if a goroutine
// is left behind.
func bubble(t *testing.T, cfg Config, test func(t *testing.T, srv *Server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if cfg.Logger == nil {
			cfg.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
		}
		srv := New(cfg)
		t.Cleanup(func() {
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
