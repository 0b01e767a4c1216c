package main

import (
	"fmt"
	"go/constant"
	"go/types"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// A kind is what a value is in JSON.
type kind int

const (
	unknown kind = iota // any value
	truth
	integer
	number
	text
	binary  // an attachment
	list    // of elem
	record  // of elem, by key
	object  // with fields
	mention // of a type with a name
	nothing // no argument at all
	several // any number of arguments, of any kind
)

// A shape is what encoding/json makes of a Go type.
type shape struct {
	kind     kind
	null     bool // null is possible too
	unsigned bool // an integer that is never negative
	format   string
	is       *bool // a truth that is always this
	elem     *shape
	key      *shape
	fields   []field
	ref      *named
}

type field struct {
	name     string
	doc      string
	optional bool
	shape    shape
}

// A named type is declared once, and mentioned wherever it is used.
type named struct {
	name   string
	doc    string
	values []string // of a string type with constants
	also   string   // what a client may send instead
	shape  shape
}

// A reader makes shapes of types, and collects the named ones.
type reader struct {
	src     *source
	words   words
	results []types.Type // what calls are answered with
	refused types.Type   // and with what instead
	names   map[types.Type]*named
	taken   map[string]types.Type
	order   []*named
	auth    bool  // it is what a client connects with
	err     error // the first one
}

func newReader(s *source) *reader {
	return &reader{src: s, words: words{"nil": "missing"}, names: map[types.Type]*named{}, taken: map[string]types.Type{}}
}

func (r *reader) fail(format string, args ...any) shape {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
	return shape{}
}

func (r *reader) shape(t types.Type) shape {
	switch t := types.Unalias(t).(type) {
	case *types.Named:
		return r.namedShape(t)
	case *types.Pointer:
		s := r.shape(t.Elem())
		s.null = true
		return s
	case *types.Basic:
		switch info := t.Info(); {
		case info&types.IsBoolean != 0:
			return shape{kind: truth}
		case info&types.IsInteger != 0:
			return shape{kind: integer, unsigned: info&types.IsUnsigned != 0}
		case info&types.IsFloat != 0:
			return shape{kind: number}
		case info&types.IsString != 0:
			return shape{kind: text}
		}
	case *types.Slice:
		if b, ok := t.Elem().Underlying().(*types.Basic); ok && b.Kind() == types.Byte {
			if r.auth {
				return r.fail("credentials are JSON alone, bytes have no place in them")
			}
			return shape{kind: binary}
		}
		return r.list(t.Elem())
	case *types.Array:
		return r.list(t.Elem())
	case *types.Map:
		key, elem := r.shape(t.Key()), r.shape(t.Elem())
		if key.kind == integer {
			key = shape{kind: text}
		}
		return shape{kind: record, key: &key, elem: &elem}
	case *types.Struct:
		if t.NumFields() == 0 {
			return shape{kind: nothing}
		}
		return shape{kind: object, fields: r.fields(t, nil)}
	case *types.Interface:
		return shape{kind: unknown}
	}
	return r.fail("JSON cannot say %s", t)
}

func (r *reader) list(elem types.Type) shape {
	s := r.shape(elem)
	return shape{kind: list, elem: &s}
}

func (r *reader) namedShape(t *types.Named) shape {
	pkg := t.Obj().Pkg()
	if pkg == nil {
		return shape{kind: unknown} // error
	}
	switch pkg.Path() + "." + t.Obj().Name() {
	case "time.Time":
		return shape{kind: text, format: "date-time"}
	case "encoding/json.RawMessage", "encoding/json/jsontext.Value":
		return shape{kind: unknown}
	case "encoding/json.Number":
		return shape{kind: number}
	case r.src.module + "/socketio.Args":
		return shape{kind: several}
	}
	if has(t, "MarshalJSON") {
		return shape{kind: unknown}
	}
	if has(t, "MarshalText") {
		return shape{kind: text}
	}
	if n := r.names[t]; n != nil {
		return shape{kind: mention, ref: n}
	}
	for known, n := range r.names { // the same type with the same arguments is another value
		if types.Identical(known, t) {
			return shape{kind: mention, ref: n}
		}
	}
	said := r.src.comments[t.Obj()]
	n := &named{name: r.name(t), also: said.also}
	if other := r.taken[n.name]; other != nil {
		return r.fail("%s and %s would both be called %s", other, t, n.name)
	}
	r.names[t], r.taken[n.name] = n, t
	r.order = append(r.order, n) // before what it mentions
	inside := r.words
	switch u := t.Underlying().(type) {
	case *types.Struct:
		inside = maps.Clone(r.words)
		fields := r.fields(u, t)
		for v := range u.Fields() {
			if name, _, _ := jsonName(u, v); name != "" {
				inside[v.Name()] = "`" + name + "`"
			}
		}
		for i := range fields {
			fields[i].doc = inside.in(fields[i].doc, "\x00", "")
		}
		n.shape = shape{kind: object, fields: fields}
	case *types.Basic:
		n.shape = r.shape(u)
		if n.shape.kind == text {
			n.values = constants(t)
		}
	default:
		n.shape = r.shape(u)
	}
	n.doc = inside.in(said.text, t.Obj().Name(), n.name)
	return shape{kind: mention, ref: n}
}

// name is what a page calls the type. A type of another package carries the package's name in the
// singular, unless its own begins with it: jobs.Event is a JobEvent.
func (r *reader) name(t *types.Named) string {
	name := t.Obj().Name()
	if pkg := t.Obj().Pkg(); pkg != r.src.pkg {
		if one := title(strings.TrimSuffix(pkg.Name(), "s")); !strings.HasPrefix(name, one) {
			name = one + name
		}
	}
	for arg := range t.TypeArgs().Types() {
		if a, ok := types.Unalias(arg).(*types.Named); ok {
			name += r.name(a)
		} else {
			name += title(arg.String())
		}
	}
	return name
}

// constants are the values that a string type's package declares of it, in the order of the source.
func constants(t *types.Named) (values []string) {
	var found []*types.Const
	scope := t.Obj().Pkg().Scope()
	for _, name := range scope.Names() {
		if c, ok := scope.Lookup(name).(*types.Const); ok && types.Identical(c.Type(), t) {
			found = append(found, c)
		}
	}
	slices.SortFunc(found, func(a, b *types.Const) int { return int(a.Pos() - b.Pos()) })
	for _, c := range found {
		values = append(values, constant.StringVal(c.Val()))
	}
	return values
}

// fields are those of a struct as encoding/json sees them: embedded structs give theirs, and a field of
// the struct itself hides theirs. owner is nil if the struct has no name.
func (r *reader) fields(t *types.Struct, owner *types.Named) (fields []field) {
	own := map[string]bool{}
	for v := range t.Fields() {
		if name, _, embedded := jsonName(t, v); !embedded && name != "" {
			own[name] = true
		}
	}
	for v := range t.Fields() {
		name, options, embedded := jsonName(t, v)
		if name == "" && !embedded {
			continue
		}
		if embedded {
			inner, pointer := types.Unalias(v.Type()), false
			if p, ok := inner.(*types.Pointer); ok {
				inner, pointer = types.Unalias(p.Elem()), true
			}
			n, _ := inner.(*types.Named)
			for _, f := range r.fields(inner.Underlying().(*types.Struct), n) {
				if !own[f.name] {
					f.optional = f.optional || pointer
					fields = append(fields, f)
				}
			}
			continue
		}
		f := field{name: name, doc: r.src.comments[v.Origin()].text, shape: r.shape(v.Type())}
		for _, o := range options {
			switch o {
			case "omitempty":
				// encoding/json never leaves out a struct for being empty.
				if _, isStruct := v.Type().Underlying().(*types.Struct); !isStruct {
					f.optional = true
				}
			case "omitzero":
				f.optional = true
			case "string":
				f.shape = shape{kind: text}
			}
		}
		if f.optional {
			f.shape.null = false // it is left out instead
		}
		if name == "ok" && f.shape.kind == truth && owner != nil && r.answers(owner) {
			// What tells a result from a refusal.
			yes := !types.Identical(owner, r.refused)
			f.shape.is, f.doc = &yes, ""
		}
		fields = append(fields, f)
	}
	return fields
}

// answers reports whether a type is that of an acknowledgement.
func (r *reader) answers(t types.Type) bool {
	return slices.ContainsFunc(append(r.results, r.refused), func(a types.Type) bool { return types.Identical(a, t) })
}

// jsonName is the name of a field in JSON and the options of its tag. The name is empty for a field that
// is not encoded; embedded says that the field's own fields stand in its place.
func jsonName(t *types.Struct, v *types.Var) (name string, options []string, embedded bool) {
	tag := ""
	for i := range t.NumFields() {
		if t.Field(i) == v {
			tag = reflect.StructTag(t.Tag(i)).Get("json")
		}
	}
	if tag == "-" {
		return "", nil, false
	}
	parts := strings.Split(tag, ",")
	if parts[0] == "" && v.Embedded() {
		inner := types.Unalias(v.Type())
		if p, ok := inner.(*types.Pointer); ok {
			inner = types.Unalias(p.Elem())
		}
		if _, ok := inner.Underlying().(*types.Struct); ok && !has(inner, "MarshalJSON") {
			return "", nil, true
		}
	}
	if !v.Exported() {
		return "", nil, false
	}
	if parts[0] == "" {
		return v.Name(), parts[1:], false
	}
	return parts[0], parts[1:], false
}

// has reports whether a value of the type, or a pointer to one, has the method.
func has(t types.Type, method string) bool {
	obj, _, _ := types.LookupFieldOrMethod(t, true, nil, method)
	f, ok := obj.(*types.Func)
	return ok && f.Signature().Recv() != nil
}
