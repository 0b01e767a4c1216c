package engineio

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"
	"runtime/debug"
)

// recoverHook is deferred around a call of one of the Config's functions.
func (s *Server) recoverHook(name string) {
	if v := recover(); v != nil {
		s.log.Error("hook panicked", "call", name, "err", v, "stack", string(debug.Stack()))
	}
}

// allow asks AllowRequest. It returns what the request is refused with, if it is.
func (s *Server) allow(r *http.Request) (e refusal, ok bool) {
	if s.cfg.AllowRequest == nil {
		return e, true
	}
	e = errInternal // should it panic
	defer s.recoverHook("AllowRequest")
	if err := s.cfg.AllowRequest(r); err != nil {
		return errForbidden(err), false
	}
	return refusal{}, true
}

const maxIDBytes = 128

// newID returns the id of a new session.
func (s *Server) newID(r *http.Request) (id string, err error) {
	if s.cfg.GenerateID == nil {
		var random [15]byte
		rand.Read(random[:]) // never fails
		return base64.RawURLEncoding.EncodeToString(random[:]), nil
	}
	err = errNoID // should it panic
	defer s.recoverHook("GenerateID")
	id, err = s.cfg.GenerateID(r)
	if err == nil && !validID(id) {
		err = errBadID
	}
	return id, err
}

var (
	errNoID    = errors.New("engineio: GenerateID panicked")
	errBadID   = errors.New(`engineio: an id from GenerateID is not 1 to 128 letters, digits and "-._~"`)
	errTakenID = errors.New("engineio: an id from GenerateID is in use")
)

// validID reports whether id may be in a query and in a cookie as it is.
func validID(id string) bool {
	for i := range len(id) {
		switch c := id[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '.', c == '_', c == '~':
		default:
			return false
		}
	}
	return id != "" && len(id) <= maxIDBytes
}

// short is the part of a session's id that may be logged.
func short(id string) string { return id[:min(len(id), 6)] }

// setInitialHeaders sets the fields that only the answer to a handshake has.
func (s *Server) setInitialHeaders(h http.Header, r *http.Request, session *Session) {
	if s.cfg.Cookie != nil {
		cookie := *s.cfg.Cookie
		cookie.Value = session.id
		h.Add("Set-Cookie", cookie.String())
	}
	if s.cfg.InitialHeaders != nil {
		defer s.recoverHook("InitialHeaders")
		s.cfg.InitialHeaders(h, r)
	}
}

// setHeaders has the last word on the fields of an answer.
func (s *Server) setHeaders(h http.Header, r *http.Request) {
	if s.cfg.Headers != nil {
		defer s.recoverHook("Headers")
		s.cfg.Headers(h, r)
	}
}

// errID refuses a handshake for want of an id.
func errID(err error) refusal {
	e := badRequest("ID_GENERATION_ERROR")
	e.err = err
	return e
}
