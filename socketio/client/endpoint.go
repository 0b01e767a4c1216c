package client

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// An endpoint is where a client connects to, made of its Config once.
type endpoint struct {
	cfg    *Config
	url    url.URL // of http or https, with the query of every request
	header http.Header
	host   string // if not that of the URL
	name   string // for errors: no user, no query
	err    error  // of the Config
}

func newEndpoint(cfg *Config) endpoint {
	u, err := url.Parse(cfg.URL)
	if err != nil {
		return endpoint{err: fmt.Errorf("client: Config.URL: %w", err)}
	}
	switch u.Scheme {
	case "ws":
		u.Scheme = "http"
	case "wss":
		u.Scheme = "https"
	case "http", "https":
	default:
		return endpoint{err: fmt.Errorf("client: Config.URL: scheme %q is unknown", u.Scheme)}
	}
	if cfg.Transport != WebSocket && cfg.Transport != Polling {
		return endpoint{err: fmt.Errorf("client: Config.Transport: %q is unknown", cfg.Transport)}
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = cfg.Path
	}
	query := u.Query()
	query.Set("EIO", "4")
	query.Set("transport", string(cfg.Transport))
	t := endpoint{
		cfg:    cfg,
		url:    url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawQuery: query.Encode()},
		header: cfg.Header.Clone(),
		name:   u.Scheme + "://" + u.Host + u.Path,
	}
	if t.header == nil {
		t.header = http.Header{}
	}
	t.host = t.header.Get("Host")
	t.header.Del("Host")
	if u.User != nil && t.header.Get("Authorization") == "" {
		password, _ := u.User.Password()
		(&http.Request{Header: t.header}).SetBasicAuth(u.User.Username(), password)
	}
	return t
}

// dial returns what carries a session. Its first packet is the OPEN packet. wake has its write called.
func (t *endpoint) dial(ctx context.Context, wake func()) (carrier, error) {
	if t.cfg.Transport == Polling {
		return t.newPolling(), nil // it connects with its first request
	}
	return t.dialWebSocket(ctx, wake)
}

// maxRefusal bounds what is read of a refusal.
const maxRefusal = 64 << 10

// readRefusal reads the answer to a handshake that was refused.
func readRefusal(status int, reason string, answer io.Reader) *HandshakeError {
	resp, err := http.ReadResponse(bufio.NewReader(io.LimitReader(answer, maxRefusal)), nil)
	if err != nil {
		return newHandshakeError(status, reason, nil)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxRefusal)) // what there is of it
	return newHandshakeError(status, reason, body)
}
