package natsio

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
)

// A process may be killed at any moment, and what the server makes of several files is then there in part.
// The server leaves such a stream out when it starts the next time, and refuses to make one of that name.
// Here is what makes room for it: a stream that was never finished holds nothing, and is made anew. One that
// holds something is never touched.

// A DamagedError is the ErrBroken of Open where the files that describe a stream are damaged, but not, as far
// as one can tell, what the stream holds. Nothing of it is lost yet.
type DamagedError struct{ Stream string }

func (e *DamagedError) Error() string {
	return fmt.Sprintf("natsio: stream %s holds something and cannot be opened", e.Stream)
}

func (e *DamagedError) Unwrap() error { return ErrBroken }

// serverDir is where the server keeps its files, below the store's directory.
func serverDir(dir string) string { return filepath.Join(dir, server.JetStreamStoreDir) }

// streamsDir has a directory for each stream.
func streamsDir(dir string) string {
	return filepath.Join(serverDir(dir), server.DEFAULT_GLOBAL_ACCOUNT, "streams")
}

// oldWorkStream is a stream of older versions, which nothing reads any more.
const oldWorkStream = "JOBS_WORK"

// probeFile is the file with which we find out whether there is room.
const probeFile = "probe"

// tidy removes what the server does not expect to find, and a probe. The server must not run yet.
func tidy(dir string) error {
	if err := os.Remove(filepath.Join(dir, probeFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// With such a file the server finds out whether it may write. It would take one that is left for the
	// directory of an account.
	trials, err := filepath.Glob(filepath.Join(serverDir(dir), "_test_*"))
	if err != nil {
		return err
	}
	for _, trial := range trials {
		if err := os.Remove(trial); err != nil {
			return err
		}
	}
	// Older versions had a stream of the jobs that wait. The log of each says that, and there is no other queue.
	return os.RemoveAll(filepath.Join(streamsDir(dir), oldWorkStream))
}

// leftOut removes each stream that the server could not open if it holds nothing, and returns a
// *DamagedError if one holds something.
func leftOut(srv *server.Server, dir string, log *slog.Logger) error {
	found, err := os.ReadDir(streamsDir(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it is a new directory
	}
	if err != nil {
		return err
	}
	account, err := srv.JszAccount(&server.JSzOptions{Account: server.DEFAULT_GLOBAL_ACCOUNT, Streams: true})
	if err != nil {
		return fmt.Errorf("ask which streams are open: %w", err)
	}
	opened := make(map[string]bool)
	for _, stream := range account.Streams {
		opened[stream.Name] = true
	}
	for _, entry := range found {
		if opened[entry.Name()] || strings.HasPrefix(entry.Name(), ".") { // which is being removed
			continue
		}
		stream := filepath.Join(streamsDir(dir), entry.Name())
		something, err := holdsSomething(stream)
		if err != nil {
			return err
		}
		if something {
			return &DamagedError{entry.Name()}
		}
		log.Warn("a stream was never finished and is made anew", "stream", entry.Name())
		if err := os.RemoveAll(stream); err != nil {
			return err
		}
	}
	return nil
}

// holdsSomething reports whether there is a message in a stream's directory, or what may be one. What lies in
// it directly describes the stream, and below obs are its consumers.
func holdsSomething(stream string) (bool, error) {
	something := false
	err := filepath.WalkDir(stream, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			if path == filepath.Join(stream, "obs") {
				return fs.SkipDir
			}
			return nil
		case filepath.Dir(path) == stream:
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if info.Size() > 0 {
			something = true
			return fs.SkipAll
		}
		return nil
	})
	return something, err
}
