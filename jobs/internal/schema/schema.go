// Package schema says in JSON Schema (2020-12) what the arguments of a kind of job may be. It makes that of
// the kind's Go type and of the tags of its fields, which are those of github.com/invopop/jsonschema:
//
//	Path string `json:"path" jsonschema:"title=Directory,format=path,default=." jsonschema_description:"…"`
//
// What the tags promise about a value is held against the values that come in: see Schema.Check. It knows
// neither jobs nor who asks, and runs no goroutine.
package schema

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/invopop/jsonschema"
)

// The values of format that mean something to a page.
const (
	FormatUpload = "upload" // the name that the server gave to an uploaded file: draw a file picker
	FormatPath   = "path"   // a path on the server, below one of its roots
)

// A Schema is what values of one Go type look like as JSON. It is immutable.
type Schema struct {
	root *jsonschema.Schema
	raw  json.RawMessage
}

// Of makes the schema of a type. No field is required unless its tag says so: a field that is missing has
// its zero value.
func Of(t reflect.Type) (*Schema, error) {
	r := jsonschema.Reflector{Anonymous: true, ExpandedStruct: true, RequiredFromJSONSchemaTags: true}
	s := &Schema{root: r.ReflectFromType(t)}
	err := s.compile(s.root)
	if errors.Is(err, errNoDefinition) { // a type that holds itself: the library leaves it out of $defs
		r.ExpandedStruct = false
		s.root = r.ReflectFromType(t)
		err = s.compile(s.root)
	}
	if err != nil {
		return nil, err
	}
	s.raw, err = json.Marshal(s.root)
	return s, err
}

var errNoDefinition = errors.New("schema: a definition is missing")

// compile finds out while the program starts, and not when a client comes, that a pattern is none.
func (s *Schema) compile(at *jsonschema.Schema) error {
	if at == nil {
		return nil
	}
	if at.Ref != "" && s.definition(at) == nil {
		return errNoDefinition
	}
	if _, err := regexp.Compile(at.Pattern); err != nil {
		return err
	}
	for p := at.Properties.Oldest(); p != nil; p = p.Next() {
		if err := s.compile(p.Value); err != nil {
			return err
		}
	}
	for _, def := range at.Definitions {
		if err := s.compile(def); err != nil {
			return err
		}
	}
	return s.compile(at.Items)
}

// JSON is the schema as clients get it. The caller must not write to it.
func (s *Schema) JSON() json.RawMessage { return s.raw }

// Check holds a value, which must have been decoded into the type without an error, against what the tags
// say: required, enum, minimum, maximum, minLength, maxLength, pattern, minItems and maxItems. All else,
// such as format, only tells people what is meant. The error is a *Wrong that points below /args.
func (s *Schema) Check(raw json.RawMessage) error {
	if len(raw) == 0 || string(raw) == "null" {
		raw = json.RawMessage("{}")
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	v, err := read(dec)
	if err != nil {
		return &Wrong{"/args", "is not JSON"}
	}
	if p := s.check(s.root, v, "/args"); p != nil {
		return p
	}
	return nil
}

// Wrong is what is wrong with a value, and where: Pointer is a JSON pointer such as "/args/path".
type Wrong struct{ Pointer, Detail string }

func (w *Wrong) Error() string { return w.Pointer + " " + w.Detail }

// An object has its members as the text has them. A map would keep one of two with the same name, and it is not
// sure that encoding/json has kept the same one: null, for one, takes nothing back.
type object []member

type member struct {
	name  string
	value any // nil, a bool, a string, a json.Number, a []any or an object
}

func read(dec *json.Decoder) (any, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('['):
		list := []any{}
		for dec.More() {
			item, err := read(dec)
			if err != nil {
				return nil, err
			}
			list = append(list, item)
		}
		_, err = dec.Token()
		return list, err
	case json.Delim('{'):
		members := object{}
		for dec.More() {
			name, err := dec.Token()
			if err != nil {
				return nil, err
			}
			value, err := read(dec)
			if err != nil {
				return nil, err
			}
			members = append(members, member{name.(string), value})
		}
		_, err = dec.Token()
		return members, err
	}
	return token, nil
}

// definition is what a schema refers to.
func (s *Schema) definition(at *jsonschema.Schema) *jsonschema.Schema {
	return s.root.Definitions[strings.TrimPrefix(at.Ref, "#/$defs/")]
}

func (s *Schema) check(at *jsonschema.Schema, v any, pointer string) *Wrong {
	if at.Ref != "" {
		at = s.definition(at)
	}
	if len(at.Enum) > 0 && !slices.ContainsFunc(at.Enum, func(e any) bool { return fmt.Sprint(e) == fmt.Sprint(v) }) {
		return &Wrong{pointer, "must be one of " + strings.Trim(fmt.Sprint(at.Enum), "[]")}
	}
	switch v := v.(type) {
	case object:
		return s.checkObject(at, v, pointer)
	case []any:
		if p := checkLength(at.MinItems, at.MaxItems, len(v), "items", pointer); p != nil || at.Items == nil {
			return p
		}
		for i, item := range v {
			if p := s.check(at.Items, item, fmt.Sprintf("%s/%d", pointer, i)); p != nil {
				return p
			}
		}
	case string:
		if at.Pattern != "" && !regexp.MustCompile(at.Pattern).MatchString(v) {
			return &Wrong{pointer, "must match " + at.Pattern}
		}
		return checkLength(at.MinLength, at.MaxLength, utf8.RuneCountInString(v), "characters", pointer)
	case json.Number:
		return checkNumber(at, v, pointer)
	}
	return nil
}

// checkObject looks at the fields that the schema names. encoding/json takes a field's name in any case of
// its letters, so this does too; null is as good as a field that is missing. A field that is given twice is
// refused: what comes of it depends on its type.
func (s *Schema) checkObject(at *jsonschema.Schema, v object, pointer string) *Wrong {
	given := make(map[string]any, len(v))
	for _, m := range v {
		name, ok := property(at, m.name)
		if !ok {
			continue
		}
		if _, twice := given[name]; twice {
			return &Wrong{pointer + "/" + name, "is given twice"}
		}
		given[name] = m.value
	}
	for _, name := range at.Required {
		if given[name] == nil {
			return &Wrong{pointer + "/" + name, "is missing"}
		}
	}
	for p := at.Properties.Oldest(); p != nil; p = p.Next() {
		if value := given[p.Key]; value != nil {
			if problem := s.check(p.Value, value, pointer+"/"+p.Key); problem != nil {
				return problem
			}
		}
	}
	return nil
}

// property is the name of the property that encoding/json takes a member's value for.
func property(at *jsonschema.Schema, name string) (key string, ok bool) {
	for p := at.Properties.Oldest(); p != nil; p = p.Next() {
		if p.Key == name {
			return name, true
		}
		if !ok && strings.EqualFold(p.Key, name) {
			key, ok = p.Key, true
		}
	}
	return key, ok
}

func checkLength(least, most *uint64, n int, what, pointer string) *Wrong {
	if least != nil && uint64(n) < *least {
		return &Wrong{pointer, fmt.Sprintf("must have at least %d %s", *least, what)}
	}
	if most != nil && uint64(n) > *most {
		return &Wrong{pointer, fmt.Sprintf("must have at most %d %s", *most, what)}
	}
	return nil
}

func checkNumber(at *jsonschema.Schema, v json.Number, pointer string) *Wrong {
	if at.Minimum != "" && compare(v, at.Minimum) < 0 {
		return &Wrong{pointer, fmt.Sprintf("must be at least %s", at.Minimum)}
	}
	if at.Maximum != "" && compare(v, at.Maximum) > 0 {
		return &Wrong{pointer, fmt.Sprintf("must be at most %s", at.Maximum)}
	}
	return nil
}

// compare compares whole numbers exactly, and others as floats.
func compare(a, b json.Number) int {
	i, err1 := a.Int64()
	j, err2 := b.Int64()
	if err1 == nil && err2 == nil {
		return cmp.Compare(i, j)
	}
	x, _ := a.Float64()
	y, _ := b.Float64()
	return cmp.Compare(x, y)
}
