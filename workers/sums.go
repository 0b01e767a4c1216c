package workers

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"jobcast/jobs"
)

const (
	// maxFiles bounds the names that one checksum holds in memory; a directory with more fails the job.
	maxFiles = 5_000_000
	// readSize is what a reader reads between two looks at its context, in bytes.
	readSize = 256 << 10
)

// fileSum is one file, and its sum once it was read.
type fileSum struct {
	name   string // relative, with slashes
	size   int64  // found by the walk, and then what was read
	sum    [sha256.Size]byte
	failed bool
}

// finder lists the regular files below a directory.
type finder struct {
	root   *os.Root
	to     reporter
	count  meter
	files  []fileSum
	failed int64
}

// find walks the whole directory. What cannot be listed costs a line of the log; links and special files
// are named there and passed over.
func (f *finder) find(ctx context.Context) error {
	err := fs.WalkDir(f.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			f.failed++
			f.to.Log(slog.LevelWarn, "Cannot be listed: "+show(name), slog.String("err", cause(err).Error()))
			return nil
		}
		if d.IsDir() {
			return nil
		}
		if !d.Type().IsRegular() {
			f.to.Log(slog.LevelInfo, "Passed over, "+what(d.Type())+": "+show(name))
			return nil
		}
		info, err := d.Info()
		if err != nil {
			f.failed++
			f.to.Log(slog.LevelWarn, "Cannot be read: "+show(name), slog.String("err", cause(err).Error()))
			return nil
		}
		if len(f.files) == maxFiles {
			return &jobs.Error{
				Type:    "TooManyFiles",
				Message: fmt.Sprintf("There are more than %d files. Give a directory with fewer.", maxFiles),
			}
		}
		f.files = append(f.files, fileSum{name: name, size: info.Size()})
		f.count.add(1, func() string { return show(path.Dir(name)) })
		return nil
	})
	slices.SortFunc(f.files, func(a, b fileSum) int { return strings.Compare(a.name, b.name) })
	return err
}

// what is a type of file in words.
func what(t fs.FileMode) string {
	switch {
	case t&fs.ModeSymlink != 0:
		return "a symbolic link"
	case t&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case t&fs.ModeSocket != 0:
		return "a socket"
	case t&fs.ModeDevice != 0:
		return "a device"
	}
	return "not a regular file"
}

// summer reads the files, several at once.
type summer struct {
	root  *os.Root
	to    reporter
	files []fileSum
	read  meter
}

// sum reads every file. It returns when the last reader has ended.
func (s *summer) sum(ctx context.Context) error {
	for _, f := range s.files {
		s.read.total += f.size
	}
	s.read.add(0, func() string { return "" })
	var next atomic.Int64
	var readers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), max(1, len(s.files))) {
		readers.Go(func() {
			buf := make([]byte, readSize)
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(s.files) {
					return
				}
				s.one(ctx, &s.files[i], buf)
			}
		})
	}
	readers.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// one reads one file to its end, as long as that is by now.
func (s *summer) one(ctx context.Context, f *fileSum, buf []byte) {
	expected := f.size
	done, err := s.hash(ctx, f, buf)
	f.size = done
	s.read.correct(done - expected)
	if err != nil && ctx.Err() == nil {
		f.failed = true
		s.to.Log(slog.LevelWarn, "Cannot be read: "+show(f.name), slog.String("err", cause(err).Error()))
	}
}

func (s *summer) hash(ctx context.Context, f *fileSum, buf []byte) (done int64, err error) {
	file, _, err := openFile(s.root, filepath.FromSlash(f.name))
	if err != nil {
		return 0, err
	}
	defer file.Close()
	h := sha256.New()
	for ctx.Err() == nil {
		n, err := file.Read(buf)
		h.Write(buf[:n])
		done += int64(n)
		s.read.add(int64(n), func() string { return show(f.name) })
		switch {
		case errors.Is(err, io.EOF):
			h.Sum(f.sum[:0])
			return done, nil
		case err != nil:
			return done, err
		}
	}
	return done, context.Cause(ctx)
}

// writeSums writes the lines that "sha256sum -c" reads. A name with a backslash or an end of line is
// escaped, which a backslash before the sum says.
func writeSums(ctx context.Context, w io.Writer, files []fileSum) error {
	b := bufio.NewWriterSize(w, 64<<10)
	for _, f := range files {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if f.failed {
			continue
		}
		if name := escape.Replace(f.name); name != f.name {
			fmt.Fprintf(b, `\%s  %s`+"\n", hex.EncodeToString(f.sum[:]), name)
		} else {
			fmt.Fprintf(b, "%s  %s\n", hex.EncodeToString(f.sum[:]), name)
		}
	}
	return b.Flush()
}

var escape = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`)
