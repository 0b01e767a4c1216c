package engineio

import (
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"jobcast/engineio/internal/gate"
	"jobcast/engineio/internal/outbox"
	"jobcast/engineio/parser"
)

// A Session is one client.
//
// Its goroutines, all counted by the server: the reader of its WebSocket where no poller reads; for moments a
// writer that waits for a slow peer, and the call of Handler.Closed. While it polls, the requests' own
// goroutines do the work.
type Session struct {
	server    *Server
	id        string
	rev       revision
	handshake gate.KeptHandshake
	handler   Handler // set before the first delivery

	state    atomic.Int32           // a sessionState; written under mu
	draining atomic.Int32           // how often the outbox was empty and Config.OnDrain has not been told, or is being told
	deflates atomic.Pointer[wsConn] // ws, if it is one whose messages may be compressed; written under mu

	// mu guards the fields below. It is held for moments: never during I/O or a call of the handler.
	mu     sync.Mutex
	reason Reason       // once the state is not open
	out    outbox.Queue // bounded by Config.MaxQueueBytes

	// The transport: HTTP long polling until ws is set.
	ws      *wsConn
	poll    *poll         // the GET that waits
	posting bool          // a POST is coming in
	leaving chan struct{} // closed when the next GET comes; nil unless someone waits for it
	probe   *wsConn       // a WebSocket that may become the transport
	probed  bool          // it has been answered

	// delivering is true while a goroutine calls the handler. What is sent meanwhile leaves when it is
	// done, in one write.
	delivering bool
	handover   chan struct{} // closed when delivering ends, for the WebSocket that takes over
	notified   bool          // Handler.Closed is or was called

	writer     writerState
	behind     bool     // the peer has not taken all that it was offered
	nextFlush  *Session // guarded by flushers.mu
	peerClosed bool     // the peer's close frame has come

	heartbeat heartbeat
}

type sessionState = int32

const (
	stateOpen sessionState = iota
	// stateClosing: the handler is told, and what is queued is on its way, for a bounded time.
	stateClosing
	// stateClosed: nothing is left but goroutines that are about to end.
	stateClosed
)

// A writerState says who is to write what is in the outbox of a session on WebSocket.
type writerState uint8

const (
	writerIdle    writerState = iota // nobody
	writerQueued                     // a flusher, soon
	writerBusy                       // a flusher, or the reader, now
	writerStalled                    // the poller or a goroutine, when the peer takes more
)

// How long a session takes to end when its peer does not help.
const (
	closeTimeout = 5 * time.Second // with queued frames to deliver
	failTimeout  = time.Second     // with only the reason to tell
)

// ID is the session's identifier: 120 random bits in base64url, or what Config.GenerateID made. It is a
// credential.
func (s *Session) ID() string { return s.id }

// Handshake is what is kept of the request that opened the session. Each call makes it anew, for its caller
// to keep and to change.
func (s *Session) Handshake() *Handshake { return s.handshake.Handshake() }

// Revision is the revision of the protocol that the session is in: 4, or 3, also where the client calls it 2.
func (s *Session) Revision() int {
	if s.rev.number() == number4 {
		return 4
	}
	return 3
}

// Transport is the transport in use: "polling", "websocket" or "webtransport".
func (s *Session) Transport() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ws == nil:
		return gate.Polling
	case s.ws.stream != nil:
		return gate.WebTransport
	}
	return gate.WebSocket
}

// Send queues the frames, together and in order, and returns at once; they leave as soon as the
// transport takes them. It returns ErrClosed after the session has ended, and ErrSlow when the outbox
// would hold more than MaxQueueBytes; the session is then closed as SlowConsumer. Send may be called
// from any goroutine.
func (s *Session) Send(frames ...*Frame) error {
	s.deflate(frames)
	s.mu.Lock()
	if s.state.Load() != stateOpen {
		s.mu.Unlock()
		return ErrClosed
	}
	if !s.fitsLocked(frames) {
		end := s.failLocked(SlowConsumer, ws.StatusPolicyViolation)
		s.mu.Unlock()
		s.finish(end)
		return ErrSlow
	}
	s.out.Supersede(frames)
	s.pushLocked(frames...)
	s.wakeLocked()
	s.mu.Unlock()
	return nil
}

// SendVolatile queues the frames if the transport could take them now, and else drops them and returns
// false: on polling while no poll waits, on WebSocket while earlier frames wait for the peer.
func (s *Session) SendVolatile(frames ...*Frame) bool {
	s.deflate(frames)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.Load() != stateOpen || s.blockedLocked() {
		return false
	}
	if !s.fitsLocked(frames) {
		return false
	}
	s.out.Supersede(frames)
	s.pushLocked(frames...)
	s.wakeLocked()
	return true
}

// deflate compresses the frames, if the client takes them so and nobody has yet, before the lock is taken.
func (s *Session) deflate(frames []*Frame) {
	if c := s.deflates.Load(); c != nil {
		for _, f := range frames {
			c.form(s.rev, f).Deflated(s.server.cfg.PerMessageDeflate.Threshold)
		}
	}
}

// compresses notes that c is the transport.
func (s *Session) compresses(c *wsConn) {
	if c.deflate {
		s.deflates.Store(c)
	}
}

// pushLocked queues the frames in the form that they leave in, or in the only one there is until a poll
// takes them.
func (s *Session) pushLocked(frames ...*Frame) {
	if s.ws == nil {
		s.out.Push(frames...)
		return
	}
	for _, f := range frames {
		f = s.ws.form(s.rev, f)
		if s.ws.deflate {
			f = f.Deflated(s.server.cfg.PerMessageDeflate.Threshold)
		}
		s.out.Push(f)
	}
}

// volatileSlack is how many bytes may wait on a connection of which nobody can tell whether the peer
// takes them, before volatile frames are dropped.
const volatileSlack = 64 << 10

// blockedLocked reports whether frames would have to wait for the peer.
func (s *Session) blockedLocked() bool {
	switch {
	case s.ws == nil:
		return s.poll == nil
	case !s.ws.conn.NonBlocking():
		return s.out.Bytes() > volatileSlack
	}
	return s.behind
}

// fitsLocked reports whether there is room for frames, in place of those that they supersede.
func (s *Session) fitsLocked(frames []*Frame) bool {
	n := s.out.Bytes()
	for _, f := range frames {
		n += f.Len()
	}
	return n <= s.server.cfg.MaxQueueBytes || n-s.out.Superseded(frames) <= s.server.cfg.MaxQueueBytes
}

// Close ends the session: what is queued leaves first, then the client is told. It does not wait, may
// be called from a Handler, and only the first reason counts.
func (s *Session) Close(reason Reason) {
	s.mu.Lock()
	end := s.closeLocked(reason, closeCode(reason), true)
	s.mu.Unlock()
	s.finish(end)
}

func closeCode(r Reason) ws.StatusCode {
	if r == ServerShutdown {
		return ws.StatusGoingAway
	}
	return ws.StatusNormalClosure
}

// fail ends the session without sending what is queued: the client is at fault, or gone.
func (s *Session) fail(reason Reason, code ws.StatusCode) {
	s.mu.Lock()
	end := s.failLocked(reason, code)
	s.mu.Unlock()
	s.finish(end)
}

func (s *Session) failLocked(reason Reason, code ws.StatusCode) ending {
	return s.closeLocked(reason, code, false)
}

// An ending is what a change of a session's state leaves to do when its lock is released.
type ending struct {
	probe  *wsConn // to be closed
	conn   *wsConn // to be closed
	forget bool    // the id is no longer valid
	gone   bool    // the session is over
}

func (s *Session) finish(e ending) {
	if e.probe != nil {
		e.probe.conn.Close()
	}
	if e.conn != nil {
		e.conn.conn.Close()
	}
	if e.forget || e.gone {
		s.server.forget(s)
	}
	if e.gone {
		s.server.wg.Done()
	}
}

// closeLocked begins the end of an open session; keep says whether what is queued is still sent.
func (s *Session) closeLocked(reason Reason, code ws.StatusCode, keep bool) ending {
	if s.state.Load() != stateOpen {
		return ending{}
	}
	s.state.Store(stateClosing)
	s.reason = reason
	s.server.log.Debug("session ended", "sid", s.shortID(), "reason", string(reason))
	var end ending
	end.probe, s.probe = s.probe, nil
	if !s.delivering && !s.notified {
		s.notified = true
		s.server.wg.Go(s.callClosed)
	}
	timeout := closeTimeout
	if !keep || s.out.Empty() {
		timeout = failTimeout
	}
	if !keep {
		s.out.Drop()
	}
	switch {
	case s.ws != nil:
		end.forget = true
		if s.ws.stream == nil {
			text := string(reason)
			if !keep && (reason == TransportError || reason == ParseError) {
				text = "" // who broke the protocol is told the code alone, as by the reference
			}
			s.out.Push(outbox.NewClose(code, text))
		} else if s.out.Empty() {
			timeout = streamLinger
		}
		s.scheduleLocked()
	case !keep:
		return s.overLocked(end)
	case s.poll != nil:
		s.poll.signal()
	}
	s.heartbeat.armLocked(s, timeout)
	return end
}

// farewell is the answer to a GET that waits when the session fails. A client that has said goodbye gets
// a NOOP.
func farewell(reason Reason) *Frame {
	if reason == TransportClose {
		return noopPacket
	}
	return closePacket
}

// overLocked ends at once a session that is closing.
func (s *Session) overLocked(end ending) ending {
	if s.state.Load() == stateClosed {
		return end
	}
	s.state.Store(stateClosed)
	s.server.timers.Remove((*sleeper)(s))
	s.answerLocked(farewell(s.reason))
	end.conn = s.ws
	end.gone = true
	return end
}

// lost ends the session because its connection did.
func (s *Session) lost() {
	s.mu.Lock()
	end := s.overLocked(s.failLocked(TransportClose, 0))
	s.mu.Unlock()
	s.finish(end)
}

func (s *Session) shortID() string { return gate.Short(s.id) }

// begin claims the handler for the caller, who must call end. It returns false if the session is not
// open, or if the caller is not its transport: nil for polling.
func (s *Session) begin(transport *wsConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.Load() != stateOpen || s.ws != transport {
		return false
	}
	s.delivering = true
	s.rev.heardLocked(s)
	return true
}

// end gives the handler back, sends what was queued meanwhile, and tells the handler if the session has
// ended.
func (s *Session) end() {
	s.mu.Lock()
	s.delivering = false
	handover := s.handover
	s.handover = nil
	notify := s.state.Load() != stateOpen && !s.notified
	s.notified = s.notified || notify
	mine := s.ws != nil && s.ws.conn.NonBlocking() && s.writer == writerIdle && !s.out.Empty()
	if mine {
		s.writer = writerQueued
	} else {
		s.wakeLocked()
	}
	s.mu.Unlock()
	if handover != nil {
		close(handover)
	}
	if mine {
		b := batches.Get().(*batch)
		s.flush(b)
		batches.Put(b)
	}
	if notify {
		s.callClosed()
	}
}

// receive acts on a packet from the client. The caller has claimed the handler. It returns false if the
// session has ended.
func (s *Session) receive(p parser.Packet) bool {
	switch p.Type {
	case parser.Message:
		s.deliver(Message{Binary: p.Binary, Data: p.Data})
		return s.state.Load() == stateOpen
	case parser.Ping, parser.Pong:
		return s.rev.beat(s, p.Type)
	case parser.Close:
		s.fail(TransportClose, ws.StatusNormalClosure)
		return false
	}
	return true // OPEN, UPGRADE and NOOP mean nothing here
}

// deliver calls the handler. The caller has claimed it with begin.
func (s *Session) deliver(m Message) {
	if s.state.Load() != stateOpen {
		return
	}
	defer s.recoverHandler("message")
	s.handler.Message(m)
}

func (s *Session) callClosed() {
	defer s.recoverHandler("closed")
	s.handler.Closed(s.reason) // no longer written
}

// call calls one of the server's functions that are told of sessions.
func (s *Session) call(name string, f func(*Session)) {
	defer s.recoverHandler(name)
	f(s)
}

func (s *Session) recoverHandler(call string) {
	if v := recover(); v != nil {
		s.server.log.Error("handler panicked", "sid", s.shortID(), "call", call, "err", v, "stack", string(debug.Stack()))
	}
}

// accept gets the session's handler, which the caller of open still holds back, and lets it receive. It
// returns false if there is none.
func (s *Session) accept() bool {
	s.callAccept()
	if s.handler == nil {
		s.handler = nobody{}
		s.Close(ForcedClose)
	}
	s.mu.Lock()
	if s.state.Load() == stateOpen {
		s.rev.startLocked(s)
	}
	s.mu.Unlock()
	s.end()
	return s.handler != nobody{}
}

func (s *Session) callAccept() {
	defer s.recoverHandler("accept")
	s.handler = s.server.cfg.Accept(s)
}

// nobody is the handler of a session whose handler was not to be had.
type nobody struct{}

func (nobody) Message(Message) {}
func (nobody) Closed(Reason)   {}
