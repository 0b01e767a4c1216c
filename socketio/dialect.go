package socketio

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"

	"jobcast/socketio/internal/parser"
)

// A dialect holds all that the two revisions of the protocol do differently. It is chosen once for a
// session. Events and acknowledgements are the same in both.
type dialect interface {
	// begin is called when a session has opened.
	begin(c *conn)
	// msgpack reports whether a client may say by its first message that it speaks msgpack.
	msgpack() bool
	// address makes the namespace and, of a Connect, the credentials out of what the client wrote.
	address(p *parser.Packet)
	// socketID returns the id of a new socket of the session.
	socketID(session, namespace string) string
	// label is what may be logged of a socket's id.
	label(id string) string
	// welcome is the payload of the answer to a client that has joined.
	welcome(id string) []byte
	// refusal is the payload of the answer to a client that may not join, for encode. data is nil where the
	// error has none.
	refusal(message string, data any) any
}

var (
	_ dialect = dialect5{}
	_ dialect = dialect4{}
)

// dialectOf returns the dialect that goes with the revision of the session below.
func dialectOf(s session) dialect {
	if s.Revision() == 3 {
		return dialect4{}
	}
	return dialect5{}
}

// dialect5 is socket.io-protocol v5, of socket.io.js 3.x and 4.x.
type dialect5 struct{}

// begin leaves it to the client to join ("Connection to a namespace").
func (dialect5) begin(*conn) {}

func (dialect5) msgpack() bool { return true }

func (dialect5) address(*parser.Packet) {}

func (dialect5) socketID(string, string) string {
	id := make([]byte, 15)
	rand.Read(id)
	return base64.RawURLEncoding.EncodeToString(id)
}

func (dialect5) label(id string) string { return id }

func (dialect5) welcome(id string) []byte { return []byte(`{"sid":"` + id + `"}`) }

func (dialect5) refusal(message string, data any) any {
	return &struct {
		Message string `json:"message"`
		Data    any    `json:"data,omitempty"`
	}{message, data}
}

// dialect4 is socket.io-protocol v4, of socket.io.js 1.x and 2.x.
type dialect4 struct{}

// begin joins the main namespace, which every client of the revision counts on.
func (dialect4) begin(c *conn) { _ = c.connect(&parser.Packet{Namespace: "/"}) }

// msgpack is not for these clients: they are told that they have joined before they say anything.
func (dialect4) msgpack() bool { return false }

// address cuts the query off the namespace. Its values are the credentials, as an object of strings.
func (dialect4) address(p *parser.Packet) {
	p.Data = nil
	name, query, ok := strings.Cut(p.Namespace, "?")
	if !ok {
		return
	}
	p.Namespace = name
	if p.Type != parser.Connect {
		return
	}
	values, _ := url.ParseQuery(query) // what it could make out
	credentials := make(map[string]string, len(values))
	for name, v := range values {
		credentials[name] = v[len(v)-1]
	}
	p.Data, _ = json.Marshal(credentials) // strings always marshal
}

// socketID is what the clients of the revision make out of their session's id on their own.
func (dialect4) socketID(session, namespace string) string {
	if namespace == "/" {
		return session
	}
	return namespace + "#" + session
}

// label leaves out most of the id, since it is the session's.
func (dialect4) label(id string) string {
	at := strings.LastIndexByte(id, '#') + 1
	return id[:min(at+shownOfSession, len(id))]
}

func (dialect4) welcome(string) []byte { return nil }

// refusal is what the client's error event gets: the data, or else the message.
func (dialect4) refusal(message string, data any) any {
	if data == nil {
		data = message
	}
	return &data
}
