// Command generate makes what pages and people read of package events: the TypeScript declarations for
// the stock client, the AsyncAPI document and the tables of docs/events.md. Run it as
//
//	go generate ./events
//
// It reads the package's source with its types and comments, and knows no event by name: every variable
// of type Namespace is in the catalogue. What encoding/json makes of a type decides how it is described;
// a type with an encoding of its own is described as unknown. A type whose UnmarshalJSON takes something
// else besides says so by a line "//catalogue:or boolean" in its comment.
//
// It needs the go command and no network, and runs no goroutine.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run() error {
	root, files, err := generate(newLibrary(), "jobcast/events")
	if err != nil {
		return err
	}
	for _, f := range files {
		name := filepath.Join(root, f.name)
		old, err := os.ReadFile(name)
		if err != nil && !os.IsNotExist(err) {
			return err
		}
		if err := os.WriteFile(name, f.content(old), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// A file is one result; its name is that below the module's root. Above marker, which may be empty, the
// file is written by hand.
type file struct {
	name   string
	marker string
	made   []byte
}

// content is the whole file, with what was written by hand in the old one.
func (f file) content(old []byte) []byte {
	if f.marker == "" {
		return f.made
	}
	above, _, _ := bytes.Cut(old, []byte(f.marker))
	return append(append(bytes.Clone(above), f.marker...), f.made...)
}

// generate makes all files for the package, and returns them with the root of the module.
func generate(lib *library, pkg string) (root string, files []file, err error) {
	src, err := load(lib, pkg)
	if err != nil {
		return "", nil, err
	}
	c, err := src.catalogue()
	if err != nil {
		return "", nil, err
	}
	return src.root, []file{
		{name: "public/events.d.ts", made: c.typescript()},
		{name: "docs/asyncapi.json", made: c.asyncapi()},
		{name: "docs/events.md", marker: "<!-- From here on made by: go generate ./events -->\n", made: c.markdown()},
	}, nil
}
