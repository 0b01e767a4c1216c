package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestLongAnswersAreCompressed(t *testing.T) {
	inTime(t, func(t *testing.T, w *world) {
		job := w.finish(`{"kind":"echo","args":{"a":"` + strings.Repeat("the same again, ", 500) + `"}}`)
		for range 10 {
			w.finish(`{"kind":"echo"}`)
		}
		for _, path := range []string{job, job + "/result", "/api/jobs"} {
			plain, packed := w.get(path), w.get(path, "Accept-Encoding", "br, gzip")
			if got := plain.header.Get("Content-Encoding"); got != "" {
				t.Errorf("%s: got it as %s, which was not asked for", path, got)
			}
			if got := packed.header.Get("Content-Encoding"); got != "gzip" || len(packed.text()) > len(plain.text())/2 {
				t.Fatalf("%s: got %d bytes as %q, want fewer than the %d as gzip", path, len(packed.text()), got, len(plain.text()))
			}
			if got := unpack(t, packed.text()); got != plain.text() {
				t.Errorf("%s: got %.80q, want %.80q", path, got, plain.text())
			}
			if refused := w.get(path, "Accept-Encoding", "gzip;q=0"); refused.text() != plain.text() {
				t.Errorf("%s: compressed for a client that refuses it", path)
			}
			head := w.do("HEAD", path, "", "Accept-Encoding", "gzip")
			if head.text() != "" || head.header.Get("Content-Encoding") != "gzip" || head.header.Get("Content-Length") != packed.header.Get("Content-Length") {
				t.Errorf("HEAD %s: got %q %v, want the fields of GET", path, head.text(), head.header)
			}
			answers := []*response{plain, packed}
			if tag := packed.header.Get("ETag"); tag != "" {
				if tag != "W/"+plain.header.Get("ETag") {
					t.Errorf("%s: got the ETag %s for compressed %s, want a weak one", path, tag, plain.header.Get("ETag"))
				}
				for _, header := range [][]string{{"If-None-Match", tag}, {"If-None-Match", tag, "Accept-Encoding", "gzip"}} {
					known := w.get(path, header...)
					if known.status != http.StatusNotModified || known.text() != "" || known.header.Get("Content-Encoding") != "" {
						t.Errorf("%s %v: got %d %q %v, want 304", path, header, known.status, known.text(), known.header)
					}
					answers = append(answers, known)
				}
			}
			for _, answer := range answers {
				if vary := answer.header.Values("Vary"); !slices.Contains(vary, "Accept-Encoding") {
					t.Errorf("%s: got Vary %v with %d", path, vary, answer.status)
				}
			}
		}
	})
}

func TestShortAndLiveAnswersAndFilesAreNotCompressed(t *testing.T) {
	inTime(t, func(t *testing.T, w *world) {
		job := w.finish(`{"kind":"echo","args":{"a":"` + strings.Repeat("the same again, ", 500) + `"}}`)
		file := w.finish(`{"kind":"file"}`) + "/artifacts/" + url.PathEscape(artifactName)
		for _, tt := range []struct {
			path   string
			header []string
			status int
		}{
			{"/healthz", nil, 200},
			{job + "/events", []string{"Accept", "text/event-stream"}, 200},
			{file, nil, 200},
			{file, []string{"Range", "bytes=2-5"}, 206},
		} {
			resp := w.get(tt.path, append(tt.header, "Accept-Encoding", "gzip, deflate")...)
			if got := resp.header.Get("Content-Encoding"); resp.status != tt.status || got != "" || resp.text() == "" {
				t.Errorf("%s %v: got %d, %d bytes as %q, want it as it is", tt.path, tt.header, resp.status, len(resp.text()), got)
			}
		}
	})
}

// deadlines is a ResponseWriter that notes the deadlines for writing, and what was there when the handler returned.
type deadlines struct {
	httptest.ResponseRecorder
	set []time.Time
}

func (d *deadlines) SetWriteDeadline(t time.Time) error {
	d.set = append(d.set, t)
	return nil
}

func TestTheEndOfAnAnswerOverHTTP2HasADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for major, want := range map[int]int{1: 0, 2: 1} {
			w := &deadlines{}
			returned := false
			lastBytes(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				returned = len(w.set) == 0
			})).ServeHTTP(w, &http.Request{ProtoMajor: major})
			if !returned || len(w.set) != want || want == 1 && !w.set[0].Equal(time.Now().Add(writeTimeout)) {
				t.Errorf("HTTP/%d: got the deadlines %v, want %d after the handler", major, w.set, want)
			}
		}
	})
}
