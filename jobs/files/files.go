// Package files keeps what is too big for a job's log in a directory: what clients upload and what jobs
// make. It knows neither HTTP nor how jobs run. It runs no goroutine.
package files

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"jobcast/jobs"
)

// uploadKept is how long an upload stays.
const uploadKept = 7 * 24 * time.Hour

// A Dir is such a directory: artifacts by job, and uploads. Its methods
// may be called from any goroutine. Nothing outside the directory is ever touched, whatever a name says.
type Dir struct {
	root *os.Root // has tmp/, uploads/ and artifacts/<id>/
}

// Open opens or makes the directory. It removes what a crash left half written, and uploads older
// than seven days; only one process at a time may have the directory open.
func Open(dir string) (*Dir, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make directory for files: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open directory for files: %w", err)
	}
	f := &Dir{root: root}
	if err := f.prepare(); err != nil {
		_ = root.Close()
		return nil, fmt.Errorf("prepare directory for files: %w", err)
	}
	return f, nil
}

func (f *Dir) prepare() error {
	if err := f.root.RemoveAll("tmp"); err != nil {
		return err
	}
	for _, dir := range []string{"tmp", "uploads", "artifacts"} {
		if err := f.root.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	return f.ExpireUploads()
}

// Close lets go of the directory. Files that were opened stay open.
func (f *Dir) Close() error { return f.root.Close() }

// ExpireUploads removes uploads that are older than uploadKept, seven days. A job that has one open reads on.
func (f *Dir) ExpireUploads() error {
	entries, err := fs.ReadDir(f.root.FS(), "uploads")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || time.Since(info.ModTime()) < uploadKept {
			continue // someone else removed it, or it stays
		}
		if err := f.root.Remove(path.Join("uploads", entry.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// SaveUpload streams r to disk under a new unguessable name that ends with the given one, and refuses
// more than limit bytes with a *jobs.Problem of code too_large; nothing is left behind then. A full disk is a
// *jobs.Problem of code unavailable. A wrong name is refused before r is read.
func (f *Dir) SaveUpload(name string, r io.Reader, limit int64) (upload string, bytes int64, err error) {
	if p := jobs.CheckFileName(name); p != nil {
		return "", 0, p
	}
	tmp, err := f.Create()
	if err != nil {
		return "", 0, DiskProblem("save upload", err)
	}
	defer tmp.Discard()
	n, err := io.Copy(tmp, io.LimitReader(r, limit))
	if err == nil && n == limit {
		// One byte more tells the end of the upload from the end of the limit.
		var more int64
		if more, err = io.CopyN(io.Discard, r, 1); more > 0 {
			return "", 0, jobs.NewProblem(jobs.CodeTooLarge, fmt.Sprintf("an upload may have at most %d bytes", limit))
		}
		if err == io.EOF { //nolint:errorlint // CopyN's own; a wrapped one is that of a reader which broke off
			err = nil
		}
	}
	if err != nil {
		return "", 0, DiskProblem("save upload", err)
	}
	upload = rand.Text() + "-" + name
	if err := tmp.commit("uploads", upload); err != nil {
		return "", 0, DiskProblem("save upload", err)
	}
	return upload, n, nil
}

// DiskProblem says that a full disk is to blame, if it is.
func DiskProblem(doing string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return jobs.ProblemOf(err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// OpenUpload opens an upload for reading. The error is a *jobs.Problem of code not_found or bad_request.
func (f *Dir) OpenUpload(upload string) (*jobs.Upload, error) {
	if p := jobs.CheckUpload(upload); p != nil {
		return nil, p
	}
	_, name, _ := strings.Cut(upload, "-")
	file, size, err := f.open(path.Join("uploads", upload), "there is no such upload; uploads are kept for seven days")
	if err != nil {
		return nil, err
	}
	return &jobs.Upload{File: file, Name: name, Size: size}, nil
}

// OpenArtifact opens a job's artifact for reading. The error is a *Problem.
func (f *Dir) OpenArtifact(id jobs.ID, name string) (*os.File, error) {
	if !id.Valid() {
		return nil, jobs.BadRequest("", "this is not the id of a job")
	}
	if p := jobs.CheckFileName(name); p != nil {
		return nil, p
	}
	file, _, err := f.open(path.Join("artifacts", string(id), name), "the job has no such artifact")
	return file, err
}

// RemoveArtifacts removes everything that a job has made. It is no error if there is nothing.
func (f *Dir) RemoveArtifacts(id jobs.ID) error {
	if !id.Valid() {
		return jobs.BadRequest("", "this is not the id of a job")
	}
	return f.root.RemoveAll(path.Join("artifacts", string(id)))
}

func (f *Dir) open(name, missing string) (*os.File, int64, error) {
	file, err := f.root.Open(filepath.FromSlash(name))
	if errors.Is(err, fs.ErrNotExist) {
		p := jobs.NewProblem(jobs.CodeNotFound, missing)
		p.Title = "No such file"
		return nil, 0, p
	}
	if err != nil {
		return nil, 0, jobs.ProblemOf(fmt.Errorf("open %s: %w", name, err))
	}
	info, err := file.Stat()
	if err != nil {
		_ = file.Close()
		return nil, 0, jobs.ProblemOf(fmt.Errorf("open %s: %w", name, err))
	}
	return file, info.Size(), nil
}

// A Temp is a file that is not there yet: it appears under its name, whole, when it is committed.
type Temp struct {
	*os.File
	root *os.Root
	name string
	gone bool
}

// Create makes a file without a name, to be written.
func (f *Dir) Create() (*Temp, error) {
	name := path.Join("tmp", rand.Text())
	file, err := f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return &Temp{File: file, root: f.root, name: name}, nil
}

// CommitArtifact makes the file an artifact of a job, as whole and safe as an upload; an older one of that
// name is replaced.
func (t *Temp) CommitArtifact(id jobs.ID, name string) error {
	return t.commit(path.Join("artifacts", string(id)), name)
}

// commit syncs the file to disk and gives it its name; an older file of that name is replaced.
func (t *Temp) commit(dir, name string) error {
	defer t.Discard()
	if err := t.Sync(); err != nil {
		return err
	}
	if err := t.File.Close(); err != nil {
		return err
	}
	if err := t.root.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := t.root.Rename(t.name, path.Join(dir, name)); err != nil {
		return err
	}
	t.gone = true
	// The name is durable once its directory is. Where a directory cannot be synced, as on Windows, the
	// system sees to it.
	for _, dir := range []string{dir, path.Dir(dir)} {
		if d, err := t.root.Open(dir); err == nil {
			_ = d.Sync()
			_ = d.Close()
		}
	}
	return nil
}

// Discard removes the file unless it was committed.
func (t *Temp) Discard() {
	if t.gone {
		return
	}
	t.gone = true
	_ = t.File.Close()
	_ = t.root.Remove(t.name)
}
