package gate

import (
	"encoding/binary"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// A Handshake is what is kept of the request that opened a session.
type Handshake struct {
	Header     http.Header // the fields of the request, without those that only open a WebSocket
	URL        string      // path and query as they came, such as "/socket.io/?EIO=4&transport=polling"
	Query      url.Values
	Host       string
	RemoteAddr string
	Secure     bool // the request came over TLS
	Time       time.Time
}

// A KeptHandshake is a Handshake in as little memory as it takes: an idle client is mostly that. It is its
// time, and then strings, each after its length: the address, the host, "s" if the request was secure, the
// path and query, and the names and values of the header's fields.
type KeptHandshake string

// notKept says which fields of a request are of no use once a WebSocket is open (RFC 6455, section 4.1).
func notKept(field string) bool {
	switch field {
	case "Connection", "Upgrade":
		return true
	}
	return strings.HasPrefix(field, "Sec-Websocket-") && field != "Sec-Websocket-Protocol"
}

// KeepHandshake keeps what matters of the request that opens a session now.
func KeepHandshake(r *http.Request) KeptHandshake {
	b := make([]byte, 0, 1<<10)
	b = binary.BigEndian.AppendUint64(b, uint64(time.Now().UnixNano()))
	b = appendString(appendString(b, r.RemoteAddr), r.Host)
	secure := ""
	if r.TLS != nil {
		secure = "s"
	}
	b = appendString(appendString(b, secure), r.URL.RequestURI())
	for name, values := range r.Header {
		if notKept(name) {
			continue
		}
		for _, v := range values {
			b = appendString(appendString(b, name), v)
		}
	}
	return KeptHandshake(b)
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// Time is that of the Handshake.
func (k KeptHandshake) Time() time.Time {
	return time.Unix(0, int64(binary.BigEndian.Uint64([]byte(k[:8]))))
}

// Handshake makes the Handshake that was kept.
func (k KeptHandshake) Handshake() *Handshake {
	b := []byte(k)
	h := &Handshake{Header: make(http.Header), Time: k.Time()}
	b = b[8:]
	h.RemoteAddr, b = cutString(b)
	h.Host, b = cutString(b)
	secure, b := cutString(b)
	h.Secure = secure != ""
	h.URL, b = cutString(b)
	_, query, _ := strings.Cut(h.URL, "?")
	h.Query, _ = url.ParseQuery(query) // what it could make out
	for len(b) > 0 {
		var name, value string
		name, b = cutString(b)
		value, b = cutString(b)
		h.Header[name] = append(h.Header[name], value)
	}
	return h
}

func cutString(b []byte) (s string, rest []byte) {
	n, size := binary.Uvarint(b)
	b = b[size:]
	return string(b[:n]), b[n:]
}
