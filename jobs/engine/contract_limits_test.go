package engine_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"jobcast/jobs"
)

// A request is what a client sends: it is decoded strictly, and then checked.
type request interface {
	json.Unmarshaler
	Check() error
}

// checked are the requests whose limits are those of the contract, each with one that is right.
var checked = map[string]node{
	"StartRequest":    {"kind": "task"},
	"CancelRequest":   {"id": "a"},
	"RetryRequest":    {"id": "a"},
	"RemoveRequest":   {"id": "a"},
	"SendRequest":     {"id": "a", "name": "b"},
	"AnswerRequest":   {"id": "a", "ask": "b", "value": true},
	"QueueRequest":    {},
	"ScheduleRequest": {"id": "a", "everyMs": 1000, "start": node{"kind": "task"}},
	"ScheduleRef":     {"id": "a"},
}

// instead are fields that are given instead of others.
var instead = map[string]string{"cron": "everyMs"}

// TestTheContractsLimitsAreChecked puts into each field of each request what lies on the contract's limits and just
// beyond them, and asks both.
func TestTheContractsLimitsAreChecked(t *testing.T) {
	check, defs := contract(t), contractDefs(t)
	for _, name := range slices.Sorted(maps.Keys(checked)) {
		l := limitCheck{T: t, defs: defs, name: name, schema: func(v any) error { return check(name, v) }}
		l.holds("", checked[name], true)
		l.holds("/colour", with(checked[name], "colour", "red"), false)
		for _, not := range []any{nil, 1, "a", []any{}} {
			l.holds("", not, false)
		}
		required, _ := defs[name]["required"].([]any)
		for _, field := range required {
			without := maps.Clone(checked[name])
			delete(without, field.(string))
			l.holds("/"+field.(string), without, false)
		}
		for _, field := range slices.Sorted(maps.Keys(defs[name]["properties"].(node))) {
			l.field("/"+field, defs[name]["properties"].(node)[field].(node), func(v any) node {
				req := with(checked[name], field, v)
				delete(req, instead[field])
				return req
			})
		}
	}
}

func with(request node, field string, v any) node {
	request = maps.Clone(request)
	request[field] = v
	return request
}

type limitCheck struct {
	*testing.T
	defs   map[string]node
	name   string
	schema func(v any) error
}

// holds asks the contract and the Go type whether a request is right. Where it is not, the Go type points at what is
// wrong.
func (l *limitCheck) holds(pointer string, v any, want bool) {
	l.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		l.Fatal(err)
	}
	if err := l.schema(v); (err == nil) != want {
		l.Errorf("%s %.200s: the contract says %v, want right: %v", l.name, raw, err, want)
	}
	req := reflect.New(goTypes[l.name]).Interface().(request)
	if err = json.Unmarshal(raw, req); err == nil {
		err = req.Check()
	}
	if (err == nil) != want {
		l.Errorf("%s %.200s: the Go type says %v, want right: %v", l.name, raw, err, want)
	}
	if string(raw) == "null" { // encoding/json does not ask about it, and what is missing is found
		return
	}
	points := func(f jobs.ProblemField) bool { // at the whole or at a part
		return f.Pointer != "" && (strings.HasPrefix(f.Pointer, pointer) || strings.HasPrefix(pointer, f.Pointer))
	}
	if p := jobs.ProblemOf(err); p != nil && pointer != "" && !slices.ContainsFunc(p.Errors, points) {
		l.Errorf("%s %.200s: got %v, want it to point at %s", l.name, raw, p.Errors, pointer)
	}
}

// field tries the values on and beyond the limits of one field.
func (l *limitCheck) field(pointer string, def node, in func(v any) node) {
	l.Helper()
	if to, ok := def["$ref"].(string); ok && strings.HasPrefix(to, "#/") {
		if strings.HasSuffix(to, "/StartRequest") {
			l.started(pointer, def, in)
			return
		}
		def = l.defs[to[strings.LastIndex(to, "/")+1:]]
	}
	right := func(v any) { l.Helper(); l.holds("", in(v), true) }
	wrong := func(v any) { l.Helper(); l.holds(pointer, in(v), false) }
	number := func(limit string) (float64, bool) { n, ok := def[limit].(float64); return n, ok }
	if def["type"] == nil && def["enum"] == nil {
		for _, v := range []any{nil, 1, "", []any{}, node{"a": nil}} { // any JSON
			right(v)
		}
		return
	}
	wrong(nil)
	wrong(map[bool]any{true: 7, false: "x"}[def["type"] == "string" || def["type"] == "array"])
	if n, ok := number("maxLength"); ok {
		if pointer != "/timezone" { // which is one of a list
			right(strings.Repeat("a", int(n)))
		}
		wrong(strings.Repeat("a", int(n)+1))
	}
	if n, ok := number("minLength"); ok && n > 0 && pointer != "/cron" && pointer != "/timezone" { // where an empty one is none
		wrong("")
	}
	if _, ok := def["pattern"]; ok {
		right(strings.Repeat("a", 64))
		wrong(strings.Repeat("a", 65))
		wrong("a b")
		wrong("a\n")
	}
	if def["format"] == "date-time" {
		right("2026-11-20T20:24:12.5+01:00")
		wrong("soon")
	}
	if n, ok := number("minimum"); ok {
		right(n)
		wrong(n - 1)
	}
	if n, ok := number("maximum"); ok {
		right(n)
		wrong(n + 1)
	}
	if def["type"] == "integer" {
		wrong(1.5)
	}
	if values, ok := def["enum"].([]any); ok {
		for _, v := range values {
			right(v)
		}
		wrong("odd")
	}
	if n, ok := number("maxItems"); ok {
		right(slices.Repeat([]any{"a"}, int(n)))
		wrong(slices.Repeat([]any{"a"}, int(n)+1))
		item := func(v any) node { return in([]any{v}) }
		l.field(pointer+"/0", def["items"].(node), item)
	}
	if properties, ok := def["properties"].(node); ok {
		right(node{})
		l.holds(pointer+"/colour", in(node{"colour": "red"}), false)
		for _, name := range slices.Sorted(maps.Keys(properties)) {
			l.field(pointer+"/"+name, properties[name].(node), func(v any) node { return in(node{name: v}) })
		}
	}
}

// started tries a StartRequest within another request, where some of its fields are not taken.
func (l *limitCheck) started(pointer string, def node, in func(v any) node) {
	l.Helper()
	start := checked["StartRequest"]
	l.holds(pointer, in(7), false)
	l.holds(pointer, in(nil), false)
	l.holds(pointer+"/kind", in(node{}), false)
	l.holds(pointer+"/colour", in(with(start, "colour", "red")), false)
	l.holds(pointer+"/maxAttempts", in(with(start, "maxAttempts", 101)), false)
	l.holds(pointer+"/backoff/jitter", in(with(start, "backoff", node{"jitter": 2})), false)
	given := map[string]any{
		"id": "a", "idempotencyKey": "a", "parentId": "a", "runAt": "2026-11-20T20:24:12Z", "delayMs": 1, "subscribe": false, "logs": true,
	}
	for _, name := range slices.Sorted(maps.Keys(def["properties"].(node))) {
		v, known := given[name]
		if !known {
			l.Errorf("%s: the contract takes no %s%s, and no value of it is known", l.name, pointer, name)
			continue
		}
		l.holds(pointer+"/"+name, in(with(start, name, v)), false)
	}
}

// What takes any JSON is bounded in bytes, which a JSON Schema cannot say.
func TestValuesOfOthersAreBoundedInBytes(t *testing.T) {
	for _, c := range []struct {
		name, field, code string
		bytes             int
	}{
		{"StartRequest", "args", jobs.CodeTooLarge, 256 << 10},
		{"RetryRequest", "args", jobs.CodeTooLarge, 256 << 10},
		{"SendRequest", "payload", jobs.CodeBadRequest, jobs.MaxPayloadBytes},
		{"AnswerRequest", "value", jobs.CodeBadRequest, jobs.MaxPayloadBytes},
	} {
		for more := range 2 {
			raw, err := json.Marshal(with(checked[c.name], c.field, strings.Repeat("x", c.bytes-len(`""`)+more)))
			if err != nil {
				t.Fatal(err)
			}
			req := reflect.New(goTypes[c.name]).Interface().(request)
			if err := json.Unmarshal(raw, req); err != nil {
				t.Fatal(err)
			}
			p := jobs.ProblemOf(req.Check())
			if more == 0 && p != nil {
				t.Errorf("%s with %d bytes: got %v", c.name, c.bytes, p)
			}
			if want := fmt.Sprintf("/%s", c.field); more == 1 && (p == nil || p.Code != c.code || p.Errors[0].Pointer != want) {
				t.Errorf("%s with %d bytes: got %v, want code %s at %s", c.name, c.bytes+1, p, c.code, want)
			}
		}
	}
}
