package socketio

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"jobcast/engineio"
	"jobcast/socketio/internal/msgpack"
	"jobcast/socketio/internal/parser"
	"jobcast/socketio/internal/work"
)

// session is what this package uses of an *engineio.Session. The tests have another, in memory.
type session interface {
	ID() string
	Handshake() *engineio.Handshake
	Revision() int
	Transport() string
	Send(frames ...*engineio.Frame) error
	SendVolatile(frames ...*engineio.Frame) bool
	Close(reason engineio.Reason)
}

var _ session = (*engineio.Session)(nil)

// The ways in which a client breaks the protocol that the parser cannot see.
var (
	errNotConnected   = errors.New("packet for a namespace that was not joined")
	errConnectedTwice = errors.New("second CONNECT to a namespace")
	errDirection      = errors.New("packet that only a server sends")
	errMsgpack        = errors.New("Namespace does not take msgpack, connect without its parser") // the client sees it
	errText           = errors.New("text from a client that speaks msgpack")
)

// A conn is one session with its sockets, one for each namespace that the client has joined.
type conn struct {
	srv     *Server
	sess    session
	dialect dialect

	// Only the session's reader uses these.
	decoder parser.Decoder
	begun   bool // the first message has come
	closing bool // the session was told to close, what still comes is ignored

	packed bool // the client speaks msgpack; written before it has a socket, and only read from then on

	closed atomic.Bool  // the session is closed
	late   atomic.Int32 // events that were handled since

	mu       sync.Mutex // protects the fields below
	sockets  []joined
	attached int         // sockets, with those that are closed and not done
	deadline *time.Timer // for the first namespace; nil once joined
}

// maxSockets bounds the sockets of one session that are connected, or closed while a middleware or
// handler still runs. A client that connects once more is closed with TooManyEvents: it joins and leaves
// faster than that is handled.
const maxSockets = 256

// maxNames is enough for as many sockets, and as many names of sockets that the server has disconnected.
const maxNames = 2 * maxSockets

// joined is a socket under the name of its namespace. There is no socket if the server has disconnected
// it: what the client sent before it knew is no violation. Of those without a socket only the newest are
// kept, so that there are not more than maxNames in all.
type joined struct {
	namespace string
	socket    *Socket
}

var _ engineio.Handler = (*conn)(nil)

func (s *Server) accept(sess session) *conn {
	c := &conn{srv: s, sess: sess, dialect: dialectOf(sess)}
	c.mu.Lock()
	c.deadline = time.AfterFunc(s.cfg.ConnectTimeout, c.timeout)
	c.mu.Unlock()
	c.dialect.begin(c)
	return c
}

// timeout closes a session that has joined no namespace in time.
func (c *conn) timeout() {
	c.mu.Lock()
	late := c.deadline != nil
	c.mu.Unlock()
	if late {
		c.sess.Close(engineio.Reason(ForcedServerClose))
	}
}

// stopDeadline is called when a first namespace is joined, and at the end.
func (c *conn) stopDeadline() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.deadline != nil {
		c.deadline.Stop()
		c.deadline = nil
	}
}

// Receive takes one message from the session's reader. It does not block.
func (c *conn) Receive(m engineio.Message) {
	if c.closing {
		return
	}
	p, complete, err := c.decode(m)
	if err == nil && complete {
		err = c.packet(&p)
	}
	if err != nil {
		c.srv.log.Debug("client broke the protocol", "sid", c.sid(), "err", err)
		c.close(ParseError)
	}
}

// decode returns the packet that a message is or completes.
func (c *conn) decode(m engineio.Message) (p parser.Packet, complete bool, err error) {
	if !c.begun {
		c.begun = true
		if m.Binary && c.dialect.msgpack() {
			c.packed = true
		}
	}
	switch {
	case c.packed && m.Binary:
		p, err = msgpack.Decode(m.Data)
		return p, err == nil, err
	case c.packed:
		return p, false, errText
	case m.Binary:
		return c.decoder.Binary(m.Data)
	}
	return c.decoder.Text(m.Data)
}

// close ends the session from its reader.
func (c *conn) close(reason Reason) {
	c.closing = true
	c.sess.Close(engineio.Reason(reason))
}

// packet does what p says, or returns how it breaks the protocol.
func (c *conn) packet(p *parser.Packet) error {
	c.dialect.address(p)
	s, known := c.find(p.Namespace)
	if p.Type == parser.Connect {
		if s != nil && !s.isClosed() {
			return errConnectedTwice
		}
		return c.connect(p)
	}
	if s == nil && !known {
		return errNotConnected
	}
	if s == nil {
		return nil
	}
	switch p.Type {
	case parser.Event:
		if s.state.Load() == connecting {
			return errNotConnected
		}
		in := &work.Item[incoming]{Job: incoming{kind: eventKind}}
		call := &in.Job.call
		call.socket, call.name, call.args = s, p.Name, Args{p.Args, p.Attachments}
		call.wantsAck, call.id = p.HasID, p.ID
		if !s.put(in) {
			c.srv.log.Warn("client sends faster than its events are handled", "sid", c.sid(), "nsp", s.ns.name, "socket", s.Label())
			c.close(TooManyEvents)
		}
	case parser.Ack:
		s.settle(p.ID, Args{p.Args, p.Attachments})
	case parser.Disconnect:
		s.close(ClientNamespaceDisconnect)
	default:
		return errDirection
	}
	return nil
}

// connect starts a socket. Its middleware runs where its events will, and answers the CONNECT.
func (c *conn) connect(p *parser.Packet) error {
	name := p.Namespace
	ns, parents := c.srv.lookup(name)
	if ns == nil && len(parents) == 0 {
		c.srv.refusedUnknown(name)
		c.send(c.refusal(name, ErrInvalidNamespace))
		return nil
	}
	if ns == nil {
		ns = parents[0] // until it has entered
	}
	s := newSocket(ns, name, c, p.Data)
	in := &work.Item[incoming]{Job: incoming{kind: connectKind, call: call{socket: s, name: []byte(name)}}}
	if c.srv.cfg.Hooks.Connected != nil {
		in.Job.call.id = uint64(time.Since(c.srv.began)) // when it came
	}
	c.mu.Lock()
	c.sockets = slices.DeleteFunc(c.sockets, func(j joined) bool { return j.namespace == name })
	if len(c.sockets) >= maxNames {
		oldest := slices.IndexFunc(c.sockets, func(j joined) bool { return j.socket == nil })
		if oldest >= 0 {
			c.sockets = slices.Delete(c.sockets, oldest, oldest+1)
		}
	}
	c.sockets = append(c.sockets, joined{name, s})
	c.attached++
	tooMany := c.attached > maxSockets
	c.mu.Unlock()
	if tooMany {
		c.close(TooManyEvents)
	}
	s.put(in)
	return nil
}

// find returns the socket in a namespace, nil if the server has disconnected it.
func (c *conn) find(namespace string) (s *Socket, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, j := range c.sockets {
		if j.namespace == namespace {
			return j.socket, true
		}
	}
	return nil, false
}

// detach lets go of a socket that is closed. Where the server sent it away, the name stays.
func (c *conn) detach(s *Socket, keepName bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, j := range c.sockets {
		if j.socket != s {
			continue
		}
		if keepName {
			c.sockets[i].socket = nil
		} else {
			c.sockets = slices.Delete(c.sockets, i, i+1)
		}
		return
	}
}

// detached is called when a socket has done the last that it does.
func (c *conn) detached() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.attached--
}

// all returns the sockets there are.
func (c *conn) all() []*Socket {
	c.mu.Lock()
	defer c.mu.Unlock()
	sockets := make([]*Socket, 0, len(c.sockets))
	for _, j := range c.sockets {
		if j.socket != nil {
			sockets = append(sockets, j.socket)
		}
	}
	return sockets
}

// maxLate bounds the events of one session that are handled after it has ended: a page says something as it
// goes. More is dropped, as nobody is there for an answer, and what a client has poured in must not be worked
// off for long after it.
const maxLate = 100

// takesMore reports whether one more of the session's events is to be handled. None is once the server closes:
// all sessions end then, and their clients know what was not answered.
func (c *conn) takesMore() bool {
	if !c.closed.Load() {
		return !c.srv.closing.Load()
	}
	return !c.srv.closing.Load() && c.late.Add(1) <= maxLate
}

// Closed ends every socket of the session.
func (c *conn) Closed(reason engineio.Reason) {
	c.closed.Store(true)
	c.stopDeadline()
	for _, s := range c.all() {
		s.close(Reason(reason))
	}
}

// sid is what may be logged of the session's id, which is a credential.
func (c *conn) sid() string {
	id := c.sess.ID()
	return id[:min(shownOfSession, len(id))]
}

// shownOfSession is how many characters of a session's id are logged.
const shownOfSession = 6
