package web

import (
	"bytes"
	"testing"
	"testing/synctest"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

func TestRawEchoGivesBackTextAndBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := listenRaw(t, newWorld(t))
		conn := l.dial(t, "/ws/echo")
		for _, tt := range []struct {
			op      ws.OpCode
			message []byte
		}{
			{ws.OpText, []byte("Grüße, 小米")},
			{ws.OpText, nil},
			{ws.OpBinary, []byte{0, 0xff, 0x10}},
			{ws.OpBinary, bytes.Repeat([]byte{7}, maxBodyBytes)},
		} {
			go wsutil.WriteClientMessage(conn, tt.op, tt.message)
			got, op, err := wsutil.ReadServerData(conn)
			if err != nil || op != tt.op || !bytes.Equal(got, tt.message) {
				t.Errorf("got %.20q of %d bytes, %v, %v; want %.20q of %d, %v", got, len(got), op, err, tt.message, len(tt.message), tt.op)
			}
		}
		go wsutil.WriteClientBinary(conn, make([]byte, maxBodyBytes+1))
		f, err := ws.ReadFrame(conn)
		if code, _ := ws.ParseCloseFrameData(f.Payload); err != nil || code != ws.StatusMessageTooBig {
			t.Errorf("a longer one: got %v, %v, want a close with %d", code, err, ws.StatusMessageTooBig)
		}
	})
}
