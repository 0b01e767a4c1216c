package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"jobcast/jobs"
	"jobcast/jobs/engine"
	"jobcast/jobs/files"
	"jobcast/jobs/memory"
)

type countArgs struct {
	N int `json:"n" jsonschema:"title=How far"`
}

// The kinds of job that the tests start.
var (
	echoKind  = jobs.NewKind[map[string]any, map[string]any]("echo")
	countKind = jobs.NewKind[countArgs, int]("count").Described(jobs.About[countArgs]{
		Title:    "Count",
		Sentence: "Counts to n",
		JobTitle: func(args countArgs) string { return fmt.Sprintf("Count to %d", args.N) },
	})
	forever     = jobs.NewKind[struct{}, int]("forever")
	failingKind = jobs.NewKind[struct{}, int]("failing")
	fileKind    = jobs.NewKind[struct{}, int]("file")
)

const artifactName = "sums of \"päge\".html"

func workers() []jobs.Worker {
	return []jobs.Worker{
		echoKind.Worker(nil, func(_ context.Context, _ *jobs.Run, args map[string]any) (map[string]any, error) {
			return args, nil
		}),
		countKind.Worker(
			func(_ context.Context, args countArgs) error {
				if args.N < 0 {
					return jobs.BadRequest("/args/n", "must not be negative")
				}
				return nil
			},
			func(ctx context.Context, r *jobs.Run, args countArgs) (int, error) {
				for i := range args.N {
					select {
					case <-ctx.Done():
						return i, ctx.Err()
					case <-time.After(100 * time.Millisecond):
					}
					r.Step(i+1, args.N, fmt.Sprintf("part %d", i+1))
					r.Log(slog.LevelInfo, fmt.Sprintf("line %d", i+1))
				}
				return args.N, nil
			}),
		forever.Worker(nil, func(ctx context.Context, _ *jobs.Run, _ struct{}) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		}),
		failingKind.Worker(nil, func(context.Context, *jobs.Run, struct{}) (int, error) {
			return 0, errors.New("no luck")
		}),
		fileKind.Worker(nil, func(_ context.Context, r *jobs.Run, _ struct{}) (int, error) {
			w, err := r.Create(artifactName, "text/html")
			if err != nil {
				return 0, err
			}
			if _, err := io.WriteString(w, "<script>0123456789</script>"); err != nil {
				return 0, err
			}
			return 1, w.Close()
		}),
	}
}

// world is a handler over a real engine that forgets.
type world struct {
	http.Handler
	t      *testing.T
	engine *engine.Engine
	files  *files.Dir
	log    *lockedBuffer
	dir    string // of the files
}

var publicFiles = fstest.MapFS{
	"index.html":      {Data: []byte("<!doctype html><title>Jobs</title>" + strings.Repeat("<p>hello", 100))},
	"app/style.css":   {Data: []byte("body{}")},
	"vendor/io.js":    {Data: []byte(strings.Repeat("console.log(1);\n", 100))},
	"vendor/logo.png": {Data: bytes.Repeat([]byte{1, 2}, 1000)},
	".hidden":         {Data: []byte("secret")},
}

func newWorld(t *testing.T, change ...func(*Config)) *world {
	w := &world{t: t, log: new(lockedBuffer), dir: t.TempDir()}
	logger := slog.New(slog.NewTextHandler(w.log, nil))
	files, err := files.Open(w.dir)
	if err != nil {
		t.Fatal(err)
	}
	w.files = files
	w.engine, err = engine.Open(t.Context(), engine.Config{
		Store: memory.New(), Files: files, Workers: workers(), Concurrency: 4, Logger: logger,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(w.engine.Close(context.Background()), files.Close()); err != nil {
			t.Errorf("close the engine: %v", err)
		}
	})
	cfg := Config{
		Sockets: http.NotFoundHandler(), Public: publicFiles, Jobs: w.engine, Files: files,
		MaxUploadBytes: 1000, Version: "1.2.3", Logger: logger,
	}
	for _, change := range change {
		change(&cfg)
	}
	w.Handler = New(cfg)
	return w
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// response is the client's end of one answer, whose connection may break.
type response struct {
	header       http.Header
	readDeadline time.Time

	mu       sync.Mutex
	status   int
	body     bytes.Buffer
	flushed  int // bytes of it
	room     int // bytes that get through before the connection breaks
	stuck    bool
	deadline time.Time
}

func newResponse() *response { return &response{header: http.Header{}, room: 1 << 30} }

func (r *response) Header() http.Header { return r.header }

func (r *response) WriteHeader(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

func (r *response) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stuck {
		deadline := r.deadline
		r.mu.Unlock()
		time.Sleep(time.Until(deadline))
		r.mu.Lock()
		return 0, os.ErrDeadlineExceeded
	}
	n := min(len(p), r.room)
	r.room -= n
	r.body.Write(p[:n])
	if n < len(p) {
		return n, errors.New("connection reset by peer")
	}
	return n, nil
}

func (r *response) Flush() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flushed = r.body.Len()
}

func (r *response) SetWriteDeadline(deadline time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.deadline = deadline
	return nil
}

func (r *response) SetReadDeadline(deadline time.Time) error {
	r.readDeadline = deadline
	return nil
}

func (r *response) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.body.String()
}

// do asks and waits for the answer. header has names and values by turns.
func (w *world) do(method, target, body string, header ...string) *response {
	w.t.Helper()
	resp := newResponse()
	w.serve(w.t.Context(), resp, method, target, strings.NewReader(body), header...)
	return resp
}

func (w *world) serve(ctx context.Context, resp *response, method, target string, body io.Reader, header ...string) {
	req := httptest.NewRequestWithContext(ctx, method, target, body)
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	w.ServeHTTP(resp, req)
}

func (w *world) get(target string, header ...string) *response {
	w.t.Helper()
	return w.do("GET", target, "", header...)
}

// post sends JSON.
func (w *world) post(target, body string, header ...string) *response {
	w.t.Helper()
	return w.do("POST", target, body, append(header, "Content-Type", "application/json")...)
}

// start makes a job and returns its address.
func (w *world) start(body string, header ...string) string {
	w.t.Helper()
	resp := w.post("/api/jobs", body, header...)
	if resp.status != http.StatusAccepted && resp.status != http.StatusOK {
		w.t.Fatalf("start %s: got %d %s", body, resp.status, resp.text())
	}
	return resp.header.Get("Location")
}

// finish makes a job and waits until it has ended.
func (w *world) finish(body string) string {
	w.t.Helper()
	resp := w.post("/api/jobs", body, "Prefer", "wait=60")
	if resp.status != http.StatusOK {
		w.t.Fatalf("start %s: got %d %s", body, resp.status, resp.text())
	}
	return resp.header.Get("Location")
}

func decodeBody[T any](t *testing.T, resp *response) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(resp.text()), &v); err != nil {
		t.Fatalf("body %q: %v", resp.text(), err)
	}
	return v
}

// inTime runs a test in fake time.
func inTime(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newWorld(t)) })
}

func TestEveryErrorIsAProblem(t *testing.T) {
	inTime(t, func(t *testing.T, w *world) {
		running := w.start(`{"kind":"forever"}`)
		failed := w.finish(`{"kind":"failing"}`)
		w.start(`{"kind":"count","args":{"n":1},"idempotencyKey":"taken"}`)
		const asJSON = "application/json"
		tests := []struct {
			method, path, body string
			header             []string
			status             int
			code               string
			pointer            string
		}{
			{"GET", "/api", "", nil, 404, "not_found", ""},
			{"GET", "/api/nothing", "", nil, 404, "not_found", ""},
			{"POST", "/api/jobs/a/nothing", "", nil, 404, "not_found", ""},
			{"DELETE", "/api/jobs", "", nil, 405, "bad_request", ""},
			{"GET", running + "/cancel", "", nil, 405, "bad_request", ""},
			{"POST", "/healthz", "", nil, 405, "bad_request", ""},
			{"POST", "/index.html", "", nil, 405, "bad_request", ""},
			{"POST", "/nothing", "", nil, 404, "not_found", ""},

			{"GET", "/api/jobs/nobody", "", nil, 404, "not_found", ""},
			{"GET", "/api/jobs/a.b", "", nil, 400, "bad_request", "/id"},
			{"GET", "/api/jobs/*", "", nil, 400, "bad_request", "/id"},
			{"GET", "/api/jobs/a%2Fb", "", nil, 400, "bad_request", "/id"},
			{"GET", "/api/jobs/" + strings.Repeat("a", 65), "", nil, 400, "bad_request", "/id"},
			{"GET", "/api/jobs/nobody/events", "", nil, 404, "not_found", ""},
			{"GET", "/api/jobs/nobody/events", "", []string{"Accept", "text/event-stream"}, 404, "not_found", ""},
			{"GET", "/api/jobs/a.b/events", "", nil, 400, "bad_request", "/id"},
			{"GET", "/api/jobs/nobody/logs", "", nil, 404, "not_found", ""},
			{"GET", "/api/jobs/a.b/logs", "", nil, 400, "bad_request", "/id"},
			{"GET", "/api/jobs/nobody/result", "", nil, 404, "not_found", ""},
			{"GET", "/api/jobs/nobody/artifacts/x", "", nil, 404, "not_found", ""},
			{"GET", running + "/artifacts/x", "", nil, 404, "not_found", ""},
			{"GET", running + "/artifacts/..%2Fx", "", nil, 400, "bad_request", ""},
			{"POST", "/api/jobs/nobody/cancel", "", nil, 404, "not_found", ""},
			{"POST", "/api/jobs/a.b/cancel", "", nil, 400, "bad_request", "/id"},

			{"GET", running + "?after=x", "", nil, 400, "bad_request", "/after"},
			{"GET", running + "?after=-1", "", nil, 400, "bad_request", "/after"},
			{"GET", running + "?wait=soon", "", nil, 400, "bad_request", "/wait"},
			{"GET", running + "?wait=-1s", "", nil, 400, "bad_request", "/wait"},
			{"GET", running + "/events?after=1e3", "", nil, 400, "bad_request", "/after"},
			{"GET", running + "/events?limit=0", "", nil, 400, "bad_request", "/limit"},
			{"GET", running + "/events?limit=1001", "", nil, 400, "bad_request", "/limit"},
			{"GET", running + "/events?wait=x", "", nil, 400, "bad_request", "/wait"},
			{"GET", running + "/events", "", []string{"Accept", "text/event-stream", "Last-Event-ID", "x"}, 400, "bad_request", "/Last-Event-ID"},
			{"GET", running + "/logs?tail=0", "", nil, 400, "bad_request", "/tail"},
			{"GET", running + "/logs?limit=9999", "", nil, 400, "bad_request", "/limit"},
			{"GET", running + "/logs?after=x", "", nil, 400, "bad_request", "/after"},
			{"GET", running + "/logs?wait=x", "", nil, 400, "bad_request", "/wait"},
			{"GET", running + "/logs?format=xml", "", nil, 400, "bad_request", "/format"},
			{"GET", running + "/logs?q=", "", nil, 400, "bad_request", "/q"},
			{"GET", running + "/logs?q=" + strings.Repeat("a", 201), "", nil, 400, "bad_request", "/q"},
			{"GET", running + "/logs?q=a&tail=3", "", nil, 400, "bad_request", "/tail"},
			{"GET", running + "/logs?q=a&wait=3s", "", nil, 400, "bad_request", "/wait"},
			{"GET", running + "/logs?q=a&format=text", "", nil, 400, "bad_request", "/format"},
			{"GET", running + "/result", "", nil, 409, "conflict", ""},
			{"GET", failed + "/result", "", nil, 409, "conflict", ""},
			{"GET", "/api/jobs?limit=201", "", nil, 400, "bad_request", "/limit"},
			{"GET", "/api/jobs?stuck=1", "", nil, 400, "bad_request", "/stuck"},
			{"GET", "/api/jobs?state=tired", "", nil, 400, "bad_request", ""},
			{"GET", "/api/jobs?cursor=!", "", nil, 400, "bad_request", ""},

			{"POST", "/api/jobs", `{"kind":"echo"}`, nil, 415, "bad_request", ""},
			{"POST", "/api/jobs", `kind=echo`, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "bad_request", ""},
			{"POST", "/api/jobs", ``, []string{"Content-Type", asJSON}, 400, "bad_request", ""},
			{"POST", "/api/jobs", `{"kind":`, []string{"Content-Type", asJSON}, 400, "bad_request", ""},
			{"POST", "/api/jobs", `{"kind":"echo"}{}`, []string{"Content-Type", asJSON}, 400, "bad_request", ""},
			{"POST", "/api/jobs", `{"kind":"echo"}x`, []string{"Content-Type", asJSON}, 400, "bad_request", ""},
			{"POST", "/api/jobs", `[]`, []string{"Content-Type", asJSON}, 400, "bad_request", ""},
			{"POST", "/api/jobs", `{"kind":1}`, []string{"Content-Type", asJSON}, 400, "bad_request", "/kind"},
			{"POST", "/api/jobs", `{"kind":"echo","colour":"red"}`, []string{"Content-Type", asJSON}, 400, "bad_request", "/colour"},
			{"POST", "/api/jobs", `{"kind":"echo","args":"` + strings.Repeat("x", maxBodyBytes) + `"}`,
				[]string{"Content-Type", asJSON}, 413, "too_large", ""},
			{"POST", "/api/jobs", `{"kind":"nobody"}`, []string{"Content-Type", asJSON}, 400, "bad_request", "/kind"},
			{"POST", "/api/jobs", `{"kind":"count","args":{"n":-1}}`, []string{"Content-Type", asJSON}, 400, "bad_request", "/args/n"},
			{"POST", "/api/jobs", `{"kind":"count","args":{"n":2}}`,
				[]string{"Content-Type", asJSON, "Idempotency-Key", "taken"}, 422, "idempotency_mismatch", ""},
			{"POST", "/api/jobs", `{"kind":"echo","idempotencyKey":"a"}`,
				[]string{"Content-Type", asJSON, "Idempotency-Key", "b"}, 400, "bad_request", "/idempotencyKey"},
			{"POST", running + "/cancel", `{"id":"other"}`, []string{"Content-Type", asJSON}, 400, "bad_request", "/id"},
			{"POST", running + "/cancel", `{"graceMs":"x"}`, []string{"Content-Type", asJSON}, 400, "bad_request", "/graceMs"},

			{"POST", "/api/jobs", `{"kind":"echo"}`, []string{"Content-Type", asJSON, "Sec-Fetch-Site", "cross-site"}, 403, "forbidden", ""},
			{"POST", running + "/cancel", "", []string{"Origin", "https://evil.example"}, 403, "forbidden", ""},
			{"PUT", "/api/uploads/x", "", []string{"Sec-Fetch-Site", "same-site"}, 403, "forbidden", ""},

			{"PUT", "/api/uploads/", "x", nil, 404, "not_found", ""},
			{"PUT", "/api/uploads/a%2Fb", "x", nil, 400, "bad_request", ""},
			{"PUT", "/api/uploads/%00", "x", nil, 400, "bad_request", ""},
			{"PUT", "/api/uploads/big", strings.Repeat("x", 1001), nil, 413, "too_large", ""},
			{"GET", "/api/uploads/x", "", nil, 405, "bad_request", ""},
		}
		for _, tt := range tests {
			resp := w.do(tt.method, tt.path, tt.body, tt.header...)
			name := fmt.Sprintf("%s %s %.60s %v", tt.method, tt.path, tt.body, tt.header)
			if got := resp.header.Get("Content-Type"); resp.status != tt.status || got != "application/problem+json" {
				t.Errorf("%s: got %d %s %.200s, want %d and a problem", name, resp.status, got, resp.text(), tt.status)
				continue
			}
			p := decodeBody[jobs.Problem](t, resp)
			path, _, _ := strings.Cut(tt.path, "?")
			if u := httptest.NewRequest(tt.method, path, nil).URL; p.Instance != u.Path {
				t.Errorf("%s: got instance %q, want %q", name, p.Instance, u.Path)
			}
			if p.Code != tt.code || p.Status != tt.status || p.Type != "urn:jobs:problem:"+tt.code || p.Title == "" {
				t.Errorf("%s: got %s, want code %s", name, resp.text(), tt.code)
			}
			if tt.pointer != "" && (len(p.Errors) == 0 || p.Errors[0].Pointer != tt.pointer) {
				t.Errorf("%s: got %s, want it to point at %s", name, resp.text(), tt.pointer)
			}
			if tt.status == 405 && resp.header.Get("Allow") == "" {
				t.Errorf("%s: no Allow field", name)
			}
		}
		if got := w.log.String(); strings.Contains(got, "level=ERROR") {
			t.Errorf("a client's mistakes are logged as errors:\n%s", got)
		}
	})
}

func TestEveryRefusalIsSmall(t *testing.T) {
	inTime(t, func(t *testing.T, w *world) {
		running := w.start(`{"kind":"forever"}`)
		long := strings.Repeat("x", 50_000)
		var fields strings.Builder
		for i := range 50_000 {
			fmt.Fprintf(&fields, `"f%06d":1,`, i)
		}
		asJSON := []string{"Content-Type", "application/json"}
		for _, tt := range []struct {
			method, path, body string
			header             []string
		}{
			{"POST", "/api/jobs", "{" + fields.String() + `"kind":"echo"}`, asJSON},
			{"POST", "/api/jobs", `{"kind":"` + long + `"}`, asJSON},
			{"POST", "/api/jobs", `{"kind":"count","args":{"` + long + `":1}}`, asJSON},
			{"POST", running + "/cancel", `{"` + long + `":1}`, asJSON},
			{"POST", running + "/cancel", `{"id":"` + long + `"}`, asJSON},
			{"GET", "/api/jobs?" + long + "=1", "", nil},
			{"GET", "/api/jobs/" + long, "", nil},
			{"GET", running + "/events?after=" + long, "", nil},
			{"GET", running + "/artifacts/" + long, "", nil},
			{"GET", "/api/" + long, "", nil},
			{"DELETE", "/" + long, "", nil},
			{"PUT", "/api/uploads/" + long, "x", nil},
			{"PUT", "/api/uploads/x", "x", []string{"Origin", "https://" + long}},
		} {
			resp := w.do(tt.method, tt.path, tt.body, tt.header...)
			if n := len(resp.text()); resp.status < 400 || n > 4<<10 {
				t.Errorf("%s %.60s %.60s: got %d and %d bytes, want a refusal of at most 4 KiB", tt.method, tt.path, tt.body, resp.status, n)
			}
		}
	})
}

func TestPanicIsOneProblemAndOneLine(t *testing.T) {
	w := newWorld(t, func(cfg *Config) {
		cfg.Ready = func() error { panic("boom") }
	})
	resp := w.get("/readyz")
	if p := decodeBody[jobs.Problem](t, resp); resp.status != 500 || p.Code != "internal" || strings.Contains(resp.text(), "boom") {
		t.Errorf("got %d %s, want 500 internal that tells nothing", resp.status, resp.text())
	}
	if got := w.log.String(); strings.Count(got, "level=ERROR") != 1 || !strings.Contains(got, "boom") || !strings.Contains(got, "web_test.go") {
		t.Errorf("log: got %q, want one line with the stack", got)
	}
}

func TestHealth(t *testing.T) {
	var notReady error
	w := newWorld(t, func(cfg *Config) { cfg.Ready = func() error { return notReady } })
	if resp := w.get("/healthz"); resp.status != 200 || resp.text() != `{"status":"ok","version":"1.2.3"}`+"\n" {
		t.Errorf("healthz: got %d %s", resp.status, resp.text())
	}
	if resp := w.get("/readyz"); resp.status != 200 {
		t.Errorf("readyz: got %d %s, want 200", resp.status, resp.text())
	}
	notReady = errors.New("the disk at /secret is gone")
	resp := w.get("/readyz")
	if p := decodeBody[jobs.Problem](t, resp); resp.status != 503 || p.Code != "unavailable" || strings.Contains(resp.text(), "secret") {
		t.Errorf("readyz: got %d %s, want 503 without details", resp.status, resp.text())
	}
	if !strings.Contains(w.log.String(), "/secret") {
		t.Errorf("log: got %q, want the reason", w.log)
	}
	if resp := w.get("/healthz"); resp.status != 200 {
		t.Errorf("healthz of a server that is not ready: got %d %s, want 200", resp.status, resp.text())
	}
	notReady = fmt.Errorf("%w: /secret is full", jobs.ErrBroken)
	for _, path := range []string{"/healthz", "/readyz"} {
		resp := w.get(path)
		if p := decodeBody[jobs.Problem](t, resp); resp.status != 503 || p.Code != "unavailable" || strings.Contains(resp.text(), "secret") {
			t.Errorf("%s of a server that cannot use its disk: got %d %s, want 503 without details", path, resp.status, resp.text())
		}
	}
	notReady = nil
	for _, path := range []string{"/healthz", "/readyz"} {
		if resp := w.get(path); resp.status != 200 {
			t.Errorf("%s after that: got %d %s, want 200", path, resp.status, resp.text())
		}
	}
}

func TestSocketsGetEveryMethodUntouched(t *testing.T) {
	var seen []string
	w := newWorld(t, func(cfg *Config) {
		cfg.Sockets = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			seen = append(seen, r.Method+" "+r.URL.Path)
			if len(rw.Header()) > 0 {
				t.Errorf("%s %s: the handler finds the header %v, want none", r.Method, r.URL, rw.Header())
			}
			rw.WriteHeader(http.StatusTeapot)
		})
	})
	var want []string
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"} {
		for _, path := range []string{"/socket.io", "/socket.io/", "/socket.io/socket.io.js", "/socket.io/a/b"} {
			resp := w.do(method, path+"?EIO=4", "", "Sec-Fetch-Site", "cross-site")
			if resp.status != http.StatusTeapot {
				t.Errorf("%s %s: got %d %s, want the sockets' answer", method, path, resp.status, resp.text())
			}
			want = append(want, method+" "+path)
		}
	}
	if got := strings.Join(seen, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}
