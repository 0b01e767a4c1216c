package web

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"jobcast/internal/systems/chat"
	"jobcast/jobs"
)

const (
	// chatWait is how long a request for the next message waits: what the tutorials' pages expect.
	chatWait = 10 * time.Second
	// placeTime is how long a browser keeps the place of a reader that does not ask.
	placeTime = time.Hour
)

// routeChat adds the chat's routes: the raw WebSockets, and the tutorials' own.
func (s *server) routeChat(route func(methods, path string, h echo.HandlerFunc)) {
	route("GET", "/ws/chat", s.socketChat)
	route("GET", "/ws/chat/:username", s.socketGroup)
	route("GET", "/ws/private/:username", s.socketPrivate)
	route("POST", "/send_msg/", s.sendForm)
	route("GET", "/get_msg/", s.changing(s.nextMsg)) // who has read it does not get it again
	route("GET", "/send/msg", s.changing(s.sendText))
	route("GET", "/get/msg", s.getIndex)
	route("GET", "/send/message", s.changing(s.sendText))
	route("GET", "/get/message", s.changing(s.nextMessage))
}

// chatProblem is what a client is told of an error of package chat, or nil.
func chatProblem(err error) *jobs.Problem {
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
	return nil
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
	return s.send(c, c.QueryParam("text"))
}

func (s *server) send(c echo.Context, text string) error {
	m, err := s.Chat.SayFrom(c.Request().Context(), address(c), text)
	if err != nil {
		return err
	}
	return s.respond(c, http.StatusOK, sent{true, m.ID})
}

// nextMsg answers GET /get_msg/?name=.
func (s *server) nextMsg(c echo.Context) error {
	m, ok, err := s.next(c, "name")
	if err != nil {
		return err
	}
	return s.respond(c, http.StatusOK, struct {
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
	return s.respond(c, http.StatusOK, struct {
		Status bool   `json:"status"`
		Data   string `json:"data"`
	}{ok, m.Text})
}

// next waits for the next message of the reader in the query; name and uid are not the same readers.
//
// The answer has the reader's place in a cookie, which comes back with the next request. So a page that
// knows nothing of it goes on where it is, whatever was lost on the way or was forgotten here. A client
// without cookies is where it was last answered.
func (s *server) next(c echo.Context, param string) (chat.Message, bool, error) {
	name := c.QueryParam(param)
	if name == "" {
		return chat.Message{}, false, jobs.BadRequest("/"+param, param+" must say who reads")
	}
	sum := sha256.Sum256([]byte(name))
	cookie := &http.Cookie{
		Name: "place-" + hex.EncodeToString(sum[:8]), Path: c.Request().URL.Path, MaxAge: int(placeTime.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
	after := uint64(chat.Unknown)
	if had, err := c.Cookie(cookie.Name); err == nil {
		if at, err := strconv.ParseUint(had.Value, 10, 64); err == nil {
			after = at
		}
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), chatWait)
	defer cancel()
	m, at, ok, err := s.Chat.Next(ctx, address(c), param+" "+name, after)
	if err == nil {
		cookie.Value = strconv.FormatUint(at, 10)
		c.SetCookie(cookie)
	}
	return m, ok, err
}

// getIndex answers GET /get/msg?index=: all after what the client has, and what it asks with next.
func (s *server) getIndex(c echo.Context) error {
	q := query{c: c}
	index, _ := q.number("index", 0, maxNumber)
	if q.err != nil {
		return q.err
	}
	past, last, _ := s.Chat.After(chat.Anonymous, index)
	page := struct {
		Data  []string `json:"data"`
		Index uint64   `json:"index"`
	}{[]string{}, last}
	for _, m := range past {
		page.Data = append(page.Data, m.Text)
	}
	return s.respond(c, http.StatusOK, page)
}
