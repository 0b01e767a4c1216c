package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"jobcast/chat"
	"jobcast/jobs"
	"jobcast/websocket"
)

// chatWait is how long a request for the next message waits: what the tutorials' pages expect.
const chatWait = 10 * time.Second

// routeChat adds the chat's routes: the raw WebSockets, and the tutorials' own.
func (s *server) routeChat(route func(methods, path string, h echo.HandlerFunc)) {
	route("GET", "/ws/chat", s.socketChat)
	route("GET", "/ws/chat/:username", s.socketGroup)
	route("GET", "/ws/private/:username", s.socketPrivate)
	route("POST", "/send_msg/", s.sendForm)
	route("GET", "/get_msg/", s.nextMsg)
	route("GET", "/send/msg", s.sendText)
	route("GET", "/get/msg", s.getIndex)
	route("GET", "/send/message", s.sendText)
	route("GET", "/get/message", s.nextMessage)
}

// namedText is what a client of /ws/chat/NAME gets.
type namedText struct {
	From string `json:"from_user"`
	Text string `json:"chat"`
}

// privateText is what a client of /ws/private/NAME says and gets.
type privateText struct {
	From  string `json:"from_user,omitempty"`
	To    string `json:"to_user,omitempty"`
	Text  string `json:"chat,omitempty"`
	Error string `json:"error,omitempty"` // why a message went nowhere, or not yet
}

// socketChat is the anonymous room: texts in, and the texts of all out.
func (s *server) socketChat(c echo.Context) error {
	return s.raw(c, websocket.Options{}, func(ctx context.Context, socket *websocket.Socket) error {
		defer s.Chat.Hear(chat.Anonymous, func(m chat.Message) { _ = socket.Send([]byte(m.Text)) })()
		member := s.Chat.Anonymous()
		for {
			text, _, err := socket.Receive(ctx)
			if err != nil {
				return err
			}
			// These frames have no place for a reason: what is refused is not heard.
			if _, err := member.Say(ctx, "", string(text)); err != nil {
				s.unsaid(err)
			}
		}
	})
}

// socketGroup is the lobby, for who has a name: texts in, and who said what out.
func (s *server) socketGroup(c echo.Context) error {
	member, err := s.join(c, chat.ForRooms)
	if err != nil {
		return err
	}
	defer member.Leave()
	return s.raw(c, websocket.Options{}, func(ctx context.Context, socket *websocket.Socket) error {
		stop := s.Chat.Hear(chat.Lobby, func(m chat.Message) { _ = sendJSON(socket, namedText{m.From, m.Text}) })
		defer stop()
		if err := member.Enter(chat.Lobby, nil); err != nil {
			return err
		}
		for {
			text, _, err := socket.Receive(ctx)
			if err != nil {
				return err
			}
			if _, err := member.Say(ctx, "", string(text)); err != nil {
				s.unsaid(err)
			}
		}
	})
}

// socketPrivate is words to one person and from others. The sender learns when nobody is there.
func (s *server) socketPrivate(c echo.Context) error {
	member, err := s.join(c, chat.ForPrivate)
	if err != nil {
		return err
	}
	defer member.Leave()
	return s.raw(c, websocket.Options{}, func(ctx context.Context, socket *websocket.Socket) error {
		member.Receive(func(p chat.Private) bool {
			if p.To != member.Nickname() {
				return true // this client shows what it says itself
			}
			return sendJSON(socket, privateText{From: p.From, To: p.To, Text: p.Text}) == nil
		})
		for {
			data, _, err := socket.Receive(ctx)
			if err != nil {
				return err
			}
			answer := privateText{}
			var req privateText
			if err := json.Unmarshal(data, &req); err != nil {
				answer.Error = `a message is JSON like {"to_user":"Bob","chat":"hello"}`
			} else if _, delivered, err := member.Tell(ctx, req.To, req.Text); err != nil {
				answer = privateText{To: req.To, Error: s.unsaid(err)}
			} else if !delivered {
				answer = privateText{To: req.To, Error: req.To + " is not here. The message waits for them."}
			}
			if answer.Error != "" {
				if err := sendJSON(socket, answer); err != nil {
					return err
				}
			}
		}
	})
}

// join takes the nickname in the path; ?token= is for the same person's second connection.
func (s *server) join(c echo.Context, ways chat.Ways) (*chat.Member, error) {
	// Before the name is taken, and not by the upgrade: another site's page may not keep a name busy.
	if err := socketProblem(s.raws.CheckOrigin(c.Request())); err != nil {
		return nil, err
	}
	name, err := param(c, "username")
	if err != nil {
		return nil, err
	}
	member, err := s.Chat.Join(name, c.QueryParam("token"), ways)
	return member, chatProblem(err)
}

// unsaid says why something was not said, and logs what is not the client's matter.
func (s *server) unsaid(err error) string {
	if refusal, ok := errors.AsType[*chat.Refusal](err); ok {
		return refusal.Detail
	}
	s.Logger.Error("a message was not kept", "err", err)
	return "something went wrong here, so it is not sure that this was sent"
}

// chatProblem is what a client is told of an error of package chat.
func chatProblem(err error) error {
	if refusal, ok := errors.AsType[*chat.Refusal](err); ok {
		p := jobs.NewProblem(refusal.Code, refusal.Detail)
		if p.Status == http.StatusInternalServerError { // a code of the chat's own
			p.Status, p.Title = http.StatusConflict, "This nickname cannot be"
		}
		return p
	}
	if errors.Is(err, chat.ErrClosed) {
		return jobs.NewProblem(jobs.CodeUnavailable, "the server is about to stop; ask again in a moment")
	}
	return err
}

// sent is the answer to a message that is kept.
type sent struct {
	Status bool   `json:"status"`
	ID     uint64 `json:"id"`
}

// sendForm answers POST /send_msg/ with content in a form.
func (s *server) sendForm(c echo.Context) error {
	if err := readForm(c); err != nil {
		return err
	}
	return s.send(c, c.Request().PostFormValue("content"))
}

// sendText answers GET /send/msg and GET /send/message with text in the query.
func (s *server) sendText(c echo.Context) error {
	// The tutorials say things by GET, which the guard takes for harmless.
	if c.Request().Header.Get("Sec-Fetch-Site") == "cross-site" {
		return jobs.NewProblem(jobs.CodeForbidden, "a page of another origin may not change anything here")
	}
	return s.send(c, c.QueryParam("text"))
}

func (s *server) send(c echo.Context, text string) error {
	m, err := s.Chat.SayFrom(c.Request().Context(), address(c), text)
	if err != nil {
		return chatProblem(err)
	}
	return respond(c, http.StatusOK, sent{true, m.ID})
}

// nextMsg answers GET /get_msg/?name=.
func (s *server) nextMsg(c echo.Context) error {
	m, ok, err := s.next(c, "name")
	if err != nil {
		return err
	}
	return respond(c, http.StatusOK, struct {
		Status bool   `json:"status"`
		Msg    string `json:"msg"`
	}{ok, m.Text})
}

// nextMessage answers GET /get/message?uid=.
func (s *server) nextMessage(c echo.Context) error {
	m, ok, err := s.next(c, "uid")
	if err != nil {
		return err
	}
	return respond(c, http.StatusOK, struct {
		Status bool   `json:"status"`
		Data   string `json:"data"`
	}{ok, m.Text})
}

// next waits for the next message of the reader in the query; name and uid are not the same readers.
func (s *server) next(c echo.Context, param string) (chat.Message, bool, error) {
	name := c.QueryParam(param)
	if name == "" {
		return chat.Message{}, false, jobs.BadRequest("/"+param, param+" must say who reads")
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), chatWait)
	defer cancel()
	m, ok, err := s.Chat.Next(ctx, param+" "+name)
	return m, ok, chatProblem(err)
}

// getIndex answers GET /get/msg?index=: all after what the client has, and what it asks with next.
func (s *server) getIndex(c echo.Context) error {
	index, _, err := number(c, "index", 0, maxCursor)
	if err != nil {
		return err
	}
	past, last, _ := s.Chat.After(chat.Anonymous, index)
	page := struct {
		Data  []string `json:"data"`
		Index uint64   `json:"index"`
	}{[]string{}, last}
	for _, m := range past {
		page.Data = append(page.Data, m.Text)
	}
	return respond(c, http.StatusOK, page)
}
