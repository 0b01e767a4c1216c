package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/jobs/memory"
)

func TestStartRequestIsStrict(t *testing.T) {
	for _, c := range []struct {
		body     string
		pointers string
		detail   string
	}{
		{`[]`, "", "object"},
		{`null`, "", "object"},
		{`"x"`, "", "object"},
		{`{"kind":"count","color":"red"}`, "/color", "is not a field"},
		{`{"kind":"count","a/b~c":1}`, "/a~1b~0c", "is not a field"},
		{`{"kind":"count","Kind":"count"}`, "/Kind", "is not a field"},
		{`{"kind":7}`, "/kind", "wrong type"},
		{`{"kind":"count","maxAttempts":0}`, "/maxAttempts", "1 to 100"},
		{`{"kind":"count","maxAttempts":1.5}`, "/maxAttempts", "wrong type"},
		{`{"kind":"count","tags":"x"}`, "/tags", "wrong type"},
		{`{"kind":"count","id":null}`, "/id", "null"},
		{`{"kind":"count","queue":"reports"}`, "/queue", "not served"},
		{`{"kind":"count","runAt":"2026-11-20T20:24:00Z"}`, "/runAt", "not served"},
		{`{"kind":"count","delayMs":1}`, "/delayMs", "not served"},
		{`{"kind":"count","priority":"high"}`, "/priority", "not served"},
		{`{"kind":"count","timeoutMs":1,"backoff":{}}`, "/backoff /timeoutMs", "not served"},
		{`{"kind":"count","concurrencyKey":"x","parentId":"y","retentionMs":1}`, "/concurrencyKey /parentId /retentionMs", "not served"},
	} {
		var req StartRequest
		p, ok := errors.AsType[*Problem](json.Unmarshal([]byte(c.body), &req))
		if !ok || p.Code != CodeBadRequest || p.Status != 400 || !strings.Contains(p.Detail, c.detail) {
			t.Errorf("%s: got %v, want bad_request with %q", c.body, p, c.detail)
			continue
		}
		var pointers []string
		for _, f := range p.Errors {
			pointers = append(pointers, f.Pointer)
		}
		if got := strings.Join(pointers, " "); got != c.pointers {
			t.Errorf("%s: got pointers %s, want %s", c.body, got, c.pointers)
		}
	}
	var req StartRequest
	body := `{"kind":"count","args":{"n":1},"id":"a-b","maxAttempts":5,"tags":["x"],"subscribe":false,"logs":true,"queue":"default"}`
	if err := json.Unmarshal([]byte(body), &req); err != nil || req.Kind != "count" || string(req.Args) != `{"n":1}` || req.ID != "a-b" ||
		req.MaxAttempts != 5 || len(req.Tags) != 1 || *req.Subscribe || !req.Logs {
		t.Errorf("got %+v, %v", req, err)
	}
}

func TestStartRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := openEngine(t, memory.New(), "n1")
		defer closeEngine(t, e)
		many := make([]string, 17)
		for i := range many {
			many[i] = "t"
		}
		for _, c := range []struct {
			req     StartRequest
			code    string
			pointer string
			detail  string
		}{
			{StartRequest{}, CodeBadRequest, "/kind", "missing"},
			{StartRequest{Kind: "nope"}, CodeBadRequest, "/kind", `there is no kind "nope"; there are: count`},
			{StartRequest{Kind: "count", ID: "a.b"}, CodeBadRequest, "/id", ""},
			{StartRequest{Kind: "count", ID: "*"}, CodeBadRequest, "/id", ""},
			{StartRequest{Kind: "count", ID: ID(strings.Repeat("x", 65))}, CodeBadRequest, "/id", ""},
			{StartRequest{Kind: "count", IdempotencyKey: strings.Repeat("x", 256)}, CodeBadRequest, "/idempotencyKey", "255"},
			{StartRequest{Kind: "count", ID: "a", IdempotencyKey: "b"}, CodeBadRequest, "/idempotencyKey", "together"},
			{StartRequest{Kind: "count", MaxAttempts: 101}, CodeBadRequest, "/maxAttempts", "100"},
			{StartRequest{Kind: "count", MaxAttempts: -1}, CodeBadRequest, "/maxAttempts", "100"},
			{StartRequest{Kind: "count", Tags: many}, CodeBadRequest, "/tags", "16"},
			{StartRequest{Kind: "count", Tags: []string{"a", strings.Repeat("x", 65)}}, CodeBadRequest, "/tags/1", "64"},
			{StartRequest{Kind: "count", Args: json.RawMessage(`"` + strings.Repeat("x", 256<<10) + `"`)}, CodeTooLarge, "/args", "262144"},
			{StartRequest{Kind: "count", Args: json.RawMessage(`{`)}, CodeBadRequest, "/args", "JSON"},
			{StartRequest{Kind: "count", Args: json.RawMessage(`[1]`)}, CodeBadRequest, "/args", "must be an object, not array"},
			{StartRequest{Kind: "count", Args: json.RawMessage(`{"n":"x"}`)}, CodeBadRequest, "/args/n", "must be a whole number, not string"},
			{StartRequest{Kind: "count", Args: json.RawMessage(`{"n":1,"m":2}`)}, CodeBadRequest, "/args", `unknown field "m"`},
			{StartRequest{Kind: "count", Args: json.RawMessage(`{"n":-1}`)}, CodeBadRequest, "/args/n", "negative"},
		} {
			_, _, err := e.Start(t.Context(), c.req)
			p, ok := errors.AsType[*Problem](err)
			if !ok || p.Code != c.code || len(p.Errors) == 0 || p.Errors[0].Pointer != c.pointer || !strings.Contains(p.Detail, c.detail) {
				t.Errorf("%.60v: got %+v, want %s at %s", c.req, p, c.code, c.pointer)
			}
		}
		if page, _ := e.List(ListQuery{}); len(page.Jobs) != 0 {
			t.Errorf("got %d jobs from refused requests", len(page.Jobs))
		}
	})
}

func TestStartIsIdempotent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		e, other := openEngine(t, store, "n1"), openEngine(t, store, "n2")
		defer closeEngine(t, e)
		defer closeEngine(t, other)
		start := func(e *Engine, req StartRequest) (ID, bool, string) {
			job, created, err := e.Start(t.Context(), req)
			if err != nil {
				return "", false, ProblemOf(err).Code
			}
			return job.ID, created, ""
		}
		byKey := StartRequest{Kind: "count", IdempotencyKey: "ключ *.>", Args: json.RawMessage(`{"n": 1, "gap": 5}`)}
		id, created, code := start(e, byKey)
		if !created || !id.Valid() {
			t.Fatalf("got %s, %t, %s", id, created, code)
		}
		story(t, e, id)
		byKey.Args = json.RawMessage(`{"gap":5,"n":1}`) // the same, said in another way
		if again, created, code := start(other, byKey); again != id || created {
			t.Errorf("the same again: got %s, %t, %s, want %s", again, created, code, id)
		}
		byKey.Args = json.RawMessage(`{"n":2}`)
		if _, _, code := start(e, byKey); code != CodeIdempotencyMismatch {
			t.Errorf("other args: got %q, want idempotency_mismatch", code)
		}
		byKey.IdempotencyKey = "another"
		if another, created, _ := start(e, byKey); another == id || !created {
			t.Errorf("another key: got %s, %t", another, created)
		}
		byID := StartRequest{Kind: "count", ID: "mine"}
		if id, created, code := start(e, byID); id != "mine" || !created {
			t.Errorf("an id: got %s, %t, %s", id, created, code)
		}
		if id, created, code := start(other, byID); id != "mine" || created {
			t.Errorf("an id again: got %s, %t, %s", id, created, code)
		}
		byID.Args = json.RawMessage(`{"n":2}`)
		if _, _, code := start(e, byID); code != CodeConflict {
			t.Errorf("an id with other args: got %q, want conflict", code)
		}
		if got := ProblemOf(byKey.Mismatch()).Status; got != 422 {
			t.Errorf("idempotency_mismatch: got status %d, want 422", got)
		}
	})
}

func TestConcurrentStartsMakeOneJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		engines := []*Engine{openEngine(t, store, "n1"), openEngine(t, store, "n2")}
		var created, same, refused atomic.Int32
		var group sync.WaitGroup
		for i := range 60 {
			group.Go(func() {
				args := countArgs{N: 1}
				if i%3 == 0 {
					args.N = 2 // a request that does not fit the others
				}
				_, isNew, err := engines[i%2].Start(t.Context(), StartRequest{Kind: "count", IdempotencyKey: "k", Args: encode(args)})
				switch {
				case err != nil && ProblemOf(err).Code == CodeIdempotencyMismatch:
					refused.Add(1)
				case err != nil:
					t.Error(err)
				case isNew:
					created.Add(1)
				default:
					same.Add(1)
				}
			})
		}
		group.Wait()
		n := refused.Load()
		if created.Load() != 1 || n != 20 && n != 40 || n+same.Load() != 59 {
			t.Errorf("got %d created, %d the same, %d refused", created.Load(), same.Load(), n)
		}
		page, _ := engines[0].List(ListQuery{})
		if len(page.Jobs) != 1 {
			t.Fatalf("got %d jobs", len(page.Jobs))
		}
		end := last(story(t, engines[1], page.Jobs[0].ID))
		if want := map[int32]string{20: `{"counted":1}`, 40: `{"counted":2}`}[n]; string(end.Job.Result) != want {
			t.Errorf("the job ran with the arguments of a refused request: got %s, want %s", end.Job.Result, want)
		}
		closeEngine(t, engines[0])
		closeEngine(t, engines[1])
	})
}

func TestStartOutlivesItsClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := openEngine(t, &slowStore{Store: memory.New(), delay: time.Second}, "n1")
		defer closeEngine(t, e)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		job, created, err := e.Start(ctx, StartRequest{Kind: "count"})
		if err != nil || !created {
			t.Fatalf("got %t, %v", created, err)
		}
		if end := last(story(t, e, job.ID)); end.Job.State != Completed {
			t.Errorf("got %s", end.Job.State)
		}
	})
}

func TestKinds(t *testing.T) {
	for _, name := range []string{"", "A", "1a", "a b", "a*", strings.Repeat("a", 65)} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("NewKind(%q) did not panic", name)
				}
			}()
			NewKind[int, int](name)
		}()
	}
	synctest.Test(t, func(t *testing.T) {
		b, a := NewKind[struct{}, string]("b.x"), NewKind[struct{}, func()]("a:y")
		e := openEngine(t, memory.New(), "n1",
			b.Worker(nil, func(context.Context, *Run, struct{}) (string, error) { return strings.Repeat("x", 300<<10), nil }),
			a.Worker(nil, func(context.Context, *Run, struct{}) (func(), error) { return func() {}, nil }))
		defer closeEngine(t, e)
		if got := strings.Join(e.kindNames(), " "); got != "a:y b.x" || b.Name() != "b.x" {
			t.Errorf("got %s", got)
		}
		for _, kind := range e.kindNames() {
			job, _, err := e.Start(t.Context(), StartRequest{Kind: kind})
			if err != nil {
				t.Fatal(err)
			}
			if why := last(story(t, e, job.ID)).Job.Error; why == nil || why.Type != "bad_result" {
				t.Errorf("%s: got %+v, want bad_result", kind, why)
			}
		}
		files := e.files
		if _, err := Open(t.Context(), Config{Store: memory.New(), Files: files, Workers: []Worker{b.Worker(nil, nil), b.Worker(nil, nil)}}); err == nil {
			t.Error("two workers of one kind: got no error")
		}
	})
}
