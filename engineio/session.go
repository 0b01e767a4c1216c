package engineio

import (
	"sync"
	"sync/atomic"

	"jobcast/engineio/internal/gate"
	"jobcast/engineio/internal/outbox"
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
	draining atomic.Int32           // how often the outbox was empty and Hooks.Drained has not been told, or is being told
	deflates atomic.Pointer[wsConn] // ws, if it is one whose messages may be compressed; written under mu

	// mu guards the fields below. It is held for moments: never during I/O or a call of the handler.
	mu     sync.Mutex
	reason Reason       // once the state is not open
	out    outbox.Queue // bounded by Config.MaxQueueBytes

	// The transport: HTTP long polling until ws is set.
	ws       *wsConn
	poll     *poll         // the GET that waits
	posting  bool          // a POST is coming in
	nextPoll chan struct{} // closed when the next GET comes; nil unless someone waits for it
	probe    *wsConn       // a WebSocket that may become the transport
	probed   bool          // it has been answered

	// delivering is true while a goroutine calls the handler. What is sent meanwhile leaves when it is
	// done, in one write.
	delivering bool
	handover   chan struct{} // closed when the handler is released, for the WebSocket that takes over
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
	// stateClosed: nothing is left but goroutines that are about to return.
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

func (s *Session) shortID() string { return gate.Short(s.id) }
