package engine

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

	"jobcast/jobs"
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
	} {
		var req jobs.StartRequest
		p, ok := errors.AsType[*jobs.Problem](json.Unmarshal([]byte(c.body), &req))
		if !ok || p.Code != jobs.CodeBadRequest || p.Status != 400 || !strings.Contains(p.Detail, c.detail) {
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
	var req jobs.StartRequest
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
			req     jobs.StartRequest
			code    string
			pointer string
			detail  string
		}{
			{jobs.StartRequest{}, jobs.CodeBadRequest, "/kind", "missing"},
			{jobs.StartRequest{Kind: "nope"}, jobs.CodeBadRequest, "/kind", `there is no kind "nope"; there are: count`},
			{jobs.StartRequest{Kind: "count", ID: "a.b"}, jobs.CodeBadRequest, "/id", ""},
			{jobs.StartRequest{Kind: "count", ID: "*"}, jobs.CodeBadRequest, "/id", ""},
			{jobs.StartRequest{Kind: "count", ID: jobs.ID(strings.Repeat("x", 65))}, jobs.CodeBadRequest, "/id", ""},
			{jobs.StartRequest{Kind: "count", IdempotencyKey: strings.Repeat("x", 256)}, jobs.CodeBadRequest, "/idempotencyKey", "255"},
			{jobs.StartRequest{Kind: "count", ID: "a", IdempotencyKey: "b"}, jobs.CodeBadRequest, "/idempotencyKey", "together"},
			{jobs.StartRequest{Kind: "count", MaxAttempts: 101}, jobs.CodeBadRequest, "/maxAttempts", "100"},
			{jobs.StartRequest{Kind: "count", MaxAttempts: -1}, jobs.CodeBadRequest, "/maxAttempts", "100"},
			{jobs.StartRequest{Kind: "count", Tags: many}, jobs.CodeBadRequest, "/tags", "16"},
			{jobs.StartRequest{Kind: "count", Tags: []string{"a", strings.Repeat("x", 65)}}, jobs.CodeBadRequest, "/tags/1", "64"},
			{jobs.StartRequest{Kind: "count", Args: json.RawMessage(`"` + strings.Repeat("x", 256<<10) + `"`)}, jobs.CodeTooLarge, "/args", "262144"},
			{jobs.StartRequest{Kind: "count", Args: json.RawMessage(`{`)}, jobs.CodeBadRequest, "/args", "JSON"},
			{jobs.StartRequest{Kind: "count", Args: json.RawMessage(`[1]`)}, jobs.CodeBadRequest, "/args", "must be an object, not array"},
			{jobs.StartRequest{Kind: "count", Args: json.RawMessage(`{"n":"x"}`)}, jobs.CodeBadRequest, "/args/n", "must be a whole number, not string"},
			{jobs.StartRequest{Kind: "count", Args: json.RawMessage(`{"n":1,"m":2}`)}, jobs.CodeBadRequest, "/args", `unknown field "m"`},
			{jobs.StartRequest{Kind: "count", Args: json.RawMessage(`{"n":-1}`)}, jobs.CodeBadRequest, "/args/n", "negative"},
		} {
			_, _, err := e.Start(t.Context(), c.req)
			p, ok := errors.AsType[*jobs.Problem](err)
			if !ok || p.Code != c.code || len(p.Errors) == 0 || p.Errors[0].Pointer != c.pointer || !strings.Contains(p.Detail, c.detail) {
				t.Errorf("%.60v: got %+v, want %s at %s", c.req, p, c.code, c.pointer)
			}
		}
		if page, _ := e.List(jobs.ListQuery{}); len(page.Jobs) != 0 {
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
		start := func(e *Engine, req jobs.StartRequest) (jobs.ID, bool, string) {
			job, created, err := e.Start(t.Context(), req)
			if err != nil {
				return "", false, jobs.ProblemOf(err).Code
			}
			return job.ID, created, ""
		}
		byKey := jobs.StartRequest{Kind: "count", IdempotencyKey: "ключ *.>", Args: json.RawMessage(`{"n": 1, "gap": 5}`)}
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
		if _, _, code := start(e, byKey); code != jobs.CodeIdempotencyMismatch {
			t.Errorf("other args: got %q, want idempotency_mismatch", code)
		}
		byKey.IdempotencyKey = "another"
		if another, created, _ := start(e, byKey); another == id || !created {
			t.Errorf("another key: got %s, %t", another, created)
		}
		byID := jobs.StartRequest{Kind: "count", ID: "mine"}
		if id, created, code := start(e, byID); id != "mine" || !created {
			t.Errorf("an id: got %s, %t, %s", id, created, code)
		}
		if id, created, code := start(other, byID); id != "mine" || created {
			t.Errorf("an id again: got %s, %t, %s", id, created, code)
		}
		byID.Args = json.RawMessage(`{"n":2}`)
		if _, _, code := start(e, byID); code != jobs.CodeConflict {
			t.Errorf("an id with other args: got %q, want conflict", code)
		}
		if got := jobs.ProblemOf(mismatch(&byKey)).Status; got != 422 {
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
				_, isNew, err := engines[i%2].Start(t.Context(), jobs.StartRequest{Kind: "count", IdempotencyKey: "k", Args: encode(args)})
				switch {
				case err != nil && jobs.ProblemOf(err).Code == jobs.CodeIdempotencyMismatch:
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
		page, _ := engines[0].List(jobs.ListQuery{})
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
		job, created, err := e.Start(ctx, jobs.StartRequest{Kind: "count"})
		if err != nil || !created {
			t.Fatalf("got %t, %v", created, err)
		}
		if end := last(story(t, e, job.ID)); end.Job.State != jobs.Completed {
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
			jobs.NewKind[int, int](name)
		}()
	}
	synctest.Test(t, func(t *testing.T) {
		b, a := jobs.NewKind[struct{}, string]("b.x"), jobs.NewKind[struct{}, func()]("a:y")
		e := openEngine(t, memory.New(), "n1",
			b.Worker(nil, func(context.Context, *jobs.Run, struct{}) (string, error) { return strings.Repeat("x", 300<<10), nil }),
			a.Worker(nil, func(context.Context, *jobs.Run, struct{}) (func(), error) { return func() {}, nil }))
		defer closeEngine(t, e)
		if got := strings.Join(e.kindNames(), " "); got != "a:y b.x" || b.Name() != "b.x" {
			t.Errorf("got %s", got)
		}
		for _, kind := range e.kindNames() {
			job, _, err := e.Start(t.Context(), jobs.StartRequest{Kind: kind})
			if err != nil {
				t.Fatal(err)
			}
			if why := last(story(t, e, job.ID)).Job.Error; why == nil || why.Type != "bad_result" {
				t.Errorf("%s: got %+v, want bad_result", kind, why)
			}
		}
		files := e.files
		if _, err := Open(t.Context(), Config{Store: memory.New(), Files: files, Workers: []jobs.Worker{b.Worker(nil, nil), b.Worker(nil, nil)}}); err == nil {
			t.Error("two workers of one kind: got no error")
		}
	})
}
