package workers

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// ofItsOwn runs the test that calls it again, in a process of its own that is not root's: nothing is
// unreadable for root. It reports whether this is that process, in which the test goes on.
func ofItsOwn(t *testing.T) bool {
	t.Helper()
	const mark = "JOBCAST_TEST_OF_ITS_OWN"
	if os.Getenv(mark) == t.Name() {
		return true
	}
	dir := t.TempDir()
	for at := dir; at != os.TempDir() && at != filepath.Dir(at); at = filepath.Dir(at) {
		must(t, os.Chmod(at, 0o777))
	}
	program, err := os.Executable()
	must(t, err)
	// The directory that go test builds in is its user's only.
	from, err := os.Open(program)
	must(t, err)
	defer from.Close()
	to, err := os.OpenFile(filepath.Join(dir, "test"), os.O_WRONLY|os.O_CREATE, 0o755)
	must(t, err)
	_, err = io.Copy(to, from)
	must(t, errors.Join(err, to.Close()))
	cmd := exec.CommandContext(t.Context(), to.Name(), "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), mark+"="+t.Name(), "TMPDIR="+dir)
	if os.Getuid() == 0 {
		const nobody = 65534
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

func TestWhatCannotBeReadIsRefusedAtStart(t *testing.T) {
	if !ofItsOwn(t) {
		return
	}
	dir := makeTree(t, map[string]string{"file": "a,b\n1,2\n", "closed/file": "x", "names/file": "x", "open/file": "x", "link": ""})
	must(t, os.Remove(filepath.Join(dir, "link")))
	must(t, os.Symlink("closed/file", filepath.Join(dir, "link")))
	must(t, os.Chmod(filepath.Join(dir, "file"), 0))
	must(t, os.Chmod(filepath.Join(dir, "closed"), 0))
	must(t, os.Chmod(filepath.Join(dir, "names"), 0o444)) // its names can be read, and nothing behind them
	defer func() { must(t, os.Chmod(filepath.Join(dir, "closed"), 0o755)) }()
	defer func() { must(t, os.Chmod(filepath.Join(dir, "names"), 0o755)) }()
	rs := newRoots(Config{Roots: []string{dir}})
	const want = "bad_request The server is not allowed to read "
	for _, path := range []string{"file", "closed", "closed/file", "names", "names/file", "link"} {
		p, err := findSummable(rs, path)
		if got := refused(err); got != want+quote(path)+". Change its permissions, or use another path." {
			t.Errorf("checksum of %s: got %q", path, got)
		}
		if err == nil {
			p.Close()
		}
	}
	if _, err := findFile(rs, "file"); refused(err) == "" {
		t.Error("csv.profile of a file that cannot be read: got no error")
	}
	p, err := findSummable(rs, "open")
	must(t, err)
	must(t, p.Close())
}

// TestNothingReadIsNoSuccess has files that are there and cannot be read.
func TestNothingReadIsNoSuccess(t *testing.T) {
	if !ofItsOwn(t) {
		return
	}
	dir := makeTree(t, map[string]string{"a": "1234", "b": "1234", "sub/c": "1234", "closed/d": "1234"})
	for _, name := range []string{"a", "b", "sub/c", "closed"} {
		must(t, os.Chmod(filepath.Join(dir, name), 0))
	}
	defer func() { must(t, os.Chmod(filepath.Join(dir, "closed"), 0o755)) }()
	rec := &recorder{}
	_, _, err := sumPath(t.Context(), rec, dir, "")
	if e := jobError(err); e == nil || e.Type != "NothingRead" {
		t.Errorf("got %v, want NothingRead", err)
	}
	if rec.last != [2]float64{12, 12} {
		t.Errorf("got progress %v, want 12 of 12: the progress goes past what cannot be read", rec.last)
	}
	must(t, os.WriteFile(filepath.Join(dir, "good"), []byte("12345678"), 0o644))
	rec = &recorder{}
	res, _, err := sumPath(t.Context(), rec, dir, "")
	must(t, err)
	if want := (ChecksumResult{Files: 1, Bytes: 8, Failed: 4}); res != want || rec.warnings != 4 {
		t.Errorf("got %+v and %d warnings, want %+v and 4", res, rec.warnings, want)
	}
	if rec.last != [2]float64{20, 20} {
		t.Errorf("got progress %v, want 20 of 20", rec.last)
	}
}

func TestRunningOutOfDescriptorsIsNobodysPath(t *testing.T) {
	if !ofItsOwn(t) {
		return
	}
	dir := makeTree(t, map[string]string{"sub/file": "x"})
	rs := newRoots(Config{Roots: []string{dir}})
	var limit syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	limit.Cur = 64
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
	var held []*os.File
	for {
		f, err := os.Open(dir)
		if err != nil {
			break
		}
		held = append(held, f)
	}
	for left := range 4 { // it may fail at the root, and at each step below it
		p, err := findSummable(rs, "sub/file")
		if err == nil {
			must(t, p.Close())
			if left == 0 {
				t.Error("got no error without a descriptor")
			}
		} else if got, want := refused(err), "unavailable the server has too many files open at the moment, so try again later"; got != want {
			t.Errorf("with %s descriptors: got %q, want %q", strconv.Itoa(left), got, want)
		}
		must(t, held[left].Close())
	}
	for _, f := range held[4:] {
		f.Close()
	}
}
