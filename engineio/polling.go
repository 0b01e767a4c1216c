package engineio

import (
	"errors"
	"mime"
	"net/http"
	"time"

	"jobcast/engineio/internal/gate"
	"jobcast/engineio/parser"
)

// A poll is a GET that waits for packets.
type poll struct {
	wake chan struct{} // has room for one

	// The fields below are guarded by Session.mu.
	late   bool   // it came after the probe's pong
	answer *Frame // not nil once someone else than the GET's goroutine has decided
	// overtaken: it came at the same time as the packet that ended polling. It gets what it would have got
	// a moment later, a refusal.
	overtaken bool

	// The GET's goroutine has these to itself.
	contentType string // of the answer
	took        bool   // it has what was in the outbox
}

// signal makes the GET's goroutine look again.
func (p *poll) signal() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// answerLocked ends the poll that waits for s, if there is one.
func (s *Session) answerLocked(answer *Frame) {
	if p := s.poll; p != nil {
		s.poll = nil
		p.answer = answer
		p.signal()
	}
}

// servePoll answers a GET with what is queued, and waits while nothing is.
func (s *Session) servePoll(w http.ResponseWriter, r *http.Request) {
	p := &poll{wake: make(chan struct{}, 1)}
	if !s.startPoll(p) {
		s.server.gate.Refuse(w, r, s.refusal())
		return
	}
	var noop <-chan time.Time // runs while an upgrade is under way
	noopDue := false
	for {
		body, probed, todo := s.pollAnswer(p, noopDue)
		s.cleanUp(todo)
		switch {
		case body == nil:
		case len(*body) == 0:
			s.server.gate.Refuse(w, r, gate.TransportMismatch)
			return
		default:
			s.sent(len(*body))
			s.server.gate.Respond(w, r, p.contentType, *body)
			putBuffer(body)
			if p.took {
				s.drained()
			}
			return
		}
		if probed && noop == nil {
			t := time.NewTimer(noopPeriod)
			defer t.Stop()
			noop = t.C
		}
		noopDue = false
		select {
		case <-p.wake:
		case <-noop:
			noop, noopDue = nil, true
		case <-r.Context().Done():
			s.detachPoll(p)
			return
		}
	}
}

// refusal is the refusal of a request that the session does not take in its state.
func (s *Session) refusal() gate.Refusal {
	if s.Transport() != gate.Polling {
		return gate.TransportMismatch
	}
	return gate.Overlap
}

// startPoll makes p the poll that waits. A second one at the same time ends the session.
func (s *Session) startPoll(p *poll) (ok bool) {
	s.mu.Lock()
	todo := s.tickLocked()
	switch {
	case s.state.Load() == stateClosed || s.ws != nil:
	case s.poll != nil:
		todo = s.closedLocked(s.closeNowLocked(TransportError, 0))
	default:
		ok = true
		s.poll, p.late = p, s.probed
		if s.nextPoll != nil {
			close(s.nextPoll)
			s.nextPoll = nil
		}
	}
	s.mu.Unlock()
	s.cleanUp(todo)
	return ok
}

// pollAnswer returns the answer to p, in a buffer that the caller gives back, or nil if there is none yet.
func (s *Session) pollAnswer(p *poll, noopDue bool) (body *[]byte, probed bool, todo cleanup) {
	s.mu.Lock()
	defer s.mu.Unlock()
	closing := s.state.Load() == stateClosing
	if p.answer == nil && s.out.Empty() && !closing && !(s.probed && noopDue) {
		return nil, s.probed, todo
	}
	body = getBuffer()
	answer := p.answer
	switch {
	case answer != nil && p.overtaken:
		return body, false, todo
	case answer != nil:
	case !s.out.Empty():
		s.poll, p.took = nil, true
		*body, p.contentType = s.rev.appendPayload(*body, s.out.Frames())
		s.out.Reset()
		return body, false, todo
	case closing:
		// In a payload of its own: the reference client acts on a CLOSE before it has looked at the
		// messages that came in the same payload.
		s.poll = nil
		answer = closePacket
		todo = s.closedLocked(todo)
	default:
		s.poll = nil
		answer = noopPacket
	}
	*body, p.contentType = s.rev.appendPayload(*body, []*Frame{answer})
	return body, false, todo
}

// detachPoll ends the session, since its client went away in the middle of p. If p has an answer, the
// client is free to go.
func (s *Session) detachPoll(p *poll) {
	s.mu.Lock()
	var todo cleanup
	if s.poll == p {
		s.poll = nil
		todo = s.closedLocked(s.closeNowLocked(TransportError, 0))
	}
	s.mu.Unlock()
	s.cleanUp(todo)
}

// servePost delivers the packets of a POST.
func (s *Session) servePost(w http.ResponseWriter, r *http.Request) {
	if !s.startPost() {
		s.server.gate.Refuse(w, r, s.refusal())
		return
	}
	contentType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if !s.rev.takesBody(contentType) {
		s.closeNow(TransportError, 0)
		s.donePost()
		s.server.gate.Refuse(w, r, gate.BadContent)
		return
	}
	buf := getBuffer()
	defer putBuffer(buf)
	err := s.server.gate.Read(w, r, buf, s.server.cfg.MaxPayloadBytes)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		s.donePost()
		s.server.gate.RespondTooLarge(w, r)
		return
	case err != nil:
		s.closeNow(TransportError, 0)
		s.donePost()
		s.server.gate.Refuse(w, r, gate.BadRequest)
		return
	}
	s.received(len(*buf))
	ok := s.deliverPayload(*buf, contentType)
	s.donePost()
	if !ok {
		s.server.gate.Refuse(w, r, gate.TransportMismatch)
		return
	}
	s.server.gate.RespondOK(w, r)
}

// startPost notes that a POST is coming in. A second one at the same time ends the session.
func (s *Session) startPost() (ok bool) {
	s.mu.Lock()
	todo := s.tickLocked()
	switch {
	case s.state.Load() == stateClosed || s.ws != nil:
	case s.posting:
		todo = s.closeNowLocked(TransportError, 0)
	default:
		ok = true
		s.posting = true
	}
	s.mu.Unlock()
	s.cleanUp(todo)
	return ok
}

func (s *Session) donePost() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.posting = false
}

// deliverPayload delivers the packets of a payload in order. It returns false if they are not the
// session's any more because it has been upgraded.
func (s *Session) deliverPayload(payload []byte, contentType string) bool {
	if !s.claim(nil) {
		s.mu.Lock()
		defer s.mu.Unlock()
		// A session that is closing has no use for messages, but its client did nothing wrong.
		return s.ws == nil
	}
	defer s.release()
	for p, err := range s.rev.packets(payload, contentType) {
		if err != nil {
			s.closeNow(ParseError, 0)
			break
		}
		if p.Type == parser.TypeClose {
			s.awaitPoll()
		}
		if !s.receive(p) {
			break
		}
	}
	return true
}

// crossing is how long a POST that ends the session waits for the GET that the client may have sent
// before it: on connections of their own they can arrive the other way round.
const crossing = 20 * time.Millisecond

// awaitPoll waits until a poll waits, for a moment.
func (s *Session) awaitPoll() {
	s.mu.Lock()
	if s.poll != nil || s.state.Load() != stateOpen {
		s.mu.Unlock()
		return
	}
	nextPoll := make(chan struct{})
	s.nextPoll = nextPoll
	s.mu.Unlock()
	t := time.NewTimer(crossing)
	defer t.Stop()
	select {
	case <-nextPoll:
	case <-t.C:
	}
}
