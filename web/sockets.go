package web

import (
	"bytes"
	"context"
	"errors"

	"github.com/labstack/echo/v4"

	"jobcast/internal/websocket"
	"jobcast/jobs"
)

// raw makes a WebSocket out of a request.
func (s *server) raw(c echo.Context, opts websocket.Options, handle func(context.Context, *websocket.Socket) error) error {
	return socketProblem(s.raws.Serve(c.Response(), c.Request(), opts, handle))
}

// socketProblem is what a client is told of an error of package websocket.
func socketProblem(err error) error {
	if e, ok := errors.AsType[*websocket.HandshakeError](err); ok {
		return jobs.BadRequest("", e.Reason)
	}
	switch {
	case errors.Is(err, websocket.ErrOrigin):
		return jobs.NewProblem(jobs.CodeForbidden, "a page of another origin may not connect here")
	case errors.Is(err, websocket.ErrNoUpgrade):
		return jobs.BadRequest("", "this path is for WebSockets")
	case errors.Is(err, websocket.ErrClosed):
		return jobs.NewProblem(jobs.CodeUnavailable, "the server is about to stop; ask again in a moment")
	}
	return err
}

func sendJSON(socket *websocket.Socket, v any) error {
	var body bytes.Buffer
	if err := encode(&body, v); err != nil {
		return err
	}
	return socket.Send(bytes.TrimSuffix(body.Bytes(), []byte("\n")))
}

// socketEcho answers GET /ws/echo: text comes back as text, and bytes as bytes. A client that sends and
// does not read is cut off when 4 MiB wait for it.
func (s *server) socketEcho(c echo.Context) error {
	opts := websocket.Options{MaxMessageBytes: maxBodyBytes, MaxQueueBytes: 4 << 20}
	return s.raw(c, opts, func(ctx context.Context, socket *websocket.Socket) error {
		for {
			message, text, err := socket.Receive(ctx)
			if err != nil {
				return err
			}
			back := socket.SendBinary
			if text {
				back = socket.Send
			}
			if err := back(message); err != nil {
				return err
			}
		}
	})
}
