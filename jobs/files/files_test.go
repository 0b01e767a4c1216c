package files

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"jobcast/jobs"
)

func openTestFiles(t *testing.T, dir string) *Dir {
	t.Helper()
	f, err := Open(dir)
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
		if _, err := f.OpenUpload(name); jobs.ProblemOf(err) == nil || jobs.ProblemOf(err).Code != jobs.CodeBadRequest {
			t.Errorf("open %q: got %v, want bad_request", name, err)
		}
	}
	if _, err := f.OpenUpload("ABCDEFGHIJKLMNOPQRSTUVWXYZ-x"); jobs.ProblemOf(err).Code != jobs.CodeNotFound {
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
		{"big", strings.NewReader("12345"), jobs.CodeTooLarge},
		{"cut", io.MultiReader(strings.NewReader("1"), iotest.ErrReader(io.ErrUnexpectedEOF)), jobs.CodeInternal},
		{"cut at the limit", io.MultiReader(strings.NewReader("1234"), iotest.ErrReader(io.ErrUnexpectedEOF)), jobs.CodeInternal},
		{"full", io.MultiReader(strings.NewReader("1"), iotest.ErrReader(&os.PathError{Op: "write", Err: syscall.ENOSPC})), jobs.CodeUnavailable},
		{"", nil, jobs.CodeBadRequest}, {"..", nil, jobs.CodeBadRequest}, {"a/b", nil, jobs.CodeBadRequest}, {`a\b`, nil, jobs.CodeBadRequest},
		{"a\nb", nil, jobs.CodeBadRequest}, {"a\x7fb", nil, jobs.CodeBadRequest}, {"\xff", nil, jobs.CodeBadRequest}, {strings.Repeat("x", 201), nil, jobs.CodeBadRequest},
	} {
		_, _, err := f.SaveUpload(c.name, c.r, 4)
		if p := jobs.ProblemOf(err); p == nil || p.Code != c.code {
			t.Errorf("%q: got %v, want %s", c.name, err, c.code)
		}
	}
	if p := jobs.ProblemOf(DiskProblem("x", syscall.ENOSPC)); p.Status != 503 || p.Detail != "the disk is full" {
		t.Errorf("a full disk: got %+v", p)
	}
	if got := filesIn(t, dir); len(got) != 0 {
		t.Errorf("got %v left behind", got)
	}
}

func TestOpenCleansUp(t *testing.T) {
	dir := t.TempDir()
	f := openTestFiles(t, dir)
	old, _, _ := f.SaveUpload("old", strings.NewReader("x"), 9)
	young, _, _ := f.SaveUpload("young", strings.NewReader("x"), 9)
	if _, err := f.Create(); err != nil { // a crash in the middle
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
		id   jobs.ID
		name string
		code string
	}{
		{"a.b", "x", jobs.CodeBadRequest}, {"..", "x", jobs.CodeBadRequest}, {"a", "../x", jobs.CodeBadRequest}, {"a", "..", jobs.CodeBadRequest}, {"a", "x", jobs.CodeNotFound},
	} {
		if _, err := f.OpenArtifact(c.id, c.name); jobs.ProblemOf(err) == nil || jobs.ProblemOf(err).Code != c.code {
			t.Errorf("%s %s: got %v, want %s", c.id, c.name, err, c.code)
		}
	}
}
