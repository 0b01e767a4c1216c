// Package bundle serves the files of the stock JavaScript client below the path of the server, where pages
// expect them: <script src="/socket.io/socket.io.js"></script>. The answers are those of the reference
// server, and say besides what they vary by. The package knows nothing of sockets. It runs no goroutine.
package bundle

import (
	"cmp"
	"io"
	"io/fs"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"jobcast/engineio/cors"
	"jobcast/internal/coding"
)

// names are the files that are served, and no other, each with its source map.
var names = []string{"socket.io.js", "socket.io.min.js", "socket.io.esm.min.js", "socket.io.msgpack.min.js"}

// Config says what a Handler serves. The zero value serves nothing.
type Config struct {
	// Files holds the files socket.io.js, socket.io.min.js, socket.io.esm.min.js and
	// socket.io.msgpack.min.js, and the source map of each with .map behind its name, as they are in the
	// directory dist of the npm package socket.io-client. Those that are missing are not served. Nil means
	// that none is.
	Files fs.FS
	// Version is the client's, which is in the ETag. Empty means the one that the first lines of its files
	// tell.
	Version string
	// Path is the directory of the files in URLs. Empty means "/socket.io/".
	Path string
}

// A Handler serves the files of one version. It is safe for use by many goroutines.
type Handler struct {
	path  string
	tag   string
	cors  *cors.Policy
	files map[string]*file // by name
}

// New returns a handler. The rules say which pages of other origins may read the files; any page may load
// them as scripts. New panics if there are files but no version, or if no browser would take the rules.
func New(cfg Config, rules cors.Config) *Handler {
	h := &Handler{
		path:  strings.TrimSuffix(cmp.Or(cfg.Path, "/socket.io/"), "/") + "/",
		cors:  cors.New(rules),
		files: make(map[string]*file),
	}
	if cfg.Files == nil {
		return h
	}
	for _, name := range names {
		for _, name := range []string{name, name + ".map"} {
			if info, err := fs.Stat(cfg.Files, name); err == nil {
				h.files[name] = newFile(cfg.Files, name, info.Size())
			}
		}
	}
	version := cfg.Version
	for _, name := range names {
		if version == "" && h.files[name] != nil {
			version = versionOf(cfg.Files, name)
		}
	}
	if version == "" && len(h.files) > 0 {
		panic("bundle: no file names the client's version: set Config.Version")
	}
	h.tag = `"` + version + `"`
	return h
}

var banner = regexp.MustCompile(`Socket\.IO v([0-9A-Za-z.+-]+)`)

// versionOf returns the version that the file's first lines tell, or "".
func versionOf(files fs.FS, name string) string {
	f, err := files.Open(name)
	if err != nil {
		return ""
	}
	defer f.Close()
	first := make([]byte, 200)
	n, _ := io.ReadFull(f, first) // a shorter file is looked at as far as it goes
	if m := banner.FindSubmatch(first[:n]); m != nil {
		return string(m[1])
	}
	return ""
}

// writeTimeout is how long a client may take to read a file.
const writeTimeout = 2 * time.Minute

// Serve answers a request for one of the files. It returns false, and has done nothing, if r is none.
func (h *Handler) Serve(w http.ResponseWriter, r *http.Request) bool {
	name, ok := strings.CutPrefix(r.URL.Path, h.path)
	if !ok {
		return false
	}
	f := h.files[name]
	if f == nil || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	header := w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	header.Add("Vary", "Accept-Encoding")
	if origin := r.Header.Get("Origin"); origin == "" && h.cors.Varies() {
		header.Add("Vary", "Origin") // this answer may be kept for a request that has one
	} else if cors.Valid(origin) {
		h.cors.Allow(header, r, origin)
	}
	header.Set("Cache-Control", "public, max-age=0")
	header.Set("ETag", h.tag)
	if matches(r.Header["If-None-Match"], h.tag) {
		w.WriteHeader(http.StatusNotModified)
		return true
	}
	rc := http.NewResponseController(w)
	// Not every ResponseWriter has deadlines; those of net/http do.
	_ = rc.SetWriteDeadline(time.Now().Add(writeTimeout))
	defer func() { _ = rc.SetWriteDeadline(time.Time{}) }()
	f.serve(w, r)
	return true
}

// matches reports whether one of the tags in an If-None-Match field is tag, or any is (RFC 9110,
// "If-None-Match"). Weak tags count.
func matches(fields []string, tag string) bool {
	for _, field := range fields {
		for t := range strings.SplitSeq(field, ",") {
			if t = strings.TrimSpace(t); t == "*" || strings.TrimPrefix(t, "W/") == tag {
				return true
			}
		}
	}
	return false
}

// A file is one of those that are served. Its compressed forms are made when they are first asked for, and
// kept.
type file struct {
	files         fs.FS
	name          string
	size          int64
	contentType   string
	gzip, deflate func() []byte // nil bytes if the file cannot be read
}

func newFile(files fs.FS, name string, size int64) *file {
	f := &file{files: files, name: name, size: size, contentType: "application/javascript; charset=utf-8"}
	if strings.HasSuffix(name, ".map") {
		f.contentType = "application/json; charset=utf-8"
	}
	f.gzip = sync.OnceValue(func() []byte { return f.compress(coding.Gzip) })
	f.deflate = sync.OnceValue(func() []byte { return f.compress(coding.Deflate) })
	return f
}

func (f *file) compress(c string) []byte {
	p, err := fs.ReadFile(f.files, f.name)
	if err != nil {
		return nil
	}
	return coding.Smallest(c, p)
}

func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	var packed []byte
	c := coding.Choose(r.Header["Accept-Encoding"], coding.Gzip, coding.Deflate)
	switch c {
	case coding.Gzip:
		packed = f.gzip()
	case coding.Deflate:
		packed = f.deflate()
	}
	if packed != nil {
		h.Set("Content-Encoding", c)
		h.Set("Content-Length", strconv.Itoa(len(packed)))
		_, _ = w.Write(packed) // a client that is gone needs no file
		return
	}
	content, err := f.files.Open(f.name)
	if err != nil {
		h.Del("ETag")
		http.Error(w, "the file cannot be read", http.StatusInternalServerError)
		return
	}
	defer content.Close()
	h.Set("Content-Length", strconv.FormatInt(f.size, 10))
	_, _ = io.Copy(w, content) // as above
}
