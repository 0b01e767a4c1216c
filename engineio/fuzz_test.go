package engineio

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
)

// FuzzSession runs a script against a session: polls that are cut, posts and frames with any content, an
// upgrade in the middle, in any order and at the same time. Whatever it does, nothing panics, no
// goroutine stays, the session ends by itself, and another session notices nothing.
//
// Each byte of the script is a step; the low bits say which, the high ones how long the pause after it is.
// What the steps send is taken from content, piece by piece.
func FuzzSession(f *testing.F) {
	f.Add([]byte{0, 1}, []byte("4hello"), true)
	f.Add([]byte{0, 1}, []byte("4hello"), false)
	f.Add([]byte{0, 3, 4, 5, 5, 5}, []byte("5\n4a\n4b"), true)
	f.Add([]byte{0, 1, 2, 3}, []byte("4hello\n4a\x1e4b\nbAQID"), true)
	f.Add([]byte{1, 3, 4, 5, 0x46, 6, 6}, []byte("4a\n5\n4b\n4c\n3"), false)
	f.Add([]byte{0, 0}, []byte(""), true)
	f.Add([]byte{1, 1, 2, 1}, []byte("1\n1"), true)
	f.Add([]byte{3, 3, 4, 4, 5, 6, 7, 7}, []byte("5\n\x81\x80\x00\x00\x00\x00\n\x88\x00"), false)
	f.Add([]byte{2, 0x82, 0x42, 1, 0xc3, 0xe4}, []byte("3probe\n2probe\n2\n6\n0{}\n9"), true)
	f.Fuzz(func(t *testing.T, script, content []byte, revision4 bool) {
		if len(script) > 40 {
			return
		}
		eio := "3"
		if revision4 {
			eio = "4"
		}
		pieces := strings.SplitAfter(string(content), "\n")
		next := func() string {
			if len(pieces) == 0 {
				return ""
			}
			p := strings.TrimSuffix(pieces[0], "\n")
			pieces = pieces[1:]
			return p
		}
		cfg := Config{
			PingInterval: time.Second, PingTimeout: time.Second, UpgradeTimeout: time.Second,
			MaxPayloadBytes: 1000, MaxQueueBytes: 8 << 10,
		}
		inBubbleWith(t, eio, cfg, func(e *env) {
			stays := newBystander(e)
			defer stays.leave()
			runScript(e, script, next)
			synctest.Wait()
			e.server.mu.Lock()
			n := len(e.server.sessions)
			e.server.mu.Unlock()
			if n != 1 {
				t.Errorf("got %d sessions after the client has been silent, want the bystander's", n)
			}
			stays.send("4still here")
			synctest.Wait()
			if got := <-stays.got; got != "4still here" {
				t.Errorf("the bystander got %q", got)
			}
		})
	})
}

// A bystander is a client of another session, which keeps its heartbeat.
type bystander struct {
	*wsClient
	got chan string // what comes beside the heartbeat, or how it ended
	wg  sync.WaitGroup
}

func newBystander(e *env) *bystander {
	c, _ := e.openWebSocket()
	b := &bystander{wsClient: c, got: make(chan string, 1)}
	gone := make(chan struct{})
	b.wg.Go(func() {
		defer close(gone)
		for {
			switch _, p, err := c.read(); {
			case err != nil:
				b.got <- err.Error()
				return
			case p == "2":
				c.send("3")
			case p != "3":
				b.got <- p
			}
		}
	})
	if e.eio == "3" {
		b.wg.Go(func() {
			for {
				select {
				case <-gone:
					return
				case <-time.After(500 * time.Millisecond):
					c.conn.Write(clientFrame(true, ws.OpText, "2"))
				}
			}
		})
	}
	return b
}

func (b *bystander) leave() {
	b.close()
	b.wg.Wait()
}

// runScript runs a script, and then says nothing until a session must have ended.
func runScript(e *env, script []byte, next func() string) {
	sid := e.open()
	ctx, cancel := context.WithCancel(context.Background())
	var requests sync.WaitGroup
	defer requests.Wait()
	defer cancel()
	request := func(method, body string, d time.Duration) {
		requests.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, d)
			defer cancel()
			r, err := http.NewRequestWithContext(ctx, method, base+e.query("?EIO=4&transport=polling&sid="+sid), strings.NewReader(body))
			if err != nil {
				e.t.Error(err)
				return
			}
			if resp, err := e.client.Do(r); err == nil {
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		})
	}
	var conn net.Conn
	write := func(p []byte) {
		if conn != nil {
			conn.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
			conn.Write(p)
		}
	}
	defer func() {
		if conn != nil {
			conn.Close()
		}
	}()
	stop := time.Now()
	for _, step := range script {
		switch step & 7 {
		case 0:
			request("GET", "", time.Minute)
		case 1:
			request("POST", next(), time.Minute)
		case 2:
			request("GET", "", 5*time.Millisecond)
		case 3:
			if conn != nil {
				conn.Close()
			}
			conn = nil
			if c, err := e.tryWebSocket(webSocketQuery + "&sid=" + sid); err == nil {
				conn = c.conn
				requests.Go(func() { io.Copy(io.Discard, c.r) })
			}
		case 4:
			write(clientFrame(true, ws.OpText, "2probe"))
		case 5:
			write(clientFrame(true, ws.OpText, next()))
		case 6:
			write(clientFrame(step&0x40 == 0, ws.OpBinary, next()))
		case 7:
			write([]byte(next()))
		}
		time.Sleep(time.Duration(step>>5) * 100 * time.Millisecond)
		synctest.Wait()
		stop = time.Now()
	}
	// A session on WebSocket whose client is silent ends after interval and timeout.
	time.Sleep(time.Until(stop.Add(5 * time.Second)))
}
