package engineio

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/gobwas/ws"

	"jobcast/engineio/netconn"
	"jobcast/engineio/wsframe"
	"jobcast/engineio/wtframe"
)

// streamLinger is how long a WebTransport lives after the last of its session has been written: closing it
// takes away what the client has not read yet.
const streamLinger = 100 * time.Millisecond

// serveWebTransport accepts a WebTransport, and waits for the packet that says what it is to be: a new
// session, or an offer to one that polls.
func (s *Server) serveWebTransport(w http.ResponseWriter, r *http.Request, sid string, spoken bool) {
	var e refusal
	ok := false
	switch {
	case r.Method != http.MethodConnect:
		e = errTransport
	case !spoken:
		e = errRevision
	case sid == "":
		e, ok = s.allow(r)
	case s.lookup(sid) == nil:
		e = errSession
	case !slices.Contains(s.upgrades, transportWebTransport):
		e = errNoUpgrade
	default:
		ok = true
	}
	if !ok {
		s.refuse(w, r, e)
		return
	}
	s.setHeaders(w.Header(), r)
	deadline := time.Now().Add(s.cfg.UpgradeTimeout)
	ctx, cancel := context.WithDeadline(r.Context(), deadline)
	defer cancel()
	nc, err := s.cfg.WebTransport(w, r.WithContext(ctx))
	if err != nil {
		s.log.Debug("webtransport handshake failed", "err", err)
		return
	}
	_ = nc.SetReadDeadline(deadline)
	c := &wsConn{conn: netconn.New(nc), stream: &wtframe.Reader{Limit: s.cfg.MaxPayloadBytes}}
	wanted, ahead, err := c.stream.ReadOpen(nc)
	switch {
	case err != nil:
	case wanted == "" && sid == "":
		_ = nc.SetReadDeadline(time.Time{})
		session, e := s.open(r, revision4{})
		if session != nil {
			session.start(c, ahead)
			return
		}
		err = e.err
	case wanted != "" && s.enter():
		defer s.wg.Done()
		if session := s.lookup(wanted); session != nil && session.offer(c) {
			s.wg.Go(func() { c.serve(session, ahead) })
			return
		}
	}
	s.log.Debug("webtransport closed before it had a session", "err", err)
	c.stream.Release()
	nc.Close()
}

// next takes the next message off the bytes that have come in.
func (c *wsConn) next(p []byte) (m wsframe.Message, rest []byte, ok bool, err error) {
	if c.stream == nil {
		return c.frames.Next(p)
	}
	packet, rest, ok, err := c.stream.Next(p)
	m = wsframe.Message{Op: ws.OpText, Data: packet.Data}
	if packet.Binary {
		m.Op = ws.OpBinary
	}
	return m, rest, ok, err
}

// form is what a frame, in the form of its revision, is on c.
func (c *wsConn) form(f *Frame) *Frame {
	if c.stream != nil {
		return f.Streamed()
	}
	return f
}
