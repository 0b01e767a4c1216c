package engineio

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/gobwas/ws"

	"jobcast/engineio/internal/gate"
	"jobcast/engineio/internal/netconn"
	"jobcast/engineio/internal/wtframe"
	"jobcast/internal/websocket/wsframe"
)

// streamLinger is how long a WebTransport lives after the last of its session has been written: closing it
// takes away what the client has not read yet.
const streamLinger = 100 * time.Millisecond

// An aborter is a stream of a WebTransport that can end with an error, which is what its client notices
// before it is connected.
type aborter interface{ Abort() error }

// serveWebTransport accepts a WebTransport, and waits for the packet that says what it is to be: a new
// session, or an offer to one that polls. The request need not say: the stock client's has no query.
func (s *Server) serveWebTransport(w http.ResponseWriter, r *http.Request) {
	if eio := r.URL.Query().Get("EIO"); eio != "" && eio != number4 {
		s.gate.Refuse(w, r, gate.UnknownRevision)
		return
	}
	s.gate.SetHeaders(w.Header(), r)
	deadline := time.Now().Add(s.cfg.UpgradeTimeout)
	ctx, cancel := context.WithDeadline(r.Context(), deadline)
	defer cancel()
	nc, err := s.cfg.WebTransport(w, r.WithContext(ctx))
	switch {
	case errors.Is(err, net.ErrClosed): // it was accepted
		s.gate.Report(r, gate.BadHandshake.Because(err))
		return
	case err != nil:
		s.gate.Refuse(w, r, gate.BadHandshake.Because(err))
		return
	}
	_ = nc.SetReadDeadline(deadline)
	c := &wsConn{conn: netconn.New(nc), stream: &wtframe.Reader{Limit: s.cfg.MaxPayloadBytes}}
	sid, ahead, err := c.stream.ReadOpen(nc)
	var e gate.Refusal
	ok := false
	switch {
	case err != nil:
		e = gate.BadHandshake.Because(err)
	case sid == "":
		_ = nc.SetReadDeadline(time.Time{})
		e, ok = s.openWebTransport(r, c, ahead)
	default:
		e, ok = s.offerWebTransport(sid, c, ahead)
	}
	if ok {
		return
	}
	s.gate.Report(r, e)
	c.stream.Release()
	if a, ok := nc.(aborter); ok {
		_ = a.Abort() // nothing is lost
	}
	nc.Close()
}

// openWebTransport opens a session on c.
func (s *Server) openWebTransport(r *http.Request, c *wsConn, ahead []byte) (gate.Refusal, bool) {
	if e, ok := s.gate.Allow(r); !ok {
		return e, false
	}
	session, e := s.open(r, revision4{})
	if session == nil {
		return e, false
	}
	if !session.start(c, ahead) {
		s.gate.Report(r, gate.Internal)
	}
	return e, true
}

// offerWebTransport offers c to a session.
func (s *Server) offerWebTransport(sid string, c *wsConn, ahead []byte) (gate.Refusal, bool) {
	if !s.enter() {
		return gate.Closing, false
	}
	defer s.wg.Done()
	session := s.lookup(sid)
	switch {
	case session == nil:
		return gate.UnknownSession, false
	case !slices.Contains(s.upgrades, gate.WebTransport), session.rev.number() != number4, !session.offer(c):
		return gate.UpgradeNotAllowed, false
	}
	s.wg.Go(func() { c.serve(session, ahead) })
	return gate.Refusal{}, true
}

// next takes the next message off the bytes that have come in.
func (c *wsConn) next(p []byte) (m wsframe.Unit, rest []byte, ok bool, err error) {
	switch {
	case c.deflate:
		return c.frames.NextDeflate(p)
	case c.stream == nil:
		return c.frames.Next(p)
	}
	packet, rest, ok, err := c.stream.Next(p)
	m = wsframe.Unit{Op: ws.OpText, Data: packet.Data}
	if packet.Binary {
		m.Op = ws.OpBinary
	}
	return m, rest, ok, err
}

// form is what a frame is on c, for a client that speaks that revision.
func (c *wsConn) form(rev revision, f *Frame) *Frame {
	f = rev.frame(f, c.base64)
	if c.stream != nil {
		return f.Streamed()
	}
	return f
}
