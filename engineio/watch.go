package engineio

import (
	"context"
	"syscall"

	"jobcast/engineio/internal/netconn"
)

// adopt returns the connection that the server's poller reads instead of c's. ok is false if c is of a kind
// that a goroutine reads. It leaves c's connection to be closed.
func (s *Server) adopt(c *wsConn) (adopted netconn.Conn, ok bool) {
	request := c.request
	c.request = nil // it is not kept for those that stay as they are, either
	if s.cfg.DisablePoller || !c.conn.Watchable() {
		return c.conn, false
	}
	s.pollerOnce.Do(s.startPoller)
	if s.poller == nil {
		return c.conn, false
	}
	if adopted, ok = s.poller.Adopt(c.conn); ok && request != nil {
		s.callAdopted(request, adopted.Raw())
	}
	return adopted, ok
}

func (s *Server) callAdopted(request context.Context, c syscall.RawConn) {
	defer s.gate.RecoverHook("Hooks.Adopted")
	s.cfg.Hooks.Adopted(request, c)
}

func (s *Server) startPoller() {
	p, err := netconn.NewPoller()
	if err != nil {
		s.log.Debug("every websocket is read on a goroutine of its own", "err", err)
		return
	}
	s.poller = p
}

// stopPoller returns when the poller's goroutines have ended. No session is left.
func (s *Server) stopPoller() {
	s.pollerOnce.Do(func() {}) // there will be none if there is none yet
	if s.poller != nil {
		s.poller.Close()
	}
}

// watch leaves the reading of c, which was adopted, to the poller.
func (c *wsConn) watch(s *Session) {
	c.session = s
	if err := s.server.poller.Watch(c.conn, c); err != nil {
		c.detach(s)
	}
}

var _ netconn.Handler = (*wsConn)(nil)

// Received acts on bytes that have come in.
func (c *wsConn) Received(p []byte) { c.receive(c.session, p) }

// Closed is called when nothing can be read any more.
func (c *wsConn) Closed() { c.detach(c.session) }

// Writable goes on writing to a peer that had to be waited for.
func (c *wsConn) Writable() {
	s := c.session
	s.mu.Lock()
	if s.writer == writerStalled {
		s.writer = writerIdle
		s.scheduleLocked()
	}
	s.mu.Unlock()
}
