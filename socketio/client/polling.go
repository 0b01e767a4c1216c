package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"sync/atomic"
	"time"

	engine "jobcast/engineio/parser"
)

// A polling carries a session over HTTP long polling (engine.io-protocol v4, "HTTP long-polling"): a GET
// waits for the server's packets, a POST brings ours. It has its own connections.
type polling struct {
	endpoint *endpoint
	http     *http.Client
	ctx      context.Context // of all requests
	cancel   context.CancelFunc
	closed   atomic.Bool // our CLOSE packet was sent

	// Used by the reader only.
	packets  []engine.Packet // that have come and were not read
	deadline time.Time

	// Written by the reader before anything is written, and only read from then on.
	url        string
	maxPayload int // bytes of one POST
}

func (t *endpoint) newPolling() *polling {
	transport := &http.Transport{DialContext: t.cfg.DialContext, TLSClientConfig: t.cfg.TLS}
	if t.cfg.DialContext == nil {
		transport.Proxy = http.ProxyFromEnvironment
	}
	jar, _ := cookiejar.New(nil) // it has no error to return; what balances load may count on a cookie
	p := &polling{endpoint: t, http: &http.Client{Transport: transport, Jar: jar}, url: t.url.String()}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

func (p *polling) read() (engine.Packet, error) {
	for len(p.packets) == 0 {
		if p.closed.Load() {
			return engine.Packet{}, io.EOF
		}
		if err := p.poll(); err != nil {
			return engine.Packet{}, err
		}
	}
	next := p.packets[0]
	p.packets = p.packets[1:]
	return next, nil
}

// poll waits for packets.
func (p *polling) poll() error {
	ctx := p.ctx
	if !p.deadline.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, p.deadline, os.ErrDeadlineExceeded)
		defer cancel()
	}
	first := p.deadline.IsZero()
	status, body, err := p.do(ctx, http.MethodGet, nil)
	switch {
	case err != nil:
		return err
	case status != http.StatusOK && first:
		return newHandshakeError(status, http.StatusText(status), body)
	case status != http.StatusOK:
		return fmt.Errorf("poll: status %d", status)
	}
	for packet, err := range engine.Packets(body) {
		if err != nil {
			return fmt.Errorf("%w: %w", errProtocol, err)
		}
		packet.Data = bytes.Clone(packet.Data)
		p.packets = append(p.packets, packet)
	}
	if first {
		p.opened(p.packets[0].Data)
	}
	return nil
}

// opened notes what the following requests need of the handshake. What is wrong with it is found by
// whoever reads the packet.
func (p *polling) opened(handshake []byte) {
	var h struct {
		SID        string
		MaxPayload int
	}
	_ = json.Unmarshal(handshake, &h)
	p.url += "&sid=" + url.QueryEscape(h.SID)
	p.maxPayload = h.MaxPayload
}

// do sends a request and returns the answer's status and body.
func (p *polling) do(ctx context.Context, method string, body []byte) (status int, answer []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, method, p.url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header, r.Host = p.endpoint.header.Clone(), p.endpoint.host
	if body != nil {
		r.Header.Set("Content-Type", "text/plain;charset=UTF-8")
	}
	resp, err := p.http.Do(r)
	if err == nil {
		defer resp.Body.Close()
		limit := p.endpoint.cfg.MaxMessageBytes
		if answer, err = io.ReadAll(io.LimitReader(resp.Body, int64(limit)+1)); err == nil && len(answer) > limit {
			err = errTooLarge
		}
	}
	if err != nil {
		if cause := context.Cause(ctx); errors.Is(cause, os.ErrDeadlineExceeded) {
			err = cause
		} else if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // without the URL, which has the session's id
		}
		return 0, nil, err
	}
	return resp.StatusCode, answer, nil
}

var errTooLarge = errors.New("answer is larger than Config.MaxMessageBytes")

func (p *polling) expectBy(t time.Time) { p.deadline = t }

// write sends packets with as many POSTs as their size asks for.
func (p *polling) write(packets []engine.Packet) error {
	var body []byte
	for i, packet := range packets {
		begin := len(body)
		if begin > 0 {
			body = append(body, engine.Separator)
		}
		body = engine.AppendPacket(body, packet)
		if begin > 0 && p.maxPayload > 0 && len(body) > p.maxPayload {
			if err := p.post(body[:begin]); err != nil {
				return err
			}
			body = engine.AppendPacket(nil, packets[i])
		}
	}
	if len(body) == 0 {
		return nil
	}
	return p.post(body)
}

func (p *polling) post(body []byte) error {
	status, _, err := p.do(p.ctx, http.MethodPost, body)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("post: status %d", status)
	}
	return err
}

func (p *polling) close() error {
	p.closed.Store(true) // the poll that waits is answered, and was the last
	return p.post(engine.AppendPacket(nil, engine.Packet{Type: engine.TypeClose}))
}

func (p *polling) closeNow() {
	p.cancel()
	p.http.CloseIdleConnections()
}
