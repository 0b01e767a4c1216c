package web

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"jobcast/jobs"
)

func TestUploadIsKeptWhole(t *testing.T) {
	w := newWorld(t)
	server := httptest.NewServer(w)
	defer server.Close()
	for _, method := range []string{"PUT", "POST"} {
		for _, size := range []int{0, 1, 1000} {
			text := strings.Repeat("x", size)
			resp, body := send(t, server.URL, method, "/api/uploads/my%20data.csv", strings.NewReader(text))
			var got struct {
				Upload string
				Bytes  int64
			}
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatalf("%s: %v", body, err)
			}
			if resp.StatusCode != 201 || got.Bytes != int64(size) || !strings.HasSuffix(got.Upload, "my data.csv") {
				t.Errorf("%s of %d bytes: got %d %s", method, size, resp.StatusCode, body)
				continue
			}
			upload, err := w.files.OpenUpload(got.Upload)
			if err != nil {
				t.Fatal(err)
			}
			kept, err := io.ReadAll(upload)
			upload.Close()
			if string(kept) != text || err != nil {
				t.Errorf("%s: kept %d bytes, %v, want %d", method, len(kept), err, size)
			}
		}
	}
}

func TestUploadOverTheLimitIsRefused(t *testing.T) {
	w := newWorld(t)
	server := httptest.NewServer(w)
	defer server.Close()
	for name, body := range map[string]io.Reader{
		"declared": strings.NewReader(strings.Repeat("x", 1001)),
		"chunked":  io.MultiReader(strings.NewReader(strings.Repeat("x", 1001))),
		"endless":  &endless{left: 3 << 20},
	} {
		resp, text := send(t, server.URL, "PUT", "/api/uploads/big", body)
		if resp.StatusCode != 413 || !strings.Contains(text, "1000 bytes") {
			t.Errorf("%s: got %d %s, want 413 that says the limit", name, resp.StatusCode, text)
		}
	}
}

func TestUploadThatBreaksOffIsTheClientsMatter(t *testing.T) {
	w := newWorld(t)
	resp := newResponse()
	w.serve(t.Context(), resp, "PUT", "/api/uploads/half", io.MultiReader(strings.NewReader("abc"), &endless{err: io.ErrUnexpectedEOF}))
	if p := decodeBody[jobs.Problem](t, resp); resp.status != 400 || p.Code != jobs.CodeBadRequest {
		t.Errorf("got %d %s, want 400", resp.status, resp.text())
	}
	if got := w.log.String(); strings.Contains(got, "ERROR") {
		t.Errorf("log: got %s, want nothing", got)
	}
}

func TestUploadThatPausesForTooLongIsGivenUp(t *testing.T) {
	inTime(t, func(t *testing.T, w *world) {
		began := time.Now()
		resp := newResponse()
		// Every part comes in time, until the last.
		w.serve(t.Context(), resp, "PUT", "/api/uploads/slow", &pausing{conn: resp, parts: 5, pause: readTimeout - time.Second})
		want := 5*(readTimeout-time.Second) + readTimeout
		if took := time.Since(began); resp.status != 400 || took != want {
			t.Errorf("got %d %s after %v, want 400 after %v", resp.status, resp.text(), took, want)
		}
		if !resp.readDeadline.IsZero() {
			t.Errorf("the connection is left with the deadline %v", resp.readDeadline)
		}
	})
}

// pausing is a body that comes in parts with pauses, and never ends.
type pausing struct {
	conn  *response
	parts int
	pause time.Duration
}

func (b *pausing) Read(p []byte) (int, error) {
	if b.parts == 0 {
		time.Sleep(time.Until(b.conn.readDeadline))
		return 0, os.ErrDeadlineExceeded
	}
	b.parts--
	time.Sleep(b.pause)
	return copy(p, "part"), nil
}

// send asks over a real connection.
func send(t *testing.T, base, method, path string, body io.Reader) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, base+path, body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

// endless reads so many bytes, and then fails.
type endless struct {
	left int
	err  error
}

func (e *endless) Read(p []byte) (int, error) {
	if e.err != nil {
		return 0, e.err
	}
	n := min(len(p), e.left)
	e.left -= n
	if e.left == 0 {
		e.err = io.EOF
	}
	return n, nil
}

// kept are the contents of all uploads that are there.
func (w *world) kept() (texts []string) {
	w.t.Helper()
	names, err := filepath.Glob(filepath.Join(w.dir, "uploads", "*"))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			w.t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	return texts
}

// form is a form with these parts, each a head and a body, in the words of RFC 7578.
func form(parts ...string) string {
	var b strings.Builder
	for _, part := range parts {
		b.WriteString("--cut\r\n" + part + "\r\n")
	}
	return b.String() + "--cut--\r\n"
}

func TestAnUploadIsNeverAnythingButTheWholeFile(t *testing.T) {
	const (
		asForm = "multipart/form-data; boundary=cut"
		head   = "Content-Disposition: form-data; name=\"file\"; filename=\"f.csv\"\r\n"
		file   = head + "Content-Type: text/csv\r\n\r\na,b\r\n1,2\r\n"
		field  = "Content-Disposition: form-data; name=\"note\"\r\n\r\nhello"
		whole  = "a,b\r\n1,2\r\n"
	)
	full := strings.Repeat("x", 1000) // what newWorld allows
	for _, tt := range []struct {
		name   string
		header []string
		body   string
		status int
		kept   string
	}{
		{"the file", nil, whole, 201, whole},
		{"curl --data-binary", []string{"Content-Type", "application/x-www-form-urlencoded"}, whole, 201, whole},
		{"encoded as nothing", []string{"Content-Encoding", "identity"}, whole, 201, whole},
		{"a form", []string{"Content-Type", asForm}, form(file), 201, whole},
		{"a form with an empty file", []string{"Content-Type", asForm}, form(head + "\r\n"), 201, ""},
		{"a form with as much as there may be", []string{"Content-Type", asForm}, form(head + "\r\n" + full), 201, full},
		{"a quoted boundary", []string{"Content-Type", `Multipart/Form-Data; boundary="cut"`}, form(file), 201, whole},

		{"a tail", []string{"Content-Range", "bytes 4-11/12"}, whole, 400, ""},
		{"all of it, as a range", []string{"Content-Range", "bytes 0-11/12"}, whole, 400, ""},
		{"gzip", []string{"Content-Encoding", "gzip"}, whole, 415, ""},
		{"two codings", []string{"Content-Encoding", "identity, br"}, whole, 415, ""},
		{"two codings on two lines", []string{"Content-Encoding", "identity", "Content-Encoding", "br"}, whole, 415, ""},
		{"a hash that nobody checks", []string{"Content-Md5", "Q2hlY2sgSW50ZWdyaXR5IQ=="}, whole, 400, ""},
		{"another hash", []string{"Repr-Digest", "sha-256=:x=:"}, whole, 400, ""},
		{"a query", nil, whole, 400, ""},

		{"a form without a file", []string{"Content-Type", asForm}, form(field), 415, ""},
		{"a form with a field before it", []string{"Content-Type", asForm}, form(field, file), 415, ""},
		{"a form with a field after it", []string{"Content-Type", asForm}, form(file, field), 415, ""},
		{"a form with two files", []string{"Content-Type", asForm}, form(file, file), 415, ""},
		{"an empty form", []string{"Content-Type", asForm}, form(), 415, ""},
		{"another multipart", []string{"Content-Type", "multipart/mixed; boundary=cut"}, form(file), 415, ""},
		{"a form without a boundary", []string{"Content-Type", "multipart/form-data"}, form(file), 415, ""},
		{"a form that says its boundary twice", []string{"Content-Type", asForm + "; boundary=other"}, form(file), 400, ""},
		{"a type of a form that cannot be read", []string{"Content-Type", "multipart/form data; boundary=cut"}, form(file), 400, ""},
		{"two types", []string{"Content-Type", "text/csv", "Content-Type", asForm}, form(file), 400, ""},
		{"two types of a part", []string{"Content-Type", asForm}, form("Content-Type: text/plain\r\n" + file), 400, ""},
		{"a compressed part", []string{"Content-Type", asForm}, form("Content-Encoding: gzip\r\n" + file), 415, ""},
		{"a part as base64", []string{"Content-Type", asForm}, form("Content-Transfer-Encoding: base64\r\n" + file), 415, ""},
		{"a part in quoted-printable", []string{"Content-Type", asForm}, form("Content-Transfer-Encoding: quoted-printable\r\n" + file), 415, ""},
		{"a range in a part", []string{"Content-Type", asForm}, form("Content-Range: bytes 4-11/12\r\n" + file), 400, ""},
		{"a form that breaks off", []string{"Content-Type", asForm}, strings.TrimSuffix(form(file), "--cut--\r\n"), 400, ""},
		{"a form that breaks off in its file", []string{"Content-Type", asForm}, "--cut\r\n" + file, 400, ""},
		{"no form at all", []string{"Content-Type", asForm}, whole, 400, ""},
		{"a form with too much", []string{"Content-Type", asForm}, form(head + "\r\n" + full + "x"), 413, ""},
		{"a form with a long head", []string{"Content-Type", asForm}, strings.Repeat("x\r\n", 30<<10) + form(file), 413, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			server := httptest.NewServer(w)
			defer server.Close()
			path := "/api/uploads/f.csv"
			if tt.name == "a query" {
				path += "?part=2"
			}
			for _, length := range []string{"told", "chunked"} {
				var body io.Reader = strings.NewReader(tt.body)
				if length == "chunked" {
					body = io.MultiReader(body)
				}
				req, err := http.NewRequestWithContext(t.Context(), "POST", server.URL+path, body)
				if err != nil {
					t.Fatal(err)
				}
				for i := 0; i < len(tt.header); i += 2 {
					req.Header.Add(tt.header[i], tt.header[i+1])
				}
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				text, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if resp.StatusCode != tt.status {
					t.Errorf("%s: got %d %s, want %d", length, resp.StatusCode, text, tt.status)
				}
			}
			var want []string
			if tt.status == 201 {
				want = []string{tt.kept, tt.kept}
			}
			if got := w.kept(); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("kept %q, want %q", got, want)
			}
		})
	}
}

func TestABodyOfJSONIsNeverDecodedAsWhatItIsNot(t *testing.T) {
	w := newWorld(t)
	for field, status := range map[string]int{"Content-Encoding": 415, "Content-Range": 400, "Content-Digest": 400} {
		resp := w.do("POST", "/api/jobs", `{"kind":"echo"}`, "Content-Type", "application/json", field, "x")
		if resp.status != status {
			t.Errorf("%s: got %d %s, want %d", field, resp.status, resp.text(), status)
		}
	}
}
