package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"jobcast/internal/systems/chat"
	"jobcast/internal/systems/journal"
)

// inChat serves the chat of a journal on pipes, which ends before the chat does.
func inChat(t *testing.T, test func(t *testing.T, l *rawListener, all *chat.Chat)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		all, err := chat.Open(t.Context(), new(journal.Memory))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(all.Close)
		l, _ := listenRaw(t, newWorld(t, func(c *Config) { c.Chat = all }))
		test(t, l, all)
	})
}

// A talker is a raw client. What comes is read by the bubble's own goroutine, so that the server never
// waits for it.
type talker struct {
	t    *testing.T
	conn net.Conn
	got  []string
	deaf bool // answers no ping
}

func (l *rawListener) talk(t *testing.T, path string) *talker {
	c := &talker{t: t, conn: l.dial(t, path)}
	go func() {
		for {
			f, err := ws.ReadFrame(c.conn)
			if err != nil {
				return
			}
			switch f.Header.OpCode {
			case ws.OpText:
				c.got = append(c.got, string(f.Payload))
			case ws.OpPing:
				if !c.deaf {
					c.conn.Write(ws.MustCompileFrame(ws.MaskFrame(ws.NewPongFrame(f.Payload))))
				}
			case ws.OpClose:
				c.got = append(c.got, "closed")
			}
		}
	}()
	synctest.Wait()
	return c
}

func (c *talker) say(texts ...string) {
	c.t.Helper()
	for _, text := range texts {
		if err := writeText(c.conn, []byte(text)); err != nil {
			c.t.Fatal(err)
		}
	}
	synctest.Wait()
}

// want takes what has come.
func (c *talker) want(texts ...string) {
	c.t.Helper()
	synctest.Wait()
	if got, want := fmt.Sprintf("%q", c.got), fmt.Sprintf("%q", texts); got != want {
		c.t.Errorf("got  %s\nwant %s", got, want)
	}
	c.got = nil
}

func (c *talker) leave() {
	c.conn.Close()
	synctest.Wait()
}

func TestRawChatHasTheTutorialsShapes(t *testing.T) {
	inChat(t, func(t *testing.T, l *rawListener, all *chat.Chat) {
		one, other := l.talk(t, "/ws/chat"), l.talk(t, "/ws/chat")
		one.say("小米 & <b>")
		one.want("小米 & <b>")
		other.want("小米 & <b>")
		other.leave()
		one.say("still here")
		one.want("still here")

		ada, bob := l.talk(t, "/ws/chat/Ada"), l.talk(t, "/ws/chat/Bob%20B")
		bob.say("hi")
		for _, c := range []*talker{ada, bob} {
			c.want(`{"from_user":"Bob B","chat":"hi"}`)
		}
		one.want()
	})
}

func TestWhoIsRefusedIsToldWhyAndTheOthersNoticeNothing(t *testing.T) {
	for path, shape := range map[string]string{
		"/ws/chat":         "REASON",
		"/ws/chat?index=0": `{"from_user":"","chat":"REASON","error":"CODE"}`,
		"/ws/chat/Ada":     `{"from_user":"","chat":"REASON","error":"CODE"}`,
		"/ws/private/Ada":  `{"from_user":"","to_user":"Bob","chat":"REASON","error":"CODE"}`,
	} {
		said := func(text string) string {
			if strings.Contains(path, "private") {
				return `{"to_user":"Bob","chat":"` + text + `"}`
			}
			return text
		}
		refused := func(code, reason string) string {
			return strings.NewReplacer("REASON", "Not sent: "+reason, "CODE", code).Replace(shape)
		}
		inChat(t, func(t *testing.T, l *rawListener, all *chat.Chat) {
			loud, calm := l.talk(t, path), l.talk(t, strings.Replace(path, "Ada", "Bob", 1))
			loud.say(said(""), said(strings.Repeat("x", chat.MaxTextBytes+1)))
			why := refused("bad_request", "a message has 1 to 4000 bytes")
			loud.want(why, why)
			calm.want()

			// A flood is refused, and the reason told once a second.
			for range 300 {
				loud.say(said("flood"))
			}
			told := 0
			for _, text := range loud.got {
				if text == refused("too_many_requests", "nobody may say more than 20 messages a second") {
					told++
				} else if !strings.Contains(text, "flood") {
					t.Errorf("%s: got %s", path, text)
				}
			}
			if told != 1 {
				t.Errorf("%s: the reason is told %d times, want once", path, told)
			}
			if n := len(calm.got); n != 38 || strings.Contains(fmt.Sprint(calm.got), "Not sent") {
				t.Errorf("%s: another client gets %d: %q; want 38 of the flood", path, n, calm.got)
			}
		})
	}
}

func TestARawClientThatSaysWhereItIsMissesAndDoublesNothing(t *testing.T) {
	inChat(t, func(t *testing.T, l *rawListener, all *chat.Chat) {
		nobody := all.Anonymous()
		for _, text := range []string{"one", "two", "three"} {
			nobody.Say(t.Context(), "", text)
		}
		c := l.talk(t, "/ws/chat?index=1")
		c.want(`{"id":2,"from_user":"","chat":"two"}`, `{"id":3,"from_user":"","chat":"three"}`)
		c.leave()
		nobody.Say(t.Context(), "", "four")
		l.talk(t, "/ws/chat?index=3").want(`{"id":4,"from_user":"","chat":"four"}`)

		ada := l.talk(t, "/ws/chat/Ada")
		ada.say("five")
		ada.leave()
		l.talk(t, "/ws/chat/Ada?index=0").want(`{"id":5,"from_user":"Ada","chat":"five"}`)
	})
}

func TestAPrivateMessageIsDeliveredWhenTheWebSocketHasIt(t *testing.T) {
	inChat(t, func(t *testing.T, l *rawListener, all *chat.Chat) {
		const token = "?token=a+secret+of+Bobs+own"
		ada, bob, eve := l.talk(t, "/ws/private/Ada"), l.talk(t, "/ws/private/Bob"+token), l.talk(t, "/ws/private/Eve")
		ada.say(`{"to_user":"Bob","chat":"one"}`)
		bob.want(`{"from_user":"Ada","to_user":"Bob","chat":"one"}`)
		time.Sleep(5 * time.Second)
		ada.want()

		// A connection that is dead, and nobody knows it yet.
		bob.deaf = true
		ada.say(`{"to_user":"Bob","chat":"two"}`)
		bob.want(`{"from_user":"Ada","to_user":"Bob","chat":"two"}`)
		time.Sleep(5 * time.Second)
		notHere := `{"from_user":"","to_user":"Bob","chat":"Bob is not here. The message waits for them.","error":"not_here"}`
		ada.want(notHere)
		bob.leave()
		ada.say(`{"to_user":"Bob","chat":"three"}`)
		ada.want(notHere)
		ada.say(`no JSON`)
		ada.want(`{"from_user":"","to_user":"","chat":"Not sent: a message is JSON like {\"to_user\":\"Bob\",\"chat\":\"hello\"}","error":"bad_request"}`)
		eve.want()

		// Somebody else does not get the nickname while words wait there.
		if _, err := all.Join("Bob", "", chat.ForPrivate); err == nil {
			t.Error("somebody else is Bob")
		}
		bob = l.talk(t, "/ws/private/Bob"+token+"&index=0")
		bob.want(`{"id":2,"from_user":"Ada","to_user":"Bob","chat":"two"}`, `{"id":3,"from_user":"Ada","to_user":"Bob","chat":"three"}`)
		bob.leave()
		l.talk(t, "/ws/private/Bob"+token).want()
	})
}

func TestAPageThatSaysWhatItHasIsNotGivenItAgain(t *testing.T) {
	inChat(t, func(t *testing.T, l *rawListener, all *chat.Chat) {
		ada, err := all.Join("Ada", "", chat.ForPrivate)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"one", "two", "three"} {
			ada.Tell(t.Context(), "Bob", text)
		}
		l.talk(t, "/ws/private/Bob?index=2").want(`{"id":3,"from_user":"Ada","to_user":"Bob","chat":"three"}`)
	})
}

// Each of two tells the other something at the same time: neither waits for the other's answer.
func TestTwoWhoWhisperAtOnceDoNotWaitForEachOther(t *testing.T) {
	inChat(t, func(t *testing.T, l *rawListener, all *chat.Chat) {
		ada, bob := l.talk(t, "/ws/private/Ada"), l.talk(t, "/ws/private/Bob")
		for range 10 {
			writeText(ada.conn, []byte(`{"to_user":"Bob","chat":"x"}`))
			writeText(bob.conn, []byte(`{"to_user":"Ada","chat":"y"}`))
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		for _, c := range []*talker{ada, bob} {
			if n := len(c.got); n != 10 || strings.Contains(fmt.Sprint(c.got), "error") {
				t.Errorf("got %q, want ten messages and no word of anybody not being there", c.got)
			}
		}
	})
}

func TestAReadersPlaceIsInItsCookie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for path, field := range map[string]string{"/get_msg/?name=one": "msg", "/get/message?uid=one": "data"} {
			j := new(journal.Memory)
			open := func() (chatSite, *chat.Chat) {
				all, err := chat.Open(t.Context(), j)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(all.Close)
				return newChatSiteOf(t, all), all
			}
			site, all := open()
			jar := ""
			ask := func(lost bool) any {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				req, _ := http.NewRequestWithContext(ctx, "GET", path, nil)
				if jar != "" {
					req.Header.Set("Cookie", jar)
				}
				var answer map[string]any
				rec := site.record(req)
				if err := json.Unmarshal(rec.Body.Bytes(), &answer); err != nil {
					t.Fatal(err)
				}
				cookies := rec.Result().Cookies()
				if len(cookies) != 1 || cookies[0].Path != req.URL.Path || !cookies[0].HttpOnly {
					t.Fatalf("%s: got %v", path, cookies)
				}
				if !lost {
					jar = cookies[0].Name + "=" + cookies[0].Value
				}
				return answer[field]
			}
			want := func(lost bool, text string) {
				t.Helper()
				if got := ask(lost); got != text {
					t.Errorf("%s: got %q, want %q", path, got, text)
				}
			}
			nobody := all.Anonymous()
			want(false, "")
			for _, text := range []string{"1", "2", "3", "4"} {
				nobody.Say(t.Context(), "", text)
			}
			want(false, "1")
			want(true, "2") // is lost on the way
			all.Close()
			site, _ = open() // the server is killed
			want(false, "2")
			want(false, "3")
			time.Sleep(6 * time.Minute) // and has forgotten the reader
			want(false, "4")
			want(false, "")
		}
	})
}
