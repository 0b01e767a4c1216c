package workers

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jobcast/jobs"
)

// refused is the code and the sentence that a request is refused with.
func refused(err error) string {
	if p, ok := errors.AsType[*jobs.Problem](refusal(err)); ok {
		return p.Code + " " + p.Detail
	}
	return ""
}

func jobError(err error) *jobs.Error {
	e, _ := errors.AsType[*jobs.Error](err)
	return e
}

func TestJobsReadNothingOfThePrivateDirectory(t *testing.T) {
	outside := makeTree(t, map[string]string{"x": "x"})
	dir := makeTree(t, map[string]string{
		"src/a": "a", "data/files/uploads/SECRET-a.csv": "a,b\n1,2\n", "data/top": "x", "src/data/own": "an honest namesake", "other/b": "b",
	})
	for link, to := range map[string]string{
		"src/up": "../data", "src/deep": "../data/files/uploads/SECRET-a.csv", "around": "src/../data/files", "chain": "src/up", "fine": "src/../other",
	} {
		must(t, os.Symlink(to, filepath.Join(dir, link)))
	}
	must(t, os.Symlink(filepath.Join(dir, "data"), filepath.Join(outside, "data"))) // --data by a link
	for _, private := range []string{filepath.Join(dir, "data"), filepath.Join(outside, "data"), dir + "/src/../data/"} {
		rs := newRoots(Config{Roots: []string{dir}, Private: []string{private}})
		for _, path := range []string{
			"data", "data/", "./data", "data/top", "data/files/uploads/SECRET-a.csv", dir + "/data/top", "src/up", "src/up/top", "src/deep",
			"around", "around/uploads/SECRET-a.csv", "chain/top", "data/nothing",
		} {
			for kind, find := range map[string]func(roots, string) (place, error){"checksum": findSummable, "csv.profile": findFile} {
				p, err := find(rs, path)
				if err == nil {
					p.Close()
				}
				if got := refused(err); !strings.Contains(got, "is outside of what jobs may read") {
					t.Errorf("%s of %s: got %q, want it outside", kind, path, got)
				}
			}
		}
		p, err := findSummable(rs, "fine/b")
		must(t, err)
		must(t, p.Close())
		p, err = findSummable(rs, ".")
		must(t, err)
		rec := &recorder{}
		sums, res, err := sumPlace(t.Context(), rec, p)
		must(t, errors.Join(err, p.Close()))
		var names []string
		for _, f := range sums {
			names = append(names, f.name)
		}
		if got := strings.Join(names, " "); got != "other/b src/a src/data/own" || res.Failed != 0 || rec.warnings != 0 {
			t.Errorf("got %s and %+v, want all but the private directory", got, res)
		}
		if logs := strings.Join(rec.logged(), "\n"); !strings.Contains(logs, "INFO Skipped the server's own data") {
			t.Errorf("got log %s", logs)
		}
	}
}

func TestARootInThePrivateDirectoryIsNone(t *testing.T) {
	dir := makeTree(t, map[string]string{"data/files/a": "a", "src/b": "b"})
	data := filepath.Join(dir, "data")
	must(t, os.Symlink("data/files", filepath.Join(dir, "link")))
	for root, want := range map[string]bool{"data": false, "data/files": false, "link": false, "src": true, "": true} {
		if got := Readable(filepath.Join(dir, root), data); got != want {
			t.Errorf("root %q: got readable %t, want %t", root, got, want)
		}
	}
	rs := newRoots(Config{Roots: []string{data}, Private: []string{data}})
	if _, err := rs.find("files/a"); !strings.Contains(refused(err), "There is nothing that jobs may read") {
		t.Errorf("got %v", err)
	}
}

// TestLinksLeadWhereTheSystemWouldLead compares the way through links with the system's.
func TestLinksLeadWhereTheSystemWouldLead(t *testing.T) {
	dir := makeTree(t, map[string]string{"a/b/c/file": "1", "a/file": "2", "x/y/file": "3", "file": "4"})
	for link, to := range map[string]string{
		"a/b/up": "..", "a/b/c/top": "../../..", "x/y/there": "../../a/b/c", "twice": "x/y/there/../file", "dots": "./a//b/./c/", "a/b/c/back": "../../../x/y/there",
	} {
		must(t, os.Symlink(to, filepath.Join(dir, link)))
	}
	must(t, os.WriteFile(filepath.Join(dir, "a/b/file"), []byte("5"), 0o644))
	rs := newRoots(Config{Roots: []string{dir}})
	for _, path := range []string{
		"a/b/up/file", "a/b/c/top/file", "x/y/there/file", "twice", "dots/file", "a/b/c/back/file", "a/b/c/back/top/a/b/up/b/file", "a/b/c/top/x/y/there",
	} {
		want, err := os.Stat(filepath.Join(dir, path))
		must(t, err)
		p, err := findSummable(rs, path)
		if err != nil {
			t.Errorf("%s: got %v", path, err)
			continue
		}
		if !os.SameFile(p.info, want) {
			t.Errorf("%s: got %v, want what the system finds", path, p.info.Name())
		}
		must(t, p.Close())
	}
	must(t, os.Symlink("../"+filepath.Base(dir)+"/file", filepath.Join(dir, "outandin")))
	must(t, os.Symlink(dir+"/file", filepath.Join(dir, "absolute")))
	for _, path := range []string{"outandin", "absolute"} {
		if _, err := findSummable(rs, path); !strings.Contains(refused(err), "leads out of the server's roots") {
			t.Errorf("%s: got %v, want that it leads out", path, err)
		}
	}
}

func TestNoRefusalShowsWhereTheRootIs(t *testing.T) {
	dir := makeTree(t, map[string]string{"file": "x"})
	must(t, os.Symlink("/", filepath.Join(dir, "out")))
	must(t, os.Symlink("self", filepath.Join(dir, "self")))
	gone := makeTree(t, nil)
	must(t, os.RemoveAll(gone))
	rs := newRoots(Config{Roots: []string{dir, gone}, Private: []string{filepath.Join(dir, "data")}})
	for _, path := range []string{"nothing", "..", "/etc", "out", "self", "file/x", strings.Repeat("x", 300), "\x00", strings.Repeat("x", 5000)} {
		_, err := findSummable(rs, path)
		if got := refused(err); got == "" || strings.Contains(got, dir) || strings.Contains(got, gone) {
			t.Errorf("%.20q: got %q, want a refusal without the root's path", path, got)
		}
	}
}
