package engineio

import (
	"context"
	"syscall"
	"time"
)

// Hooks are functions that a Server calls when something happens, so that logs, metrics and traces know of which
// session and request. Each may be nil, and costs nothing then. They run where it happens, for many sessions at
// once, and must neither block nor panic; a panic is caught and logged.
type Hooks struct {
	// Opened is called when a session has got its handler, before its OPEN packet can reach the client.
	Opened func(s *Session)
	// Refused is called for every request that is refused with one of the protocol's codes, before the answer
	// leaves, and for a WebSocket or WebTransport that was accepted and is closed for want of a session. It is
	// called on the goroutine of the request, whose answer waits for it.
	Refused func(e ConnectionError)
	// Upgraded is called when a session goes on over another transport than from. It is called on the goroutine
	// that reads the new one, which is that of Session.Transport by then, between the last message of the old
	// transport and the first of the new.
	Upgraded func(s *Session, from string)
	// Received is called for what has come in: the bytes of the frames of WebSocket or WebTransport as they are
	// read, before the messages in them are delivered, or those of the body of a POST.
	Received func(s *Session, bytes int)
	// Sent is called for what has been handed to the transport: the bytes of frames, or those of the payload that
	// answers a GET, before it is compressed. It is called on the goroutine that has written.
	Sent func(s *Session, bytes int)
	// Drained is called each time that the last of what was queued for a session has been handed to its
	// transport: for who sends much, and only as fast as it is taken. It is called on the goroutine that has
	// written, beside those of Handler but once at a time for a session. It may send.
	Drained func(s *Session)
	// Closed is called when a session was closed, after Handler.Closed. lasted is the time since its handshake.
	Closed func(s *Session, reason Reason, lasted time.Duration)
	// Adopted is called when the descriptor of a WebSocket is no longer that of the net.Conn which net/http
	// knew, and has closed, but another of the same socket, which a few goroutines read: for who measures
	// connections, or sets their options. ctx is that of the request that opened the WebSocket, and may have
	// ended. c is for its Control only.
	Adopted func(ctx context.Context, c syscall.RawConn)
}

// opened tells the hook of a session that has a handler.
func (s *Session) opened() {
	if f := s.server.cfg.Hooks.Opened; f != nil {
		defer s.recoverHandler("Hooks.Opened")
		f(s)
	}
}

// upgraded tells the hook that the session has left a transport.
func (s *Session) upgraded(from string) {
	if f := s.server.cfg.Hooks.Upgraded; f != nil {
		defer s.recoverHandler("Hooks.Upgraded")
		f(s, from)
	}
}

// received tells the hook of bytes that have come in.
func (s *Session) received(bytes int) {
	if f := s.server.cfg.Hooks.Received; f != nil {
		defer s.recoverHandler("Hooks.Received")
		f(s, bytes)
	}
}

// sent tells the hook of bytes that the transport has taken.
func (s *Session) sent(bytes int) {
	if f := s.server.cfg.Hooks.Sent; f != nil {
		defer s.recoverHandler("Hooks.Sent")
		f(s, bytes)
	}
}

// drained tells the hook of a session that is still open. What the hook sends may have been written by another
// goroutine before it returns: that one leaves the next call to this one.
func (s *Session) drained() {
	f := s.server.cfg.Hooks.Drained
	if f == nil || s.draining.Add(1) > 1 {
		return
	}
	for n := int32(1); n > 0; n = s.draining.Add(-n) {
		if s.state.Load() == stateOpen {
			s.callDrained(f)
		}
	}
}

func (s *Session) callDrained(f func(*Session)) {
	defer s.recoverHandler("Hooks.Drained")
	f(s)
}

// wasClosed tells the hook of a session whose handler knows.
func (s *Session) wasClosed() {
	if f := s.server.cfg.Hooks.Closed; f != nil && s.handler != (noHandler{}) {
		defer s.recoverHandler("Hooks.Closed")
		f(s, s.reason, time.Since(s.handshake.Time()))
	}
}
