package workers

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"jobcast/jobs"
	"jobcast/jobs/engine"
	"jobcast/jobs/files"
	"jobcast/jobs/memory"
	"jobcast/workers/csv"
)

// testServer runs this package's jobs on a store in memory, with one root.
type testServer struct {
	*engine.Engine
	files *files.Dir
	root  string
}

func newTestServer(t *testing.T, tree map[string]string) testServer {
	t.Helper()
	root := makeTree(t, tree)
	f, err := files.Open(t.TempDir())
	must(t, err)
	engine, err := engine.Open(t.Context(), engine.Config{
		Store: memory.New(), Files: f, Workers: All(Config{Roots: []string{root}}), Logger: slog.New(slog.DiscardHandler),
	})
	must(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := engine.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
		f.Close()
	})
	return testServer{engine, f, root}
}

// run runs a job to its end. The error is that of its start.
func (s testServer) run(t *testing.T, kind, args string) (jobs.Job, error) {
	t.Helper()
	job, _, err := s.Start(t.Context(), jobs.StartRequest{Kind: kind, Args: json.RawMessage(args)})
	if err != nil {
		return job, err
	}
	for rec, err := range s.Follow(t.Context(), job.ID, 0) {
		must(t, err)
		job = rec.Job
	}
	return job, nil
}

func (s testServer) artifact(t *testing.T, job jobs.Job, name string) string {
	t.Helper()
	f, err := s.files.OpenArtifact(job.ID, name)
	must(t, err)
	defer f.Close()
	b, err := io.ReadAll(f)
	must(t, err)
	return string(b)
}

const people = "name,age,joined\nAda,36,1842-10-01\nAlan,41,1936-05-28\nGrace,,1944-07-02\nbroken,row\n"

func TestCSVProfileOfAPathAndOfAnUpload(t *testing.T) {
	s := newTestServer(t, map[string]string{"data/people.csv": people})
	upload, _, err := s.files.SaveUpload("people.csv", strings.NewReader(people), 1<<20)
	must(t, err)
	mean := 38.5
	want := csv.Result{
		Rows: 4, Bytes: int64(len(people)), Encoding: "UTF-8", Delimiter: ",", Quote: `"`, HeaderLine: 1,
		Columns: []csv.Column{
			{Name: "name", Type: csv.TypeString, Distinct: 3, Min: json.RawMessage(`"Ada"`), Max: json.RawMessage(`"Grace"`)},
			{Name: "age", Type: csv.TypeInteger, Empty: 1, Distinct: 2, Min: json.RawMessage("36"), Max: json.RawMessage("41"), Mean: &mean},
			{Name: "joined", Type: csv.TypeDate, Distinct: 3, Min: json.RawMessage(`"1842-10-01"`), Max: json.RawMessage(`"1944-07-02"`)},
		},
		MisfitCount: 1,
		Misfits:     []csv.Misfit{{Line: 5, Reason: "has 2 fields, where the header has 3"}},
		Remarks:     []csv.Remark{},
	}
	for _, args := range []string{`{"path":"data/people.csv"}`, `{"path":"` + s.root + `/data/people.csv"}`, `{"upload":"` + upload + `"}`} {
		job, err := s.run(t, "csv.profile", args)
		if err != nil || job.State != jobs.Completed {
			t.Fatalf("%s: got %s, %v, %v", args, job.State, job.Error, err)
		}
		var got, full csv.Result
		must(t, json.Unmarshal(job.Result, &got))
		must(t, json.Unmarshal([]byte(s.artifact(t, job, "profile.json")), &full))
		if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(full, want) {
			t.Errorf("%s:\ngot  %+v\nand  %+v\nwant %+v", args, got, full, want)
		}
		if p := job.Progress; p == nil || p.Done != float64(len(people)) || p.Unit != "byte" || p.Percent == nil {
			t.Errorf("%s: got progress %+v, want all bytes", args, p)
		}
		logs, err := s.Logs(t.Context(), job.ID, jobs.LogQuery{})
		must(t, err)
		if len(logs.Lines) != 1 || !strings.Contains(logs.Lines[0].Text, "Line 5 has 2 fields") {
			t.Errorf("%s: got log %+v", args, logs.Lines)
		}
	}
}

func TestCSVProfileRefusesArguments(t *testing.T) {
	s := newTestServer(t, map[string]string{"people.csv": people, "dir/x": ""})
	token := strings.Repeat("A", 26)
	for _, tt := range []struct{ args, pointer, want string }{
		{`{}`, "", "upload"},
		{`{"upload":"","path":""}`, "", "path"},
		{`{"upload":"` + token + `-people.csv","path":"people.csv"}`, "", "either upload"},
		{`{"path":"nothing.csv"}`, "/args/path", "There is nothing at"},
		{`{"path":"dir"}`, "/args/path", "not a regular file"},
		{`{"path":"../people.csv"}`, "/args/path", "outside"},
		{`{"path":"/etc/passwd"}`, "/args/path", "outside"},
		{`{"upload":"people.csv"}`, "/args/upload", "is not the name of an upload"},
		{`{"upload":"../` + token + `-people.csv"}`, "/args/upload", "is not the name of an upload"},
		{`{"upload":"` + token + `-"}`, "/args/upload", "is not the name of an upload"},
		{`{"upload":"` + strings.Repeat("0", 26) + `-people.csv"}`, "/args/upload", "is not the name of an upload"},
		{`{"upload":"` + token + `A-people.csv"}`, "/args/upload", "is not the name of an upload"},
		{`{"upload":"` + token + `-a/people.csv"}`, "/args/upload", "is not the name of an upload"},
		{`{"upload":"` + token + `-people\u0007.csv"}`, "/args/upload", "is not the name of an upload"},
		{`{"upload":"` + token + `-.."}`, "/args/upload", "is not the name of an upload"},
		{`{"upload":"` + token + `-` + strings.Repeat("x", 300) + `"}`, "/args/upload", "is not the name of an upload"},
	} {
		job, err := s.run(t, "csv.profile", tt.args)
		p, ok := errors.AsType[*jobs.Problem](err)
		if !ok || p.Code != jobs.CodeBadRequest || !strings.Contains(p.Detail, tt.want) {
			t.Errorf("%s: got %v, %v, want bad_request with %q", tt.args, job.State, err, tt.want)
			continue
		}
		if tt.pointer == "" && len(p.Errors) > 0 || tt.pointer != "" && (len(p.Errors) != 1 || p.Errors[0].Pointer != tt.pointer) {
			t.Errorf("%s: got %+v, want the pointer %q", tt.args, p.Errors, tt.pointer)
		}
	}
}

func TestCSVProfileFails(t *testing.T) {
	s := newTestServer(t, map[string]string{"image.csv": "\x89PNG\r\n\x1a\n", "empty.csv": ""})
	for _, tt := range []struct{ args, typ, want string }{
		{`{"path":"image.csv"}`, "NotCSV", "a PNG image"},
		{`{"path":"empty.csv"}`, "NotCSV", "it is empty"},
		{`{"upload":"` + strings.Repeat("A", 26) + `-people.csv"}`, "BadUpload", "there is no such upload"},
	} {
		job, err := s.run(t, "csv.profile", tt.args)
		if err != nil || job.State != jobs.Failed || job.Error == nil || job.Error.Type != tt.typ || !strings.Contains(job.Error.Message, tt.want) {
			t.Errorf("%s: got %s, %+v, %v, want %s with %q", tt.args, job.State, job.Error, err, tt.typ, tt.want)
		}
	}
}

func TestChecksumLeavesItsArtifact(t *testing.T) {
	s := newTestServer(t, map[string]string{"a/b": "text", "a/c": ""})
	job, err := s.run(t, "checksum", `{"path":"a"}`)
	if err != nil || job.State != jobs.Completed || string(job.Result) != `{"files":2,"bytes":4,"failed":0}` {
		t.Fatalf("got %s, %s, %+v, %v", job.State, job.Result, job.Error, err)
	}
	_, want, err := sumPath(t.Context(), &recorder{}, s.root, "a")
	must(t, err)
	if got := s.artifact(t, job, "SHA256SUMS"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, err := s.run(t, "checksum", `{"path":"nothing"}`); err == nil {
		t.Error("a path with nothing at it was not refused")
	}
}

func TestProfileFileEndsAtTheBytesItRead(t *testing.T) {
	rec := &recorder{}
	res, err := profileFile(t.Context(), rec, strings.NewReader("a,b\n1,2\n"), 1000)
	if err != nil || res.Rows != 1 || rec.last != [2]float64{8, 8} || rec.unit != "byte" {
		t.Errorf("a file that shrank: got %+v, %v and progress %v %s", res, err, rec.last, rec.unit)
	}
}
