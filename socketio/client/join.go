package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"jobcast/socketio"
	"jobcast/socketio/internal/parser"
)

// joinLocked asks for the namespace, now that there is a session.
func (s *Socket) joinLocked(sess *session) {
	if s.asked { // and disconnected before the answer came, which is still good
		return
	}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	auth := s.client.cfg.Auth
	if auth == nil {
		s.sendConnectLocked(sess, nil)
		return
	}
	ctx := s.ctx
	s.client.wg.Go(func() {
		value, err := s.askAuth(ctx, auth)
		s.client.mu.Lock()
		defer s.client.mu.Unlock()
		if s.ctx != ctx || s.state != pending {
			return // that connection is history
		}
		if err != nil {
			s.refuseLocked(fmt.Errorf("client: credentials for %s: %w", s.name, err))
			return
		}
		s.sendConnectLocked(sess, value)
	})
}

// askAuth returns the credentials as JSON.
func (s *Socket) askAuth(ctx context.Context, auth func(context.Context, string) (any, error)) (encoded []byte, err error) {
	defer s.caught("auth", &err)
	value, err := auth(ctx, s.name)
	if err != nil || value == nil {
		return nil, err
	}
	if encoded, err = json.Marshal(value); err == nil && encoded[0] != '{' {
		err = errors.New("want an object")
	}
	return encoded, err
}

func (s *Socket) sendConnectLocked(sess *session, auth []byte) {
	if s.pid != "" {
		recovery, _ := json.Marshal(map[string]string{"pid": s.pid, "offset": s.offset}) // strings always marshal
		if len(auth) > len("{}") {
			recovery = append(append(recovery[:len(recovery)-1], ','), auth[1:]...)
		}
		auth = recovery
	}
	s.asked = true
	sess.sendLocked(s.control(parser.Connect, auth))
}

// control returns a Connect or a Disconnect, for which there is always room.
func (s *Socket) control(t parser.Type, data []byte) outgoing {
	return s.client.outgoing(&parser.Packet{Type: t, Namespace: s.name, Data: data})
}

// welcomeLocked is called with the answer to CONNECT.
func (s *Socket) welcomeLocked(sess *session, id, pid string) error {
	s.asked = false
	if s.state != pending { // it has changed its mind
		sess.sendLocked(s.control(parser.Disconnect, nil))
		return nil
	}
	if s.ctx == nil {
		s.ctx, s.cancel = context.WithCancelCause(context.Background())
	}
	if !s.inbox.putLocked(&incoming{kind: connectKind, ctx: s.ctx}) {
		return errOverrun
	}
	s.recovered = pid != "" && pid == s.pid
	s.state, s.id, s.pid = connected, id, pid
	close(s.attempt.done)
	s.attempt = nil
	for _, o := range s.waiting {
		s.client.queued -= o.size // sendLocked counts it again
		if o.ask != nil {
			o.ask.sent = true
		}
		sess.sendLocked(o)
	}
	s.waiting = nil
	return nil
}

// refuseLocked disconnects a socket that could not be connected, for good.
func (s *Socket) refuseLocked(err error) {
	s.asked = false
	if s.state != pending {
		return
	}
	s.inbox.putLocked(&incoming{kind: connectErrorKind, err: err})
	s.closeLocked(ServerDisconnect, err)
	s.client.closeUnusedLocked()
}

// detachLocked is called when the session is closed, and the client will open another.
func (s *Socket) detachLocked(reason socketio.Reason) {
	was := s.state
	s.asked = false
	s.settleAllLocked(reason)
	if was == connected {
		s.state, s.attempt = pending, &attempt{done: make(chan struct{})}
	}
}

// closeLocked makes the socket inactive. err is what Connect returns if it waits.
func (s *Socket) closeLocked(reason socketio.Reason, err error) {
	for _, o := range s.waiting {
		s.client.queued -= o.size
		if o.ask != nil {
			o.ask.sent = true // so that it ends with the others
		}
	}
	s.waiting = nil
	s.settleAllLocked(reason)
	if s.attempt != nil {
		s.attempt.err = err
		close(s.attempt.done)
		s.attempt = nil
	}
	s.state = inactive
}

// settleAllLocked ends the context and the calls of a connection.
func (s *Socket) settleAllLocked(reason socketio.Reason) {
	if s.ctx != nil {
		s.cancel(reason)
		s.ctx = nil
	}
	for id, a := range s.asks {
		if a.sent {
			a.reply <- reply{err: fmt.Errorf("%w: %w", socketio.ErrDisconnected, reason)} // has room
			delete(s.asks, id)
		}
	}
	if s.state == connected {
		s.id = ""
		s.inbox.putLocked(&incoming{kind: disconnectKind, reason: reason})
	}
}
