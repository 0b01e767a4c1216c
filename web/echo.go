package web

import (
	"context"

	"github.com/labstack/echo/v4"
)

// socketEcho answers GET /ws/echo: text comes back as text, and bytes as bytes. A client that sends and
// does not read is cut off when 4 MiB wait for it.
func (s *server) socketEcho(c echo.Context) error {
	opts := rawOptions{Origins: s.Origins, MaxMessageBytes: maxBodyBytes, MaxQueueBytes: 4 << 20}
	return serveRaw(c.Response(), c.Request(), opts, func(ctx context.Context, socket *rawSocket) error {
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
