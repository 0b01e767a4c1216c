package web

import (
	"context"

	"github.com/labstack/echo/v4"

	"jobcast/internal/websocket"
)

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
