// Package opening reads and answers the opening handshake of a WebSocket (RFC 6455, section 4.2), for all who
// serve one. Each of its header fields is read here and nowhere else: two readings that differ let a request
// pass one and fail at the other, where it is too late for an answer that its client understands. The package
// knows nothing of what is said on a WebSocket, and runs no goroutine.
package opening

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// Version is the only version of the protocol.
const Version = "13"

// The errors of a request that asks for a WebSocket in a way that there is not. Their texts are for its client.
var (
	ErrMethod   = errors.New("a WebSocket is asked for by GET")
	ErrProtocol = errors.New("a WebSocket is asked for over HTTP/1.1")
	ErrKey      = errors.New("the field Sec-WebSocket-Key must be there once, with 16 bytes in base64")
	// ErrVersion is owed an answer with the field Sec-WebSocket-Version (section 4.4).
	ErrVersion = errors.New("the field Sec-WebSocket-Version must be there once, with the value " + Version)
)

// The fields.
const (
	fieldKey        = "Sec-Websocket-Key"
	fieldVersion    = "Sec-Websocket-Version"
	fieldAccept     = "Sec-Websocket-Accept"
	fieldExtensions = "Sec-Websocket-Extensions"
	fieldProtocol   = "Sec-Websocket-Protocol"
)

// Asked reports whether the request asks for a WebSocket.
func Asked(r *http.Request) bool {
	return hasToken(r.Header["Connection"], "upgrade") && hasToken(r.Header["Upgrade"], "websocket")
}

// hasToken reports whether a list has the token. A list may be in several fields, with blanks and tabs between
// its elements (RFC 9110, "Lists").
func hasToken(fields []string, token string) bool {
	for _, field := range fields {
		for element := range strings.SplitSeq(field, ",") {
			if strings.EqualFold(strings.Trim(element, " \t"), token) {
				return true
			}
		}
	}
	return false
}

// Check returns one of the errors above if a request that asks for a WebSocket cannot get one.
func Check(r *http.Request) error {
	switch {
	case r.Method != http.MethodGet:
		return ErrMethod
	case r.ProtoMajor != 1 || r.ProtoMinor < 1:
		return ErrProtocol
	case !isKey(r.Header[fieldKey]):
		return ErrKey
	case len(r.Header[fieldVersion]) != 1 || r.Header[fieldVersion][0] != Version:
		return ErrVersion
	}
	return nil
}

func isKey(fields []string) bool {
	if len(fields) != 1 || len(fields[0]) != 24 {
		return false
	}
	key, err := base64.StdEncoding.DecodeString(fields[0])
	return err == nil && len(key) == 16
}

// Protocol is the first of the subprotocols that the client offers, "" if there is none: a browser gives up a
// connection whose server has chosen none of them.
func Protocol(r *http.Request) string {
	for _, field := range r.Header[fieldProtocol] {
		for element := range strings.SplitSeq(field, ",") {
			if element = strings.Trim(element, " \t"); isToken(element) {
				return element
			}
		}
	}
	return ""
}

// isToken is RFC 9110, "Tokens".
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// own are the fields that Accept writes itself, and those of a body, which the answer has not.
var own = map[string]bool{
	"Connection": true, "Upgrade": true, fieldAccept: true, fieldExtensions: true, "Content-Length": true, "Transfer-Encoding": true,
}

// Accept takes the connection over from net/http and answers a request that Check has found good, with the
// fields of w, and with the extensions that are to be in use, if any. The client may take timeout to read the
// answer. What net/http has read ahead is in the reader. After an error that is ErrTaken nothing has been
// written; after any other there is no connection any more.
func Accept(w http.ResponseWriter, r *http.Request, extensions string, timeout time.Duration) (net.Conn, *bufio.Reader, error) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrTaken, err)
	}
	// Those of net/http are gone; the error of a connection that is dead is that of the write.
	_ = conn.SetDeadline(time.Time{})
	_ = conn.SetWriteDeadline(time.Now().Add(timeout))
	b := rw.Writer
	b.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ")
	b.WriteString(acceptKey(r.Header[fieldKey][0]))
	b.WriteString("\r\n")
	if extensions != "" {
		b.WriteString("Sec-WebSocket-Extensions: " + extensions + "\r\n")
	}
	_ = w.Header().WriteSubset(b, own) // Flush has its error
	b.WriteString("\r\n")
	if err := b.Flush(); err != nil {
		conn.Close()
		return nil, nil, err
	}
	_ = conn.SetWriteDeadline(time.Time{})
	return conn, rw.Reader, nil
}

// ErrTaken is the error of a connection that cannot be taken over.
var ErrTaken = errors.New("the connection cannot be taken over")

// acceptKey is what proves that the server has read the key (section 4.2.2).
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}
