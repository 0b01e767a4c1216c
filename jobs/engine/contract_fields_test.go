package engine_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"jobcast/events"
	"jobcast/jobs"
)

// goTypes are the Go types of the contract's definitions that are objects.
var goTypes = map[string]reflect.Type{
	"Job":          reflect.TypeFor[jobs.Job](),
	"Progress":     reflect.TypeFor[jobs.Progress](),
	"Step":         reflect.TypeFor[jobs.Step](),
	"StepTime":     reflect.TypeFor[jobs.StepTime](),
	"JobError":     reflect.TypeFor[jobs.Error](),
	"Artifact":     reflect.TypeFor[jobs.Artifact](),
	"LogInfo":      reflect.TypeFor[jobs.LogInfo](),
	"LogLine":      reflect.TypeFor[jobs.LogLine](),
	"LogChunk":     reflect.TypeFor[jobs.LogChunk](),
	"LogHit":       reflect.TypeFor[jobs.LogHit](),
	"LogFound":     reflect.TypeFor[jobs.LogFound](),
	"Problem":      reflect.TypeFor[jobs.Problem](),
	"ProblemField": reflect.TypeFor[jobs.ProblemField](),
	"Children":     reflect.TypeFor[jobs.Children](),
	"Child":        reflect.TypeFor[jobs.Child](),
	"Ask":          reflect.TypeFor[jobs.Ask](),
	"Tick":         reflect.TypeFor[jobs.Tick](),
	"Backoff":      reflect.TypeFor[jobs.Backoff](),
	"Kind":         reflect.TypeFor[jobs.KindInfo](),
	"QueueInfo":    reflect.TypeFor[jobs.QueueInfo](),
	"Usual":        reflect.TypeFor[jobs.Usual](),
	"Schedule":     reflect.TypeFor[jobs.Schedule](),

	"Event":         reflect.TypeFor[jobs.Event](),
	"DataScheduled": reflect.TypeFor[jobs.DataScheduled](),
	"DataRetrying":  reflect.TypeFor[jobs.DataRetrying](),
	"DataStalled":   reflect.TypeFor[jobs.DataStalled](),
	"DataEvent":     reflect.TypeFor[jobs.DataEvent](),
	"DataMessage":   reflect.TypeFor[jobs.DataMessage](),
	"DataAsked":     reflect.TypeFor[jobs.DataAsked](),
	"DataAnswered":  reflect.TypeFor[jobs.DataAnswered](),
	"DataValues":    reflect.TypeFor[jobs.DataValues](),
	"DataChild":     reflect.TypeFor[jobs.DataChild](),
	"JobsChanged":   reflect.TypeFor[jobs.Changes](),
	"QueuePlace":    reflect.TypeFor[events.QueuePlace](),

	"StartRequest":     reflect.TypeFor[jobs.StartRequest](),
	"CancelRequest":    reflect.TypeFor[jobs.CancelRequest](),
	"RetryRequest":     reflect.TypeFor[jobs.RetryRequest](),
	"RemoveRequest":    reflect.TypeFor[jobs.RemoveRequest](),
	"SendRequest":      reflect.TypeFor[jobs.SendRequest](),
	"AnswerRequest":    reflect.TypeFor[jobs.AnswerRequest](),
	"QueueRequest":     reflect.TypeFor[jobs.QueueRequest](),
	"ScheduleRequest":  reflect.TypeFor[jobs.ScheduleRequest](),
	"ScheduleRef":      reflect.TypeFor[jobs.ScheduleRef](),
	"ListQuery":        reflect.TypeFor[jobs.ListQuery](),
	"SubscribeRequest": reflect.TypeFor[events.SubscribeRequest](),
	"HistoryRequest":   reflect.TypeFor[events.HistoryRequest](),
	"LogsRequest":      reflect.TypeFor[events.LogsRequest](),
	"JobRef":           reflect.TypeFor[events.JobRef](),

	"OK":           reflect.TypeFor[events.OK](),
	"ErrorAck":     reflect.TypeFor[events.Refusal](),
	"StartAck":     reflect.TypeFor[events.StartAck](),
	"SubscribeAck": reflect.TypeFor[events.SubscribeAck](),
	"JobAck":       reflect.TypeFor[events.JobAck](),
	"CancelAck":    reflect.TypeFor[events.CancelAck](),
	"LineAck":      reflect.TypeFor[events.LineAck](),
	"HistoryAck":   reflect.TypeFor[events.HistoryAck](),
	"LogsAck":      reflect.TypeFor[events.LogsAck](),
	"ListAck":      reflect.TypeFor[events.ListAck](),
	"KindsAck":     reflect.TypeFor[events.KindsAck](),
	"QueueAck":     reflect.TypeFor[events.QueueAck](),
	"QueuesAck":    reflect.TypeFor[events.QueuesAck](),
	"ScheduleAck":  reflect.TypeFor[events.ScheduleAck](),
	"SchedulesAck": reflect.TypeFor[events.SchedulesAck](),
}

// engineData is the data of events that the engine makes without a type of package jobs:
// TestEngineKeepsTheContract has seen them.
var engineData = []string{"DataQueued", "DataStarted", "DataCancelling", "DataCompleted", "DataFailed", "DataCancelled"}

// notServed are fields that the contract has and Go does not yet. Who serves one takes it out of here.
var notServed = map[string][]string{
	"Job":              {"owner"},
	"JobError":         {"exitCode", "signal"},
	"SubscribeRequest": {"children", "ids", "maxHz", "token"},
	"SubscribeAck":     {"off"},
	"StartAck":         {"watchToken"},
}

// node is a part of the contract.
type node = map[string]any

// contractDefs are the definitions of the contract by their names.
func contractDefs(t *testing.T) map[string]node {
	t.Helper()
	raw, err := os.ReadFile("../../contract/jobs.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Defs map[string]node `json:"$defs"`
	}
	if err := json.Unmarshal(raw, &schema); err != nil {
		t.Fatal(err)
	}
	return schema.Defs
}

func TestTheContractHasTheFieldsOfGo(t *testing.T) {
	f := fieldCheck{T: t, defs: contractDefs(t), words: constants(t, "..", "../../events")}
	for _, name := range slices.Sorted(maps.Keys(f.defs)) {
		def := f.defs[name]
		typ, known := goTypes[name]
		switch {
		case known:
			f.object(name, typ, def)
		case def["type"] == "object" && !slices.Contains(engineData, name):
			t.Errorf("%s: no Go type is held against it", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(goTypes)) {
		if f.defs[name] == nil {
			t.Errorf("%s: the contract has no such definition", name)
		}
	}
	// Every type of event has the shape of its data, but for job.removed, which has none.
	for _, typ := range f.words["EventType"] {
		shown := slices.ContainsFunc(f.defs["Event"]["allOf"].([]any), func(rule any) bool {
			return strings.Contains(fmt.Sprint(rule), "const:"+typ+"]")
		})
		if !shown && typ != string(jobs.EventRemoved) {
			t.Errorf("Event: the contract does not say what the data of %s is", typ)
		}
	}
}

// A fieldCheck holds Go types against the contract.
type fieldCheck struct {
	*testing.T
	defs  map[string]node
	words map[string][]string // the constants of each string type
}

// object holds a struct against a definition of an object: each has the fields of the other.
func (f *fieldCheck) object(at string, typ reflect.Type, def node) {
	f.Helper()
	properties, _ := def["properties"].(node)
	if properties == nil {
		f.Errorf("%s: %v is not an object in the contract", at, typ)
		return
	}
	inGo := map[string]bool{}
	for field := range jsonFields(typ) {
		inGo[field.name] = true
		property, known := properties[field.name].(node)
		if !known {
			f.Errorf("%s: the contract has no %q, which %v has", at, field.name, typ)
			continue
		}
		if slices.Contains(notServed[at], field.name) {
			f.Errorf("%s: %q is served: take it out of notServed", at, field.name)
		}
		if required, _ := def["required"].([]any); field.optional && slices.Contains(required, any(field.name)) {
			f.Errorf("%s: %q is required, and %v may leave it out", at, field.name, typ)
		}
		f.value(at+"."+field.name, field.typ, property)
	}
	for name := range properties {
		if !inGo[name] && !slices.Contains(notServed[at], name) {
			f.Errorf("%s: %v has no %q, which the contract has", at, typ, name)
		}
	}
}

// value holds a type against a part of the contract.
func (f *fieldCheck) value(at string, typ reflect.Type, def node) {
	f.Helper()
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	if to, ok := def["$ref"].(string); ok && strings.HasPrefix(to, "#/") {
		name := to[strings.LastIndex(to, "/")+1:]
		if want, isObject := goTypes[name]; isObject {
			if typ != want {
				f.Errorf("%s: is a %v, and the contract's %s is a %v", at, typ, name, want)
			}
			return
		}
		def = f.defs[name]
	}
	if either, ok := def["oneOf"].([]any); ok { // of a boolean or an object, Go has the object
		def = either[len(either)-1].(node)
	}
	switch {
	case typ == reflect.TypeFor[json.RawMessage](), typ.Kind() == reflect.Interface:
		return // any JSON
	case typ == reflect.TypeFor[time.Time]():
		if def["format"] != "date-time" {
			f.Errorf("%s: got %v, want a time", at, def)
		}
		return
	case typ.Kind() == reflect.Slice:
		f.is(at, def, "array")
		items, _ := def["items"].(node)
		f.value(at+"[]", typ.Elem(), items)
	case typ.Kind() == reflect.Map:
		f.is(at, def, "object")
		if each, ok := def["additionalProperties"].(node); ok {
			f.value(at+"{}", typ.Elem(), each)
		}
	case typ.Kind() == reflect.Struct:
		f.object(at, typ, def)
	case typ.Kind() == reflect.Bool:
		if _, constant := def["const"].(bool); !constant {
			f.is(at, def, "boolean")
		}
	case typ.Kind() == reflect.String:
		f.text(at, typ, def)
	case typ.Kind() == reflect.Float64:
		f.is(at, def, "number")
	default:
		f.is(at, def, "integer")
	}
}

// text holds a type of string against a part of the contract, with the constants of the type.
func (f *fieldCheck) text(at string, typ reflect.Type, def node) {
	f.Helper()
	enum, isEnum := def["enum"].([]any)
	if !isEnum {
		f.is(at, def, "string")
		return
	}
	if typ.Name() == "string" {
		return // its values are in no type: Check has them
	}
	var want []string
	for _, value := range enum {
		want = append(want, value.(string))
	}
	got := slices.Clone(f.words[typ.Name()])
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		f.Errorf("%s: %v can be %q, and in the contract %q", at, typ, got, want)
	}
}

func (f *fieldCheck) is(at string, def node, want string) {
	f.Helper()
	got := def["type"]
	if list, ok := got.([]any); ok && len(list) == 2 && list[1] == "null" {
		got = list[0]
	}
	if got != want {
		f.Errorf("%s: got %v in the contract, want %s", at, got, want)
	}
}

type jsonField struct {
	name     string
	typ      reflect.Type
	optional bool
}

// jsonFields yields the fields of a struct as encoding/json has them, those of embedded structs too.
func jsonFields(typ reflect.Type) func(yield func(jsonField) bool) {
	return func(yield func(jsonField) bool) {
		for _, field := range reflect.VisibleFields(typ) {
			tag, tagged := field.Tag.Lookup("json")
			if field.Anonymous && !tagged || tag == "-" || !field.IsExported() {
				continue
			}
			name, options, _ := strings.Cut(tag, ",")
			if !yield(jsonField{name, field.Type, strings.Contains(options, "omit")}) {
				return
			}
		}
	}
}

// constants are the values of the constants of each string type that the packages in these directories declare.
func constants(t *testing.T, dirs ...string) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for _, dir := range dirs {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(parsed, func(n ast.Node) bool {
				spec, ok := n.(*ast.ValueSpec)
				if !ok {
					return true
				}
				typ, named := spec.Type.(*ast.Ident)
				for _, value := range spec.Values {
					if lit, ok := value.(*ast.BasicLit); ok && named && lit.Kind == token.STRING {
						text, err := strconv.Unquote(lit.Value)
						if err != nil {
							t.Fatal(err)
						}
						found[typ.Name] = append(found[typ.Name], text)
					}
				}
				return true
			})
		}
	}
	return found
}
