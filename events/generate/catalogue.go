package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/constant"
	"go/types"
	"slices"
	"strings"
	"unicode"
)

// A catalogue is what package events says, in the words of the wire.
type catalogue struct {
	namespaces []*namespace // by path
	types      []*named     // in the order in which they are first mentioned
	refusal    *named
}

type namespace struct {
	path   string
	title  string // begins the names of its declarations, such as Jobs
	doc    string
	auth   *shape // what a client connects with, if it is read
	client []*message
	server []*message
}

// A message is an event, or a call where it has an answer.
type message struct {
	id      string // the name of the variable, such as JobStart
	name    string // on the wire
	doc     string
	payload shape
	answer  *shape
	refused bool // the answer may be the catalogue's refusal instead
}

// A variable is one of the package, and what it begins as.
type variable struct {
	*types.Var
	name  *ast.Ident
	value ast.Expr
}

// variables are those of the package that begin as something, in the order of the source.
func (s *source) variables() (all []variable) {
	for _, f := range s.files {
		for _, decl := range f.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range gen.Specs {
				spec, ok := spec.(*ast.ValueSpec)
				if !ok || len(spec.Values) != len(spec.Names) {
					continue
				}
				for i, name := range spec.Names {
					if v, ok := s.info.Defs[name].(*types.Var); ok {
						all = append(all, variable{v, name, spec.Values[i]})
					}
				}
			}
		}
	}
	return all
}

// catalogue finds every variable of type Namespace, and what it lists.
func (s *source) catalogue() (*catalogue, error) {
	of, ok := s.pkg.Scope().Lookup("Namespace").(*types.TypeName)
	if !ok {
		return nil, fmt.Errorf("%s declares no Namespace", s.pkg.Path())
	}
	refusal, ok := s.pkg.Scope().Lookup("Refusal").(*types.TypeName)
	if !ok {
		return nil, fmt.Errorf("%s declares no Refusal", s.pkg.Path())
	}
	r := newReader(s)
	r.refused = refusal.Type()
	vars := map[types.Object]variable{}
	var events, namespaces []variable
	for _, v := range s.variables() {
		vars[v.Var] = v
		if wire, args, ok := s.event(v); ok {
			events = append(events, v)
			r.words[v.Name()] = "`" + wire + "`"
			if len(args) == 2 {
				r.results = append(r.results, args[1])
			}
		} else if types.Identical(v.Type(), of.Type()) {
			namespaces = append(namespaces, v)
		}
	}

	c := &catalogue{}
	literals := map[*namespace]*ast.CompositeLit{}
	for _, v := range namespaces {
		lit, ok := v.value.(*ast.CompositeLit)
		if !ok {
			return nil, s.errorf(v.name, "%s must be written out as Namespace{…}", v.Name())
		}
		n := &namespace{path: s.path(lit)}
		if !strings.HasPrefix(n.path, "/") {
			return nil, s.errorf(v.name, "%s needs a Path that begins with a slash", v.Name())
		}
		n.title = title(n.path)
		n.doc = r.words.in(s.comments[v.Var].text, v.Name(), "`"+n.path+"`")
		c.namespaces, literals[n] = append(c.namespaces, n), lit
	}
	slices.SortFunc(c.namespaces, func(a, b *namespace) int { return strings.Compare(a.path, b.path) })
	listed := map[types.Object]bool{}
	for i, n := range c.namespaces {
		if i > 0 && c.namespaces[i-1].path == n.path {
			return nil, fmt.Errorf("two namespaces have the path %s", n.path)
		}
		if err := s.fill(n, literals[n], r, vars, listed); err != nil {
			return nil, err
		}
	}
	for _, v := range events {
		if !listed[v.Var] {
			return nil, s.errorf(v.name, "%s is in no Namespace", v.Name())
		}
	}
	c.refusal = r.shape(r.refused).ref
	c.types = r.order
	return c, r.err
}

// path is the Path of a Namespace; it is empty if that is no constant.
func (s *source) path(lit *ast.CompositeLit) string {
	for _, e := range lit.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok && kv.Key.(*ast.Ident).Name == "Path" {
			if tv := s.info.Types[kv.Value]; tv.Value != nil {
				return constant.StringVal(tv.Value)
			}
		}
	}
	return ""
}

// fill reads the other fields of a Namespace, and marks the events that it lists.
func (s *source) fill(n *namespace, lit *ast.CompositeLit, r *reader, vars map[types.Object]variable, listed map[types.Object]bool) error {
	for _, e := range lit.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok {
			return s.errorf(e, "a Namespace is written with the names of its fields")
		}
		side := kv.Key.(*ast.Ident).Name
		into, said := &n.client, true
		switch side {
		case "Auth":
			if !s.info.Types[kv.Value].IsNil() {
				r.auth = true
				auth := r.shape(s.info.TypeOf(kv.Value))
				r.auth = false
				n.auth = &auth
			}
			continue
		case "Server":
			into = &n.server
		case "Client":
		case "Next":
			said = false
		default:
			continue
		}
		list, ok := kv.Value.(*ast.CompositeLit)
		if !ok {
			return s.errorf(kv.Value, "%s must be written out as a list", side)
		}
		for _, e := range list.Elts {
			id, ok := e.(*ast.Ident)
			if !ok {
				return s.errorf(e, "%s lists variables of this package", side)
			}
			if _, _, ok := s.event(vars[s.info.Uses[id]]); ok && !said {
				listed[s.info.Uses[id]] = true
				continue
			}
			m, err := s.message(r, vars[s.info.Uses[id]])
			if err != nil {
				return s.errorf(e, "%w", err)
			}
			if slices.ContainsFunc(*into, func(o *message) bool { return o.name == m.name }) {
				return s.errorf(e, "%s says %s twice", side, m.name)
			}
			m.refused = m.answer != nil && side == "Client"
			*into = append(*into, m)
			listed[s.info.Uses[id]] = true
		}
	}
	return nil
}

// event tells whether v is an Event or a Call, and returns its name on the wire and its types.
func (s *source) event(v variable) (wire string, args []types.Type, ok bool) {
	if v.Var == nil {
		return "", nil, false
	}
	t, ok := types.Unalias(v.Type()).(*types.Named)
	if !ok || t.Obj().Pkg() == nil || t.Obj().Pkg().Path() != s.module+"/socketio" || t.Obj().Name() != "Event" && t.Obj().Name() != "Call" {
		return "", nil, false
	}
	call, ok := v.value.(*ast.CallExpr)
	for ok { // what a method makes of an Event, such as Event.Newest, has its name
		method, isMethod := call.Fun.(*ast.SelectorExpr)
		if !isMethod {
			break
		}
		call, ok = method.X.(*ast.CallExpr)
	}
	if !ok || len(call.Args) != 1 || s.info.Types[call.Args[0]].Value == nil {
		return "", nil, false
	}
	for arg := range t.TypeArgs().Types() {
		args = append(args, arg)
	}
	return constant.StringVal(s.info.Types[call.Args[0]].Value), args, true
}

func (s *source) message(r *reader, v variable) (*message, error) {
	wire, args, ok := s.event(v)
	if !ok {
		return nil, errors.New("only what NewEvent or NewCall of a constant name returns can be listed")
	}
	m := &message{id: v.Name(), name: wire, doc: r.words.in(s.comments[v.Var].text, v.Name(), "`"+wire+"`"), payload: r.shape(args[0])}
	if len(args) == 2 {
		answer := r.shape(args[1])
		m.answer = &answer
	}
	return m, nil
}

func (s *source) errorf(at ast.Node, format string, args ...any) error {
	return fmt.Errorf("%s: %w", s.fset.Position(at.Pos()), fmt.Errorf(format, args...))
}

// title makes the beginning of a name out of a path: Jobs for /jobs, Main for /.
func title(path string) string {
	words := strings.FieldsFunc(path, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for i, w := range words {
		words[i] = strings.ToUpper(w[:1]) + w[1:]
	}
	if len(words) == 0 {
		return "Main"
	}
	return strings.Join(words, "")
}

// words are names of the source and what a page calls the same.
type words map[string]string

// in returns a comment in a page's words. The name that the comment begins with becomes as. A name of one
// plain word, such as After, may be just that word at the beginning of a sentence: there it is a name only
// if "is", "are" or a comma follows.
func (w words) in(text, name, as string) string {
	rest, ok := strings.CutPrefix(text, name)
	if ok && (rest == "" || !isWord(rune(rest[0]))) {
		return as + w.in(rest, "\x00", "")
	}
	var b strings.Builder
	begins := true
	for len(text) > 0 {
		n := strings.IndexFunc(text, func(r rune) bool { return !isWord(r) })
		switch {
		case n < 0:
			n = len(text)
		case n == 0: // what is between two words
			n = strings.IndexFunc(text, isWord)
			if n < 0 {
				n = len(text)
			}
			begins = begins || strings.Contains(text[:n], ".") || strings.Contains(text[:n], "\n\n")
			b.WriteString(text[:n])
			text = text[n:]
			continue
		}
		word := text[:n]
		plain := unicode.IsUpper(rune(word[0])) && strings.IndexFunc(word[1:], unicode.IsUpper) < 0
		if other, ok := w[word]; ok && (!plain || !begins || isSubject(text[n:])) {
			b.WriteString(other)
		} else {
			b.WriteString(word)
		}
		begins = false
		text = text[n:]
	}
	return b.String()
}

func isSubject(rest string) bool {
	return strings.HasPrefix(rest, " is ") || strings.HasPrefix(rest, " are ") || strings.HasPrefix(rest, ", ")
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' }
