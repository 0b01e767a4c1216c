package gate

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"jobcast/internal/websocket/opening"
)

// A RequestError is an error of AllowRequest that is made for the client, and says how the request is refused. Of
// any other error the client learns nothing.
type RequestError struct {
	Status  int    // of the answer, 400 to 599. Anything else means 403.
	Message string // for the client. Empty means "Forbidden".
}

func (e *RequestError) Error() string { return cmp.Or(e.Message, "Forbidden") }

// A ConnectionError says which request was refused, and why.
type ConnectionError struct {
	// Code is the protocol's: 0 for a transport that is not there, 1 for an unknown session, 2 for a
	// handshake that is no GET, 3 for a bad request and for a server that takes no more, 4 for a request
	// that is forbidden, 5 for a revision that is not spoken.
	Code int
	// Message is what the client is told.
	Message string
	Context ErrorContext
	// Request is the one that was refused. It is valid only during the call.
	Request *http.Request
}

func (e ConnectionError) Error() string { return fmt.Sprintf("code %d: %s", e.Code, e.Message) }

// Unwrap returns the error of the function that refused the request, if one did.
func (e ConnectionError) Unwrap() error { return e.Context.Err }

// An ErrorContext holds the facts of a ConnectionError.
type ErrorContext struct {
	// Name tells apart what has the same code, with the reference server's names where it has one:
	// INVALID_ORIGIN, TRANSPORT_MISMATCH, PROTOCOL_MISMATCH, TRANSPORT_HANDSHAKE_ERROR,
	// ID_GENERATION_ERROR; and UPGRADE_NOT_ALLOWED, REQUEST_OVERLAP, INVALID_CONTENT, ORIGIN_NOT_ALLOWED,
	// TOO_MANY_SESSIONS, SERVER_CLOSING, INTERNAL_ERROR. It is empty where the code says it all.
	Name      string
	Method    string
	Transport string // as asked for
	SID       string // the first six characters of the id asked for: the whole of it is a credential
	Origin    string
	Revision  string // EIO as asked for, "" if it is missing
	Err       error  // of AllowRequest or GenerateID, or what is wrong with the handshake of a WebSocket or WebTransport; else nil
}

// A Refusal is what a request that is not served is answered with, in the reference server's words.
type Refusal struct {
	status  int
	code    int
	message string
	name    string // ErrorContext.Name
	err     error  // ErrorContext.Err
}

// The refusals.
var (
	UnknownTransport = Refusal{status: http.StatusBadRequest, code: 0, message: "Transport unknown"}
	UnknownSession   = Refusal{status: http.StatusBadRequest, code: 1, message: "Session ID unknown"}
	BadMethod        = Refusal{status: http.StatusBadRequest, code: 2, message: "Bad handshake method"}
	UnknownRevision  = Refusal{status: http.StatusBadRequest, code: 5, message: "Unsupported protocol version"}

	BadOrigin         = badRequest("INVALID_ORIGIN")
	TransportMismatch = badRequest("TRANSPORT_MISMATCH")
	ProtocolMismatch  = badRequest("PROTOCOL_MISMATCH")
	BadHandshake      = badRequest("TRANSPORT_HANDSHAKE_ERROR")
	UpgradeNotAllowed = badRequest("UPGRADE_NOT_ALLOWED")
	Overlap           = badRequest("REQUEST_OVERLAP")
	BadContent        = badRequest("INVALID_CONTENT")
	BadRequest        = badRequest("")

	Full     = Refusal{status: http.StatusServiceUnavailable, code: 3, message: "Too many sessions", name: "TOO_MANY_SESSIONS"}
	Closing  = Refusal{status: http.StatusServiceUnavailable, code: 3, message: "Server is shutting down", name: "SERVER_CLOSING"}
	Internal = Refusal{status: http.StatusInternalServerError, code: 3, message: "Internal error", name: "INTERNAL_ERROR"}
)

func badRequest(name string) Refusal {
	return Refusal{status: http.StatusBadRequest, code: 3, message: "Bad request", name: name}
}

// BadOpening refuses a WebSocket whose handshake has that error, which its client is told.
func BadOpening(err error) Refusal {
	e := BadHandshake.Because(err)
	e.message += ": " + err.Error()
	return e
}

// Because is the refusal with an error that its client is not told.
func (e Refusal) Because(err error) Refusal {
	e.err = err
	return e
}

func foreign(origin string) Refusal {
	return Refusal{status: http.StatusForbidden, code: 4, name: "ORIGIN_NOT_ALLOWED",
		message: fmt.Sprintf("origin %.200q is not allowed: add it to the server's list of allowed origins", origin)}
}

// forbidden is the refusal that an error of AllowRequest stands for.
func forbidden(err error) Refusal {
	e := Refusal{status: http.StatusForbidden, code: 4, message: "Forbidden", err: err}
	if own, ok := errors.AsType[*RequestError](err); ok {
		e.message = own.Error()
		if own.Status >= 400 && own.Status <= 599 {
			e.status = own.Status
		}
	}
	return e
}

// Refuse answers a request that is not served.
func (g *Gate) Refuse(w http.ResponseWriter, r *http.Request, e Refusal) {
	g.Report(r, e)
	h := w.Header()
	if opening.Asked(r) {
		h.Set("Connection", "close")
	}
	if errors.Is(e.err, opening.ErrVersion) {
		h.Set("Sec-WebSocket-Version", opening.Version)
	}
	if e.status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "5")
	}
	body, err := json.Marshal(struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}{e.code, e.message})
	if err != nil {
		panic(err) // an integer and a string always marshal
	}
	g.write(w, r, e.status, contentJSON, body)
}

// Report logs a refusal and tells Hooks.Refused of it, without an answer. Refuse does so.
func (g *Gate) Report(r *http.Request, e Refusal) {
	if e.name == noIDName {
		g.cfg.Logger.Error("no id for a new session", "err", e.err)
	}
	debug := g.cfg.Logger.Enabled(r.Context(), slog.LevelDebug)
	if !debug && g.cfg.Refused == nil {
		return
	}
	report := ConnectionError{Code: e.code, Message: e.message, Context: contextOf(r), Request: r}
	report.Context.Name, report.Context.Err = e.name, e.err
	if debug {
		g.log(report.Context, r, slog.Int("code", e.code), slog.String("why", e.message))
	}
	if g.cfg.Refused != nil {
		defer g.RecoverHook("Hooks.Refused")
		g.cfg.Refused(report)
	}
}

// contextOf returns what the request itself says.
func contextOf(r *http.Request) ErrorContext {
	query := r.URL.Query()
	c := ErrorContext{
		Method:    r.Method,
		Transport: query.Get("transport"),
		SID:       Short(query.Get("sid")),
		Origin:    r.Header.Get("Origin"),
		Revision:  query.Get("EIO"),
	}
	if r.Method == http.MethodConnect {
		c.Transport = WebTransport
	}
	return c
}

// log writes the line of a request that is refused: why, and then what the request is, as far as it says.
func (g *Gate) log(c ErrorContext, r *http.Request, why ...slog.Attr) {
	attrs := why
	add := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	add("name", c.Name)
	if c.Err != nil {
		attrs = append(attrs, slog.Any("err", c.Err))
	}
	add("method", c.Method)
	add("transport", c.Transport)
	add("sid", c.SID)
	add("eio", c.Revision)
	add("origin", c.Origin)
	add("remote", r.RemoteAddr)
	g.cfg.Logger.LogAttrs(r.Context(), slog.LevelDebug, "request refused", attrs...)
}
