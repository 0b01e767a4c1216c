package web

import (
	"io/fs"
	"path"
	"strings"
)

// loadSource reads the program's own files that people may read, by the path that each is served at.
// Tests are left out: a page links to how a thing is made.
func loadSource(source fs.FS) (map[string]*page, error) {
	byPath := make(map[string]*page)
	if source == nil {
		return byPath, nil
	}
	err := fs.WalkDir(source, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return err
		}
		body, err := fs.ReadFile(source, name)
		if err != nil {
			return err
		}
		byPath["/source/"+name] = newPage(name, body)
		return nil
	})
	return byPath, err
}
