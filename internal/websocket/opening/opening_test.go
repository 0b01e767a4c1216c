package opening

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestHeaders(t *testing.T) {
	good := http.Header{
		"Connection": {"keep-alive, Upgrade"}, "Upgrade": {"WebSocket"},
		"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
	}
	set := func(field string, values ...string) func(*http.Request) {
		return func(r *http.Request) { r.Header[field] = values }
	}
	tests := []struct {
		name   string
		change func(*http.Request)
		asked  bool
		err    error // of Check
	}{
		{"as it should be", func(*http.Request) {}, true, nil},
		{"in two fields", set("Connection", "keep-alive", "upgrade"), true, nil},
		{"with a tab", set("Connection", "keep-alive,\tUpgrade"), true, nil},
		{"with an empty element", set("Connection", ", ,upgrade,"), true, nil},
		{"a list of upgrades", set("Upgrade", "h2c,\twebsocket\t"), true, nil},
		{"no upgrade", set("Upgrade"), false, nil},
		{"another upgrade", set("Upgrade", "h2c"), false, nil},
		{"a connection that stays", set("Connection", "keep-alive"), false, nil},
		{"a word that begins so", set("Connection", "upgrades"), false, nil},
		{"two words", set("Connection", "keep-alive upgrade"), false, nil},
		{"a blank that is none", set("Connection", "keep-alive,\u00a0upgrade"), false, nil},
		{"another method", func(r *http.Request) { r.Method = "POST" }, true, ErrMethod},
		{"HTTP/1.0", func(r *http.Request) { r.ProtoMinor = 0 }, true, ErrProtocol},
		{"HTTP/2", func(r *http.Request) { r.ProtoMajor = 2 }, true, ErrProtocol},
		{"another version", set("Sec-Websocket-Version", "8"), true, ErrVersion},
		{"two versions", set("Sec-Websocket-Version", "13", "13"), true, ErrVersion},
		{"no version", set("Sec-Websocket-Version"), true, ErrVersion},
		{"a short key", set("Sec-Websocket-Key", "c2hvcnQ="), true, ErrKey},
		{"a long key", set("Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25jZWU="), true, ErrKey},
		{"a key without its end", set("Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25jZQ"), true, ErrKey},
		{"a key of other characters", set("Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25j-_=="), true, ErrKey},
		{"two keys", set("Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=="), true, ErrKey},
		{"no key", set("Sec-Websocket-Key"), true, ErrKey},
	}
	for _, tt := range tests {
		r := httptest.NewRequest("GET", "http://engine.test/", nil)
		r.Header = good.Clone()
		tt.change(r)
		if asked, err := Asked(r), Check(r); asked != tt.asked || !errors.Is(err, tt.err) {
			t.Errorf("%s: got %v, %v, want %v, %v", tt.name, asked, err, tt.asked, tt.err)
		}
	}
}

func TestProtocol(t *testing.T) {
	for offer, want := range map[string]string{
		"": "", "chat": "chat", "chat, superchat": "chat", ",\tv1.chat": "v1.chat", "a b, c": "c", "\"x\"": "", "a;b|c": "c",
	} {
		r := httptest.NewRequest("GET", "http://engine.test/", nil)
		r.Header["Sec-Websocket-Protocol"] = strings.Split(offer, "|")
		if got := Protocol(r); got != want {
			t.Errorf("%q: got %q, want %q", offer, got, want)
		}
	}
}

// A taker is a ResponseWriter of a connection.
type taker struct {
	*httptest.ResponseRecorder
	conn net.Conn
	err  error
}

func (w taker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return w.conn, bufio.NewReadWriter(bufio.NewReader(w.conn), bufio.NewWriter(w.conn)), w.err
}

func TestAccept(t *testing.T) {
	r := httptest.NewRequest("GET", "http://engine.test/", nil)
	r.Header.Set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==") // that of RFC 6455, section 1.3
	ours, theirs := net.Pipe()
	answer := make(chan string, 1)
	go func() {
		all, _ := io.ReadAll(ours)
		answer <- string(all)
	}()
	w := taker{httptest.NewRecorder(), theirs, nil}
	w.Header().Set("X-One", "1\r\nX-Injected: 2")
	w.Header().Set("Content-Length", "9")
	w.Header().Set("Connection", "close")
	w.Header().Set("Sec-WebSocket-Accept", "mine")
	conn, _, err := Accept(w, r, "permessage-deflate", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	want := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Extensions: permessage-deflate\r\n" +
		"X-One: 1  X-Injected: 2\r\n\r\n"
	if got := <-answer; got != want {
		t.Errorf("got %q, want %q", got, want)
	}

	if _, _, err := Accept(w, r, "", time.Minute); err == nil || errors.Is(err, ErrTaken) {
		t.Errorf("on a connection that has ended: got %v, want the error of the write", err)
	}
	w.err = errors.New("no")
	if _, _, err := Accept(w, r, "", time.Minute); !errors.Is(err, ErrTaken) || !errors.Is(err, w.err) {
		t.Errorf("got %v, want ErrTaken and its cause", err)
	}
	if _, _, err := Accept(httptest.NewRecorder(), r, "", time.Minute); !errors.Is(err, ErrTaken) {
		t.Errorf("where there is no connection: got %v, want ErrTaken", err)
	}
}
