package webtransport_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	quicwt "github.com/quic-go/webtransport-go"

	"jobcast/engineio"
	"jobcast/engineio/internal/wtframe"
	"jobcast/engineio/webtransport"
)

const patience = 2 * time.Minute

// An env is an engine that sends every message back, over HTTP/3 and over HTTP/1.1 on loopback.
type env struct {
	t      *testing.T
	engine *engineio.Server
	server *webtransport.Server
	url    string // of the engine over HTTP/3
	http   string // the same over HTTP/1.1
	closed chan engineio.Reason
	open   chan *engineio.Session
}

type echo struct {
	*env
	session *engineio.Session
}

func (h echo) Receive(m engineio.Message) {
	m.Data = bytes.Clone(m.Data)
	_ = h.session.Send(engineio.NewFrame(m))
}

func (h echo) Closed(r engineio.Reason) { h.closed <- r }

func start(t *testing.T, cfg webtransport.Config, engine engineio.Config) *env {
	t.Helper()
	e := &env{t: t, closed: make(chan engineio.Reason, 100), open: make(chan *engineio.Session, 100)}
	cert, err := webtransport.NewSelfSigned("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	cfg.TLS, cfg.Logger = cert.TLS(), slog.New(slog.DiscardHandler)
	e.server = webtransport.New(cfg)
	engine.Logger = cfg.Logger
	engine.WebTransport = e.server.Accept
	engine.Accept = func(s *engineio.Session) engineio.Handler {
		e.open <- s
		return echo{e, s}
	}
	e.engine = engineio.NewServer(engine)
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e.url = "https://" + socket.LocalAddr().String() + "/engine.io/"
	tcp := httptest.NewServer(e.engine)
	e.http = tcp.URL + "/engine.io/?EIO=4&transport=polling"
	served := make(chan error, 1)
	go func() {
		served <- e.server.Serve(socket, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			e.engine.ServeHTTP(wrapped{w}, r)
		}))
	}()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := e.engine.Close(ctx); err != nil {
			t.Errorf("close the engine: %v", err)
		}
		if err := e.server.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		if err := e.server.Close(); err != nil {
			t.Errorf("close again: %v", err)
		}
		tcp.Close()
		socket.Close()
	})
	return e
}

// wrapped is a ResponseWriter as routers give it to handlers.
type wrapped struct{ http.ResponseWriter }

func (w wrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// A client is a WebTransport, and a stream on it.
type client struct {
	t       *testing.T
	session *quicwt.Session
	stream  *quicwt.Stream
	reader  wtframe.Reader
	ahead   []byte
}

func dialer() *quicwt.Transport {
	return &quicwt.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{http3.NextProtoH3}},
		QUICConfig:      &quic.Config{EnableDatagrams: true, EnableStreamResetPartialDelivery: true},
	}
}

func (e *env) tryDial(query string, header http.Header) (*quicwt.Session, int, error) {
	d := dialer()
	e.t.Cleanup(func() { d.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	resp, session, err := d.Dial(ctx, e.url+query, header)
	status := 0
	if resp != nil {
		status = resp.StatusCode
	}
	return session, status, err
}

// dial opens a stream and sends the first packet.
func (e *env) dial(first string) *client {
	e.t.Helper()
	session, _, err := e.tryDial("", nil)
	if err != nil {
		e.t.Fatal(err)
	}
	stream, err := session.OpenStream()
	if err != nil {
		e.t.Fatal(err)
	}
	_ = stream.SetReadDeadline(time.Now().Add(patience)) // lest a test hangs
	c := &client{t: e.t, session: session, stream: stream, reader: wtframe.Reader{Limit: 1 << 21}}
	c.send(false, first)
	return c
}

func (c *client) send(isBinary bool, p string) {
	c.t.Helper()
	if _, err := c.stream.Write(append(wtframe.AppendHeader(nil, isBinary, len(p)), p...)); err != nil {
		c.t.Errorf("write: %v", err)
	}
}

func (c *client) read() (string, error) {
	buf := make([]byte, 32<<10)
	for {
		p, rest, ok, err := c.reader.Next(c.ahead)
		if err != nil {
			return "", err
		}
		if ok {
			c.ahead = rest
			if p.Binary {
				return "b" + string(p.Data), nil
			}
			return string(p.Data), nil
		}
		n, err := c.stream.Read(buf)
		if n == 0 && err != nil {
			return "", err
		}
		c.ahead = bytes.Clone(buf[:n])
	}
}

func (c *client) want(want string) {
	c.t.Helper()
	if got, err := c.read(); err != nil || got != want {
		c.t.Fatalf("got %.50q, %v, want %.50q", got, err, want)
	}
}

func (c *client) wantOpen() (sid string) {
	c.t.Helper()
	p, err := c.read()
	var h struct{ SID string }
	data, ok := strings.CutPrefix(p, "0")
	if err != nil || !ok || json.Unmarshal([]byte(data), &h) != nil || h.SID == "" {
		c.t.Fatalf("got %q, %v, want an OPEN packet", p, err)
	}
	return h.SID
}

// wantClosed waits until the server has ended the WebTransport.
func (c *client) wantClosed() {
	c.t.Helper()
	for {
		p, err := c.read()
		if _, ok := errors.AsType[*quicwt.SessionError](err); ok {
			return
		}
		if err != nil {
			c.t.Fatalf("got %q, %v, want the end of the session", p, err)
		}
	}
}

// wantRejected waits until the server has ended the connection with an error, which is what a page notices
// that waits to be connected.
func (c *client) wantRejected() {
	c.t.Helper()
	p, err := c.read()
	_, closed := errors.AsType[*quic.ApplicationError](err)
	_, failed := errors.AsType[*http3.Error](err) // that of the request's stream, if it is seen first
	if !closed && !failed {
		c.t.Errorf("got %q, %v, want the connection rejected", p, err)
	}
}

func TestEcho(t *testing.T) {
	e := start(t, webtransport.Config{}, engineio.Config{})
	c := e.dial("0")
	c.wantOpen()
	large := strings.Repeat("large ", 150_000)
	for _, m := range []string{"4hello", "4" + large, "4"} {
		c.send(false, m)
		c.want(m)
	}
	for _, m := range []string{"\x00\xff", large} {
		c.send(true, m)
		c.want("b" + m)
	}
	s := <-e.open
	if h := s.Handshake(); !h.Secure || h.RemoteAddr == "" || s.Transport() != "webtransport" {
		t.Errorf("got the transport %s and the handshake %+v", s.Transport(), h)
	}
	_ = c.session.CloseWithError(0, "") // it never fails
	if got := <-e.closed; got != engineio.TransportClose {
		t.Errorf("got the reason %q", got)
	}
}

func TestPollingIsUpgraded(t *testing.T) {
	e := start(t, webtransport.Config{}, engineio.Config{})
	get := func(query string) string {
		t.Helper()
		resp, err := http.Get(e.http + query)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return string(body)
	}
	var h struct {
		SID      string
		Upgrades []string
	}
	if body := get(""); json.Unmarshal([]byte(body[1:]), &h) != nil || fmt.Sprint(h.Upgrades) != "[websocket webtransport]" {
		t.Fatalf("got %s", body)
	}
	c := e.dial(`0{"sid":"` + h.SID + `"}`)
	c.send(false, "2probe")
	c.want("3probe")
	if got := get("&sid=" + h.SID); got != "6" {
		t.Errorf("poll: got %s", got)
	}
	c.send(false, "5")
	c.send(false, "4over")
	c.want("4over")
	if got := (<-e.open).Transport(); got != "webtransport" {
		t.Errorf("got the transport %q", got)
	}
}

func TestRefusals(t *testing.T) {
	e := start(t, webtransport.Config{}, engineio.Config{AllowRequest: func(r *http.Request) error {
		if r.Header.Get("Authorization") != "" {
			return errors.New("no")
		}
		return nil
	}})
	for _, test := range []struct {
		query  string
		origin string
		status int
	}{
		{"", "https://evil.example", http.StatusForbidden},
		{"?EIO=3", "", http.StatusBadRequest},
		{"?EIO=4", "", http.StatusOK},
		{"", "", http.StatusOK},
	} {
		header := http.Header{}
		if test.origin != "" {
			header.Set("Origin", test.origin)
		}
		if _, status, err := e.tryDial(test.query, header); status != test.status {
			t.Errorf("%s %s: got %d, %v, want %d", test.query, test.origin, status, err, test.status)
		}
	}
	session, _, err := e.tryDial("", http.Header{"Authorization": {"x"}})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := session.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	_ = stream.SetReadDeadline(time.Now().Add(patience))
	if _, err := stream.Write([]byte("\x010")); err != nil {
		t.Fatal(err)
	}
	(&client{t: t, session: session, stream: stream, reader: wtframe.Reader{Limit: 1000}}).wantRejected()
}

func TestOnlyWebTransportIsServed(t *testing.T) {
	e := start(t, webtransport.Config{}, engineio.Config{})
	tr := &http3.Transport{TLSClientConfig: dialer().TLSClientConfig}
	defer tr.Close()
	resp, err := (&http.Client{Transport: tr, Timeout: patience}).Get(e.url + "?EIO=4&transport=polling")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("got %s", resp.Status)
	}
}

func TestHostileStreams(t *testing.T) {
	e := start(t, webtransport.Config{}, engineio.Config{MaxPayloadBytes: 1000, UpgradeTimeout: 300 * time.Millisecond})
	t.Run("before a session", func(t *testing.T) {
		for _, bytes := range []string{"\x00", "\x034hi", "\x7f\xff\xff\xff\xff\xff\xff\xff\xff", "\x05", ""} {
			c := e.dial("0")
			c.wantOpen()
			other := e.dial("0{")
			other.wantRejected()
			session, _, err := e.tryDial("", nil)
			if err != nil {
				t.Fatal(err)
			}
			stream, err := session.OpenStream()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := stream.Write([]byte(bytes)); err != nil {
				t.Fatal(err)
			}
			_ = stream.SetReadDeadline(time.Now().Add(patience))
			(&client{t: t, session: session, stream: stream, reader: wtframe.Reader{Limit: 1000}}).wantRejected()
			c.send(false, "4others do not notice")
			c.want("4others do not notice")
		}
	})
	t.Run("in a session", func(t *testing.T) {
		for _, bytes := range []string{"\x00", "\x01x", "\x7e\x03\xe9", "\x02\xc3\x28"} {
			c := e.dial("0")
			c.wantOpen()
			if _, err := c.stream.Write([]byte(bytes)); err != nil {
				t.Fatal(err)
			}
			c.wantClosed()
		}
	})
	t.Run("no stream", func(t *testing.T) {
		session, _, err := e.tryDial("", nil)
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-session.Context().Done():
		case <-time.After(patience):
			t.Error("the WebTransport lives on")
		}
	})
}

func TestConnectionWithoutWebTransportIsClosed(t *testing.T) {
	e := start(t, webtransport.Config{HandshakeTimeout: 300 * time.Millisecond}, engineio.Config{})
	c := e.dial("0")
	c.wantOpen()
	d := dialer()
	address := strings.Split(e.url, "/")[2]
	idle, err := quic.DialAddr(t.Context(), address, d.TLSClientConfig, d.QUICConfig)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-idle.Context().Done():
	case <-time.After(patience):
		t.Error("the connection lives on")
	}
	c.send(false, "4still here")
	c.want("4still here")
}

func TestConnectionsAreBounded(t *testing.T) {
	e := start(t, webtransport.Config{MaxConnections: 1}, engineio.Config{})
	c := e.dial("0")
	c.wantOpen()
	if _, _, err := e.tryDial("", nil); err == nil {
		t.Error("got a second connection")
	}
	_ = c.session.CloseWithError(0, "")
	deadline := time.Now().Add(patience)
	for {
		if _, _, err := e.tryDial("", nil); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the first connection still counts")
		}
	}
}

// What is queued arrives before the end, and the client is told at once.
func TestServerCloses(t *testing.T) {
	e := start(t, webtransport.Config{}, engineio.Config{})
	c := e.dial("0")
	c.wantOpen()
	s := <-e.open
	last := strings.Repeat("last words ", 10_000)
	for range 10 {
		if err := s.Send(engineio.NewFrame(engineio.Message{Data: []byte(last)})); err != nil {
			t.Fatal(err)
		}
	}
	s.Close(engineio.ForcedClose)
	for range 10 {
		c.want("4" + last)
	}
	c.wantClosed()
}

func TestReaderThatStops(t *testing.T) {
	e := start(t, webtransport.Config{}, engineio.Config{MaxQueueBytes: 1 << 20})
	c := e.dial("0")
	c.wantOpen()
	s := <-e.open
	frame := engineio.NewFrame(engineio.Message{Data: make([]byte, 100<<10)})
	var sent int
	for deadline := time.Now().Add(patience); ; sent++ {
		if err := s.Send(frame); errors.Is(err, engineio.ErrSlow) {
			break
		} else if err != nil || time.Now().After(deadline) {
			t.Fatalf("after %d frames: %v", sent, err)
		}
		time.Sleep(time.Millisecond)
	}
	if got := <-e.closed; got != engineio.SlowConsumer {
		t.Errorf("got the reason %q", got)
	}
	c.wantClosed()
}

func TestAcceptOfAnotherServersRequest(t *testing.T) {
	cert, err := webtransport.NewSelfSigned("localhost")
	if err != nil {
		t.Fatal(err)
	}
	s := webtransport.New(webtransport.Config{TLS: cert.TLS()})
	w := httptest.NewRecorder()
	w.Code = 0
	if _, err := s.Accept(w, httptest.NewRequest("CONNECT", "https://localhost/engine.io/", nil)); err == nil || errors.Is(err, net.ErrClosed) || w.Code != 0 {
		t.Errorf("got %d, %v, want an error and no answer", w.Code, err)
	}
	// The engine has one answer for all.
	var reported error
	engine := engineio.NewServer(engineio.Config{
		WebTransport: s.Accept,
		Accept:       func(*engineio.Session) engineio.Handler { return nil },
		Hooks:        engineio.Hooks{Refused: func(e engineio.ConnectionError) { reported = e }},
		Logger:       slog.New(slog.DiscardHandler),
	})
	w = httptest.NewRecorder()
	engine.ServeHTTP(w, httptest.NewRequest("CONNECT", "https://localhost/engine.io/", nil))
	if want := `{"code":3,"message":"Bad request"}`; w.Code != 400 || w.Body.String() != want || reported == nil {
		t.Errorf("got %d %s, reported %v, want 400 %s", w.Code, w.Body, reported, want)
	}
	if err := s.Close(); err != nil {
		t.Errorf("close before it served: %v", err)
	}
}

// The conditions of the W3C's specification on a certificate that is trusted by its hash.
func TestSelfSigned(t *testing.T) {
	c, err := webtransport.NewSelfSigned("127.0.0.1", "localhost")
	if err != nil {
		t.Fatal(err)
	}
	cert, err := c.TLS().GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	if leaf.PublicKeyAlgorithm != x509.ECDSA {
		t.Errorf("got a key of %v, want ECDSA", leaf.PublicKeyAlgorithm)
	}
	if valid := leaf.NotAfter.Sub(leaf.NotBefore); valid > 14*24*time.Hour {
		t.Errorf("valid for %v, want 14 days at most", valid)
	}
	for _, host := range []string{"127.0.0.1", "localhost"} {
		if err := leaf.VerifyHostname(host); err != nil {
			t.Error(err)
		}
	}
	sum := sha256.Sum256(cert.Certificate[0])
	hash, err := c.Hash()
	if err != nil || !bytes.Equal(hash, sum[:]) {
		t.Errorf("got the hash %s, %v", base64.StdEncoding.EncodeToString(hash), err)
	}
}
