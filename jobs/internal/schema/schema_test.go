package schema

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

type part struct {
	Size int8 `json:"size" jsonschema:"minimum=1,maximum=9"`
}

type args struct {
	Path  string          `json:"path" jsonschema:"title=Directory,format=path,default=.,example=src,required,minLength=2" jsonschema_description:"A directory, or a file."`
	Mode  string          `json:"mode,omitempty" jsonschema:"enum=fast,enum=safe"`
	Level *int            `json:"level,omitempty" jsonschema:"minimum=-1,maximum=9007199254740993"`
	At    time.Time       `json:"at,omitzero"`
	Any   json.RawMessage `json:"any,omitempty"`
	Parts []part          `json:"parts,omitempty" jsonschema:"maxItems=2"`
	Code  string          `json:"code,omitempty" jsonschema:"pattern=^[a-z]+$,maxLength=3"`
	File  string          `json:"file,omitempty" jsonschema:"format=upload" jsonschema_extras:"accept=.csv,accept=text/csv"`
}

type tree struct {
	Kids []*tree
	Name string `jsonschema:"maxLength=3"`
}

func of[T any](t *testing.T) *Schema {
	t.Helper()
	s, err := Of(reflect.TypeFor[T]())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestASchemaIsMadeOfATypeAndItsTags(t *testing.T) {
	s := of[args](t)
	var got struct {
		Type                 string
		AdditionalProperties *bool
		Required             []string
		Properties           map[string]any
	}
	if err := json.Unmarshal(s.JSON(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Type != "object" || got.AdditionalProperties == nil || *got.AdditionalProperties || len(got.Properties) != 7+1 {
		t.Errorf("got %s", s.JSON())
	}
	if !reflect.DeepEqual(got.Required, []string{"path"}) {
		t.Errorf("got required %q, want path alone: other fields have a zero value", got.Required)
	}
	want := map[string]any{
		"type": "string", "title": "Directory", "format": "path", "default": ".", "minLength": 2.0,
		"examples": []any{"src"}, "description": "A directory, or a file.",
	}
	if !reflect.DeepEqual(got.Properties["path"], want) {
		t.Errorf("got %v, want %v", got.Properties["path"], want)
	}
	if p, _ := got.Properties["file"].(map[string]any); p["format"] != FormatUpload || !reflect.DeepEqual(p["accept"], []any{".csv", "text/csv"}) {
		t.Errorf("got %v", p)
	}
	// A form shows the fields as the type has them.
	at := -1
	for _, name := range []string{`"path"`, `"mode"`, `"level"`, `"at"`, `"any"`, `"parts"`, `"code"`, `"file"`} {
		next := strings.Index(string(s.JSON()), name)
		if next < at {
			t.Errorf("%s is not where the type has it: %s", name, s.JSON())
		}
		at = next
	}
}

// TestEverySchemaIsOne holds what is made of all sorts of types against the specification.
func TestEverySchemaIsOne(t *testing.T) {
	for _, s := range []*Schema{of[args](t), of[struct{}](t), of[int](t), of[map[string]any](t), of[any](t), of[[]string](t), of[tree](t), of[*args](t)} {
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(s.JSON())))
		if err != nil {
			t.Fatal(err)
		}
		c := jsonschema.NewCompiler()
		if err := c.AddResource("kind.json", doc); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Compile("kind.json"); err != nil {
			t.Errorf("%s: %v", s.JSON(), err)
		}
	}
}

func TestWhatTheTagsSayIsKept(t *testing.T) {
	s := of[args](t)
	for _, c := range []struct{ args, pointer string }{
		{`{"path":"src"}`, ""},
		{`{"PATH":"src","mode":null}`, ""}, // as encoding/json takes it
		{`{"path":"src","mode":"safe","level":-1,"parts":[{"size":1},{"size":9}],"code":"abc"}`, ""},
		{`{"path":"src","level":9007199254740993}`, ""},
		{``, "/args/path"},
		{`null`, "/args/path"},
		{`{}`, "/args/path"},
		{`{"path":null}`, "/args/path"},
		{`{"path":"x"}`, "/args/path"},
		{`{"path":"src","mode":"slow"}`, "/args/mode"},
		{`{"path":"src","level":-2}`, "/args/level"},
		{`{"path":"src","level":9007199254740994}`, "/args/level"},
		{`{"path":"src","parts":[{"size":1},{"size":10}]}`, "/args/parts/1/size"},
		{`{"path":"src","parts":[{},{},{}]}`, "/args/parts"},
		{`{"path":"src","code":"ab1"}`, "/args/code"},
		{`{"path":"src","code":"abcd"}`, "/args/code"},
	} {
		pointer := ""
		if wrong, ok := errors.AsType[*Wrong](s.Check(json.RawMessage(c.args))); ok {
			if pointer = wrong.Pointer; wrong.Detail == "" {
				t.Errorf("%s: got %+v", c.args, wrong)
			}
		}
		if pointer != c.pointer {
			t.Errorf("%s: got %q, want %q", c.args, pointer, c.pointer)
		}
	}
}

// TestWhatIsCheckedIsWhatIsDecoded holds the check against what encoding/json makes of the same text.
func TestWhatIsCheckedIsWhatIsDecoded(t *testing.T) {
	type limited struct {
		Size  int  `json:"size,omitempty" jsonschema:"maximum=9"`
		Other int  `json:"SIZE2,omitempty" jsonschema:"maximum=9"`
		In    part `json:"in,omitzero"`
	}
	s := of[limited](t)
	for _, text := range []string{
		`{"size":10,"size":null}`, `{"size":1,"SIZE":10}`, `{"SIZE":10,"size":1}`, `{"ſize":10}`,
		`{"in":{"size":10},"in":{}}`, `{"in":{"size":10},"In":null}`, `{"size2":10}`,
	} {
		for range 20 { // a map's order is another one each time
			var got limited
			if err := json.Unmarshal([]byte(text), &got); err != nil {
				t.Fatal(err)
			}
			if s.Check(json.RawMessage(text)) == nil && (got.Size > 9 || got.Other > 9 || got.In.Size > 9) {
				t.Errorf("%s: got %+v, which is too much, and was let through", text, got)
				break
			}
		}
	}
	if err := of[struct {
		Any map[string]int `json:"any"`
	}](t).Check(json.RawMessage(`{"any":{"a":1,"A":2}}`)); err != nil {
		t.Errorf("got %v: these are two keys", err)
	}
}

func TestATypeMayHoldItself(t *testing.T) {
	s := of[tree](t)
	if err := s.Check(json.RawMessage(`{"Kids":[{"Name":"abc"}]}`)); err != nil {
		t.Errorf("got %v", err)
	}
	err := s.Check(json.RawMessage(`{"Kids":[{"Kids":[{"Name":"abcd"}]}]}`))
	if wrong, ok := errors.AsType[*Wrong](err); !ok || wrong.Pointer != "/args/Kids/0/Kids/0/Name" {
		t.Errorf("got %v", err)
	}
}

func TestAWrongPatternIsRefusedAtOnce(t *testing.T) {
	type wrong struct {
		Deep []struct {
			A string `jsonschema:"pattern=("`
		}
	}
	if s, err := Of(reflect.TypeFor[wrong]()); err == nil {
		t.Errorf("got %s, want an error", s.JSON())
	}
}
