package namespaces

import (
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"jobcast/chat"
	"jobcast/journal"
	"jobcast/socketio"
)

func chatServer(t *testing.T, j journal.Journal) *pipeListener {
	all, err := chat.Open(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(all.Close)
	io := socketio.New(socketio.Config{EncodeError: EncodeError})
	Chat(io, all, nil)
	return serve(t, io)
}

// enter connects to /chat with an auth, and returns the answer of the namespace.
func (l *pipeListener) enter(t *testing.T, auth string) (*client, string) {
	t.Helper()
	ours, theirs := net.Pipe()
	l.conns <- theirs
	t.Cleanup(func() { ours.Close() })
	u, _ := url.Parse("ws://server/socket.io/?EIO=4&transport=websocket")
	if _, _, err := (ws.Dialer{}).Upgrade(ours, u); err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, conn: ours, ns: "/chat"}
	c.read() // OPEN
	c.write("40/chat," + auth)
	answer := c.read()
	synctest.Wait() // the socket is in its room: it hears, and need not read, what is said from here on
	return c, answer
}

// until returns the payload of the next event of that name; the others before it are dropped.
func until[T any](c *client, name string) (payload T) {
	c.t.Helper()
	for {
		if e := c.next(); e.name == name {
			if err := json.Unmarshal(e.payload, &payload); err != nil {
				c.t.Fatalf("%s %s: %v", name, e.payload, err)
			}
			return payload
		}
	}
}

type chatAck struct {
	OK        bool
	ID        uint64
	Delivered bool
	Error     struct{ Code string }
}

func TestTheAnonymousRoomIsHeardByAllAndReadByWhoComesLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(journal.Memory)
		l := chatServer(t, store)
		one, _ := l.enter(t, "")
		other, _ := l.enter(t, "{}")
		var ack chatAck
		one.ask("chat:message", map[string]string{"chat": "<b>hi</b>"}, &ack)
		if !ack.OK || ack.ID != 1 {
			t.Fatalf("got %+v, want id 1", ack)
		}
		for _, c := range []*client{one, other} {
			if m := until[chat.Message](c, "chat:message"); m.Text != "<b>hi</b>" || m.ID != 1 || m.Room != "" {
				t.Errorf("got %+v", m)
			}
		}
		late, _ := chatServer(t, store).enter(t, "") // another process, later
		past := until[struct{ Messages []chat.Message }](late, "chat:history")
		if len(past.Messages) != 1 || past.Messages[0].Text != "<b>hi</b>" {
			t.Errorf("got %+v, want the message", past)
		}
	})
}

func TestANicknameIsRefusedWithItsCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := chatServer(t, new(journal.Memory))
		l.enter(t, `{"nickname":"Ada"}`)
		for name, code := range map[string]string{
			"Ada": chat.Taken, " Ada ": chat.Taken, "  ": chat.Empty, "": chat.Empty,
			strings.Repeat("x", 33): chat.TooLong, "a\u0007b": chat.ControlCharacters,
		} {
			auth, _ := json.Marshal(map[string]string{"nickname": name})
			_, got := l.enter(t, string(auth))
			if !strings.HasPrefix(got, "44/chat,") || !strings.Contains(got, fmt.Sprintf(`"code":%q`, code)) {
				t.Errorf("%q: got %s, want code %s", name, got, code)
			}
		}
	})
}

func TestAPersonWithTwoTabsComesAndLeavesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := chatServer(t, new(journal.Memory))
		bob, _ := l.enter(t, `{"nickname":"Bob"}`)
		one, _ := l.enter(t, `{"nickname":"Ada"}`)
		token := until[struct{ Token string }](one, "chat:welcome").Token
		two, _ := l.enter(t, `{"nickname":"Ada","token":"`+token+`"}`)
		if people := until[struct{ People []string }](two, "chat:people").People; fmt.Sprint(people) != "[Ada Bob]" {
			t.Errorf("got %v, want Ada and Bob", people)
		}
		one.conn.Close()
		synctest.Wait()
		two.conn.Close()
		synctest.Wait()
		var ack chatAck
		bob.ask("chat:message", map[string]string{"chat": "end"}, &ack)
		var names []string
		for len(names) == 0 || names[len(names)-1] != "chat:message" {
			names = append(names, bob.next().name)
		}
		if got := strings.Join(names, " "); got != "chat:welcome chat:people chat:history chat:joined chat:left chat:message" {
			t.Errorf("got %s", got)
		}
	})
}

func TestPrivateWordsReachTheTwoAloneAndWaitOverARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(journal.Memory)
		l := chatServer(t, store)
		ada, _ := l.enter(t, `{"nickname":"Ada"}`)
		bob, _ := l.enter(t, `{"nickname":"Bob"}`)
		eve, _ := l.enter(t, `{"nickname":"Eve"}`)
		var ack chatAck
		ada.ask("chat:private", map[string]string{"to_user": "Bob", "chat": "secret"}, &ack)
		if !ack.OK || !ack.Delivered {
			t.Fatalf("got %+v, want it delivered", ack)
		}
		for _, c := range []*client{ada, bob} {
			if p := until[chat.Private](c, "chat:private"); p.Text != "secret" || p.From != "Ada" || p.To != "Bob" {
				t.Errorf("got %+v", p)
			}
		}
		bob.conn.Close()
		synctest.Wait()
		ada.ask("chat:private", map[string]string{"to_user": "Bob", "chat": "later"}, &ack)
		if !ack.OK || ack.Delivered {
			t.Fatalf("got %+v, want it to wait", ack)
		}
		ada.ask("chat:message", map[string]string{"chat": "end"}, &ack)
		for {
			e := eve.next()
			if e.name == "chat:private" {
				t.Fatalf("Eve reads %s", e.payload)
			}
			if e.name == "chat:message" {
				break
			}
		}
		again := chatServer(t, store) // another process, later
		bob, _ = again.enter(t, `{"nickname":"Bob"}`)
		if p := until[chat.Private](bob, "chat:private"); p.Text != "later" {
			t.Errorf("got %+v, want what has waited and nothing that was delivered", p)
		}
		synctest.Wait()
		bob, _ = chatServer(t, store).enter(t, `{"nickname":"Bob"}`)
		bob.ask("chat:message", map[string]string{"chat": "nothing twice"}, &ack)
		for _, e := range bob.events {
			if e.name == "chat:private" {
				t.Errorf("%s comes again", e.payload)
			}
		}
	})
}

func TestRoomsAreHeardByThoseInThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := chatServer(t, new(journal.Memory))
		ada, _ := l.enter(t, `{"nickname":"Ada"}`)
		bob, _ := l.enter(t, `{"nickname":"Bob"}`)
		var ack chatAck
		ada.ask("chat:join", map[string]string{"room": "den"}, &ack)
		ada.ask("chat:message", map[string]string{"room": "den", "chat": "inside"}, &ack)
		bob.ask("chat:message", map[string]string{"room": "den", "chat": "from outside"}, &ack)
		if ack.OK || ack.Error.Code != chat.Forbidden {
			t.Errorf("got %+v, want code forbidden", ack)
		}
		bob.ask("chat:join", map[string]string{"room": "den"}, &ack)
		for {
			past := until[struct{ Messages []chat.Message }](bob, "chat:history")
			if len(past.Messages) == 1 && past.Messages[0].Text == "inside" {
				break
			}
		}
		bob.ask("chat:leave", map[string]string{"room": "den"}, &ack)
		ada.ask("chat:message", map[string]string{"room": "den", "chat": "alone"}, &ack)
		ada.ask("chat:message", map[string]string{"chat": "to all"}, &ack)
		if m := until[chat.Message](bob, "chat:message"); m.Text != "to all" || m.Room != chat.Lobby {
			t.Errorf("got %+v, want the lobby's", m)
		}
	})
}

func TestWhoSaysTooMuchIsRefusedAndTheOthersNoticeNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := chatServer(t, new(journal.Memory))
		loud, _ := l.enter(t, "")
		calm, _ := l.enter(t, "")
		codes := map[string]int{}
		for range 100 {
			var ack chatAck
			loud.ask("chat:message", map[string]string{"chat": "flood"}, &ack)
			codes[ack.Error.Code]++
		}
		if codes[""] != 40 || codes[chat.TooMany] != 60 {
			t.Errorf("got %v, want 40 kept and 60 refused", codes)
		}
		var ack chatAck
		if calm.ask("chat:message", map[string]string{"chat": "calm"}, &ack); !ack.OK {
			t.Errorf("got %+v, want it kept", ack)
		}
		time.Sleep(time.Second)
		if loud.ask("chat:message", map[string]string{"chat": "again"}, &ack); !ack.OK {
			t.Errorf("got %+v, want it kept a second later", ack)
		}
		loud.ask("chat:message", map[string]string{"chat": strings.Repeat("x", 4001)}, &ack)
		if ack.OK || ack.Error.Code != chat.BadRequest {
			t.Errorf("got %+v, want a text too long refused", ack)
		}
	})
}
