//go:build linux

package natsio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"jobcast/jobs"
)

// shortOf says what the child process is to run out of.
const shortOf = "NATSIO_TEST_SHORT_OF"

// TestShortageMendsItself has a file system full, or the process out of something else, for a while. The
// store takes nothing then and says so, works again by itself, and has lost nothing.
func TestShortageMendsItself(t *testing.T) {
	// A child mounts where only it sees it. Who may not do that may, as a rule, in a namespace of their own.
	ways := map[string][]*syscall.SysProcAttr{
		"space": {
			{Cloneflags: syscall.CLONE_NEWNS},
			{
				Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
				UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
				GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
			},
			nil,
		},
		"file size": {nil}, "descriptors": {nil},
	}
	for what := range ways {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			for i, attr := range ways[what] {
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
				defer cancel()
				cmd := exec.CommandContext(ctx, os.Args[0])
				cmd.Env = append(os.Environ(), shortDir+"="+dir, shortOf+"="+what)
				cmd.SysProcAttr = attr
				out, err := cmd.CombinedOutput()
				if i < len(ways[what])-1 && (errors.Is(err, syscall.EPERM) || strings.Contains(string(out), cannotMount)) {
					continue
				}
				if err != nil {
					t.Errorf("%v: %s", err, out)
				}
				break
			}
		})
	}
}

const cannotMount = "cannot mount a small file system"

// A shortage begins and ends.
type shortage struct {
	begin, end func() error
	leave      string // a directory that nobody else removes
}

// space mounts a small file system on dir, and fills it. Where nothing can be mounted, a small one that is there
// does as well, such as a container's for shared memory.
func space(dir string) (string, shortage, error) {
	err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
	if err == nil {
		err = syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=24m")
	}
	leave := ""
	if err != nil {
		if dir, err = os.MkdirTemp("/dev/shm", "natsio-*"); err != nil {
			return "", shortage{}, err
		}
		leave = dir
	}
	var at syscall.Statfs_t
	// Nothing but a small one may be filled, whatever has been mounted.
	const small = 256 << 20
	if err := syscall.Statfs(dir, &at); err != nil || int64(at.Blocks)*at.Bsize > small {
		return "", shortage{leave: leave}, fmt.Errorf("%s: %s has %d bytes: %w", cannotMount, dir, int64(at.Blocks)*at.Bsize, err)
	}
	filler := filepath.Join(dir, "filler")
	return filepath.Join(dir, "store"), shortage{leave: leave, begin: func() error {
		f, err := os.Create(filler)
		if err != nil {
			return err
		}
		defer f.Close()
		for size := 1 << 20; size > 0; size /= 2 {
			for err = nil; err == nil; {
				_, err = f.Write(make([]byte, size))
			}
			if !errors.Is(err, syscall.ENOSPC) {
				return err
			}
		}
		return nil
	}, end: func() error { return os.Remove(filler) }}, nil
}

// fileSize lets no file grow.
func fileSize(dir string) (string, shortage, error) {
	limit := func(bytes uint64) func() error {
		return func() error {
			var now syscall.Rlimit
			if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &now); err != nil {
				return err
			}
			now.Cur = min(bytes, now.Max)
			return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &now)
		}
	}
	return dir, shortage{begin: limit(256 << 10), end: limit(1 << 40)}, nil
}

// descriptors opens files until no more can be opened.
func descriptors(dir string) (string, shortage, error) {
	limit := syscall.Rlimit{Cur: 256, Max: 256}
	var open []io.Closer
	return dir, shortage{begin: func() error {
		for {
			f, err := os.Open(os.DevNull)
			if errors.Is(err, syscall.EMFILE) {
				return nil
			}
			if err != nil {
				return err
			}
			open = append(open, f)
		}
	}, end: func() (err error) {
		for _, f := range open {
			err = errors.Join(err, f.Close())
		}
		return err
	}}, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
}

// writeThroughShortage is the child process.
func writeThroughShortage(dir string) error {
	shortages := map[string]func(dir string) (string, shortage, error){"space": space, "file size": fileSize, "descriptors": descriptors}
	dir, short, err := shortages[os.Getenv(shortOf)](dir)
	defer os.RemoveAll(short.leave)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	s, err := Open(ctx, Config{Dir: dir})
	if err != nil {
		return err
	}
	cell, err := s.PutCell(ctx, "session", "a", []byte("before"), 0)
	if err != nil {
		return err
	}
	w := writer{store: s}
	followed := w.follow(ctx)
	for range 20 {
		if err := w.write(ctx); err != nil {
			return err
		}
	}
	acked := w.seq
	if err := short.begin(); err != nil {
		return fmt.Errorf("begin the shortage: %w", err)
	}
	for err == nil && w.seq < 5000 {
		err = w.write(ctx)
	}
	if err == nil {
		return fmt.Errorf("the store took %d more events during the shortage", w.seq-acked)
	}
	if !errors.Is(err, ErrBroken) {
		return fmt.Errorf("append during the shortage: got %w, want ErrBroken", err)
	}
	if err := s.Ready(); !errors.Is(err, ErrBroken) {
		return fmt.Errorf("ready during the shortage: got %w, want ErrBroken", err)
	}
	if rec, _, err := s.Last(ctx, "a"); err != nil || rec.Event.Seq < w.seq {
		return fmt.Errorf("last during the shortage: got %d, %w, want %d", rec.Event.Seq, err, w.seq)
	}
	time.Sleep(2 * firstRetry) // it is tried in vain
	if err := short.end(); err != nil {
		return fmt.Errorf("end the shortage: %w", err)
	}

	// From here on the store must come back by itself.
	for err = w.write(ctx); err != nil; err = w.write(ctx) {
		if ctx.Err() != nil {
			return fmt.Errorf("after the shortage: %w", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	for range 50 {
		if err := w.write(ctx); err != nil {
			return fmt.Errorf("append after the shortage: %w", err)
		}
	}
	for err = s.Ready(); err != nil; err = s.Ready() {
		if ctx.Err() != nil {
			return fmt.Errorf("ready after the shortage: %w", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if found, err := s.Cell(ctx, "session", "a"); err != nil || string(found.Value) != "before" || found.Position != cell {
		return fmt.Errorf("a cell of before the shortage: got %q, %w", found.Value, err)
	}
	if _, err := s.PutCell(ctx, "session", "a", []byte("after"), cell); err != nil {
		return fmt.Errorf("put a cell of before the shortage: %w", err)
	}
	if err := <-followed; err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	if s, err = Open(ctx, Config{Dir: dir}); err != nil {
		return err
	}
	recs, err := s.Read(ctx, "a", 0, int(w.seq))
	if err != nil || uint64(len(recs)) != w.seq {
		return fmt.Errorf("after a restart: got %d events, %w, want %d", len(recs), err, w.seq)
	}
	return s.Close()
}

// A writer appends the events of one job.
type writer struct {
	store *Store
	seq   uint64
	pos   jobs.Position
}

// write appends one event, of 64 KiB. What became of one that failed it asks first.
func (w *writer) write(ctx context.Context) error {
	last, pos, err := w.store.Last(ctx, "a")
	switch {
	case err == nil && last.Event.Seq == w.seq+1 && pos > w.pos: // it was stored after all
		w.seq, w.pos = last.Event.Seq, pos
	case err == nil && (last.Event.Seq != w.seq || pos != w.pos):
		return fmt.Errorf("lost: got seq %d at %d, want %d at %d", last.Event.Seq, pos, w.seq, w.pos)
	case err != nil && !(errors.Is(err, jobs.ErrNotFound) && w.seq == 0):
		return err
	}
	rec := record("a", w.seq+1)
	rec.Event.Data = json.RawMessage(`"` + strings.Repeat("x", 64<<10) + `"`)
	if pos, err = w.store.Append(ctx, rec, w.pos); err == nil {
		w.seq, w.pos = w.seq+1, pos
	}
	return err
}

// follow reads what is written until 50 events have come after a break of the store, in order.
func (w *writer) follow(ctx context.Context) <-chan error {
	ended := make(chan error, 1)
	go func() {
		var seq uint64
		for rec, err := range w.store.Follow(ctx, "a", 0) {
			if err != nil || rec.Event.Seq != seq+1 {
				ended <- fmt.Errorf("follow: got seq %d after %d, %w", rec.Event.Seq, seq, err)
				return
			}
			if seq++; seq > 60 && w.store.broken.Load() == nil && w.store.ask.Stats().Reconnects > 0 {
				break
			}
		}
		ended <- nil
	}()
	return ended
}
