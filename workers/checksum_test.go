package workers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"jobcast/jobs"
)

// recorder is a reporter that remembers what work told it.
type recorder struct {
	progress func(done, total float64) // called on each report, if set
	step     func(index int)           // called before a step, if set

	mu   sync.Mutex // protects what follows
	logs []string
	last [2]float64 // done and total of the newest report
	unit string

	warnings int64
}

var _ reporter = (*recorder)(nil)

func (r *recorder) Progress(done, total float64, unit, _ string) {
	r.mu.Lock()
	r.last, r.unit = [2]float64{done, total}, unit
	r.mu.Unlock()
	if r.progress != nil {
		r.progress(done, total)
	}
}

func (r *recorder) Step(index, _ int, _ string) {
	if r.step != nil {
		r.step(index)
	}
}

func (r *recorder) Log(level slog.Level, text string, attrs ...slog.Attr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.logs = append(r.logs, strings.TrimSpace(fmt.Sprintln(level, text, attrs)))
}

func (r *recorder) Warn(n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.warnings += n
}

// logged returns the lines so far, sorted: files are read in any order.
func (r *recorder) logged() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(slices.Values(r.logs))
}

// makeTree makes a directory with files of these names and texts.
func makeTree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		full := dir + "/" + name
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// sumPath sums what is at a path of a root, and returns the text of SHA256SUMS too.
func sumPath(ctx context.Context, to reporter, root, path string) (ChecksumResult, string, error) {
	p, err := findSummable(newRoots(Config{Roots: []string{root}}), path)
	if err != nil {
		return ChecksumResult{}, "", err
	}
	defer p.Close()
	sums, res, err := sumPlace(ctx, to, p)
	if err != nil {
		return res, "", err
	}
	var b bytes.Buffer
	err = writeSums(ctx, &b, sums)
	return res, b.String(), err
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestSumsPassSha256sum has the program check what is written, with names as odd as they can be.
func TestSumsPassSha256sum(t *testing.T) {
	files := map[string]string{
		"plain": "plain", "empty": "", "a/b/c/deep": "deep", "a/b": "", "big": strings.Repeat("big", readChunk),
		"new\nline": "1", `back\slash`: "2", "both\\\nof\\nthem": "3", "cr\rname": "4", "-": "5", "-n": "6", " space ": "7", "*star": "8",
		"ünï€": "9", "no\xffutf8": "10", `quote"`: "11", "esc\x1b[31m": "12", "dir\nwith\nlines/file": "13", "#": "14",
	}
	delete(files, "a/b") // a directory is there
	dir := makeTree(t, files)
	rec := &recorder{}
	res, sums, err := sumPath(t.Context(), rec, dir, "")
	must(t, err)
	var size int64
	for _, text := range files {
		size += int64(len(text))
	}
	if want := (ChecksumResult{Files: int64(len(files)), Bytes: size}); res != want {
		t.Errorf("got %+v, want %+v", res, want)
	}
	if want := [2]float64{float64(size), float64(size)}; rec.last != want || rec.unit != "byte" {
		t.Errorf("got progress %v %s, want %v byte", rec.last, rec.unit, want)
	}
	if logs := rec.logged(); len(logs) > 0 {
		t.Errorf("got log %q, want none", logs)
	}
	list := filepath.Join(t.TempDir(), "SHA256SUMS")
	must(t, os.WriteFile(list, []byte(sums), 0o644))
	cmd := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", list)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if n := bytes.Count(out, []byte(": OK\n")); err != nil || n != len(files) {
		t.Errorf("sha256sum: %d files are OK, want %d: %v\n%s\n%q", n, len(files), err, out, sums)
	}
}

func TestSumsAreSortedAndOfTheRightFiles(t *testing.T) {
	dir := makeTree(t, map[string]string{"b/2": "two", "a": "one", "b.txt": "three"})
	line := func(text, name string) string { return fmt.Sprintf("%x  %s\n", sha256.Sum256([]byte(text)), name) }
	for _, tt := range []struct{ path, want string }{
		{"", line("one", "a") + line("three", "b.txt") + line("two", "b/2")},
		{dir, line("one", "a") + line("three", "b.txt") + line("two", "b/2")},
		{"b", line("two", "2")},
		{"./b/../b/", line("two", "2")},
		{"b/2", line("two", "2")},
		{dir + "/a", line("one", "a")},
	} {
		if _, got, err := sumPath(t.Context(), &recorder{}, dir, tt.path); err != nil || got != tt.want {
			t.Errorf("path %q: got %q, %v, want %q", tt.path, got, err, tt.want)
		}
	}
}

func TestChecksumSkipsLinksAndSpecialFiles(t *testing.T) {
	outside := makeTree(t, map[string]string{"secret": "secret"})
	dir := makeTree(t, map[string]string{"file": "file", "sub/file": "file"})
	for link, to := range map[string]string{
		"out": outside, "outfile": outside + "/secret", "up": "..", "loop": ".", "sub/loop": "../sub", "self": "self", "inside": "sub", "infile": "file", "gone": "nothing",
	} {
		must(t, os.Symlink(to, filepath.Join(dir, link)))
	}
	must(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644))
	rec := &recorder{}
	res, sums, err := sumPath(t.Context(), rec, dir, "")
	must(t, err)
	if want := (ChecksumResult{Files: 2, Bytes: 8}); res != want || strings.Contains(sums, "secret") {
		t.Errorf("got %+v, want %+v:\n%s", res, want, sums)
	}
	if logs := rec.logged(); len(logs) != 1 || !strings.Contains(logs[0], "links=9 special=1") {
		t.Errorf("got log %q, want one line with 9 links and 1 special file", logs)
	}
}

// TestChecksumCopesWithFilesThatChange changes the tree between the walk and the reading.
func TestChecksumCopesWithFilesThatChange(t *testing.T) {
	dir := makeTree(t, map[string]string{"removed": "1234", "grown": "1234", "shrunk": "1234", "pipe": "1234", "link": "1234", "dir": "1234", "same": "1234"})
	outside := makeTree(t, map[string]string{"secret": "secret"})
	at := func(name string) string { return filepath.Join(dir, name) }
	rec := &recorder{}
	rec.step = func(index int) {
		if index != 2 {
			return
		}
		for _, name := range []string{"removed", "pipe", "link", "dir"} {
			must(t, os.Remove(at(name)))
		}
		must(t, os.WriteFile(at("grown"), []byte("123456"), 0o644))
		must(t, os.Truncate(at("shrunk"), 1))
		must(t, syscall.Mkfifo(at("pipe"), 0o644))
		must(t, os.Symlink(outside+"/secret", at("link")))
		must(t, os.Mkdir(at("dir"), 0o755))
	}
	res, sums, err := sumPath(t.Context(), rec, dir, "")
	must(t, err)
	if want := (ChecksumResult{Files: 3, Bytes: 6 + 1 + 4, Failed: 4}); res != want {
		t.Errorf("got %+v, want %+v", res, want)
	}
	want := ""
	for _, f := range [][2]string{{"123456", "grown"}, {"1234", "same"}, {"1", "shrunk"}} {
		want += fmt.Sprintf("%x  %s\n", sha256.Sum256([]byte(f[0])), f[1])
	}
	if sums != want {
		t.Errorf("got %s\nwant %s", sums, want)
	}
	if rec.last != [2]float64{27, 27} || rec.warnings != 4 {
		t.Errorf("got progress %v with %d warnings, want 27 of 27 with 4", rec.last, rec.warnings)
	}
	logs := rec.logged()
	for i, want := range []string{
		"WARN Cannot read dir: it is no longer a regular file", "WARN Cannot read link: ", "WARN Cannot read pipe: it is no longer a regular file",
		"WARN Cannot read removed: no such file or directory", "WARN grown changed while the job ran", "WARN shrunk changed while the job ran",
	} {
		if i >= len(logs) || !strings.HasPrefix(logs[i], want) {
			t.Errorf("line %d of the log: got %q, want %q", i, logs, want)
		}
	}
}

func TestChecksumStopsInTheMiddleOfAFile(t *testing.T) {
	const size = 64 << 20
	dir := makeTree(t, map[string]string{"big": "", "big2": ""})
	for _, name := range []string{"big", "big2"} {
		must(t, os.Truncate(filepath.Join(dir, name), size)) // sparse: it costs no disk
	}
	ctx, cancel := context.WithCancel(t.Context())
	var once sync.Once
	rec := &recorder{}
	rec.progress = func(done, _ float64) {
		if done >= 1<<20 {
			once.Do(cancel)
		}
	}
	if _, _, err := sumPath(ctx, rec, dir, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if rec.last[0] > 8<<20 {
		t.Errorf("got %v bytes read after a cancel at 1 MiB", rec.last[0])
	}
	if _, _, err := sumPath(ctx, &recorder{}, dir, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: got %v, want %v", err, context.Canceled)
	}
}

func TestChecksumFailsWithAPanicOfItsReaders(t *testing.T) {
	dir := makeTree(t, map[string]string{"a": "a", "b": "b"})
	rec := &recorder{progress: func(done, total float64) {
		if total == 2 && done > 0 {
			panic("on purpose")
		}
	}}
	defer func() {
		if v := recover(); v == nil || !strings.Contains(fmt.Sprint(v), "on purpose") {
			t.Errorf("got panic %v, want the reader's", v)
		}
	}()
	_, _, err := sumPath(t.Context(), rec, dir, "")
	t.Errorf("got %v, want a panic", err)
}

// endless never ends, and gives a byte at a time.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return copy(p, "x"), nil }

func TestHashAllBoundsGrowth(t *testing.T) {
	n, err := hashAll(t.Context(), sha256.New(), endless{}, make([]byte, 16), 1000, func(int) {})
	if n != 1001 || err == nil || !strings.Contains(err.Error(), "grows") {
		t.Errorf("got %d bytes, %v, want an error after 1001", n, err)
	}
}

func TestPathsAreRefused(t *testing.T) {
	outside := makeTree(t, map[string]string{"secret": "secret"})
	dir := makeTree(t, map[string]string{"file": "file", "sub/file": "file", "both": "first"})
	second := makeTree(t, map[string]string{"only/here": "x", "both": "second"})
	must(t, os.Symlink(outside, filepath.Join(dir, "out")))
	must(t, os.Symlink("../"+filepath.Base(filepath.Dir(outside)), filepath.Join(dir, "up")))
	must(t, os.Symlink("loop2", filepath.Join(dir, "loop1")))
	must(t, os.Symlink("loop1", filepath.Join(dir, "loop2")))
	must(t, os.Symlink("sub", filepath.Join(dir, "inside")))
	must(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644))
	rs := newRoots(Config{Roots: []string{dir, second}})
	for _, tt := range []struct{ path, want string }{
		{"nothing", "There is nothing at"},
		{"sub/nothing", "There is nothing at"},
		{dir + "/nothing", "There is nothing at"},
		{"file/below", "cannot be followed"},
		{"..", "is outside of what jobs may read"},
		{"../" + filepath.Base(dir), "is outside of what jobs may read"},
		{"sub/../../x", "is outside of what jobs may read"},
		{"/", "is outside of what jobs may read"},
		{"/etc/passwd", "is outside of what jobs may read"},
		{outside, "is outside of what jobs may read"},
		{dir + "/../" + filepath.Base(outside), "is outside of what jobs may read"},
		{dir + "x", "is outside of what jobs may read"},
		{"out", "cannot be followed"},
		{"out/secret", "cannot be followed"},
		{"up", "cannot be followed"},
		{"loop1", "cannot be followed"},
		{"pipe", "neither a directory nor a regular file"},
		{"a\x00b", "control character"},
		{"a\nb", "control character"},
		{"a\u0085b", "control character"},
		{"a\xff", "not valid UTF-8"},
		{strings.Repeat("a/", maxPath), "bytes. Give one of at most"},
	} {
		_, err := findSummable(rs, tt.path)
		problem, ok := errors.AsType[*jobs.Problem](refusal(err))
		if !ok || problem.Code != jobs.CodeBadRequest || len(problem.Errors) != 1 || problem.Errors[0].Pointer != "/args/path" || !strings.Contains(problem.Detail, tt.want) {
			t.Errorf("%.80q: got %v, want bad_request with %q", tt.path, err, tt.want)
		}
		if e, ok := errors.AsType[*jobs.Error](failure(err)); !ok || e.Type != "BadPath" {
			t.Errorf("%.80q: got %v, want BadPath", tt.path, failure(err))
		}
	}
	for path, want := range map[string]string{
		"": "", ".": "", "./": "", "file": "file", "sub/": "sub", "inside/file": "file", "both": "both", dir: "", dir + "/sub/..": "", "only/here": "here", second + "/only": "only",
	} {
		p, err := findSummable(rs, path)
		if err != nil {
			t.Errorf("%q: got %v", path, err)
			continue
		}
		if got := strings.TrimPrefix(p.base, "."); got != want {
			t.Errorf("%q: got %s, want %s", path, got, want)
		}
		if path == "both" && p.info.Size() != int64(len("first")) {
			t.Errorf("both: got the file of the second root")
		}
		must(t, p.Close())
	}
}

func TestChecksumSaysWhatItIsOf(t *testing.T) {
	s := newTestServer(t, map[string]string{"src/a": "1", "b": "2"})
	for args, want := range map[string]string{
		`{"path":"src"}`: "Checksum of src",
		`{"path":"b"}`:   "Checksum of b",
		`{"path":"."}`:   "Checksum of the first root",
		`{"path":"./"}`:  "Checksum of the first root",
	} {
		job, err := s.run(t, "checksum", args)
		must(t, err)
		if job.Title != want || job.State != jobs.Completed {
			t.Errorf("%s: got %q, %s, want %q", args, job.Title, job.State, want)
		}
	}
}
