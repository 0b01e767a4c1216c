package engineio

import (
	"context"
	"encoding/binary"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/gobwas/ws"

	"jobcast/engineio/internal/gate"
	"jobcast/engineio/internal/netconn"
	"jobcast/engineio/internal/outbox"
	"jobcast/engineio/internal/wtframe"
	"jobcast/internal/websocket/opening"
	"jobcast/internal/websocket/wsframe"
)

// A wsConn is a WebSocket, or the stream of a WebTransport: the transport of its session, or one that may
// become it. It belongs to the goroutine that reads it, which is a poller's where the connection is one that
// a poller can watch and the session's transport; others write to its conn, and close it.
type wsConn struct {
	conn    netconn.Conn // guarded by the session's lock when it becomes the poller's
	frames  wsframe.Reader
	stream  *wtframe.Reader // in place of frames; nil on a WebSocket
	session *Session        // once the poller watches it

	transport bool // it is the session's
	ignoring  bool // the peer has broken the protocol, or sent its close frame: what still comes is not looked at
	refused   bool // it was refused, though it broke no rule of the frames: its close frame is waited for
	deflate   bool // messages may be compressed
	base64    bool // the client takes no binary

	request context.Context // for Hooks.Adopted, if it is set, until that was called
}

// handshakeTimeout bounds the writing of the small answers on a new connection.
const handshakeTimeout = 5 * time.Second

// negotiate returns the extensions that a WebSocket will have. If the client's offer cannot be read, it has been
// refused.
func (s *Server) negotiate(w http.ResponseWriter, r *http.Request) (extensions string, ok bool) {
	if !s.cfg.PerMessageDeflate.Enabled {
		return "", true
	}
	extensions, err := wsframe.Negotiate(r.Header.Values("Sec-WebSocket-Extensions"))
	if err != nil {
		s.gate.Refuse(w, r, gate.BadOpening(err))
		return "", false
	}
	return extensions, true
}

// upgradeConn takes the connection over from net/http and answers the WebSocket handshake, with the fields
// that are set on w. It returns the bytes that net/http has read ahead. If there is no connection, whoever can
// be told has been.
func (s *Server) upgradeConn(w http.ResponseWriter, r *http.Request, query url.Values, extensions string) (*wsConn, []byte, bool) {
	h := w.Header()
	s.gate.SetHeaders(h, r)
	if p := opening.Protocol(r); p != "" && h.Get("Sec-WebSocket-Protocol") == "" {
		h.Set("Sec-WebSocket-Protocol", p) // as the reference does
	}
	nc, reader, err := opening.Accept(w, r, extensions, handshakeTimeout)
	switch {
	case errors.Is(err, opening.ErrTaken):
		s.log.Error("no websocket", "err", err)
		s.gate.Refuse(w, r, gate.Internal.Because(err))
		return nil, nil, false
	case err != nil:
		s.log.Debug("websocket handshake broke off", "remote", r.RemoteAddr, "err", err)
		return nil, nil, false
	}
	// A copy: the buffers go when the request's goroutine ends.
	ahead, _ := reader.Peek(reader.Buffered())
	c := &wsConn{
		conn:    netconn.New(nc),
		frames:  wsframe.Reader{Limit: s.cfg.MaxPayloadBytes},
		deflate: extensions != "",
		base64:  wantsBase64(query),
	}
	if s.cfg.Hooks.Adopted != nil {
		c.request = r.Context()
	}
	return c, append([]byte(nil), ahead...), true
}

// serve reads until the connection ends or is the poller's. ahead has been read already.
func (c *wsConn) serve(s *Session, ahead []byte) {
	r := netconn.NewReader(c.conn)
	if len(ahead) > 0 {
		c.receive(s, ahead)
	}
	// What a client does first, joining a namespace, makes the stack grow, and most clients then wait. They
	// do it on a new one.
	if c.conn.Watched() || c.readOnce(s, r) {
		s.server.wg.Go(func() { c.read(s, r) })
	}
}

// read goes on where serve stops.
func (c *wsConn) read(s *Session, r *netconn.Reader) {
	for !c.conn.Watched() {
		if !c.readOnce(s, r) {
			return
		}
	}
	c.watch(s)
}

// readOnce waits for bytes and acts on them. It returns false when the connection is detached.
func (c *wsConn) readOnce(s *Session, r *netconn.Reader) bool {
	p, err := r.Read()
	if len(p) > 0 {
		c.receive(s, p)
	}
	r.Release()
	if err != nil {
		c.detach(s)
		return false
	}
	return true
}

// detach is called when nothing can be read any more: the session that c carries, if any, is closed.
func (c *wsConn) detach(s *Session) {
	c.frames.Release()
	if c.stream != nil {
		c.stream.Release()
	}
	if c.transport {
		s.detach()
		return
	}
	s.detachProbe(c)
	c.conn.Close()
}

// receive acts on bytes that have come in.
func (c *wsConn) receive(s *Session, p []byte) {
	if c.transport {
		s.received(len(p))
	}
	delivering := c.transport && s.claim(c)
	for !c.ignoring {
		m, rest, ok, err := c.next(p)
		if err != nil && c.refused {
			c.ignoring = true
			break
		}
		if err != nil {
			c.violated(s, err)
			break
		}
		if !ok {
			break
		}
		p = rest
		switch {
		case c.refused:
			if m.Op == ws.OpClose {
				c.conn.Close()
				return
			}
		case m.Op.IsControl():
			c.control(s, m)
		case !c.transport:
			delivering = c.probePacket(s, m) && s.claim(c)
		case delivering:
			c.packet(s, m)
		}
	}
	if delivering {
		s.release()
	}
}

// packet acts on a message of the session's transport.
func (c *wsConn) packet(s *Session, m wsframe.Unit) {
	p, err := s.rev.decode(m.Op == ws.OpBinary, m.Data)
	if err != nil {
		s.closeNow(ParseError, ws.StatusInvalidFramePayloadData)
		return
	}
	s.receive(p)
}

// control acts on a control frame.
func (c *wsConn) control(s *Session, m wsframe.Unit) {
	switch m.Op {
	case ws.OpPing:
		c.send(s, outbox.NewControl(ws.OpPong, append([]byte(nil), m.Data...)))
	case ws.OpClose:
		c.ignoring = true
		if !c.transport {
			c.closeWith(outbox.NewClose(0, ""))
			return
		}
		s.closedByPeer(m.Data)
	}
}

// send sends a control frame. It counts against the outbox like any other.
func (c *wsConn) send(s *Session, f *Frame) {
	if !c.transport {
		if err := c.writeNow(f); err != nil {
			c.conn.Close()
		}
		return
	}
	_ = s.Send(f) // what it returns concerns those who send messages
}

// writeNow writes a frame on a connection that no session writes to yet.
func (c *wsConn) writeNow(f *Frame) error {
	_ = c.conn.SetWriteDeadline(time.Now().Add(handshakeTimeout)) // the write itself says if there is no connection
	if c.stream != nil {
		f = f.Streamed()
	}
	_, err := c.conn.Write(f.AppendFrom(make([]byte, 0, f.Len()), 0))
	_ = c.conn.SetWriteDeadline(time.Time{})
	return err
}

// closedByPeer closes the session because the peer's close frame came with the payload p, which is echoed.
func (s *Session) closedByPeer(p []byte) {
	var code ws.StatusCode
	if len(p) >= 2 {
		code = ws.StatusCode(binary.BigEndian.Uint16(p))
	}
	s.mu.Lock()
	var todo cleanup
	s.peerClosed = true
	if s.state.Load() == stateOpen {
		todo = s.closeNowLocked(TransportClose, code)
	} else {
		todo = s.closedLocked(todo) // ours has left, or is of no use any more
	}
	s.mu.Unlock()
	s.cleanUp(todo)
}

// violated closes what c carries because its peer broke RFC 6455, or the framing of a stream. What the peer goes
// on to send is read and dropped for a moment: closing with bytes unread would destroy the close frame on its way.
func (c *wsConn) violated(s *Session, err error) {
	c.ignoring = true
	var v *wsframe.Error
	if !errors.As(err, &v) {
		v = &wsframe.Error{Code: ws.StatusInternalServerError, Text: err.Error()}
	}
	if c.transport {
		s.server.log.Debug("framing violation", "sid", s.shortID(), "err", err)
		s.closeNow(TransportError, v.Code)
		return
	}
	c.closeWith(outbox.NewClose(v.Code, ""))
}

// refuse closes a connection that cannot become the session's transport, and says why.
func (c *wsConn) refuse(text string) {
	c.closeWith(outbox.NewClose(ws.StatusPolicyViolation, text))
	c.ignoring, c.refused = false, true
}

// closeWith sends a last frame on a connection that is no session's transport, and gives the peer a moment
// to close.
func (c *wsConn) closeWith(f *Frame) {
	c.ignoring = true
	if c.stream != nil {
		c.conn.Close() // such frames are of WebSocket
		return
	}
	if err := c.writeNow(f); err != nil {
		c.conn.Close()
		return
	}
	_ = c.conn.SetReadDeadline(time.Now().Add(closeNowTimeout))
}
