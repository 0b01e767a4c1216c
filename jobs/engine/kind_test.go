package engine

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"

	"jobcast/jobs"
	"jobcast/jobs/memory"
)

type readArgs struct {
	Path string `json:"path" jsonschema:"title=File,format=path,required"`
}

var readKind = jobs.NewKind[readArgs, int]("read").Described(jobs.About[readArgs]{
	Title:    "Read",
	Sentence: "Reads a file",
	JobTitle: func(args readArgs) string { return strings.TrimSpace("Read of " + args.Path) },
})

func TestAKindSaysWhatItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plain := jobs.NewKind[struct{}, int]("plain")
		nothing := func(context.Context, *jobs.Run, struct{}) (int, error) { return 0, nil }
		e := openEngine(t, memory.New(), "n1", readKind.Worker(nil, nil), plain.Worker(nil, nothing))
		defer closeEngine(t, e)
		kinds := e.Kinds()
		if len(kinds) != 2 || kinds[0].Name != "plain" || kinds[0].Title != "plain" || kinds[0].Sentence != "" || !json.Valid(kinds[0].Args) {
			t.Fatalf("got %+v", kinds)
		}
		read := kinds[1]
		if read.Name != "read" || read.Title != "Read" || read.Sentence != "Reads a file" || !strings.Contains(string(read.Args), `"format":"path"`) {
			t.Errorf("got %+v", read)
		}
		_, _, err := e.Start(t.Context(), jobs.StartRequest{Kind: "read", Args: json.RawMessage(`{}`)})
		if p := jobs.ProblemOf(err); p == nil || p.Code != jobs.CodeBadRequest || p.Errors[0].Pointer != "/args/path" || !strings.HasPrefix(p.Detail, "args/path ") {
			t.Errorf("a required argument is missing: got %v", err)
		}
	})
}

func TestAJobHasATitle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		plain := jobs.NewKind[struct{}, int]("plain")
		workers := []jobs.Worker{
			readKind.Worker(nil, func(context.Context, *jobs.Run, readArgs) (int, error) { return 1, nil }),
			plain.Worker(nil, func(context.Context, *jobs.Run, struct{}) (int, error) { return 1, nil }),
		}
		e := openEngine(t, store, "n1", workers...)
		want := map[jobs.ID]string{}
		for id, c := range map[jobs.ID]struct{ kind, args, title, want string }{
			"a": {"read", `{"path":"a.csv"}`, "", "Read of a.csv"},
			"b": {"read", `{"path":"a.csv"}`, "Orders of May", "Orders of May"},
			"c": {"plain", `{}`, "", "plain"},
			"d": {"read", `{"path":"a\nb` + strings.Repeat("ü", 300) + `"}`, "", "Read of a b" + strings.Repeat("ü", 189)},
		} {
			job, _, err := e.Start(t.Context(), jobs.StartRequest{ID: id, Kind: c.kind, Args: json.RawMessage(c.args), Title: c.title})
			if err != nil || job.Title != c.want {
				t.Errorf("%s: got title %q, %v, want %q", id, job.Title, err, c.want)
			}
			want[id] = c.want
		}
		job, created, err := e.Start(t.Context(), jobs.StartRequest{ID: "a", Kind: "read", Args: json.RawMessage(`{"path":"a.csv"}`), Title: "Another"})
		if err != nil || created || job.Title != "Read of a.csv" {
			t.Errorf("the same id again: got %q, created %t, %v", job.Title, created, err)
		}
		for id := range want {
			if end := last(story(t, e, id)); end.Job.State != jobs.Completed || end.Job.Title != want[id] {
				t.Errorf("%s: got %s, %q at its end", id, end.Job.State, end.Job.Title)
			}
		}
		closeEngine(t, e)
		e = openEngine(t, store, "n2", workers...)
		defer closeEngine(t, e)
		page, err := e.List(jobs.ListQuery{})
		if err != nil || len(page.Jobs) != len(want) {
			t.Fatalf("got %d jobs, %v", len(page.Jobs), err)
		}
		for _, job := range page.Jobs {
			if job.Title != want[job.ID] {
				t.Errorf("%s: got %q in the list after a restart", job.ID, job.Title)
			}
		}
		for _, title := range []string{strings.Repeat("x", 201), " x", "x\ny", "\x00", "\xff"} {
			_, _, err := e.Start(t.Context(), jobs.StartRequest{Kind: "plain", Title: title})
			if p := jobs.ProblemOf(err); p == nil || p.Errors[0].Pointer != "/title" {
				t.Errorf("title %.20q: got %v, want it refused", title, err)
			}
		}
		var req jobs.StartRequest
		if p := jobs.ProblemOf(json.Unmarshal([]byte(`{"kind":"plain","title":""}`), &req)); p == nil || p.Errors[0].Pointer != "/title" {
			t.Errorf("an empty title: got %v", p)
		}
	})
}
