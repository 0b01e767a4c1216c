package workers

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"jobcast/jobs"
)

const (
	// maxFiles bounds the memory of one job: it ends with an error when a directory holds more files.
	maxFiles = 2_000_000
	// readChunk is how many bytes are read at once, between two looks at whether the job is cancelled.
	readChunk = 256 << 10
	// maxGrowth is how many bytes a file may grow while it is read. One that is written faster than
	// it is read would else never end; beyond this it counts as failed.
	maxGrowth = 64 << 20
)

// fileSum is one file of a Checksum job.
type fileSum struct {
	name   string // below the directory, with slashes; any bytes but NUL
	size   int64  // bytes: those found, and after it was read, those read
	sum    [sha256.Size]byte
	failed bool
}

// finder lists the regular files under a root.
type finder struct {
	root   *os.Root
	to     reporter
	found  meter
	files  []fileSum
	failed int64 // directories and files that could not be looked at

	links, specials int64 // skipped
}

// find fills in files, sorted by the bytes of their names. The error is ctx's, or that there are too many.
func (f *finder) find(ctx context.Context) error {
	for dirs := []string{"."}; len(dirs) > 0; {
		dir := dirs[len(dirs)-1]
		dirs = dirs[:len(dirs)-1]
		var err error
		if dirs, err = f.list(ctx, dir, dirs); err != nil {
			return err
		}
	}
	slices.SortFunc(f.files, func(a, b fileSum) int { return strings.Compare(a.name, b.name) })
	if f.links+f.specials > 0 {
		f.to.Log(slog.LevelInfo, "Skipped symbolic links, which are not followed, and special files",
			slog.Int64("links", f.links), slog.Int64("special", f.specials))
	}
	return nil
}

// list adds the files of one directory to f and its directories to dirs.
func (f *finder) list(ctx context.Context, dir string, dirs []string) ([]string, error) {
	d, err := f.root.OpenFile(dir, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		f.fail(dir, err)
		return dirs, nil
	}
	defer d.Close()
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		entries, err := d.ReadDir(1024)
		before := len(f.files)
		for _, e := range entries {
			name := path.Join(dir, e.Name())
			switch {
			case e.IsDir():
				dirs = append(dirs, name)
			case e.Type()&fs.ModeSymlink != 0:
				f.links++
			case !e.Type().IsRegular():
				f.specials++
			default:
				// Not e.Info: before Go 1.26.1 that could be tricked to look outside of the root.
				info, err := f.root.Lstat(name)
				if err != nil {
					f.fail(name, err)
					continue
				}
				f.files = append(f.files, fileSum{name: name, size: info.Size()})
			}
		}
		if len(f.files)+len(dirs) > maxFiles {
			return nil, &jobs.Error{Type: "TooManyFiles", Message: fmt.Sprintf("The directory holds more than %d files. Give one of the directories below it.", maxFiles)}
		}
		f.found.add(int64(len(f.files)-before), func() string { return show(dir) })
		if err == io.EOF {
			return dirs, nil
		}
		if err != nil {
			f.fail(dir, err)
			return dirs, nil
		}
	}
}

func (f *finder) fail(name string, err error) {
	f.failed++
	logUnreadable(f.to, name, err)
}

func logUnreadable(to reporter, name string, err error) {
	to.Log(slog.LevelWarn, fmt.Sprintf("Cannot read %s: %v", show(name), cause(err)))
}

// summer reads files and fills in their sums.
type summer struct {
	root  *os.Root
	to    reporter
	files []fileSum // each reader owns the one that it took
	read  meter

	next     atomic.Int64 // the first of files that no reader took
	panicked atomic.Pointer[string]
}

// sum reads all files, up to GOMAXPROCS at once, and returns when the last reader has ended. The error is
// ctx's.
func (s *summer) sum(ctx context.Context) error {
	var total int64
	for _, f := range s.files {
		total += f.size
	}
	s.read.correct(total)
	var readers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(s.files)) {
		readers.Go(func() {
			// A panic in a goroutine would end the process. It must cost this job only.
			defer func() {
				if v := recover(); v != nil {
					text := fmt.Sprintf("%v\n\n%s", v, debug.Stack())
					s.panicked.Store(&text)
				}
			}()
			s.sumNext(ctx)
		})
	}
	readers.Wait()
	if text := s.panicked.Load(); text != nil {
		panic(*text)
	}
	return ctx.Err()
}

// sumNext takes files until there are no more.
func (s *summer) sumNext(ctx context.Context) {
	h, buf := sha256.New(), make([]byte, readChunk)
	for ctx.Err() == nil {
		i := s.next.Add(1) - 1
		if i >= int64(len(s.files)) {
			return
		}
		f := &s.files[i]
		h.Reset()
		n, err := s.sumOne(ctx, h, buf, f.name)
		if ctx.Err() != nil {
			return
		}
		// The total was a promise of the walk. What came instead is what counts, so that all files
		// together end at 100 %.
		s.read.correct(n - f.size)
		switch {
		case err != nil:
			f.failed = true
			logUnreadable(s.to, f.name, err)
		case n != f.size:
			s.to.Log(slog.LevelWarn, fmt.Sprintf("%s changed while the job ran; its sum is of what was read", show(f.name)),
				slog.Int64("foundBytes", f.size), slog.Int64("readBytes", n))
		}
		f.size = n
		h.Sum(f.sum[:0])
	}
}

// sumOne writes one file into h and returns how many bytes that were.
func (s *summer) sumOne(ctx context.Context, h hash.Hash, buf []byte, name string) (int64, error) {
	f, info, err := openFile(s.root, name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	message := func() string { return show(name) }
	return hashAll(ctx, h, f, buf, info.Size()+maxGrowth, func(n int) { s.read.add(int64(n), message) })
}

// hashAll writes r into h until its end, and fails once it has given more than limit bytes. It looks at
// ctx between chunks and tells read about each.
func hashAll(ctx context.Context, h hash.Hash, r io.Reader, buf []byte, limit int64, read func(n int)) (int64, error) {
	var done int64
	for {
		if err := ctx.Err(); err != nil {
			return done, err
		}
		n, err := r.Read(buf)
		if n > 0 {
			h.Write(buf[:n])
			done += int64(n)
			read(n)
		}
		if err == io.EOF {
			return done, nil
		}
		if err != nil {
			return done, err
		}
		if done > limit {
			return done, errors.New("it grows while it is read")
		}
	}
}

// sumEscaper hides what would end a line of SHA256SUMS early. A line with such a name starts with a
// backslash (GNU coreutils manual, "md5sum invocation").
var sumEscaper = strings.NewReplacer("\\", `\\`, "\n", `\n`, "\r", `\r`)

// appendSum appends the line of one file.
func appendSum(b []byte, sum [sha256.Size]byte, name string) []byte {
	if name == "-" {
		name = "./-" // a bare one is standard input
	}
	if strings.ContainsAny(name, "\\\n\r") {
		b = append(b, '\\')
		name = sumEscaper.Replace(name)
	}
	b = hex.AppendEncode(b, sum[:])
	b = append(b, "  "...)
	b = append(b, name...)
	return append(b, '\n')
}

// writeSums writes the lines of all files that were read.
func writeSums(ctx context.Context, w io.Writer, files []fileSum) error {
	out := bufio.NewWriterSize(w, 64<<10)
	var line []byte
	for i, f := range files {
		if i%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if f.failed {
			continue
		}
		line = appendSum(line[:0], f.sum, f.name)
		if _, err := out.Write(line); err != nil {
			return err
		}
	}
	return out.Flush()
}
