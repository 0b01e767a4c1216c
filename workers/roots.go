package workers

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"jobcast/jobs"
)

// maxPath is the length in bytes of the longest path that a job may be given.
const maxPath = 4096

// roots are the directories that jobs may read. Every access goes through an os.Root, so that neither
// ".." nor a symbolic link leads out, whatever is moved about meanwhile.
type roots struct {
	dirs []string // absolute and clean
}

func newRoots(dirs []string) roots {
	if len(dirs) == 0 {
		dirs = []string{"."}
	}
	var rs roots
	for _, dir := range dirs {
		// Abs fails only where the working directory is gone. The root then stays relative, and
		// find says that nothing is there.
		if abs, err := filepath.Abs(dir); err == nil {
			dir = abs
		}
		rs.dirs = append(rs.dirs, dir)
	}
	return rs
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

// A place is what a path argument stands for: name inside of root.
type place struct {
	root *os.Root
	name string // "." is the root itself
	info fs.FileInfo
}

func (p place) Close() error { return p.root.Close() }

// find looks up a path argument: absolute and inside of a root, or relative, which is tried in each root
// in order. "" and "." are the first root. The error is a pathError, and else the place must be closed.
func (rs roots) find(arg string) (place, error) {
	if err := checkPath(arg); err != nil {
		return place{}, err
	}
	if arg == "" || arg == "." {
		return rs.look(rs.dirs[:1], ".", arg)
	}
	if !filepath.IsAbs(arg) {
		name := filepath.Clean(arg)
		if !filepath.IsLocal(name) {
			return place{}, rs.outside(arg)
		}
		return rs.look(rs.dirs, name, arg)
	}
	var err error = rs.outside(arg)
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
		p, err := lookIn(dir, name)
		if err == nil {
			return p, nil
		}
		if trouble == nil && !errors.Is(err, fs.ErrNotExist) {
			trouble = err
		}
	}
	switch {
	case trouble == nil:
		return place{}, pathError(fmt.Sprintf("There is nothing at %s. Check the spelling; a relative path starts in %s.", quote(arg), rs))
	case errors.Is(trouble, fs.ErrPermission):
		return place{}, pathError(fmt.Sprintf("The server is not allowed to read %s. Change its permissions, or use another path.", quote(arg)))
	default:
		return place{}, pathError(fmt.Sprintf("The path %s cannot be followed (%v). Use one that stays in %s, with its symbolic links; a link must be relative.", quote(arg), cause(trouble), rs))
	}
}

func lookIn(dir, name string) (place, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return place{}, err
	}
	info, err := root.Stat(name)
	if err != nil {
		root.Close()
		return place{}, err
	}
	return place{root, name, info}, nil
}

func (rs roots) outside(arg string) error {
	return pathError(fmt.Sprintf("The path %s is outside of what jobs may read. Use a path in %s.", quote(arg), rs))
}

// String lists the roots for a sentence.
func (rs roots) String() string { return strings.Join(rs.dirs, " or ") }

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

func quote(arg string) string { return `"` + show(arg) + `"` }

// cause is err without the path that it happened to, which messages name in their own way.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// openFile opens a regular file, and nothing that has taken its place meanwhile: opening a named pipe
// would block until someone writes, which O_NONBLOCK prevents.
func openFile(root *os.Root, name string) (*os.File, fs.FileInfo, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no longer a regular file")
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}
