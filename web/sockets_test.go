package web

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"jobcast/internal/systems/chat"
	"jobcast/internal/systems/journal"
	"jobcast/internal/systems/vote"
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

// Proxies write the same header in many ways; what is refused is refused as everything else under these paths.
func TestRawHandshakes(t *testing.T) {
	const (
		upgrade = "Connection: Upgrade\nUpgrade: websocket\n"
		key     = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n"
		version = "Sec-WebSocket-Version: 13\n"
	)
	tests := []struct {
		name, lines string
		status      int
		detail      string
	}{
		{"as browsers send it", upgrade + key + version, 101, ""},
		{"two lines", "Connection: keep-alive\n" + upgrade + key + version, 101, ""},
		{"a tab in the list", "Connection: keep-alive,\tUpgrade\nUpgrade: websocket\n" + key + version, 101, ""},
		{"two keys", upgrade + key + key + version, 400, "the field Sec-WebSocket-Key must be there once, with 16 bytes in base64"},
		{"a key that is not base64", upgrade + strings.Replace(key, "dGhl", "!!!!", 1) + version, 400, "the field Sec-WebSocket-Key must be there once, with 16 bytes in base64"},
		{"two versions", upgrade + key + version + version, 400, "the field Sec-WebSocket-Version must be there once, with the value 13"},
		{"another version", upgrade + key + "Sec-WebSocket-Version: 7\n", 400, "the field Sec-WebSocket-Version must be there once, with the value 13"},
		{"no upgrade", "Upgrade: websocket\n" + key + version, 400, "this path is for WebSockets"},
	}
	inChat(t, func(t *testing.T, _ *rawListener, all *chat.Chat) {
		votes, err := vote.Open(t.Context(), new(journal.Memory))
		if err != nil {
			t.Fatal(err)
		}
		l, _ := listenRaw(t, newWorld(t, func(c *Config) { c.Chat, c.Vote = all, votes }))
		for _, path := range []string{"/ws/echo", "/ws/vote", "/ws/chat"} {
			for _, tt := range tests {
				ours, theirs := net.Pipe()
				l.conns <- theirs
				go io.WriteString(ours, strings.ReplaceAll("GET "+path+" HTTP/1.1\nHost: server\n"+tt.lines+"\n", "\n", "\r\n"))
				resp, err := http.ReadResponse(bufio.NewReader(ours), nil)
				if err != nil {
					t.Fatalf("%s %s: %v", path, tt.name, err)
				}
				var problem struct{ Code, Detail string }
				if resp.StatusCode != 101 {
					if err := json.NewDecoder(resp.Body).Decode(&problem); err != nil || problem.Code != "bad_request" {
						t.Errorf("%s %s: got %+v, %v, want a problem", path, tt.name, problem, err)
					}
				}
				if resp.StatusCode != tt.status || problem.Detail != tt.detail {
					t.Errorf("%s %s: got %d %q, want %d %q", path, tt.name, resp.StatusCode, problem.Detail, tt.status, tt.detail)
				}
				if told := resp.Header.Get("Sec-WebSocket-Version") == "13"; told != strings.Contains(tt.detail, "Version") {
					t.Errorf("%s %s: told the version: %v", path, tt.name, told)
				}
				ours.Close()
			}
		}
	})
}
