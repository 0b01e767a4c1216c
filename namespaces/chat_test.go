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

	"jobcast/internal/systems/chat"
	"jobcast/internal/systems/journal"
	"jobcast/socketio"
)

func chatServer(t *testing.T, j journal.Journal) *pipeListener {
	all, err := chat.Open(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(all.Close)
	io := socketio.New(socketio.Config{EncodeError: EncodeError})
	Register(io, Chat, Services{Chat: all})
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
		const ada = `{"nickname":"Ada","token":"a secret of Ada's own"}`
		one, _ := l.enter(t, ada)
		two, _ := l.enter(t, ada)
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

// private takes what has come of private words, as "from: text", and acknowledges it if asked to. The
// acknowledgement of an empty room ends it.
func (c *client) private(ack bool) (got []string) {
	c.t.Helper()
	var end chatAck
	c.ask("chat:leave", map[string]string{"room": "nowhere"}, &end)
	for _, e := range c.events {
		if e.name == "chat:private" {
			var p chat.Private
			decode(c.t, e.payload, &p)
			got = append(got, p.From+": "+p.Text)
			if ack {
				c.write("43/chat," + e.ack + "[]")
			}
		}
	}
	c.events = nil
	synctest.Wait()
	return got
}

// tell says something to one person, whose pages do meanwhile.
func (c *client) tell(to, text string, meanwhile func()) (ack chatAck) {
	c.t.Helper()
	id := c.nextID
	c.nextID++
	c.write(fmt.Sprintf(`42/chat,%d["chat:private",{"to_user":%q,"chat":%q}]`, id, to, text))
	synctest.Wait()
	meanwhile()
	want := fmt.Sprintf("43/chat,%d", id)
	for {
		packet := c.read()
		if args, ok := strings.CutPrefix(packet, want); ok {
			var acks []chatAck
			if err := json.Unmarshal([]byte(args), &acks); err != nil {
				c.t.Fatal(err)
			}
			return acks[0]
		}
		c.events = append(c.events, c.parse(packet))
	}
}

func (c *client) leave() {
	c.conn.Close()
	synctest.Wait()
}

func wantTexts(t *testing.T, who string, got []string, want ...string) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: got %q, want %q", who, got, want)
	}
}

func TestPrivateWordsAreDeliveredWhenAPageHasTakenThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(journal.Memory)
		l := chatServer(t, store)
		ada, _ := l.enter(t, `{"nickname":"Ada"}`)
		bob, _ := l.enter(t, `{"nickname":"Bob"}`)
		eve, _ := l.enter(t, `{"nickname":"Eve"}`)
		begin := time.Now()
		ack := ada.tell("Bob", "one", func() { wantTexts(t, "Bob", bob.private(true), "Ada: one") })
		if !ack.OK || !ack.Delivered || time.Since(begin) != 0 {
			t.Errorf("got %+v after %v, want it delivered at once", ack, time.Since(begin))
		}

		// A connection that has died and nobody has noticed: nothing acknowledges what it is sent.
		if ack := ada.tell("Bob", "two", func() {}); !ack.OK || ack.Delivered || time.Since(begin) != 2*time.Second {
			t.Errorf("got %+v after %v, want it to wait, after 2s", ack, time.Since(begin))
		}
		bob.leave()
		if ack := ada.tell("Bob", "three", func() {}); !ack.OK || ack.Delivered || time.Since(begin) != 2*time.Second {
			t.Errorf("got %+v after %v, want it to wait at once", ack, time.Since(begin)-2*time.Second)
		}
		wantTexts(t, "Ada", ada.private(true), "Ada: one", "Ada: two", "Ada: three")
		wantTexts(t, "Eve", eve.private(true))

		l = chatServer(t, store) // another process, later
		bob, _ = l.enter(t, `{"nickname":"Bob"}`)
		wantTexts(t, "Bob", bob.private(true), "Ada: two", "Ada: three")
		wantTexts(t, "Bob", bob.private(true))
		bob.leave()
		for _, l := range []*pipeListener{l, chatServer(t, store)} {
			bob, _ = l.enter(t, `{"nickname":"Bob"}`)
			wantTexts(t, "Bob again", bob.private(true))
		}
	})
}

func TestAClientThatAcknowledgesNothingGetsItOnceAConnectionAndNotForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := chatServer(t, new(journal.Memory))
		ada, _ := l.enter(t, `{"nickname":"Ada"}`)
		ada.tell("Bob", "one", func() {})
		ada.tell("Bob", "two", func() {})
		bob, _ := l.enter(t, `{"nickname":"Bob"}`)
		wantTexts(t, "Bob", bob.private(false), "Ada: one", "Ada: two")
		bob.leave()
		bob, _ = l.enter(t, `{"nickname":"Bob"}`)
		wantTexts(t, "Bob, who has left soon", bob.private(false), "Ada: one", "Ada: two")
		for range 10 { // answers pings, as any client does
			wantTexts(t, "Bob, who stays", bob.private(false))
			time.Sleep(10 * time.Second)
		}
		bob.leave()
		bob, _ = l.enter(t, `{"nickname":"Bob"}`)
		wantTexts(t, "Bob, after he has stayed", bob.private(false))
	})
}

func TestWhatOneTabDidNotTakeIsNotLostByAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := chatServer(t, new(journal.Memory))
		const auth = `{"nickname":"Bob","token":"a secret of Bob's own"}`
		ada, _ := l.enter(t, `{"nickname":"Ada"}`)
		dead, _ := l.enter(t, auth)
		ada.tell("Bob", "one", func() {})
		live, _ := l.enter(t, auth)
		ack := ada.tell("Bob", "two", func() {
			if e := live.next(); e.name != "chat:welcome" {
				t.Fatalf("got %s", e.name)
			}
			for {
				var p chat.Private
				e := live.next()
				if decode(t, e.payload, &p); p.Text == "two" { // and not the first
					live.write("43/chat," + e.ack + "[]")
					return
				}
			}
		})
		if !ack.Delivered {
			t.Errorf("got %+v, want it delivered", ack)
		}
		dead.leave()
		live.leave()
		again, _ := l.enter(t, auth)
		wantTexts(t, "Bob", again.private(true), "Ada: one")
	})
}

func TestWhoWaitsForADeliveryMaySayMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := chatServer(t, new(journal.Memory))
		ada, _ := l.enter(t, `{"nickname":"Ada"}`)
		l.enter(t, `{"nickname":"Bob"}`) // and acknowledges nothing
		begin := time.Now()
		ada.tell("Bob", "one", func() {
			var ack chatAck
			if ada.ask("chat:message", map[string]string{"chat": "more"}, &ack); !ack.OK || time.Since(begin) != 0 {
				t.Errorf("got %+v after %v, want it said at once", ack, time.Since(begin))
			}
		})
	})
}

func TestANicknameForWhichWordsWaitIsTheirsWhoHadIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(journal.Memory)
		l := chatServer(t, store)
		ada, _ := l.enter(t, `{"nickname":"Ada"}`)
		bob, _ := l.enter(t, `{"nickname":"Bob","token":"a secret of Bob's own"}`)
		bob.leave()
		ada.tell("Bob", "for Bob alone", func() {})
		for _, l := range []*pipeListener{l, chatServer(t, store)} {
			for auth, code := range map[string]string{
				`{"nickname":"Bob"}`: chat.Reserved,
				`{"nickname":"Bob","token":"somebody else's secret"}`: chat.Reserved,
				`{"nickname":"Bob","token":"short"}`:                  chat.BadToken,
			} {
				if _, got := l.enter(t, auth); !strings.HasPrefix(got, "44/chat,") || !strings.Contains(got, fmt.Sprintf(`"code":%q`, code)) {
					t.Errorf("%s: got %s, want code %s", auth, got, code)
				}
			}
		}
		bob, _ = l.enter(t, `{"nickname":"Bob","token":"a secret of Bob's own"}`)
		wantTexts(t, "Bob", bob.private(true), "Ada: for Bob alone")
	})
}

// What a client said before it left is said, and its name is free when it has.
func TestAClientThatSaysSomethingAndLeavesHasSaidIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := chatServer(t, new(journal.Memory))
		ada, _ := l.enter(t, `{"nickname":"Ada"}`)
		for i := range 20 {
			bob, answer := l.enter(t, `{"nickname":"Bob"}`)
			if !strings.HasPrefix(answer, "40/chat,") {
				t.Fatalf("got %s", answer)
			}
			bob.write(fmt.Sprintf(`42/chat,["chat:message",{"chat":"%d"}]`, i))
			bob.write("41/chat,")
			synctest.Wait()
			if m := until[chat.Message](ada, "chat:message"); m.Text != fmt.Sprint(i) {
				t.Errorf("got %+v, want %d", m, i)
			}
			bob.leave()
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
