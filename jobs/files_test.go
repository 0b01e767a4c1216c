package jobs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

func openTestFiles(t *testing.T, dir string) *Files {
	t.Helper()
	f, err := OpenFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// filesIn are the regular files under a directory.
func filesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			names = append(names, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestUpload(t *testing.T) {
	dir := t.TempDir()
	f := openTestFiles(t, dir)
	content := strings.Repeat("a,b\n", 1000)
	upload, n, err := f.SaveUpload("Report (1).csv", strings.NewReader(content), 4000)
	if err != nil || n != 4000 || !strings.HasSuffix(upload, "-Report (1).csv") || len(upload) < 26+len("-Report (1).csv") {
		t.Fatalf("got %s, %d, %v", upload, n, err)
	}
	again, _, _ := f.SaveUpload("Report (1).csv", strings.NewReader(content), 4000)
	if again == upload {
		t.Error("two uploads have one name")
	}
	got, err := f.OpenUpload(upload)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	if data, err := io.ReadAll(got); string(data) != content || err != nil || got.Name != "Report (1).csv" || got.Size != 4000 {
		t.Errorf("got %d bytes, %v, name %s, size %d", len(data), err, got.Name, got.Size)
	}
	if _, n, err := f.SaveUpload("empty", strings.NewReader(""), 0); err != nil || n != 0 {
		t.Errorf("an empty upload: got %d, %v", n, err)
	}
	for _, name := range []string{"", "x", "../../etc/passwd", "ABCDEFGHIJKLMNOPQRSTUVWXYZ-", "ABCDEFGHIJKLMNOPQRSTUVWXYZ-..", "ABCDEFGHIJKLMNOPQRSTUVWXYZ-../x", "..DEFGHIJKLMNOPQRSTUVWXY/.-x"} {
		if _, err := f.OpenUpload(name); ProblemOf(err) == nil || ProblemOf(err).Code != CodeBadRequest {
			t.Errorf("open %q: got %v, want bad_request", name, err)
		}
	}
	if _, err := f.OpenUpload("ABCDEFGHIJKLMNOPQRSTUVWXYZ-x"); ProblemOf(err).Code != CodeNotFound {
		t.Errorf("got %v, want not_found", err)
	}
}

func TestRefusedUploadLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	f := openTestFiles(t, dir)
	for _, c := range []struct {
		name string
		r    io.Reader
		code string
	}{
		{"big", strings.NewReader("12345"), CodeTooLarge},
		{"cut", io.MultiReader(strings.NewReader("1"), iotest.ErrReader(io.ErrUnexpectedEOF)), CodeInternal},
		{"cut at the limit", io.MultiReader(strings.NewReader("1234"), iotest.ErrReader(io.ErrUnexpectedEOF)), CodeInternal},
		{"full", io.MultiReader(strings.NewReader("1"), iotest.ErrReader(&os.PathError{Op: "write", Err: syscall.ENOSPC})), CodeUnavailable},
		{"", nil, CodeBadRequest}, {"..", nil, CodeBadRequest}, {"a/b", nil, CodeBadRequest}, {`a\b`, nil, CodeBadRequest},
		{"a\nb", nil, CodeBadRequest}, {"a\x7fb", nil, CodeBadRequest}, {"\xff", nil, CodeBadRequest}, {strings.Repeat("x", 201), nil, CodeBadRequest},
	} {
		_, _, err := f.SaveUpload(c.name, c.r, 4)
		if p := ProblemOf(err); p == nil || p.Code != c.code {
			t.Errorf("%q: got %v, want %s", c.name, err, c.code)
		}
	}
	if p := ProblemOf(diskProblem("x", syscall.ENOSPC)); p.Status != 503 || p.Detail != "the disk is full" {
		t.Errorf("a full disk: got %+v", p)
	}
	if got := filesIn(t, dir); len(got) != 0 {
		t.Errorf("got %v left behind", got)
	}
}

func TestOpenFilesCleansUp(t *testing.T) {
	dir := t.TempDir()
	f := openTestFiles(t, dir)
	old, _, _ := f.SaveUpload("old", strings.NewReader("x"), 9)
	young, _, _ := f.SaveUpload("young", strings.NewReader("x"), 9)
	if _, err := f.create(); err != nil { // a crash in the middle
		t.Fatal(err)
	}
	past := time.Now().Add(-uploadKept - time.Minute)
	if err := os.Chtimes(filepath.Join(dir, "uploads", old), past, past); err != nil {
		t.Fatal(err)
	}
	if n := len(filesIn(t, dir)); n != 3 {
		t.Fatalf("got %d files before, want 3", n)
	}
	openTestFiles(t, dir)
	if got := filesIn(t, dir); len(got) != 1 || got[0] != "uploads/"+young {
		t.Errorf("got %v, want only %s", got, young)
	}
}

func TestFilesStayInTheirDirectory(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	f := openTestFiles(t, dir)
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "artifacts", "evil")); err != nil {
		t.Fatal(err)
	}
	if file, err := f.OpenArtifact("evil", "secret"); err == nil {
		file.Close()
		t.Error("a symbolic link led out of the directory")
	}
	for _, c := range []struct {
		id   ID
		name string
		code string
	}{
		{"a.b", "x", CodeBadRequest}, {"..", "x", CodeBadRequest}, {"a", "../x", CodeBadRequest}, {"a", "..", CodeBadRequest}, {"a", "x", CodeNotFound},
	} {
		if _, err := f.OpenArtifact(c.id, c.name); ProblemOf(err) == nil || ProblemOf(err).Code != c.code {
			t.Errorf("%s %s: got %v, want %s", c.id, c.name, err, c.code)
		}
	}
}

func TestArtifacts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kind := NewKind[struct{}, struct{}]("make")
		var late *ArtifactWriter
		e := openEngine(t, NewMemoryStore(), "n1", kind.Worker(nil, func(ctx context.Context, r *Run, _ struct{}) (struct{}, error) {
			for _, name := range []string{"SHA256SUMS", "a b+ü?.txt", "SHA256SUMS"} {
				w, err := r.Create(name, "text/plain")
				if err != nil {
					return struct{}{}, err
				}
				defer w.Abort() // does nothing after Close
				io.WriteString(w, "content of ")
				io.WriteString(w, name)
				if err := errors.Join(w.Close(), w.Close()); err != nil {
					return struct{}{}, err
				}
			}
			w, err := r.Create("aborted", "")
			if err != nil {
				return struct{}{}, err
			}
			w.Abort()
			if w.Close() == nil {
				t.Error("Close after Abort: got no error")
			}
			if _, err := r.Create("../x", ""); ProblemOf(err).Code != CodeBadRequest {
				t.Errorf("a bad name: got %v", err)
			}
			late, err = r.Create("late", "")
			return struct{}{}, err
		}))
		defer closeEngine(t, e)
		job, _, err := e.Start(t.Context(), StartRequest{Kind: "make", ID: "j-1"})
		if err != nil {
			t.Fatal(err)
		}
		end := last(story(t, e, job.ID)).Job
		want := []Artifact{
			{"SHA256SUMS", "/api/jobs/j-1/artifacts/SHA256SUMS", "text/plain", 21},
			{"a b+ü?.txt", "/api/jobs/j-1/artifacts/a%20b+%C3%BC%3F.txt", "text/plain", 22},
		}
		if end.State != Completed || len(end.Artifacts) != 2 || end.Artifacts[0] != want[0] || end.Artifacts[1] != want[1] {
			t.Errorf("got %s, %+v, want %+v", end.State, end.Artifacts, want)
		}
		file, err := e.files.OpenArtifact("j-1", "a b+ü?.txt")
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if data, _ := io.ReadAll(file); !bytes.Equal(data, []byte("content of a b+ü?.txt")) {
			t.Errorf("got %q", data)
		}
		if err := late.Close(); !errors.Is(err, errOver) {
			t.Errorf("Close after the attempt: got %v, want errOver", err)
		}
		if _, err := e.files.OpenArtifact("j-1", "late"); ProblemOf(err).Code != CodeNotFound {
			t.Errorf("an artifact appeared after the attempt: got %v", err)
		}
	})
}
