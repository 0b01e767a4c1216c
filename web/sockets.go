package web

import (
	"context"
	"errors"

	"github.com/labstack/echo/v4"

	"jobcast/internal/websocket"
	"jobcast/jobs"
)

// raw makes a WebSocket out of a request.
func (s *server) raw(c echo.Context, opts websocket.Options, handle func(context.Context, *websocket.Socket) error) error {
	return s.raws.Serve(c.Response(), c.Request(), opts, handle)
}

// socketProblem is what a client is told of an error of package websocket, or nil.
func socketProblem(err error) *jobs.Problem {
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
	return nil
}

// sendJSON sends v as JSON in a text.
func sendJSON(socket *websocket.Socket, v any) error {
	text, err := encodeText(v)
	if err != nil {
		return err
	}
	return socket.Send(text)
}

// sendSure is sendJSON, and calls got when the client has it.
func sendSure(socket *websocket.Socket, v any, got func()) error {
	text, err := encodeText(v)
	if err != nil {
		return err
	}
	return socket.SendSure(text, got)
}
