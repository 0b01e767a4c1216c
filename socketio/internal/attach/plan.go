package attach

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
)

// A plan says where in the values of a type the bytes are.
type plan struct {
	kind   reflect.Kind
	bytes  bool
	elem   *plan   // of a pointer, slice, array or map
	fields []field // of a struct, those that lead to bytes
}

type field struct {
	index     int
	omitEmpty bool
	plan      *plan
}

// plans are those that are made, or being made, as a type may lead back to itself.
type plans map[reflect.Type]*plan

// of returns the plan of a type, nil if no bytes are in it.
func (ps plans) of(t reflect.Type) *plan {
	if p, ok := ps[t]; ok {
		return p
	}
	if !leads(t, map[reflect.Type]bool{}) {
		ps[t] = nil
		return nil
	}
	p := &plan{kind: t.Kind(), bytes: isBytes(t)}
	ps[t] = p
	switch {
	case p.bytes:
	case p.kind == reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			if inner := ps.of(f.Type); inner != nil && encoded(f) {
				_, options, _ := strings.Cut(f.Tag.Get("json"), ",")
				omitEmpty := strings.Contains(","+options+",", ",omitempty,")
				p.fields = append(p.fields, field{i, omitEmpty, inner})
			}
		}
	default:
		p.elem = ps.of(t.Elem())
	}
	return p
}

// leads reports whether bytes can be reached from a value of the type.
func leads(t reflect.Type, seen map[reflect.Type]bool) bool {
	if seen[t] || opaque(t) {
		return false
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Slice:
		return isBytes(t) || leads(t.Elem(), seen)
	case reflect.Array, reflect.Map, reflect.Pointer:
		return leads(t.Elem(), seen)
	case reflect.Struct:
		for f := range t.Fields() {
			if encoded(f) && leads(f.Type, seen) {
				return true
			}
		}
	}
	return false
}

// encoded reports whether encoding/json looks at a field that may be written to.
func encoded(f reflect.StructField) bool {
	return f.Tag.Get("json") != "-" && (f.IsExported() || f.Anonymous && f.Type.Kind() == reflect.Struct)
}

func isBytes(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 && !opaque(t) && !opaque(t.Elem())
}

// opaque reports whether a type has methods of its own for JSON or text, in one direction at least.
func opaque(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return t.Kind() != reflect.Pointer &&
		(p.Implements(reflect.TypeFor[json.Marshaler]()) || p.Implements(reflect.TypeFor[json.Unmarshaler]()) ||
			p.Implements(reflect.TypeFor[encoding.TextMarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()))
}

// maxDepth is how deep a value may nest that is encoded.
const maxDepth = 10_000

// detach puts marks in place of the bytes of v, which may be changed itself, but nothing that it refers to. It
// returns false for a value that nests too deep.
func (p *plan) detach(m *marks, v reflect.Value, depth int) bool {
	if depth++; depth > maxDepth {
		return false
	}
	switch p.kind {
	case reflect.Pointer:
		if v.IsNil() {
			break
		}
		target := reflect.New(v.Type().Elem())
		target.Elem().Set(v.Elem())
		v.Set(target)
		return p.elem.detach(m, target.Elem(), depth)
	case reflect.Slice:
		if v.IsNil() {
			break
		}
		if p.bytes {
			v.SetBytes(m.mark(v.Bytes()))
			break
		}
		items := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(items, v)
		v.Set(items)
		return p.elem.detachAll(m, items, depth)
	case reflect.Array:
		return p.elem.detachAll(m, v, depth)
	case reflect.Map:
		if v.IsNil() {
			break
		}
		members := reflect.MakeMapWithSize(v.Type(), v.Len())
		for key, value := range v.Seq2() {
			member := reflect.New(v.Type().Elem()).Elem()
			member.Set(value)
			if !p.elem.detach(m, member, depth) {
				return false
			}
			members.SetMapIndex(key, member)
		}
		v.Set(members)
	case reflect.Struct:
		for _, f := range p.fields {
			inner := v.Field(f.index)
			if f.omitEmpty && f.plan.bytes && inner.Len() == 0 {
				continue
			}
			if !f.plan.detach(m, inner, depth) {
				return false
			}
		}
	}
	return true
}

func (p *plan) detachAll(m *marks, items reflect.Value, depth int) bool {
	for i := range items.Len() {
		if !p.detach(m, items.Index(i), depth) {
			return false
		}
	}
	return true
}

// attach puts bytes in place of the marks in v, which encoding/json has made.
func (p *plan) attach(m *marks, v reflect.Value) {
	switch p.kind {
	case reflect.Pointer:
		if !v.IsNil() {
			p.elem.attach(m, v.Elem())
		}
	case reflect.Slice:
		if p.bytes {
			if value, ok := m.valueOf(v.Bytes()); ok {
				v.SetBytes(value)
			}
			return
		}
		for i := range v.Len() {
			p.elem.attach(m, v.Index(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			p.elem.attach(m, v.Index(i))
		}
	case reflect.Map:
		for key, value := range v.Seq2() {
			member := reflect.New(v.Type().Elem()).Elem()
			member.Set(value)
			p.elem.attach(m, member)
			v.SetMapIndex(key, member)
		}
	case reflect.Struct:
		for _, f := range p.fields {
			f.plan.attach(m, v.Field(f.index))
		}
	}
}
