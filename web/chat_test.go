package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labstack/echo/v4"

	"jobcast/internal/systems/chat"
	"jobcast/internal/systems/journal"
)

// A chatSite answers the chat's routes without a connection below.
type chatSite struct {
	t *testing.T
	e *echo.Echo
}

func newChatSite(t *testing.T) chatSite {
	all, err := chat.Open(t.Context(), new(journal.Memory))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(all.Close)
	return newChatSiteOf(t, all)
}

func newChatSiteOf(t *testing.T, all *chat.Chat) chatSite {
	s := &server{Config: Config{Chat: all}}
	e := echo.New()
	e.HTTPErrorHandler = func(err error, c echo.Context) { c.NoContent(problemOf(err).Status) }
	s.routeChat(func(methods, path string, h echo.HandlerFunc) { e.Match(strings.Fields(methods), path, h) })
	return chatSite{t, e}
}

func (c chatSite) do(req *http.Request, answer any) int {
	c.t.Helper()
	rec := c.record(req)
	if rec.Code == http.StatusOK {
		if err := json.Unmarshal(rec.Body.Bytes(), answer); err != nil {
			c.t.Fatalf("%s: %v in %s", req.URL, err, rec.Body)
		}
	}
	return rec.Code
}

func (c chatSite) record(req *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	c.e.ServeHTTP(rec, req)
	return rec
}

func (c chatSite) get(path string, answer any) int {
	return c.do(httptest.NewRequest("GET", path, nil), answer)
}

type chatAnswer struct {
	Status bool
	Msg    string
	Data   any
	Index  uint64
}

func TestTheTutorialsRoutesShareOneRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := newChatSite(t)
		var msg, data chatAnswer
		done := make(chan struct{}, 2)
		go func() { site.get("/get_msg/?name=one", &msg); done <- struct{}{} }()
		go func() { site.get("/get/message?uid=one", &data); done <- struct{}{} }()
		synctest.Wait()
		form := httptest.NewRequest("POST", "/send_msg/", strings.NewReader(url.Values{"content": {"小米 & <b>"}}.Encode()))
		form.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		var sent chatAnswer
		if status := site.do(form, &sent); status != 200 || !sent.Status {
			t.Fatalf("got %d %+v, want it sent", status, sent)
		}
		<-done
		<-done
		if !msg.Status || msg.Msg != "小米 & <b>" || !data.Status || data.Data != "小米 & <b>" {
			t.Errorf("got %+v and %+v, want the message", msg, data)
		}
		site.get("/send/msg?text=two", &sent)
		site.get("/send/message?text=three", &sent)
		var page chatAnswer
		if site.get("/get/msg?index=0", &page); fmt.Sprint(page.Data) != "[小米 & <b> two three]" || page.Index != 3 {
			t.Errorf("got %+v, want all three", page)
		}
		if site.get("/get/msg?index=3", &page); fmt.Sprint(page.Data) != "[]" || page.Index != 3 {
			t.Errorf("got %+v, want nothing twice", page)
		}
		for _, want := range []string{"two", "three"} {
			if site.get("/get_msg/?name=one", &msg); msg.Msg != want {
				t.Errorf("got %+v, want %s", msg, want)
			}
		}
	})
}

func TestAPollForTheNextMessageWaitsTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := newChatSite(t)
		begin := time.Now()
		var answer chatAnswer
		if status := site.get("/get_msg/?name=patient", &answer); status != 200 || answer.Status || time.Since(begin) != chatWait {
			t.Errorf("got %d %+v after %v", status, answer, time.Since(begin))
		}
	})
}

func TestAReaderWhoDoesNotAskIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := newChatSite(t)
		var answer, sent chatAnswer
		site.get("/get_msg/?name=gone", &answer)
		site.get("/send/msg?text=missed", &sent)
		time.Sleep(5*time.Minute + time.Second)
		if site.get("/get_msg/?name=gone", &answer); answer.Status {
			t.Errorf("got %+v, want a reader who begins anew", answer)
		}
	})
}

func TestWhatCannotBeSaidByHTTPIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := newChatSite(t)
		foreign := httptest.NewRequest("GET", "/send/msg?text=x", nil)
		foreign.Header.Set("Sec-Fetch-Site", "cross-site")
		for _, c := range []struct {
			req  *http.Request
			want int
		}{
			{foreign, 403},
			{httptest.NewRequest("GET", "/send/msg", nil), 400},
			{httptest.NewRequest("GET", "/send/msg?text="+strings.Repeat("x", chat.MaxTextBytes+1), nil), 400},
			{httptest.NewRequest("GET", "/get_msg/", nil), 400},
			{httptest.NewRequest("GET", "/get/msg?index=-1", nil), 400},
		} {
			if got := site.do(c.req, nil); got != c.want {
				t.Errorf("%.60s: got %d, want %d", c.req.URL, got, c.want)
			}
		}
		var sent chatAnswer
		codes := map[int]int{}
		for range 100 {
			codes[site.get("/send/msg?text=flood", &sent)]++
		}
		if codes[429] < 60 || codes[200]+codes[429] != 100 {
			t.Errorf("got %v, want at least 60 refused", codes)
		}
	})
}
