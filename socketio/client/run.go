package client

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"jobcast/socketio"
	"jobcast/socketio/internal/msgpack"
	"jobcast/socketio/internal/parser"
)

const defaultReconnectJitter = 0.5

// run connects, and connects again, while any socket wants it.
func (c *Client) run() {
	failed := 0 // attempts in a row
	lost := false
	for {
		ctx, ok := c.proceed()
		if !ok {
			return
		}
		if failed > 0 || lost {
			c.wait(ctx, failed)
		}
		if ctx.Err() != nil {
			continue // nobody wants this connection any more
		}
		sess, err := c.open(ctx)
		switch {
		case err == nil:
			failed, lost = 0, c.serve(sess) != ClientDisconnect
		case ctx.Err() == nil:
			failed++
			c.log.Debug("cannot connect", "err", err)
			c.failed(err, failed)
		}
	}
}

// proceed returns the context of the next attempt, or ends the running.
func (c *Client) proceed() (context.Context, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.interrupt()
	c.interrupt = func() {}
	if !c.activeLocked() {
		c.running = false
		return nil, false
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.interrupt = cancel
	return ctx, true
}

// wait lets the time pass that the backoff asks for, after so many failures.
func (c *Client) wait(ctx context.Context, failures int) {
	t := time.NewTimer(backoff(&c.cfg, failures, rand.Float64()))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// backoff is the wait before an attempt, after so many that failed. random is from 0 to 1.
func backoff(cfg *Config, failures int, random float64) time.Duration {
	d := cfg.ReconnectDelay
	for range failures {
		if d >= cfg.MaxReconnectDelay {
			break
		}
		d *= 2
	}
	if cfg.ReconnectJitter > 0 {
		d += time.Duration(float64(d) * cfg.ReconnectJitter * (2*random - 1))
	}
	return min(d, cfg.MaxReconnectDelay)
}

// failed tells the sockets of an attempt that has failed, and drops those that it was the last for.
func (c *Client) failed(err error, failures int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	final := c.cfg.DisableReconnect || c.cfg.MaxReconnects > 0 && failures >= c.cfg.MaxReconnects
	for _, s := range c.sockets {
		if s.state == inactive {
			continue
		}
		s.attempt.last = err
		s.inbox.putLocked(&incoming{kind: connectErrorKind, err: err})
		if final || s.attempt.first && !c.cfg.AwaitServer {
			s.closeLocked(socketio.TransportError, err)
		}
	}
}

// serve lets the sockets use a session until it ends, and returns why it did.
func (c *Client) serve(sess *session) socketio.Reason {
	c.mu.Lock()
	if !c.activeLocked() {
		sess.closeLocked(ClientDisconnect) // they have all left while it was opened
	} else {
		c.sess = sess
		for _, s := range c.sockets {
			if s.state == pending {
				s.joinLocked(sess)
			}
		}
	}
	c.mu.Unlock()
	written := make(chan struct{})
	c.wg.Go(func() {
		defer close(written)
		sess.write()
	})
	decode := decodeMessagePack
	if !c.cfg.MessagePack {
		decode = newDecoder()
	}
	reason := sess.serve(func(binary bool, data []byte) error {
		p, complete, err := decode(binary, data)
		if err != nil {
			c.log.Debug("server broke the protocol", "err", err)
			return fmt.Errorf("%w: %w", errProtocol, err)
		}
		if !complete {
			return nil
		}
		return c.packet(sess, &p)
	})
	<-written
	c.detach(sess, reason)
	return reason
}

// newDecoder returns what decodes messages of text and binary, and joins a packet with its attachments.
func newDecoder() func(binary bool, message []byte) (parser.Packet, bool, error) {
	d := new(parser.Decoder)
	return func(binary bool, message []byte) (parser.Packet, bool, error) {
		if binary {
			return d.Binary(message)
		}
		return d.Text(message)
	}
}

// decodeMessagePack decodes a message that is a whole packet.
func decodeMessagePack(binary bool, message []byte) (p parser.Packet, complete bool, err error) {
	if !binary {
		return p, false, parser.ErrType
	}
	p, err = msgpack.Decode(message)
	return p, err == nil, err
}

// detach tells the sockets that the session is closed.
func (c *Client) detach(sess *session, reason socketio.Reason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sess != sess {
		return // it was given up
	}
	c.sess = nil
	for _, s := range c.sockets {
		s.detachLocked(reason)
		if s.state == inactive {
			continue
		}
		err := fmt.Errorf("client: connect to %s: %w: %w", s.name, socketio.ErrDisconnected, reason)
		if s.attempt.last = err; c.cfg.DisableReconnect || s.attempt.first && !c.cfg.AwaitServer {
			s.closeLocked(reason, err)
		}
	}
}

// packet does what p says. Its error ends the session.
func (c *Client) packet(sess *session, p *parser.Packet) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.sockets[p.Namespace]
	if s == nil {
		return nil // nobody asked for it
	}
	switch p.Type {
	case parser.Connect:
		if !s.asked {
			return nil
		}
		var welcome struct{ SID, PID string }
		if json.Unmarshal(p.Data, &welcome) != nil || welcome.SID == "" {
			s.refuseLocked(&ConnectError{Namespace: s.name, Message: "the server speaks an older revision of the protocol"})
			return nil
		}
		return s.welcomeLocked(sess, welcome.SID, welcome.PID)
	case parser.ConnectError:
		if s.asked {
			s.refuseLocked(newConnectError(s.name, p.Data))
		}
	case parser.Disconnect:
		if s.state == connected {
			s.closeLocked(ServerDisconnect, nil)
			c.closeUnusedLocked()
		}
	case parser.Ack:
		s.settleLocked(p.ID, socketio.Args{JSON: p.Args, Attachments: p.Attachments})
	case parser.Event:
		return s.receiveLocked(p)
	}
	return nil
}

// receiveLocked takes an event. It may come before the answer to CONNECT, where a connection is recovered.
func (s *Socket) receiveLocked(p *parser.Packet) error {
	if s.ctx == nil {
		return nil
	}
	if n := len(p.Args); n > 0 && s.pid != "" && p.Args[n-1][0] == '"' {
		_ = json.Unmarshal(p.Args[n-1], &s.offset) // it was checked to be a string
	}
	in := &incoming{
		kind: eventKind, ctx: s.ctx, name: string(p.Name), args: socketio.Args{JSON: p.Args, Attachments: p.Attachments},
		wantsAck: p.HasID, id: p.ID,
	}
	if !s.inbox.putLocked(in) {
		s.client.log.Warn("events come faster than they are handled", "nsp", s.name)
		return errOverrun
	}
	return nil
}
