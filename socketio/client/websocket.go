package client

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	engine "jobcast/engineio/parser"
)

// A webSocket carries a session over RFC 6455.
type webSocket struct {
	conn    net.Conn
	wake    func()                 // has write called
	pong    atomic.Pointer[[]byte] // that is due
	frames  wsutil.Reader
	message bytes.Buffer // that was read last
	out     []byte       // buffer of the writer
}

const (
	// maxKeptBuffer is the largest buffer that is kept for the next message.
	maxKeptBuffer = 64 << 10
	// echoTimeout bounds the answer to the server's close frame.
	echoTimeout = time.Second
)

func (t *endpoint) dialWebSocket(ctx context.Context, wake func()) (carrier, error) {
	u := url.URL{Scheme: strings.Replace(t.url.Scheme, "http", "ws", 1), Host: t.url.Host, Path: t.url.Path, RawQuery: t.url.RawQuery}
	var refusal *HandshakeError
	dialer := ws.Dialer{
		Header:    ws.HandshakeHeaderHTTP(t.header),
		Host:      t.host,
		NetDial:   t.cfg.DialContext,
		TLSConfig: t.cfg.TLS,
		OnStatusError: func(status int, reason []byte, answer io.Reader) {
			refusal = readRefusal(status, string(reason), answer)
		},
	}
	conn, ahead, _, err := dialer.Dial(ctx, u.String())
	if refusal != nil {
		return nil, refusal
	}
	if err != nil {
		return nil, err
	}
	if ahead == nil {
		ahead = bufio.NewReader(conn)
	}
	w := &webSocket{conn: conn, wake: wake}
	w.frames = wsutil.Reader{
		Source:         ahead,
		State:          ws.StateClientSide,
		MaxMessageSize: int64(t.cfg.MaxMessageBytes),
		OnIntermediate: w.control,
	}
	return w, nil
}

func (w *webSocket) read() (engine.Packet, error) {
	for {
		h, err := w.frames.NextFrame()
		if err != nil {
			return engine.Packet{}, err
		}
		if h.OpCode.IsControl() {
			if err := w.control(h, &w.frames); err != nil {
				return engine.Packet{}, err
			}
			continue
		}
		if w.message.Cap() > maxKeptBuffer {
			w.message = bytes.Buffer{}
		}
		w.message.Reset()
		if _, err := w.message.ReadFrom(&w.frames); err != nil {
			return engine.Packet{}, err
		}
		if h.OpCode == ws.OpBinary {
			return engine.Packet{Type: engine.TypeMessage, Binary: true, Data: w.message.Bytes()}, nil
		}
		return engine.DecodeText(w.message.Bytes())
	}
}

// control acts on a control frame.
func (w *webSocket) control(h ws.Header, payload io.Reader) error {
	data, err := io.ReadAll(payload) // 125 bytes at the most
	if err != nil {
		return err
	}
	switch h.OpCode {
	case ws.OpPing:
		w.pong.Store(&data) // the newest may stand for all (RFC 6455, section 5.5.3)
		w.wake()
	case ws.OpClose:
		_ = w.conn.SetWriteDeadline(time.Now().Add(echoTimeout))
		_, _ = w.conn.Write(appendFrame(nil, ws.OpClose, nil, data)) // the server may be gone already
		return io.EOF
	}
	return nil
}

// write sends packets with one Write.
func (w *webSocket) write(packets []engine.Packet) error {
	b := w.out[:0]
	if p := w.pong.Swap(nil); p != nil {
		b = appendFrame(b, ws.OpPong, nil, *p)
	}
	for _, p := range packets {
		if p.Binary {
			b = appendFrame(b, ws.OpBinary, nil, p.Data)
		} else {
			b = appendFrame(b, ws.OpText, []byte{byte(p.Type)}, p.Data)
		}
	}
	if len(b) == 0 {
		return nil
	}
	_, err := w.conn.Write(b)
	if w.out = nil; cap(b) <= maxKeptBuffer {
		w.out = b
	}
	return err
}

// appendFrame appends a frame with a payload of two parts, masked as those of a client are.
func appendFrame(dst []byte, op ws.OpCode, head, payload []byte) []byte {
	buf := bytes.NewBuffer(dst)
	mask := ws.NewMask()
	_ = ws.WriteHeader(buf, ws.Header{Fin: true, OpCode: op, Masked: true, Mask: mask, Length: int64(len(head) + len(payload))}) // a Buffer takes all
	begin := buf.Len()
	buf.Write(head)
	buf.Write(payload)
	ws.Cipher(buf.Bytes()[begin:], mask, 0)
	return buf.Bytes()
}

func (w *webSocket) close() error {
	_, err := w.conn.Write(appendFrame(nil, ws.OpClose, nil, ws.NewCloseFrameBody(ws.StatusNormalClosure, "")))
	return err
}

func (w *webSocket) expectBy(t time.Time) { _ = w.conn.SetReadDeadline(t) }
func (w *webSocket) closeNow()            { _ = w.conn.Close() }
