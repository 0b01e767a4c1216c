package main

import (
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

// catalogue finds every variable of type Namespace, and what it lists.
func (s *source) catalogue() (*catalogue, error) {
	of, ok := s.pkg.Scope().Lookup("Namespace").(*types.TypeName)
	if !ok {
		return nil, fmt.Errorf("%s declares no Namespace", s.pkg.Path())
	}
	values := map[*types.Var]ast.Expr{} // what the package's variables begin as
	var names []*ast.Ident
	for _, f := range s.files {
		for _, decl := range f.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range gen.Specs {
				if spec, ok := spec.(*ast.ValueSpec); ok && len(spec.Values) == len(spec.Names) {
					for i, name := range spec.Names {
						if v, ok := s.info.Defs[name].(*types.Var); ok {
							values[v] = spec.Values[i]
							names = append(names, name)
						}
					}
				}
			}
		}
	}

	r := newReader(s)
	refusal, ok := s.pkg.Scope().Lookup("Refusal").(*types.TypeName)
	if !ok {
		return nil, fmt.Errorf("%s declares no Refusal", s.pkg.Path())
	}
	r.refused = refusal.Type()
	c := &catalogue{}
	listed := map[*types.Var]bool{}
	var found []*ast.Ident
	for _, name := range names {
		if v := s.info.Defs[name].(*types.Var); types.Identical(v.Type(), of.Type()) {
			found = append(found, name)
		}
	}
	for v, value := range values { // first, because comments and types mention them
		if wire, args, ok := s.event(v, value); ok {
			r.words[v.Name()] = "`" + wire + "`"
			if len(args) == 2 {
				r.results = append(r.results, args[1])
			}
		}
	}
	type pending struct {
		n   *namespace
		lit *ast.CompositeLit
	}
	var todo []pending
	for _, name := range found {
		v := s.info.Defs[name].(*types.Var)
		lit, ok := values[v].(*ast.CompositeLit)
		if !ok {
			return nil, s.errorf(name, "%s must be written out as Namespace{…}", v.Name())
		}
		n := &namespace{}
		for _, e := range lit.Elts {
			if kv, ok := e.(*ast.KeyValueExpr); ok && kv.Key.(*ast.Ident).Name == "Path" {
				if tv := s.info.Types[kv.Value]; tv.Value != nil {
					n.path = constant.StringVal(tv.Value)
				}
			}
		}
		if !strings.HasPrefix(n.path, "/") {
			return nil, s.errorf(name, "%s needs a Path that begins with a slash", v.Name())
		}
		n.title = title(n.path)
		n.doc = r.words.in(s.comments[v].text, v.Name(), "`"+n.path+"`")
		c.namespaces = append(c.namespaces, n)
		todo = append(todo, pending{n, lit})
	}
	slices.SortStableFunc(todo, func(a, b pending) int { return strings.Compare(a.n.path, b.n.path) })
	slices.SortStableFunc(c.namespaces, func(a, b *namespace) int { return strings.Compare(a.path, b.path) })
	for i, n := range c.namespaces {
		if i > 0 && c.namespaces[i-1].path == n.path {
			return nil, fmt.Errorf("two namespaces have the path %s", n.path)
		}
	}
	for _, p := range todo {
		for _, e := range p.lit.Elts {
			kv, ok := e.(*ast.KeyValueExpr)
			if !ok {
				return nil, s.errorf(e, "a Namespace is written with the names of its fields")
			}
			side := kv.Key.(*ast.Ident).Name
			if side != "Client" && side != "Server" {
				continue
			}
			list, ok := kv.Value.(*ast.CompositeLit)
			if !ok {
				return nil, s.errorf(kv.Value, "%s must be written out as a list", side)
			}
			for _, e := range list.Elts {
				id, ok := e.(*ast.Ident)
				if !ok {
					return nil, s.errorf(e, "%s lists variables of this package", side)
				}
				v, _ := s.info.Uses[id].(*types.Var)
				m, err := s.message(r, v, values[v])
				if err != nil {
					return nil, s.errorf(e, "%w", err)
				}
				listed[v] = true
				m.refused = m.answer != nil && side == "Client"
				into := &p.n.client
				if side == "Server" {
					into = &p.n.server
				}
				if slices.ContainsFunc(*into, func(o *message) bool { return o.name == m.name }) {
					return nil, s.errorf(e, "%s says %s twice", side, m.name)
				}
				*into = append(*into, m)
			}
		}
	}
	for _, name := range names {
		v := s.info.Defs[name].(*types.Var)
		if _, _, ok := s.event(v, values[v]); ok && !listed[v] {
			return nil, s.errorf(name, "%s is in no Namespace", v.Name())
		}
	}
	c.refusal = r.shape(r.refused).ref
	c.types = r.order
	return c, r.err
}

// event tells whether v is an Event or a Call, and returns its name on the wire and its types.
func (s *source) event(v *types.Var, value ast.Expr) (wire string, args []types.Type, ok bool) {
	if v == nil {
		return "", nil, false
	}
	t, ok := types.Unalias(v.Type()).(*types.Named)
	if !ok || t.Obj().Pkg() == nil || t.Obj().Pkg().Path() != s.module+"/socketio" || t.Obj().Name() != "Event" && t.Obj().Name() != "Call" {
		return "", nil, false
	}
	call, ok := value.(*ast.CallExpr)
	if !ok || len(call.Args) != 1 || s.info.Types[call.Args[0]].Value == nil {
		return "", nil, false
	}
	for arg := range t.TypeArgs().Types() {
		args = append(args, arg)
	}
	return constant.StringVal(s.info.Types[call.Args[0]].Value), args, true
}

func (s *source) message(r *reader, v *types.Var, value ast.Expr) (*message, error) {
	wire, args, ok := s.event(v, value)
	if !ok {
		return nil, fmt.Errorf("only what NewEvent or NewCall of a constant name returns can be listed")
	}
	m := &message{id: v.Name(), name: wire, doc: r.words.in(s.comments[v].text, v.Name(), "`"+wire+"`"), payload: r.shape(args[0])}
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
