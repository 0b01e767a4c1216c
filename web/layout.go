package web

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"path"
	"strings"
)

// layoutName is the file that holds what the pages share. It is not served.
const layoutName = "layout.html"

// loadLayout reads the templates that every page may use. A site without layout.html has none.
func loadLayout(public fs.FS) (*template.Template, error) {
	text, err := fs.ReadFile(public, layoutName)
	if errors.Is(err, fs.ErrNotExist) {
		return template.New(layoutName), nil
	}
	if err != nil {
		return nil, err
	}
	return template.New(layoutName).Parse(string(text))
}

// render makes the body that is sent of the file `name`. A page in HTML is a template of its own: it begins with
// {{template "layout" .}} and defines the parts that the layout asks for, or is a whole document, as 404.html. The
// dot is the path that it is served at, as /vote/. Nothing in it depends on a request, so that it is made once.
func render(layout *template.Template, name string, body []byte) ([]byte, error) {
	if path.Ext(name) != ".html" {
		return body, nil
	}
	own, err := layout.Clone()
	if err != nil {
		return nil, err
	}
	if own, err = own.New(name).Parse(string(body)); err != nil {
		return nil, err
	}
	var made bytes.Buffer
	if err := own.Execute(&made, "/"+strings.TrimSuffix(name, "index.html")); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return made.Bytes(), nil
}
