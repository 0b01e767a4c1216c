package gate

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"
)

const maxIDBytes = 128

// NewID returns the id of a new session, or what its handshake is refused with.
func (g *Gate) NewID(r *http.Request) (id string, e Refusal, ok bool) {
	if g.cfg.GenerateID == nil {
		var random [15]byte
		rand.Read(random[:]) // never fails
		return base64.RawURLEncoding.EncodeToString(random[:]), e, true
	}
	id, err := g.callGenerateID(r)
	if err == nil && !validID(id) {
		err = errBadID
	}
	if err != nil {
		return "", noID(err), false
	}
	return id, e, true
}

func (g *Gate) callGenerateID(r *http.Request) (id string, err error) {
	err = errNoID // should it panic
	defer g.RecoverHook("GenerateID")
	return g.cfg.GenerateID(r)
}

// TakenID refuses a handshake whose id belongs to another session.
var TakenID = noID(errors.New("engineio: an id from GenerateID is in use"))

var (
	errNoID  = errors.New("engineio: GenerateID panicked")
	errBadID = errors.New(`engineio: an id from GenerateID is not 1 to 128 letters, digits and "-._~"`)
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

// Short is the part of a session's id that may be logged.
func Short(id string) string { return id[:min(len(id), 6)] }

// noID refuses a handshake for want of an id.
func noID(err error) Refusal {
	e := badRequest(noIDName)
	e.err = err
	return e
}

const noIDName = "ID_GENERATION_ERROR"
