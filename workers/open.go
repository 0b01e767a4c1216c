package workers

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	maxLinks = 40     // symbolic links that one path may go through
	maxSteps = 20_000 // directories that it may visit on the way, with those that it comes by again
)

var (
	errHidden   = errors.New("jobs do not read it")
	errLeadsOut = errors.New("it leads out of the root")
	errReplaced = errors.New("something else has taken its place")
)

// openDir opens a directory in another one, but neither a hidden one nor what a symbolic link leads to.
func openDir(parent *os.Root, name string, h hidden) (*os.Root, error) {
	before, err := parent.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !before.IsDir() {
		return nil, errReplaced
	}
	if h.has(before) {
		return nil, errHidden
	}
	dir, err := parent.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	// Since the name was looked at, a link may have taken its place.
	if now, err := dir.Stat("."); err != nil || !os.SameFile(before, now) {
		dir.Close()
		if err == nil {
			err = errReplaced
		}
		return nil, err
	}
	return dir, nil
}

// openFile opens a regular file, and nothing that has taken its place meanwhile: opening a named pipe
// would block until someone writes, which O_NONBLOCK prevents.
func openFile(dir *os.Root, name string) (*os.File, fs.FileInfo, error) {
	f, err := dir.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
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

// lookIn finds a clean, local name in a root, through symbolic links that stay in it and through no hidden
// directory, and makes sure that it can be read.
func lookIn(root, name string, h hidden) (place, error) {
	top, err := os.OpenRoot(root)
	if err != nil {
		return place{}, err
	}
	defer top.Close()
	p, err := walk(top, parts(name), h)
	if err != nil {
		return place{}, err
	}
	p.base, p.hidden = filepath.Base(name), h
	if err := p.readable(); err != nil {
		p.Close()
		return place{}, err
	}
	return p, nil
}

// parts are the names in a clean, local path.
func parts(name string) []string {
	if name == "." || name == "" {
		return nil
	}
	return strings.Split(filepath.ToSlash(name), "/")
}

// walk goes down from top, one name after the other. A link is read and replaced by what it says: the system
// would follow it past the directories in between.
func walk(top *os.Root, todo []string, h hidden) (p place, err error) {
	var done []string // the names from top to dir
	dir, err := openDir(top, ".", h)
	if err != nil {
		return place{}, err
	}
	defer func() {
		if err != nil {
			dir.Close()
		}
	}()
	for links, steps := 0, 0; len(todo) > 0; steps++ {
		name := todo[0]
		if steps == maxSteps {
			return place{}, syscall.ELOOP
		}
		if name == ".." {
			if len(done) == 0 {
				return place{}, errLeadsOut
			}
			// No handle knows the directory that it is in: the way there is gone again.
			again, err := openDir(top, ".", h)
			if err != nil {
				return place{}, err
			}
			dir.Close()
			dir, todo, done = again, append(done[:len(done)-1:len(done)-1], todo[1:]...), nil
			continue
		}
		info, err := dir.Lstat(name)
		switch {
		case err != nil:
			return place{}, err
		case info.Mode()&fs.ModeSymlink != 0:
			to, err := dir.Readlink(name)
			if err != nil {
				return place{}, err
			}
			if links++; links > maxLinks {
				return place{}, syscall.ELOOP
			}
			if filepath.IsAbs(to) || filepath.VolumeName(to) != "" {
				return place{}, errLeadsOut
			}
			todo = append(linked(to), todo[1:]...)
			continue
		case !info.IsDir() && len(todo) > 1:
			return place{}, syscall.ENOTDIR
		case !info.IsDir():
			return place{dir: dir, name: name, info: info}, nil
		}
		next, err := openDir(dir, name, h)
		if err != nil {
			return place{}, err
		}
		dir.Close()
		dir, done, todo = next, append(done, name), todo[1:]
	}
	info, err := dir.Stat(".")
	return place{dir: dir, name: ".", info: info}, err
}

// linked are the names in what a link says. They are not cleaned: "a/.." is the directory that a lies in,
// wherever a leads.
func linked(to string) []string {
	var names []string
	for name := range strings.SplitSeq(filepath.ToSlash(to), "/") {
		if name != "" && name != "." {
			names = append(names, name)
		}
	}
	return names
}

// readable opens what a place stands for and closes it again. What is neither a directory nor a regular file
// is left alone.
func (p place) readable() error {
	switch {
	case p.info.Mode().IsRegular():
		f, _, err := openFile(p.dir, p.name)
		if err != nil {
			return err
		}
		return f.Close()
	case p.info.IsDir():
		d, err := p.dir.Open(".")
		if err != nil {
			return err
		}
		defer d.Close()
		// Names are of no use where nothing may be reached by them.
		_, err = p.dir.Lstat(".")
		return err
	}
	return nil
}
