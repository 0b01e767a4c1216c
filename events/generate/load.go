package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// A library is what has been read of packages outside the module, kept from one source to the next. It is
// for one goroutine.
type library struct {
	fset    *token.FileSet
	checked map[string]*types.Package
}

func newLibrary() *library {
	return &library{fset: token.NewFileSet(), checked: map[string]*types.Package{}}
}

// A source is a package, type-checked, with the comments of what it and the packages below it declare.
// Every package is read from its source, the standard library's too, without the bodies of its functions:
// that takes about a second, while what the compiler exports has to be compiled first.
type source struct {
	root     string // the module's directory
	module   string
	pkg      *types.Package
	files    []*ast.File // of pkg
	info     *types.Info // of every package of the module that was read
	comments map[types.Object]comment

	fset    *token.FileSet
	library *library
	listed  map[string]listed
	checked map[string]*types.Package // of the module
}

// A comment is what is said about one declaration, without the comment's marks.
type comment struct {
	text string
	also string // what "//catalogue:or" names, if anything
}

// listed is what go list says about a package.
type listed struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	ImportMap  map[string]string // where an import is not of the package of that path: vendored ones
	Module     *struct {
		Path, Dir string
		Main      bool
	}
}

// load reads a package, which is named by its import path or its directory.
func load(lib *library, pattern string) (*source, error) {
	s := &source{
		info:     &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}},
		comments: map[types.Object]comment{},
		fset:     lib.fset,
		library:  lib,
		listed:   map[string]listed{},
		checked:  map[string]*types.Package{},
	}
	list := exec.Command("go", "list", "-deps", "-json=ImportPath,Dir,GoFiles,ImportMap,Module", "--", pattern)
	list.Env = append(os.Environ(), "CGO_ENABLED=0") // so that all of the source is Go
	out, err := list.Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil, fmt.Errorf("go list %s: %s", pattern, failed.Stderr)
	}
	if err != nil {
		return nil, fmt.Errorf("go list %s: %w", pattern, err)
	}
	var last listed // dependencies come first
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("go list %s: %w", pattern, err)
		}
		s.listed[p.ImportPath], last = p, p
	}
	if last.Module == nil {
		return nil, fmt.Errorf("%s is in no module", pattern)
	}
	s.root, s.module = last.Module.Dir, last.Module.Path
	s.pkg, err = s.Import(last.ImportPath)
	return s, err
}

// Import implements types.Importer.
func (s *source) Import(path string) (*types.Package, error) {
	if path == "unsafe" {
		return types.Unsafe, nil
	}
	l := s.listed[path]
	own := l.Module != nil && l.Module.Main
	mode, info, checked := parser.SkipObjectResolution, (*types.Info)(nil), s.library.checked
	if own {
		mode, info, checked = mode|parser.ParseComments, s.info, s.checked
	}
	if p := checked[path]; p != nil {
		return p, nil
	}
	var files []*ast.File
	for _, name := range l.GoFiles {
		f, err := parser.ParseFile(s.fset, filepath.Join(l.Dir, name), nil, mode)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	conf := types.Config{
		Importer:         importedBy{s, l.ImportMap},
		IgnoreFuncBodies: true,
		Sizes:            types.SizesFor("gc", runtime.GOARCH),
	}
	p, err := conf.Check(path, s.fset, files, info)
	if err != nil {
		return nil, err
	}
	checked[path] = p
	if own {
		s.files = files // the package that was asked for is the last one
		for _, f := range files {
			s.readComments(f)
		}
	}
	return p, nil
}

// importedBy resolves the imports of one package.
type importedBy struct {
	source *source
	names  map[string]string // as in listed.ImportMap
}

func (i importedBy) Import(path string) (*types.Package, error) {
	if mapped, ok := i.names[path]; ok {
		path = mapped
	}
	return i.source.Import(path)
}

// readComments notes what is said about each variable, constant, type and field that a file declares.
func (s *source) readComments(f *ast.File) {
	for _, decl := range f.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range gen.Specs {
			switch spec := spec.(type) {
			case *ast.ValueSpec:
				doc := spec.Doc
				if doc == nil && !gen.Lparen.IsValid() {
					doc = gen.Doc
				}
				for _, name := range spec.Names {
					s.note(name, doc, spec.Comment)
				}
			case *ast.TypeSpec:
				doc := spec.Doc
				if doc == nil {
					doc = gen.Doc
				}
				s.note(spec.Name, doc, spec.Comment)
				ast.Inspect(spec.Type, func(n ast.Node) bool {
					if field, ok := n.(*ast.Field); ok {
						for _, name := range field.Names {
							s.note(name, field.Doc, field.Comment)
						}
					}
					return true
				})
			}
		}
	}
}

func (s *source) note(name *ast.Ident, groups ...*ast.CommentGroup) {
	obj := s.info.Defs[name]
	if obj == nil {
		return
	}
	var c comment
	var texts []string
	for _, g := range groups {
		if text := strings.TrimSpace(g.Text()); text != "" {
			texts = append(texts, text)
		}
		if g == nil {
			continue
		}
		for _, line := range g.List {
			if also, ok := strings.CutPrefix(line.Text, "//catalogue:or "); ok {
				c.also = strings.TrimSpace(also)
			}
		}
	}
	c.text = strings.Join(texts, "\n\n")
	s.comments[obj] = c
}
