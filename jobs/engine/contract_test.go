package engine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"jobcast/jobs"
	"jobcast/jobs/engine"
	"jobcast/jobs/files"
	"jobcast/jobs/memory"
)

// contract compiles the parts of the contract by name.
func contract(t *testing.T) func(def string, v any) error {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	path, err := filepath.Abs("../../contract/jobs.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	compiled := make(map[string]*jsonschema.Schema)
	return func(def string, v any) error {
		if compiled[def] == nil {
			schema, err := c.Compile(path + "#/$defs/" + def)
			if err != nil {
				t.Fatal(err)
			}
			compiled[def] = schema
		}
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		return compiled[def].Validate(value)
	}
}

func TestContractFitsItsExamples(t *testing.T) {
	check := contract(t)
	raw, err := os.ReadFile("../../contract/examples.json")
	if err != nil {
		t.Fatal(err)
	}
	var examples map[string][]json.RawMessage
	if err := json.Unmarshal(raw, &examples); err != nil {
		t.Fatal(err)
	}
	for def, values := range examples {
		for i, value := range values {
			if def == "INVALID" {
				var pair []json.RawMessage
				var name string
				if err := errors.Join(json.Unmarshal(value, &pair), json.Unmarshal(pair[0], &name)); err != nil {
					t.Fatal(err)
				}
				if check(name, pair[1]) == nil {
					t.Errorf("%s %s: got no error", name, pair[1])
				}
				continue
			}
			if err := check(def, value); err != nil {
				t.Errorf("%s %d: %v", def, i, err)
			}
			// What Go makes of it is an example too.
			typ := goTypes[def]
			if typ == nil || len(notServed[def]) > 0 && def != "Job" {
				continue
			}
			read := reflect.New(typ).Interface()
			if err := json.Unmarshal(value, read); err != nil {
				t.Errorf("%s %d: %v", def, i, err)
			}
			if req, ok := read.(request); ok && req.Check() != nil {
				t.Errorf("%s %d: %v", def, i, req.Check())
			}
			if err := check(def, read); err != nil {
				t.Errorf("%s %d, read and written again: %v", def, i, err)
			}
		}
	}
	for def := range goTypes {
		if examples[def] == nil && (strings.HasSuffix(def, "Request") || strings.HasSuffix(def, "Ack")) {
			t.Errorf("%s has no example", def)
		}
	}
}

// TestEngineKeepsTheContract holds all that the engine says against the schema, for jobs that end in
// every way.
func TestEngineKeepsTheContract(t *testing.T) {
	check := contract(t)
	synctest.Test(t, func(t *testing.T) {
		type args struct {
			End string `json:"end" jsonschema:"title=End,enum=,enum=fail,enum=panic,enum=wait"`
		}
		kind := jobs.NewKind[args, []string]("act")
		worker := kind.Worker(nil, func(ctx context.Context, r *jobs.Run, a args) ([]string, error) {
			r.Progress(0, 0, "", "")
			r.Step(1, 2, "Read")
			for i := range 20 {
				r.Progress(float64(i), 20, "file", "reading")
				r.Log(slog.LevelWarn, "slow", slog.Int("i", i), slog.Any("err", errors.New("x")))
				time.Sleep(400 * time.Millisecond)
			}
			r.Step(2, 2, "Write")
			w, err := r.Create("out.txt", "")
			if err != nil {
				return nil, err
			}
			if err := w.Close(); err != nil {
				return nil, err
			}
			switch a.End {
			case "fail":
				return nil, &jobs.Error{Type: "IOError", Message: "disk full", Code: "ENOSPC"}
			case "panic":
				panic(errors.New("boom"))
			case "wait":
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return []string{"a"}, nil
		})
		files, err := files.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer files.Close()
		cfg := engine.Config{Store: memory.New(), Files: files, Workers: []jobs.Worker{worker}, Node: "n1", Logger: slog.New(slog.DiscardHandler)}
		e, err := engine.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		valid := func(def string, v any) {
			t.Helper()
			if err := check(def, v); err != nil {
				raw, _ := json.Marshal(v)
				t.Errorf("%s %s: %v", def, raw, err)
			}
		}
		var ids []jobs.ID
		for _, end := range []string{"", "fail", "panic", "wait"} {
			raw, _ := json.Marshal(args{end})
			job, created, err := e.Start(t.Context(), jobs.StartRequest{Kind: "act", Args: raw, Tags: []string{"user:42"}})
			if err != nil {
				t.Fatal(err)
			}
			valid("StartAck", map[string]any{"ok": true, "job": job, "created": created})
			ids = append(ids, job.ID)
		}
		changes := e.Watch(t.Context(), time.Second)
		time.Sleep(5 * time.Second)
		e.Close(t.Context()) // each job has an event that hands it back
		if e, err = engine.Open(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		defer e.Close(t.Context())
		for c, err := range changes {
			if err == nil {
				valid("JobsChanged", c)
			}
		}
		time.Sleep(10 * time.Second)
		outcome, job, err := e.Cancel(t.Context(), jobs.CancelRequest{ID: ids[3], Reason: "enough"})
		if err != nil {
			t.Fatal(err)
		}
		valid("CancelAck", map[string]any{"ok": true, "outcome": outcome, "job": job})
		seen := make(map[jobs.EventType]bool)
		for _, id := range ids {
			for rec, err := range e.Follow(t.Context(), id, 0) {
				if err != nil {
					t.Fatal(err)
				}
				seen[rec.Event.Type] = true
				valid("Event", rec.Event)
				valid("Job", rec.Job)
				if raw, _ := json.Marshal(rec.Event); len(raw) > 16<<10 {
					t.Errorf("%s: got an event of %d bytes, want at most 16 KiB", rec.Event.Type, len(raw))
				}
			}
			events, more, err := e.History(t.Context(), id, 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			job, err := e.Get(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			valid("SubscribeAck", map[string]any{
				"ok": true, "job": job, "events": events, "lastSeq": events[len(events)-1].Seq, "recovered": true, "hasMore": more, "done": true,
			})
			log, err := e.Logs(t.Context(), id, jobs.LogQuery{})
			if err != nil || len(log.Lines) == 0 {
				t.Errorf("got %d lines, %v", len(log.Lines), err)
			}
			valid("LogChunk", log)
			for c := range e.FollowLogs(t.Context(), id, 0) {
				valid("LogChunk", c)
			}
		}
		for _, typ := range []jobs.EventType{
			jobs.EventQueued, jobs.EventStarted, jobs.EventProgress, jobs.EventStep, jobs.EventCancelling,
			jobs.EventCompleted, jobs.EventFailed, jobs.EventCancelled,
		} {
			if !seen[typ] {
				t.Errorf("no %s was seen", typ)
			}
		}
		_, err = e.Get(t.Context(), "none")
		valid("ErrorAck", map[string]any{"ok": false, "error": jobs.ProblemOf(err)})
		_, _, err = e.Start(t.Context(), jobs.StartRequest{Kind: "none", MaxAttempts: 1000})
		valid("ErrorAck", map[string]any{"ok": false, "error": jobs.ProblemOf(err)})
		for _, kind := range e.Kinds() {
			valid("Kind", kind)
		}
	})
}
