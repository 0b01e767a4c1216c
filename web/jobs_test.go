package web

import (
	"context"
	"fmt"
	"mime"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/jobs"
)

type startAnswer struct {
	Job     jobs.Job
	Created bool
}

func TestStart(t *testing.T) {
	inTime(t, func(t *testing.T, w *world) {
		resp := w.post("/api/jobs", `{"kind":"count","args":{"n":3},"tags":["a"]}`)
		got := decodeBody[startAnswer](t, resp)
		if resp.status != 202 || !got.Created || got.Job.Kind != "count" || got.Job.State.Terminal() {
			t.Fatalf("got %d %s, want 202 and a new job", resp.status, resp.text())
		}
		if location := resp.header.Get("Location"); location != "/api/jobs/"+string(got.Job.ID) {
			t.Errorf("Location: got %q, want that of %s", location, got.Job.ID)
		}
		if got := resp.header.Get("Preference-Applied"); got != "" {
			t.Errorf("Preference-Applied: got %q, want none", got)
		}
		job := decodeBody[jobs.Job](t, w.get(resp.header.Get("Location")))
		if string(job.Args) != `{"n":3}` || len(job.Tags) != 1 {
			t.Errorf("get: got args %s and tags %v", job.Args, job.Tags)
		}
	})
}

func TestPreferredWait(t *testing.T) {
	tests := []struct {
		n      int // tenths of a second that the job takes
		prefer []string
		status int
		took   time.Duration
	}{
		{20, nil, 202, 0},
		{20, []string{"Prefer", "wait=10"}, 200, 2 * time.Second},
		{20, []string{"Prefer", "respond-async, Wait=10;x=y"}, 200, 2 * time.Second},
		{20, []string{"Prefer", "respond-async", "Prefer", `wait="10"`}, 200, 2 * time.Second},
		{200, []string{"Prefer", "wait=10"}, 202, 10 * time.Second},
		{1000, []string{"Prefer", "wait=100000"}, 202, 60 * time.Second},
		{20, []string{"Prefer", "wait=soon"}, 202, 0},
		{20, []string{"Prefer", "waiting=10"}, 202, 0},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.n, tt.prefer), func(t *testing.T) {
			inTime(t, func(t *testing.T, w *world) {
				began := time.Now()
				resp := w.post("/api/jobs", fmt.Sprintf(`{"kind":"count","args":{"n":%d}}`, tt.n), tt.prefer...)
				took := time.Since(began)
				if resp.status != tt.status || took < tt.took || took > tt.took+500*time.Millisecond {
					t.Errorf("got %d after %v, want %d after %v", resp.status, took, tt.status, tt.took)
				}
				job := decodeBody[startAnswer](t, resp).Job
				if done := job.State == jobs.Completed && string(job.Result) == fmt.Sprint(tt.n); done != (tt.status == 200) {
					t.Errorf("got %d with state %s and result %s", resp.status, job.State, job.Result)
				}
				if applied := resp.header.Get("Preference-Applied") != ""; applied != (tt.took > 0) {
					t.Errorf("Preference-Applied: got %v, want %v", applied, tt.took > 0)
				}
			})
		})
	}
}

func TestIdempotencyKeyMakesOneJob(t *testing.T) {
	inTime(t, func(t *testing.T, w *world) {
		first := decodeBody[startAnswer](t, w.post("/api/jobs", `{"kind":"echo","args":{"a":1}}`, "Idempotency-Key", "k"))
		synctest.Wait()
		resp := w.post("/api/jobs", `{"kind":"echo","args":{"a":1}}`, "Idempotency-Key", "k")
		again := decodeBody[startAnswer](t, resp)
		if !first.Created || again.Created || first.Job.ID != again.Job.ID {
			t.Errorf("got %s created %v, then %s created %v", first.Job.ID, first.Created, again.Job.ID, again.Created)
		}
		if resp.status != 200 {
			t.Errorf("the second answer of a finished job: got %d, want 200", resp.status)
		}
	})
}

func TestList(t *testing.T) {
	inTime(t, func(t *testing.T, w *world) {
		if got := w.get("/api/jobs").text(); !strings.HasPrefix(got, `{"jobs":[],`) {
			t.Errorf("no jobs: got %s, want an empty array", got)
		}
		var want []string
		for range 5 {
			want = append(want, w.finish(`{"kind":"echo","tags":["x"]}`))
			time.Sleep(time.Millisecond)
		}
		w.finish(`{"kind":"failing"}`)
		slices.Reverse(want)
		var got []string
		cursor := ""
		for range 10 {
			resp := w.get("/api/jobs?state=completed&kind=echo&queue=default&tag=x&q=ech&limit=2&cursor=" + url.QueryEscape(cursor))
			page := decodeBody[jobs.ListPage](t, resp)
			for _, job := range page.Jobs {
				got = append(got, "/api/jobs/"+string(job.ID))
			}
			if page.Counts[jobs.Completed] != 5 || page.Counts[jobs.Failed] != 1 {
				t.Errorf("counts: got %v", page.Counts)
			}
			if cursor = page.Next; cursor == "" {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
	})
}

func TestKinds(t *testing.T) {
	w := newWorld(t)
	type kinds struct {
		Kinds []struct {
			Name, Title, Sentence string
			Args                  struct {
				Properties map[string]map[string]any
			}
		}
	}
	got := decodeBody[kinds](t, w.get("/api/kinds")).Kinds
	if len(got) != 5 || got[0].Name != "count" || got[0].Title != "Count" || got[0].Sentence != "Counts to n" || got[1].Title != "echo" {
		t.Fatalf("got %+v", got)
	}
	if n := got[0].Args.Properties["n"]; n["type"] != "integer" || n["title"] != "How far" {
		t.Errorf("got %v", n)
	}
}

func TestConditionalGet(t *testing.T) {
	inTime(t, func(t *testing.T, w *world) {
		job := w.start(`{"kind":"forever"}`)
		synctest.Wait()
		resp := w.get(job)
		tag := resp.header.Get("ETag")
		seq := decodeBody[jobs.Job](t, resp).Seq
		if resp.status != 200 || tag != fmt.Sprintf(`"%d"`, seq) {
			t.Fatalf("got %d with ETag %s and seq %d", resp.status, tag, seq)
		}
		tests := []struct {
			query  string
			header []string
			status int
			took   time.Duration
		}{
			{fmt.Sprintf("?after=%d", seq-1), nil, 200, 0},
			{fmt.Sprintf("?after=%d&wait=5", seq-1), nil, 200, 0},
			{fmt.Sprintf("?after=%d", seq), nil, 304, 0},
			{fmt.Sprintf("?after=%d&wait=5", seq), nil, 304, 5 * time.Second},
			{fmt.Sprintf("?after=%d&wait=5s", seq+7), nil, 200, 0}, // of another store
			{fmt.Sprintf("?after=%d&wait=2h", seq), nil, 304, 60 * time.Second},
			{"?wait=5s", nil, 200, 0},
			{"", []string{"If-None-Match", tag}, 304, 0},
			{"?wait=1500ms", []string{"If-None-Match", `"x", W/` + tag}, 304, 1500 * time.Millisecond},
			{"?wait=5s", []string{"If-None-Match", `"99999"`}, 200, 0},
		}
		for _, tt := range tests {
			began := time.Now()
			resp := w.get(job+tt.query, tt.header...)
			if took := time.Since(began); resp.status != tt.status || took != tt.took {
				t.Errorf("%s %v: got %d after %v, want %d after %v", tt.query, tt.header, resp.status, took, tt.status, tt.took)
			}
			want := tag
			if resp.status == 304 { // weak: what the client has may be compressed
				want = "W/" + tag
			}
			if got := resp.header.Get("ETag"); got != want {
				t.Errorf("%s: got ETag %s, want %s", tt.query, got, want)
			}
			if resp.status == 304 && resp.text() != "" {
				t.Errorf("%s: 304 has the body %q", tt.query, resp.text())
			}
		}

		// What happens during the wait ends it.
		began := time.Now()
		time.AfterFunc(3*time.Second, func() { w.post(job+"/cancel", "{}") })
		resp = w.get(fmt.Sprintf("%s?after=%d&wait=50s", job, seq))
		got := decodeBody[jobs.Job](t, resp)
		if took := time.Since(began); resp.status != 200 || got.Seq <= seq || took < 3*time.Second || took > 4*time.Second {
			t.Errorf("cancelled meanwhile: got %d with seq %d after %v, want 200 with one above %d after 3s", resp.status, got.Seq, took, seq)
		}

		// There is nothing to wait for once it has ended.
		synctest.Wait()
		last := decodeBody[jobs.Job](t, w.get(job))
		began = time.Now()
		resp = w.get(fmt.Sprintf("%s?after=%d&wait=50s", job, last.Seq))
		if took := time.Since(began); last.State != jobs.Cancelled || resp.status != 304 || took > 0 {
			t.Errorf("%s job: got %d after %v, want 304 at once", last.State, resp.status, took)
		}
	})
}

func TestCancel(t *testing.T) {
	inTime(t, func(t *testing.T, w *world) {
		job := w.start(`{"kind":"forever"}`)
		synctest.Wait()
		type answer struct {
			Outcome jobs.Outcome
			Job     jobs.Job
		}
		resp := w.post(job+"/cancel", `{"reason":"enough"}`)
		if got := decodeBody[answer](t, resp); resp.status != 200 || got.Outcome == jobs.OutcomeAlreadyFinished || got.Job.ID == "" {
			t.Errorf("got %d %s, want it cancelled or about to be", resp.status, resp.text())
		}
		time.Sleep(time.Second)
		resp = w.do("POST", job+"/cancel", "")
		if got := decodeBody[answer](t, resp); resp.status != 200 || got.Outcome != jobs.OutcomeAlreadyFinished || got.Job.State != jobs.Cancelled {
			t.Errorf("again: got %d %s, want already_finished", resp.status, resp.text())
		}
	})
}

func TestResult(t *testing.T) {
	inTime(t, func(t *testing.T, w *world) {
		job := w.finish(`{"kind":"echo","args":{"a":"ü"}}`)
		resp := w.get(job + "/result")
		if resp.status != 200 || resp.text() != `{"a":"ü"}`+"\n" || resp.header.Get("Content-Type") != "application/json" {
			t.Errorf("got %d %s %q", resp.status, resp.header.Get("Content-Type"), resp.text())
		}
		if again := w.get(job+"/result", "If-None-Match", resp.header.Get("ETag")); again.status != 304 {
			t.Errorf("with its ETag: got %d, want 304", again.status)
		}
		failed := w.get(w.finish(`{"kind":"failing"}`) + "/result")
		if p := decodeBody[jobs.Problem](t, failed); !strings.Contains(p.Detail, "no luck") {
			t.Errorf("failed job: got %q, want the reason", p.Detail)
		}
	})
}

func TestArtifact(t *testing.T) {
	inTime(t, func(t *testing.T, w *world) {
		const content = "<script>0123456789</script>"
		path := w.finish(`{"kind":"file"}`) + "/artifacts/" + url.PathEscape(artifactName)
		resp := w.get(path)
		if resp.status != 200 || resp.text() != content {
			t.Fatalf("got %d %q, want %q", resp.status, resp.text(), content)
		}
		disposition, params, err := mime.ParseMediaType(resp.header.Get("Content-Disposition"))
		if err != nil || disposition != "attachment" || params["filename"] != artifactName {
			t.Errorf("Content-Disposition: got %q, %q, %v", disposition, params["filename"], err)
		}
		for name, want := range map[string]string{
			"Content-Type": "text/html", "X-Content-Type-Options": "nosniff", "Accept-Ranges": "bytes", "Content-Length": "27",
			"Content-Security-Policy": "sandbox; default-src 'none'",
		} {
			if got := resp.header.Get(name); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
		part := w.get(path, "Range", "bytes=8-17")
		if part.status != 206 || part.text() != "0123456789" {
			t.Errorf("range: got %d %q", part.status, part.text())
		}
		if got := w.get(path, "Range", "bytes=99-"); got.status != 416 {
			t.Errorf("wrong range: got %d, want 416", got.status)
		}
		if got := w.get(path, "If-None-Match", resp.header.Get("ETag")); got.status != 304 {
			t.Errorf("with its ETag: got %d, want 304", got.status)
		}
		if head := w.do("HEAD", path, ""); head.status != 200 || head.text() != "" || head.header.Get("Content-Length") != "27" {
			t.Errorf("HEAD: got %d %q", head.status, head.text())
		}
	})
}

func TestWaitEndsWithTheServer(t *testing.T) {
	inTime(t, func(t *testing.T, w *world) {
		job := w.start(`{"kind":"forever"}`)
		synctest.Wait()
		seq := decodeBody[jobs.Job](t, w.get(job)).Seq
		for _, tt := range []struct {
			method, target, body string
			status               int
			header               []string
		}{
			{"GET", fmt.Sprintf("%s?after=%d&wait=60s", job, seq), "", 304, nil},
			{"GET", fmt.Sprintf("%s/events?after=%d&wait=60s", job, seq), "", 200, nil},
			{"GET", fmt.Sprintf("%s/logs?after=0&wait=60s", job), "", 200, nil},
			{"GET", fmt.Sprintf("%s/events", job), "", 200, []string{"Accept", "text/event-stream"}},
			{"POST", "/api/jobs", `{"kind":"forever"}`, 202, []string{"Prefer", "wait=60", "Content-Type", "application/json"}},
		} {
			began := time.Now()
			drained, drain := context.WithTimeout(t.Context(), 2*time.Second)
			resp := newResponse()
			w.serve(drained, resp, tt.method, tt.target, strings.NewReader(tt.body), tt.header...)
			drain()
			if took := time.Since(began); resp.status != tt.status || took != 2*time.Second {
				t.Errorf("%s %s: got %d after %v, want %d after 2s: %s", tt.method, tt.target, resp.status, took, tt.status, resp.text())
			}
		}
		if got := w.log.String(); strings.Contains(got, "level=ERROR") {
			t.Errorf("log: got\n%s", got)
		}
	})
}
