package workers

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"jobcast/jobs"
	"jobcast/workers/internal/names"
)

// maxPath is the length in bytes of the longest path that a job may be given.
const maxPath = 4096

// roots are the directories that jobs may read. Every access goes through an os.Root, so that neither
// ".." nor a symbolic link leads out, whatever is moved about meanwhile; and through openDir, which opens
// none of the private directories, by whatever name or link they are reached.
type roots struct {
	dirs    []string // absolute and clean
	private []string // directories that no job reads
}

func newRoots(cfg Config) roots {
	dirs := cfg.Roots
	if len(dirs) == 0 {
		dirs = []string{"."}
	}
	rs := roots{private: absolute(cfg.Private)}
	for _, dir := range absolute(dirs) {
		if !rs.below(dir) {
			rs.dirs = append(rs.dirs, dir)
		}
	}
	return rs
}

// Readable reports whether jobs can read a root though a directory is private: it does not lie in there.
func Readable(root, private string) bool {
	return len(newRoots(Config{Roots: []string{root}, Private: []string{private}}).dirs) > 0
}

// absolute makes paths absolute and clean. Abs fails only where the working directory is gone. The path then
// stays relative, and find says that nothing is there.
func absolute(dirs []string) []string {
	var all []string
	for _, dir := range dirs {
		if abs, err := filepath.Abs(dir); err == nil {
			dir = abs
		}
		all = append(all, dir)
	}
	return all
}

// below reports whether a directory is a private one, or lies in one.
func (rs roots) below(dir string) bool {
	if target, err := filepath.EvalSymlinks(dir); err == nil {
		dir = target
	}
	hidden := rs.hidden()
	for {
		if info, err := os.Stat(dir); err == nil && hidden.has(info) {
			return true
		}
		up := filepath.Dir(dir)
		if up == dir {
			return false
		}
		dir = up
	}
}

// hidden are the private directories that are there.
type hidden []fs.FileInfo

func (rs roots) hidden() hidden {
	var all hidden
	for _, dir := range rs.private {
		if info, err := os.Stat(dir); err == nil {
			all = append(all, info)
		}
	}
	return all
}

func (h hidden) has(info fs.FileInfo) bool {
	return slices.ContainsFunc(h, func(p fs.FileInfo) bool { return os.SameFile(p, info) })
}

// A pathError says in a sentence why a path argument cannot be used, and what to do.
type pathError string

func (e pathError) Error() string { return string(e) }

// refusal is a pathError as the answer to a request, before a job is made.
func refusal(err error) error {
	if e, ok := errors.AsType[pathError](err); ok {
		return jobs.BadRequest("/args/path", string(e))
	}
	return err
}

// failure is a pathError as the end of a job: the path was good when the job was made.
func failure(err error) error {
	if e, ok := errors.AsType[pathError](err); ok {
		return &jobs.Error{Type: "BadPath", Message: string(e)}
	}
	return err
}

// A place is what a path argument stands for.
type place struct {
	dir    *os.Root // the directory itself, or the one that the file is in
	name   string   // of the file in dir; "." stands for dir
	base   string   // the last part of the argument, which may have been a link
	info   fs.FileInfo
	hidden hidden // what is not to be read below dir
}

func (p place) Close() error { return p.dir.Close() }

// find looks up a path argument: absolute and inside of a root, or relative, which is tried in each root
// in order. "" and "." are the first root. What is found can be read. The error is what refusal and failure
// take; without one the place must be closed.
func (rs roots) find(arg string) (place, error) {
	if err := checkPath(arg); err != nil {
		return place{}, err
	}
	if len(rs.dirs) == 0 {
		return place{}, pathError("There is nothing that jobs may read. Whoever runs the server must name a root outside of its data directory.")
	}
	if arg == "" || arg == "." {
		return rs.look(rs.dirs[:1], ".", arg)
	}
	if !filepath.IsAbs(arg) {
		name := filepath.Clean(arg)
		if !filepath.IsLocal(name) {
			return place{}, outside(arg)
		}
		return rs.look(rs.dirs, name, arg)
	}
	err := outside(arg)
	for i, dir := range rs.dirs {
		name, relErr := filepath.Rel(dir, arg)
		if relErr != nil || !filepath.IsLocal(name) {
			continue
		}
		var p place
		if p, err = rs.look(rs.dirs[i:i+1], name, arg); err == nil {
			return p, nil
		}
	}
	return place{}, err
}

// look tries one name in several roots, and takes the first that has it.
func (rs roots) look(dirs []string, name, arg string) (place, error) {
	var trouble error // the first one other than that nothing is there
	for _, dir := range dirs {
		p, err := lookIn(dir, name, rs.hidden())
		if err == nil {
			return p, nil
		}
		if trouble == nil && !errors.Is(err, fs.ErrNotExist) {
			trouble = err
		}
	}
	switch {
	case trouble == nil:
		return place{}, pathError(fmt.Sprintf("There is nothing at %s. Check the spelling; a relative path starts in one of the server's roots.", quote(arg)))
	case errors.Is(trouble, errHidden):
		return place{}, outside(arg)
	case errors.Is(trouble, fs.ErrPermission):
		return place{}, pathError(fmt.Sprintf("The server is not allowed to read %s. Change its permissions, or use another path.", quote(arg)))
	case errors.Is(trouble, errLeadsOut):
		return place{}, pathError(fmt.Sprintf("The path %s cannot be followed: a symbolic link leads out of the server's roots. Use one that stays inside; a link must be relative.", quote(arg)))
	case exhausted(trouble):
		p := jobs.NewProblem(jobs.CodeUnavailable, "the server has too many files open at the moment, so try again later")
		p.RetryAfterMs = 1000
		return place{}, p
	default:
		return place{}, pathError(fmt.Sprintf("The path %s cannot be followed (%v). Use another path.", quote(arg), cause(trouble)))
	}
}

// exhausted reports whether an error says nothing about a path, but that the system has run out of something.
func exhausted(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOMEM)
}

func outside(arg string) error {
	return pathError(fmt.Sprintf("The path %s is outside of what jobs may read. Use a path inside of one of the server's roots.", quote(arg)))
}

// checkPath refuses what no honest path holds: such bytes would forge lines of logs, or cut a name short
// where the system reads it.
func checkPath(arg string) error {
	switch {
	case len(arg) > maxPath:
		return pathError(fmt.Sprintf("The path has %d bytes. Give one of at most %d.", len(arg), maxPath))
	case !utf8.ValidString(arg):
		return pathError("The path is not valid UTF-8. Give the path of the directory above.")
	case strings.ContainsFunc(arg, unicode.IsControl):
		return pathError("The path holds a control character. Give the path of the directory above, or rename the file.")
	}
	return nil
}

func quote(arg string) string { return `"` + names.Show(arg) + `"` }

// cause is err without the path that it happened to, which messages name in their own way.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// findFile is roots.find for a single regular file.
func findFile(rs roots, path string) (place, error) {
	p, err := rs.find(path)
	if err != nil {
		return place{}, err
	}
	if !p.info.Mode().IsRegular() {
		p.Close()
		return place{}, pathError(fmt.Sprintf("%s is not a regular file. Give the path of one.", quote(path)))
	}
	return p, nil
}
