package web

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"jobcast/internal/systems/chat"
	"jobcast/internal/websocket"
	"jobcast/jobs"
)

// A said is what a client of /ws/chat/NAME gets, and one of /ws/chat that asks by index. Nobody's name is
// empty: it is the server then that says why it has not taken what the client said.
type said struct {
	ID    uint64 `json:"id,omitempty"` // only for who asks by index
	From  string `json:"from_user"`
	Text  string `json:"chat"`
	Error string `json:"error,omitempty"` // the code of the reason
}

// A whisper is what a client of /ws/private/NAME says and gets. One of the server's own is about what the
// client said, and to whom.
type whisper struct {
	ID    uint64 `json:"id,omitempty"` // only for who asks by index
	From  string `json:"from_user"`
	To    string `json:"to_user"`
	Text  string `json:"chat"`
	Error string `json:"error,omitempty"` // the code of the reason, or not_here
}

// socketChat is the anonymous room: texts in, and the texts of all out.
func (s *server) socketChat(c echo.Context) error {
	index, byIndex, err := place(c)
	if err != nil {
		return err
	}
	return s.raw(c, websocket.Options{}, func(ctx context.Context, socket *websocket.Socket) error {
		return s.talk(ctx, socket, s.Chat.Anonymous(), index, func(one said) error {
			if byIndex {
				return sendJSON(socket, one)
			}
			return socket.Send([]byte(one.Text))
		})
	})
}

// socketGroup is the lobby, for who has a name: texts in, and who said what out.
func (s *server) socketGroup(c echo.Context) error {
	index, byIndex, err := place(c)
	if err != nil {
		return err
	}
	member, err := s.join(c, chat.ForRooms)
	if err != nil {
		return err
	}
	defer member.Leave()
	return s.raw(c, websocket.Options{}, func(ctx context.Context, socket *websocket.Socket) error {
		return s.talk(ctx, socket, member, index, func(one said) error {
			if !byIndex {
				one.ID = 0
			}
			return sendJSON(socket, one)
		})
	})
}

// place is ?index=: what the client has of what was said. Without it, it begins with what is said next.
func place(c echo.Context) (index uint64, given bool, err error) {
	q := query{c: c}
	if index, given = q.number("index", 0, maxNumber); !given {
		index = chat.Unknown
	}
	return index, given, q.err
}

// talk says in a member's home what the client sends, and shows the client what is said there.
func (s *server) talk(ctx context.Context, socket *websocket.Socket, member *chat.Member, after uint64, show func(said) error) error {
	home := member.Home()
	defer s.Chat.Hear(home, after, func(m chat.Message) {
		_ = show(said{ID: m.ID, From: m.From, Text: m.Text}) // who is gone is seen to below
	})()
	if err := member.Enter(home, nil); err != nil {
		return err
	}
	var refusals refusals
	for {
		text, _, err := socket.Receive(ctx)
		if err != nil {
			return err
		}
		_, err = member.Say(context.WithoutCancel(ctx), "", string(text)) // also of a client that has left since
		if code, reason := s.unsaid(err); refusals.tell(code) {
			if err := show(said{Text: "Not sent: " + reason, Error: code}); err != nil {
				return err
			}
		}
	}
}

// socketPrivate is words to one person and from others. The sender learns when they are not there.
func (s *server) socketPrivate(c echo.Context) error {
	index, byIndex, err := place(c)
	if err != nil {
		return err
	}
	member, err := s.join(c, chat.ForPrivate)
	if err != nil {
		return err
	}
	defer member.Leave()
	return s.raw(c, websocket.Options{}, func(ctx context.Context, socket *websocket.Socket) error {
		if byIndex {
			member.TookAll(index)
		}
		member.Receive(func(p chat.Private) {
			if p.To != member.Nickname() {
				return // this client shows what it says itself
			}
			one := whisper{From: p.From, To: p.To, Text: p.Text}
			if byIndex {
				one.ID = p.ID
			}
			_ = sendSure(socket, one, func() { member.Took(p.ID) }) // or it waits
		})
		return s.whisper(ctx, socket, member)
	})
}

// whisper says to others what the client sends, and tells it what has not come to them.
func (s *server) whisper(ctx context.Context, socket *websocket.Socket, member *chat.Member) error {
	ctx, cancel := context.WithCancel(ctx)
	var deliveries sync.WaitGroup // as many as a member may say in the time that one takes
	defer deliveries.Wait()
	defer cancel()
	var refusals refusals
	for {
		data, _, err := socket.Receive(ctx)
		if err != nil {
			return err
		}
		var req whisper
		var d chat.Delivery
		if err = json.Unmarshal(data, &req); err != nil {
			err = &chat.Refusal{Code: jobs.CodeBadRequest, Detail: `a message is JSON like {"to_user":"Bob","chat":"hello"}`}
		} else {
			d, err = member.Tell(context.WithoutCancel(ctx), req.To, req.Text)
		}
		if err == nil {
			deliveries.Go(func() {
				if !d.Wait(ctx) {
					// Who is gone is seen to by Receive.
					_ = sendJSON(socket, whisper{To: d.To, Text: d.To + " is not here. The message waits for them.", Error: "not_here"})
				}
			})
		} else if code, reason := s.unsaid(err); refusals.tell(code) {
			to := strings.ToValidUTF8(req.To[:min(len(req.To), 4*chat.MaxNameRunes)], "") // no name is longer
			if err := sendJSON(socket, whisper{To: to, Text: "Not sent: " + reason, Error: code}); err != nil {
				return err
			}
		}
	}
}

// join takes the nickname in the path; ?token= proves that it is the same person.
func (s *server) join(c echo.Context, ways chat.Ways) (*chat.Member, error) {
	// Before the name is taken, and not by the upgrade: another site's page may not keep a name busy.
	if err := s.raws.CheckOrigin(c.Request()); err != nil {
		return nil, err
	}
	q := query{c: c}
	name := q.path("username")
	if q.err != nil {
		return nil, q.err
	}
	return s.Chat.Join(name, c.QueryParam("token"), ways)
}

// unsaid says why something was not said, by a code and in words, and logs what is not the client's matter.
func (s *server) unsaid(err error) (code, reason string) {
	if err == nil {
		return "", ""
	}
	if refusal, ok := errors.AsType[*chat.Refusal](err); ok {
		return refusal.Code, refusal.Detail
	}
	s.Logger.Error("a message was not kept", "err", err)
	return jobs.CodeInternal, "something went wrong here, and it is not sure that nobody gets it"
}

// refusals are what a client has been told. It says too much without listening: that, it is told once a
// second.
type refusals struct{ told time.Time }

// tell reports whether to tell the client of a refusal, if there is one.
func (r *refusals) tell(code string) bool {
	if code != chat.TooMany {
		return code != ""
	}
	if time.Since(r.told) < time.Second {
		return false
	}
	r.told = time.Now()
	return true
}
