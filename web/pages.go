package web

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/labstack/echo/v4"

	"jobcast/internal/coding"
)

// contentTypes are those of the pages' files. What the host's own tables say must not matter.
var contentTypes = map[string]string{
	".css":         "text/css; charset=utf-8",
	".go":          "text/plain; charset=utf-8", // to be read
	".html":        "text/html; charset=utf-8",
	".ico":         "image/x-icon",
	".jpg":         "image/jpeg",
	".js":          "text/javascript; charset=utf-8",
	".json":        "application/json",
	".map":         "application/json",
	".mjs":         "text/javascript; charset=utf-8",
	".png":         "image/png",
	".svg":         "image/svg+xml",
	".ts":          "text/plain; charset=utf-8", // type declarations, to be read
	".txt":         "text/plain; charset=utf-8",
	".wasm":        "application/wasm",
	".webmanifest": "application/manifest+json",
	".webp":        "image/webp",
	".woff2":       "font/woff2",
}

// securityPolicy lets the pages load and reach their own origin only. Scripts and styles come from files.
const securityPolicy = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; " +
	"form-action 'self'; frame-ancestors 'none'"

// A page is one file, ready to be sent.
type page struct {
	contentType string
	body        []byte
	gzipped     []byte // nil where it would save nothing
	tag         string // a hash of the content, without the quotes
}

type pages struct {
	byPath   map[string]*page
	notFound *page
}

// loadPages reads all files once, and puts the pages into their layout: there are few, and they are part of the
// program.
func loadPages(public fs.FS) (*pages, error) {
	pages := &pages{
		byPath:   make(map[string]*page),
		notFound: newPage("404.html", []byte(notFoundPage)),
	}
	layout, err := loadLayout(public)
	if err != nil {
		return nil, err
	}
	err = fs.WalkDir(public, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasPrefix(path.Base(name), ".") || name == layoutName {
			return err
		}
		body, err := fs.ReadFile(public, name)
		if err != nil {
			return err
		}
		if body, err = render(layout, name, body); err != nil {
			return err
		}
		p := newPage(name, body)
		if name == "404.html" {
			pages.notFound = p
			return nil
		}
		// A colon or a star in a name would be a pattern to the router.
		if strings.ContainsAny(name, ":*") {
			return fmt.Errorf("%s: a name may not have a colon or a star", name)
		}
		pages.byPath["/"+name] = p
		if dir, ok := strings.CutSuffix("/"+name, "/index.html"); ok {
			pages.byPath[dir+"/"] = p
		}
		return nil
	})
	if err == nil && pages.byPath["/"] == nil {
		err = errors.New("there is no index.html")
	}
	return pages, err
}

const notFoundPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Not found</title>
<main>
<h1>Nothing here</h1>
<p>There is no page at this address. <a href="/">All jobs</a></p>
</main>
</html>
`

func newPage(name string, body []byte) *page {
	sum := sha256.Sum256(body)
	p := &page{
		contentType: contentTypes[path.Ext(name)],
		body:        body,
		tag:         base64.RawURLEncoding.EncodeToString(sum[:15]),
	}
	if p.contentType == "" {
		p.contentType = "application/octet-stream"
	}
	if isText(p.contentType) {
		if packed := coding.Smallest(coding.Gzip, body); len(packed) < len(body)*9/10 {
			p.gzipped = packed
		}
	}
	return p
}

func isText(contentType string) bool {
	mediaType, _, _ := mime.ParseMediaType(contentType)
	return strings.HasPrefix(mediaType, "text/") || strings.HasSuffix(mediaType, "json") || mediaType == "image/svg+xml"
}

// serve sends the page, or says that the client has it. A browser asks each time: the files of one
// version belong together, and a new one is there after a restart.
func (p *page) serve(c echo.Context, status int) error {
	h := c.Response().Header()
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", securityPolicy)
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	body, tag := p.body, `"`+p.tag+`"`
	if p.gzipped != nil {
		h.Set("Vary", "Accept-Encoding")
		if coding.Choose(c.Request().Header["Accept-Encoding"], coding.Gzip) == coding.Gzip {
			body, tag = p.gzipped, `"`+p.tag+`-gz"`
			h.Set("Content-Encoding", coding.Gzip)
		}
	}
	if status == http.StatusOK {
		h.Set("ETag", tag)
		if holds(c, tag) {
			h.Del("Content-Encoding")
			return c.NoContent(http.StatusNotModified)
		}
	}
	return writeBody(c, status, p.contentType, body)
}
