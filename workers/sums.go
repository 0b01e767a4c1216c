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

	"jobcast/jobs"
	"jobcast/workers/internal/names"
)

const (
	// maxFiles bounds the memory of one job: it ends with an error when a directory holds more files.
	maxFiles = 2_000_000
	// readChunk is how many bytes are read at once, between two looks at whether the job is cancelled.
	readChunk = 256 << 10
	// maxNames bounds the same, in bytes of all their paths.
	maxNames = 512 << 20
	// maxHandles is how many directories one job keeps open, all its readers together.
	maxHandles = 64
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

// finder lists the regular files under a directory.
type finder struct {
	in     place
	to     reporter
	found  meter
	files  []fileSum
	failed int64 // directories and files that could not be looked at
	names  int64 // bytes of all paths found

	links, specials, own int64 // skipped
}

// find fills in files, sorted by the bytes of their names. The error is ctx's, or that there are too many.
func (f *finder) find(ctx context.Context) error {
	t := trail{root: f.in.dir, hidden: f.in.hidden, limit: maxHandles}
	defer t.close()
	for dirs := []string{"."}; len(dirs) > 0; {
		dir := dirs[len(dirs)-1]
		dirs = dirs[:len(dirs)-1]
		var err error
		if dirs, err = f.list(ctx, &t, dir, dirs); err != nil {
			return err
		}
	}
	slices.SortFunc(f.files, func(a, b fileSum) int { return strings.Compare(a.name, b.name) })
	if f.links+f.specials > 0 {
		f.to.Log(slog.LevelInfo, "Skipped symbolic links, which are not followed, and special files",
			slog.Int64("links", f.links), slog.Int64("special", f.specials))
	}
	if f.own > 0 {
		f.to.Log(slog.LevelInfo, "Skipped the server's own data, which jobs do not read")
	}
	return nil
}

// list adds the files of one directory to f and its directories to dirs.
func (f *finder) list(ctx context.Context, t *trail, dir string, dirs []string) ([]string, error) {
	at, err := t.to(dir)
	if errors.Is(err, errHidden) {
		f.own++
		return dirs, nil
	}
	var d *os.File
	if err == nil {
		d, err = at.Open(".")
	}
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
			f.names += int64(len(name))
			switch {
			case e.IsDir():
				dirs = append(dirs, name)
			case e.Type()&fs.ModeSymlink != 0:
				f.links++
			case !e.Type().IsRegular():
				f.specials++
			default:
				// Not e.Info: before Go 1.26.1 that could be tricked to look outside of the root.
				info, err := at.Lstat(e.Name())
				if err != nil {
					f.fail(name, err)
					continue
				}
				f.files = append(f.files, fileSum{name: name, size: info.Size()})
			}
		}
		if len(f.files)+len(dirs) > maxFiles || f.names > maxNames {
			return nil, &jobs.Error{Type: "TooManyFiles", Message: fmt.Sprintf("The directory holds more than %d files, or their paths more than %d bytes. Give one of the directories below it.", maxFiles, maxNames)}
		}
		f.found.add(int64(len(f.files)-before), func() string { return names.Show(dir) })
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
	to.Log(slog.LevelWarn, fmt.Sprintf("Cannot read %s: %v", names.Show(name), cause(err)))
}

// summer reads files and fills in their sums.
type summer struct {
	in    place
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
	count := min(runtime.GOMAXPROCS(0), len(s.files))
	for range count {
		readers.Go(func() {
			// A panic in a goroutine would end the process. It must cost this job only.
			defer func() {
				if v := recover(); v != nil {
					text := fmt.Sprintf("%v\n\n%s", v, debug.Stack())
					s.panicked.Store(&text)
				}
			}()
			s.sumNext(ctx, max(2, maxHandles/count))
		})
	}
	readers.Wait()
	if text := s.panicked.Load(); text != nil {
		panic(*text)
	}
	return ctx.Err()
}

// sumNext takes files until there are no more, and keeps so many directories open.
func (s *summer) sumNext(ctx context.Context, handles int) {
	t := trail{root: s.in.dir, hidden: s.in.hidden, limit: handles}
	defer t.close()
	h, buf := sha256.New(), make([]byte, readChunk)
	for ctx.Err() == nil {
		i := s.next.Add(1) - 1
		if i >= int64(len(s.files)) {
			return
		}
		f := &s.files[i]
		h.Reset()
		n, err := s.sumOne(ctx, &t, h, buf, f)
		if ctx.Err() != nil {
			return
		}
		switch {
		case err != nil:
			// Nothing more will be done about what was not read: the progress goes on past it.
			f.failed = true
			s.read.extend(max(f.size-n, 0), 0, func() string { return names.Show(f.name) })
			logUnreadable(s.to, f.name, err)
			continue
		case n < f.size:
			s.read.correct(n - f.size)
			fallthrough
		case n != f.size:
			s.to.Log(slog.LevelWarn, fmt.Sprintf("%s changed while the job ran; its sum is of what was read", names.Show(f.name)),
				slog.Int64("foundBytes", f.size), slog.Int64("readBytes", n))
		}
		f.size = n
		h.Sum(f.sum[:0])
	}
}

// sumOne writes one file into h and returns how many bytes that were.
func (s *summer) sumOne(ctx context.Context, t *trail, h hash.Hash, buf []byte, file *fileSum) (int64, error) {
	dir, name := path.Split(file.name)
	at, err := t.to(path.Clean(dir))
	if err != nil {
		return 0, err
	}
	f, info, err := openFile(at, name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	message, found := func() string { return names.Show(file.name) }, file.size
	return hashAll(ctx, h, f, buf, info.Size()+maxGrowth, func(n int) {
		// The total was a promise of the walk: what a file has grown by since comes on top of it.
		promised := min(int64(n), found)
		found -= promised
		s.read.extend(int64(n), int64(n)-promised, message)
	})
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
