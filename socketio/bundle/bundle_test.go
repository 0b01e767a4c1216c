package bundle

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"jobcast/engineio/cors"
)

const first = "/*!\n * Socket.IO v4.8.4\n * (c) 2014-2026\n */\n"

func dist() fstest.MapFS {
	files := fstest.MapFS{"package.json": {Data: []byte("{}")}, "socket.io.slim.js": {Data: []byte("slim")}}
	for _, name := range names {
		files[name] = &fstest.MapFile{Data: []byte(first + strings.Repeat("// "+name+"\n", 200))}
		files[name+".map"] = &fstest.MapFile{Data: []byte(`{"file":"` + name + `","mappings":"` + strings.Repeat("AAAA;", 500) + `"}`)}
	}
	return files
}

// get returns the answer to a request, or nil if it is not the handler's.
func get(h *Handler, method, target string, header ...string) *http.Response {
	r := httptest.NewRequest(method, "http://server.test"+target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	if !h.Serve(w, r) {
		if len(w.Header()) > 0 || w.Body.Len() > 0 {
			panic(fmt.Sprint("it has begun to answer what is not its own: ", target))
		}
		return nil
	}
	return w.Result()
}

func body(t *testing.T, resp *http.Response) string {
	t.Helper()
	p, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var r io.Reader = bytes.NewReader(p)
	switch resp.Header.Get("Content-Encoding") {
	case "gzip":
		r, err = gzip.NewReader(r)
	case "deflate":
		r, err = zlib.NewReader(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	if p, err = io.ReadAll(r); err != nil {
		t.Fatal(err)
	}
	return string(p)
}

func TestFiles(t *testing.T) {
	files := dist()
	h := New(Config{Files: files}, cors.Config{})
	for _, name := range []string{
		"socket.io.js", "socket.io.min.js", "socket.io.esm.min.js", "socket.io.msgpack.min.js",
		"socket.io.js.map", "socket.io.min.js.map", "socket.io.esm.min.js.map", "socket.io.msgpack.min.js.map",
	} {
		contentType := "application/javascript; charset=utf-8"
		if strings.HasSuffix(name, ".map") {
			contentType = "application/json; charset=utf-8"
		}
		content := string(files[name].Data)
		for _, accept := range []string{"", "gzip", "deflate", "gzip, deflate, br", "identity", "gzip;q=0"} {
			coding := ""
			if strings.HasPrefix(accept, "deflate") || strings.HasPrefix(accept, "gzip") && !strings.HasSuffix(accept, "=0") {
				coding, _, _ = strings.Cut(accept, ",")
			}
			for range 2 { // the second time what was kept
				resp := get(h, "GET", "/socket.io/"+name+"?v=1", "Accept-Encoding", accept)
				const format = "%d %q %q %s %q %q"
				got := fmt.Sprintf(format, resp.StatusCode, resp.Header["Content-Type"], resp.Header["Cache-Control"],
					resp.Header["Etag"], resp.Header["Vary"], resp.Header.Get("Content-Encoding"))
				want := fmt.Sprintf(format, 200, []string{contentType}, []string{"public, max-age=0"}, []string{`"4.8.4"`},
					[]string{"Accept-Encoding", "Origin"}, coding)
				if got != want {
					t.Errorf("%s for %q: got %s, want %s", name, accept, got, want)
				}
				if got := resp.Header.Get("X-Content-Type-Options"); got != "nosniff" {
					t.Errorf("%s for %q: got X-Content-Type-Options %q", name, accept, got)
				}
				if resp.ContentLength <= 0 || coding != "" && resp.ContentLength > int64(len(content)/2) {
					t.Errorf("%s for %q: got %d bytes of %d", name, accept, resp.ContentLength, len(content))
				}
				if got := body(t, resp); got != content {
					t.Errorf("%s for %q: got %.80q", name, accept, got)
				}
			}
		}
	}
}

func TestOtherRequestsAreTheEngines(t *testing.T) {
	h := New(Config{Files: dist()}, cors.Config{})
	for _, target := range []string{
		"/socket.io/", "/socket.io/?EIO=4&transport=polling", "/socket.io", "/socket.io.js", "/socket.io/socket.io.slim.js",
		"/socket.io/package.json", "/socket.io/../socket.io.js", "/socket.io/x/socket.io.js", "/socket.io/socket.io.js/",
		"/socket.io/SOCKET.IO.js", "/other/socket.io.js", "/socket.io/socket.io.js.map.map", "/socket.io//socket.io.js",
	} {
		if resp := get(h, "GET", target); resp != nil {
			t.Errorf("%s: got %d, want it left to the engine", target, resp.StatusCode)
		}
	}
	for _, method := range []string{"POST", "OPTIONS", "PUT", "DELETE"} {
		if resp := get(h, method, "/socket.io/socket.io.js"); resp != nil {
			t.Errorf("%s: got %d, want it left to the engine", method, resp.StatusCode)
		}
	}
	if resp := get(h, "HEAD", "/socket.io/socket.io.js"); resp == nil || resp.StatusCode != 200 || resp.Header.Get("ETag") == "" {
		t.Errorf("HEAD: got %v", resp)
	}
}

func TestNotModified(t *testing.T) {
	h := New(Config{Files: dist(), Version: "9.9.9"}, cors.Config{Origins: []string{"*"}})
	for tag, want := range map[string]int{
		"": 200, `"9.9.9"`: 304, `W/"9.9.9"`: 304, `"4.8.4"`: 200, `9.9.9`: 200, `"1", W/"9.9.9"`: 304, "*": 304, `"9.9.9`: 200,
	} {
		resp := get(h, "GET", "/socket.io/socket.io.min.js", "If-None-Match", tag, "Accept-Encoding", "gzip", "Origin", "https://a.test")
		if resp.StatusCode != want {
			t.Errorf("%s: got %d, want %d", tag, resp.StatusCode, want)
		}
		if got := resp.Header.Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("%s: got X-Content-Type-Options %q", tag, got)
		}
		if got := resp.Header.Get("ETag"); got != `"9.9.9"` {
			t.Errorf("%s: got ETag %s", tag, got)
		}
		if got := resp.Header.Get("Access-Control-Allow-Origin"); got != "*" {
			t.Errorf("%s: got allowed origin %q, want any", tag, got)
		}
		if got := body(t, resp); (want == 304) != (got == "") || want == 304 && resp.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s: got %d bytes with %v", tag, len(got), resp.Header)
		}
	}
}

func TestOrigins(t *testing.T) {
	tests := []struct {
		name        string
		rules       cors.Config
		origin      string
		allow, vary string
	}{
		{"none, for the own origin only", cors.Config{}, "", "", "Accept-Encoding Origin"},
		{"none, for all", cors.Config{Origins: []string{"*"}}, "", "", "Accept-Encoding"},
		{"foreign, for all", cors.Config{Origins: []string{"*"}}, "https://a.test", "*", "Accept-Encoding"},
		{"listed", cors.Config{Origins: []string{"https://a.test"}}, "https://a.test", "https://a.test", "Accept-Encoding Origin"},
		// Not refused: the file is no secret, and the browser keeps it from the page.
		{"not listed", cors.Config{}, "https://a.test", "", "Accept-Encoding Origin"},
		{"none at all", cors.Config{Origins: []string{"*"}}, "https://a\x01b", "", "Accept-Encoding"},
	}
	for _, tt := range tests {
		h := New(Config{Files: dist()}, tt.rules)
		resp := get(h, "GET", "/socket.io/socket.io.esm.min.js", "Origin", tt.origin)
		allow, vary := resp.Header.Get("Access-Control-Allow-Origin"), strings.Join(resp.Header["Vary"], " ")
		if resp.StatusCode != 200 || allow != tt.allow || vary != tt.vary {
			t.Errorf("%s: got %d, allowed %q, vary %q, want %q, %q", tt.name, resp.StatusCode, allow, vary, tt.allow, tt.vary)
		}
	}
}

func TestConfig(t *testing.T) {
	if resp := get(New(Config{}, cors.Config{}), "GET", "/socket.io/socket.io.js"); resp != nil {
		t.Errorf("without files: got %d, want it left to the engine", resp.StatusCode)
	}
	some := fstest.MapFS{"socket.io.min.js": {Data: []byte("/*! Socket.IO v5.0.0-beta.1 */")}}
	h := New(Config{Files: some, Path: "/api/rt"}, cors.Config{})
	if resp := get(h, "GET", "/api/rt/socket.io.min.js"); resp == nil || resp.Header.Get("ETag") != `"5.0.0-beta.1"` {
		t.Errorf("on another path: got %v", resp)
	}
	if resp := get(h, "GET", "/api/rt/socket.io.js"); resp != nil {
		t.Errorf("a file that is not there: got %d, want it left to the engine", resp.StatusCode)
	}
	defer func() {
		if recover() == nil {
			t.Error("files without a version do not panic")
		}
	}()
	New(Config{Files: fstest.MapFS{"socket.io.js": {Data: []byte("'use strict'")}}}, cors.Config{})
}

func TestFileThatCannotBeRead(t *testing.T) {
	files := dist()
	h := New(Config{Files: files}, cors.Config{})
	delete(files, "socket.io.js")
	for _, accept := range []string{"gzip", ""} {
		resp := get(h, "GET", "/socket.io/socket.io.js", "Accept-Encoding", accept)
		if resp.StatusCode != 500 || resp.Header.Get("X-Content-Type-Options") != "nosniff" || resp.Header.Get("ETag") != "" || resp.Header.Get("Content-Encoding") != "" {
			t.Errorf("got %d %v, want 500 and nothing to keep", resp.StatusCode, resp.Header)
		}
	}
}
