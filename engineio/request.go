package engineio

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// The names of the transports on the wire.
const (
	transportPolling   = "polling"
	transportWebSocket = "websocket"
)

const (
	contentText = "text/plain; charset=UTF-8"
	contentHTML = "text/html" // what the reference answers a POST with; some browsers offer others for download
	contentJSON = "application/json"

	contentBinary = "application/octet-stream"
	contentScript = "text/javascript; charset=UTF-8"
)

// A refusal is the answer to a request that is not served, in the reference server's words.
type refusal struct {
	status  int
	code    int
	message string
}

var (
	errTransport  = refusal{http.StatusBadRequest, 0, "Transport unknown"}
	errSession    = refusal{http.StatusBadRequest, 1, "Session ID unknown"}
	errMethod     = refusal{http.StatusBadRequest, 2, "Bad handshake method"}
	errBadRequest = refusal{http.StatusBadRequest, 3, "Bad request"}
	errRevision   = refusal{http.StatusBadRequest, 5, "Unsupported protocol version"}
	errFull       = refusal{http.StatusServiceUnavailable, 3, "Too many sessions"}
	errClosing    = refusal{http.StatusServiceUnavailable, 3, "Server is shutting down"}
)

func errForbidden(message string) refusal { return refusal{http.StatusForbidden, 4, message} }

func (s *Server) refuse(w http.ResponseWriter, r *http.Request, e refusal) {
	if isUpgrade(r) {
		w.Header().Set("Connection", "close")
	}
	body, err := json.Marshal(struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}{e.code, e.message})
	if err != nil {
		panic(err) // an integer and a string always marshal
	}
	write(w, e.status, contentJSON, body)
}

// checkOrigin sets the CORS fields of the answer to a request of that origin, and refuses a foreign one
// that is not configured.
func (s *Server) checkOrigin(w http.ResponseWriter, r *http.Request, origin string) (refusal, bool) {
	if origin == "" {
		return refusal{}, true
	}
	for i := range len(origin) {
		if c := origin[i]; c < ' ' && c != '\t' || c == 0x7f {
			return errBadRequest, false
		}
	}
	h := w.Header()
	if s.anyOrigin {
		h.Set("Access-Control-Allow-Origin", "*")
		return refusal{}, true
	}
	h.Add("Vary", "Origin")
	if !s.origins[strings.ToLower(origin)] && !sameHost(origin, r.Host) {
		return errForbidden(fmt.Sprintf("origin %q is not allowed: add it to the server's list of allowed origins",
			origin)), false
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	return refusal{}, true
}

// sameHost reports whether the origin is that of the server itself. The scheme is not compared: behind a
// proxy that ends TLS it differs.
func sameHost(origin, host string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false
	}
	port := map[string]string{"http": ":80", "https": ":443"}[u.Scheme]
	return strings.EqualFold(strings.TrimSuffix(u.Host, port), strings.TrimSuffix(host, port))
}

// preflight answers a browser that asks what it may do from another origin.
func preflight(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Add("Vary", "Access-Control-Request-Headers")
	h.Set("Access-Control-Allow-Methods", "GET,HEAD,PUT,PATCH,POST,DELETE")
	if fields := r.Header.Get("Access-Control-Request-Headers"); fields != "" {
		h.Set("Access-Control-Allow-Headers", fields)
	}
	w.WriteHeader(http.StatusNoContent)
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
