package engineio

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"jobcast/engineio/cors"
)

// The names of the transports on the wire.
const (
	transportPolling      = "polling"
	transportWebSocket    = "websocket"
	transportWebTransport = "webtransport"
)

var allTransports = []string{transportPolling, transportWebSocket, transportWebTransport}

const (
	contentText = "text/plain; charset=UTF-8"
	contentHTML = "text/html" // what the reference answers a POST with; some browsers offer others for download
	contentJSON = "application/json"

	contentBinary = "application/octet-stream"
	contentScript = "text/javascript; charset=UTF-8"
)

// checkOrigin sets the fields of the answer that concern pages of other origins, and refuses those that may
// not connect.
func (s *Server) checkOrigin(w http.ResponseWriter, r *http.Request, origin string) (refusal, bool) {
	switch {
	case !cors.Valid(origin):
		return errBadOrigin, false
	case !s.cors.Allow(w.Header(), r, origin):
		return errForeign(origin), false
	}
	return refusal{}, true
}

// checkTransport refuses a transport that clients may not use.
func (s *Server) checkTransport(transport string) (refusal, bool) {
	switch {
	case transport == transportWebTransport: // it is not asked for in the query
		return errTransport, false
	case slices.Contains(s.cfg.Transports, transport):
		return refusal{}, true
	case slices.Contains(allTransports, transport):
		e := errTransport
		e.message = fmt.Sprintf("Transport unknown: %s is not among those of this server, %s", transport,
			strings.Join(s.cfg.Transports, " and "))
		return e, false
	}
	return errTransport, false
}

// isUpgrade reports whether the request asks for a WebSocket.
func isUpgrade(r *http.Request) bool {
	return hasToken(r.Header, "Connection", "upgrade") && hasToken(r.Header, "Upgrade", "websocket")
}

func hasToken(h http.Header, field, token string) bool {
	for _, v := range h.Values(field) {
		for t := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}

// checkUpgrade checks a WebSocket handshake before the connection is taken over, so that a refusal is a
// proper answer (RFC 6455, section 4.2.1).
func checkUpgrade(r *http.Request) bool {
	return r.Method == http.MethodGet && r.ProtoMajor == 1 && r.ProtoMinor >= 1 &&
		len(r.Header.Get("Sec-WebSocket-Key")) == 24 && r.Header.Get("Sec-WebSocket-Version") == "13"
}
