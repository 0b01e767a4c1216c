package web

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

func file(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }

func TestLayout(t *testing.T) {
	site := func(layout string) *world {
		return newWorld(t, func(cfg *Config) {
			cfg.Public = fstest.MapFS{
				"layout.html":     file(layout),
				"index.html":      file(`{{template "layout" .}} {{define "main"}}jobs{{end}}`),
				"vote/index.html": file(`{{template "layout" .}} {{define "main"}}votes{{end}}`),
				"404.html":        file("<p>lost"),
				"app.js":          file("`{{not a template}}`"),
			}
		})
	}
	w := site(`{{define "layout"}}<a{{if eq . "/vote/"}} aria-current="page"{{end}}>{{template "main" .}}{{end}}`)
	for path, want := range map[string]string{
		"/":                                "<a>jobs ",
		"/index.html":                      "<a>jobs ",
		"/jobs/01K9ZQ8V5M9S2T7X4W3E6R1B0C": "<a>jobs ",
		"/vote/":                           `<a aria-current="page">votes `,
		"/layout.html":                     "<p>lost",
		"/app.js":                          "`{{not a template}}`",
	} {
		if got := w.get(path).text(); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}

	// What is the same file in another layout is another page to a browser that asks whether it has it.
	tag := w.get("/vote/").header.Get("ETag")
	other := site(`{{define "layout"}}<b>{{template "main" .}}{{end}}`).get("/vote/", "If-None-Match", tag)
	if other.status != 200 || other.text() != "<b>votes " {
		t.Errorf("in another layout, asked with the ETag of the first: got %d %q, want 200", other.status, other.text())
	}
}

func TestPagesThatAreNoTemplatesAreRefused(t *testing.T) {
	for name, site := range map[string]fstest.MapFS{
		"a layout that cannot be parsed": {"layout.html": file("{{define"), "index.html": file("")},
		"a page that cannot be parsed":   {"index.html": file("{{if}}")},
		"a page without a part": {
			"layout.html": file(`{{define "layout"}}{{template "main"}}{{end}}`), "index.html": file(`{{template "layout"}}`),
		},
	} {
		if _, err := loadPages(site); err == nil || !strings.Contains(err.Error(), ".html") {
			t.Errorf("%s: got the error %v, want one that names the file", name, err)
		}
	}
}

// The pages as they are: one header each, whose link to the page itself says so, and the document's end.
func TestPublicPages(t *testing.T) {
	pages, err := loadPages(os.DirFS("../public"))
	if err != nil {
		t.Fatal(err)
	}
	current := regexp.MustCompile(`<a href="([^"]*)" aria-current="page">`)
	for _, path := range []string{"/", "/vote/", "/chat/", "/echo/", "/task/", "/compare/", "/console/"} {
		page := pages.byPath[path]
		if page == nil {
			t.Errorf("there is no page %s", path)
			continue
		}
		body := string(page.body)
		for _, part := range []string{"<!doctype html>", "<header ", "<main id=\"main\"", "id=\"spoken\"", "<noscript>", "</html>"} {
			if strings.Count(body, part) != 1 {
				t.Errorf("%s: got %d of %q, want one", path, strings.Count(body, part), part)
			}
		}
		if !strings.HasPrefix(body, "<!doctype html>\n") || !strings.HasSuffix(strings.TrimSpace(body), "\n</html>") {
			t.Errorf("%s: got a page from %.30q", path, body)
		}
		var got []string
		for _, link := range current.FindAllStringSubmatch(body, -1) {
			got = append(got, link[1])
		}
		if want := path; path == "/" && got != nil || path != "/" && strings.Join(got, " ") != want { // app/main.js sets that of /
			t.Errorf("%s: got the current page %q", path, got)
		}
	}
}
