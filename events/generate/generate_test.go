package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	_ "jobcast/events" // so that a change there runs these tests again
)

// lib spares each test to read the standard library again.
var lib = newLibrary()

var update = flag.Bool("update", false, "write the files of testdata anew")

// What is made from package events is what is in the tree.
func TestFilesAreFresh(t *testing.T) {
	root, files, err := generate(lib, "jobcast/events")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		old, err := os.ReadFile(filepath.Join(root, f.name))
		if err != nil {
			t.Error(err)
			continue
		}
		if f.marker != "" && !bytes.Contains(old, []byte(f.marker)) {
			t.Errorf("%s has lost the line %q", f.name, f.marker)
		}
		if where, ok := differ(old, f.content(old)); ok {
			t.Errorf("%s is stale: run go generate ./events\n%s", f.name, where)
		}
	}
}

// differ shows the first line in which two texts differ.
func differ(got, want []byte) (string, bool) {
	g, w := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range max(len(g), len(w)) {
		var a, b string
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b || i >= len(g) || i >= len(w) {
			return "line " + strconv.Itoa(i+1) + ":\ngot  " + a + "\nwant " + b, true
		}
	}
	return "", false
}

// Each thing that a payload can be made of, in all three languages.
func TestEverything(t *testing.T) {
	_, files, err := generate(lib, "./testdata/fixture")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		golden := filepath.Join("testdata", "fixture", filepath.Base(f.name))
		if *update {
			if err := os.WriteFile(golden, f.made, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if where, ok := differ(f.made, want); ok {
			t.Errorf("%s: %s", golden, where)
		}
	}
}

// What a catalogue must not say is refused where it is said.
func TestRefused(t *testing.T) {
	for name, c := range map[string]struct{ body, want string }{
		"event in no namespace": {`var A = socketio.NewEvent[int]("a")`, "a.go:11:5: A is in no Namespace"},
		"no names of fields":    {`var N = Namespace{"/", nil, nil, nil}`, "N needs a Path"},
		"not written out":       {"func f() Namespace { return Namespace{} }\nvar N = f()", "N must be written out as Namespace{…}"},
		"list not written out":  {"var l []Message\nvar N = Namespace{Path: \"/\", Server: l}", "Server must be written out as a list"},
		"no path":               {`var N = Namespace{}`, "N needs a Path that begins with a slash"},
		"one path twice":        {"var N = Namespace{Path: \"/a\"}\nvar M = Namespace{Path: \"/a\"}", "two namespaces have the path /a"},
		"said twice":            {"var A, B = socketio.NewEvent[int](\"a\"), socketio.NewEvent[int](\"a\")\nvar N = Namespace{Path: \"/\", Client: []Message{A, B}}", "Client says a twice"},
		"not a variable":        {`var N = Namespace{Path: "/", Client: []Message{socketio.NewEvent[int]("a")}}`, "Client lists variables of this package"},
		"not an event":          {"var A Message\nvar N = Namespace{Path: \"/\", Client: []Message{A}}", "only what NewEvent or NewCall"},
		"name not constant":     {"var s = \"a\"\nvar A = socketio.NewEvent[int](s)\nvar N = Namespace{Path: \"/\", Client: []Message{A}}", "only what NewEvent or NewCall"},
		"no JSON":               {"var A = socketio.NewEvent[chan int](\"a\")\nvar N = Namespace{Path: \"/\", Client: []Message{A}}", "JSON cannot say chan int"},
		"one name for two types": {"type JobState int\nvar A, B = socketio.NewEvent[JobState](\"a\"), socketio.NewEvent[jobs.State](\"b\")\nvar N = Namespace{Path: \"/\", Client: []Message{A, B}}",
			"would both be called JobState"},
		"bytes to connect with": {"var N = Namespace{Path: \"/\", Auth: []byte{}}", "credentials are JSON alone"},
		"does not compile":      {`var A int = "a"`, "a.go:11:13: cannot use"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join("testdata", strings.ReplaceAll(name, " ", "_"))
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(dir) })
			source := "package a\n\nimport (\n\t\"jobcast/jobs\"\n\t\"jobcast/socketio\"\n)\n\ntype Message interface{ Name() string }\n" +
				"type Namespace struct { Path string; Client, Server []Message; Auth any }\ntype Refusal struct{}\n" + c.body +
				"\nvar _ jobs.ID\nvar _ socketio.Args\n"
			if err := os.WriteFile(filepath.Join(dir, "a.go"), []byte(source), 0o644); err != nil {
				t.Fatal(err)
			}
			_, _, err := generate(lib, "./"+dir)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

// A page reads its own words: names of events, of fields and of types.
func TestWords(t *testing.T) {
	w := words{"JobStart": "`job:start`", "After": "`after`", "LastSeq": "`lastSeq`", "nil": "missing"}
	for text, want := range map[string]string{
		"Event is a line":              "JobEvent is a line",
		"Events are lines":             "Events are lines",
		"Event":                        "JobEvent",
		"After that, JobStart":         "After that, `job:start`",
		"After is a number. After all": "`after` is a number. After all",
		"begins after After":           "begins after `after`",
		"LastSeq+1; nil means none":    "`lastSeq`+1; missing means none",
		"":                             "",
	} {
		if got := w.in(text, "Event", "JobEvent"); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
