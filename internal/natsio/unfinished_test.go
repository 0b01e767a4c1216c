package natsio

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// TestOpenMakesUnfinishedStreamsAnew has a process killed between any two files of its first start.
func TestOpenMakesUnfinishedStreamsAnew(t *testing.T) {
	for name, damage := range map[string]func(stream string) error{
		"the sum is missing": func(stream string) error { return os.Remove(filepath.Join(stream, "meta.sum")) },
		"the sum is half":    func(stream string) error { return os.Truncate(filepath.Join(stream, "meta.sum"), 7) },
		"the sum is on disk": func(stream string) error {
			return os.Rename(filepath.Join(stream, "meta.sum"), filepath.Join(stream, "meta.sum.tmp"))
		},
		"the config is empty": func(stream string) error { return os.Truncate(filepath.Join(stream, "meta.inf"), 0) },
		"no file is there": func(stream string) error {
			return errors.Join(os.RemoveAll(stream), os.MkdirAll(filepath.Join(stream, "msgs"), 0o700))
		},
		"the directory is empty": func(stream string) error {
			return errors.Join(os.RemoveAll(stream), os.MkdirAll(stream, 0o700))
		},
		"a trial is left": func(stream string) error {
			return errors.Join(os.Remove(filepath.Join(stream, "meta.inf")), os.WriteFile(filepath.Join(stream, "_test_1"), nil, 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := open(t, Config{Dir: dir}).Close(); err != nil {
				t.Fatal(err)
			}
			for _, stream := range streams(0) {
				stream := filepath.Join(streamsDir(dir), stream.Name)
				if err := os.Remove(filepath.Join(stream, "msgs", "index.db")); err != nil { // which only Close writes
					t.Fatal(err)
				}
				if err := damage(stream); err != nil {
					t.Fatal(err)
				}
			}
			s := open(t, Config{Dir: dir})
			grow(t, s, "a", 1, 3, 0)
			if _, err := s.PutCell(t.Context(), "queue", "a", []byte("1"), 0); err != nil {
				t.Error(err)
			}
			if err := s.Ready(); err != nil {
				t.Errorf("ready: %v", err)
			}
		})
	}
}

// TestOpenClearsTrials opens a store whose server was killed while it found out whether it may write.
func TestOpenClearsTrials(t *testing.T) {
	dir := t.TempDir()
	if err := open(t, Config{Dir: dir}).Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(serverDir(dir), "_test_12345"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := open(t, Config{Dir: dir}).Ready(); err != nil {
		t.Error(err)
	}
}

// TestOpenDropsTheOldQueue opens a directory that a version with a stream of work has left.
func TestOpenDropsTheOldQueue(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	grow(t, s, "a", 1, 3, 0)
	if _, err := s.js.CreateStream(within(t), jetstream.StreamConfig{
		Name: oldWorkStream, Subjects: []string{"work.default.*"}, Retention: jetstream.WorkQueuePolicy,
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.js.Publish(within(t), "work.default.a", nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, Config{Dir: dir})
	if _, err := s.js.Stream(within(t), oldWorkStream); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Errorf("got %v, want no stream of work", err)
	}
	if rec, _, err := s.Last(within(t), "a"); err != nil || rec.Event.Seq != 3 {
		t.Errorf("the job: got seq %d, %v", rec.Event.Seq, err)
	}
}

// TestOpenKeepsWhatADamagedStreamHolds must not take a stream for unfinished that held something, whatever is
// missing of it.
func TestOpenKeepsWhatADamagedStreamHolds(t *testing.T) {
	for _, missing := range []string{"meta.sum", "meta.inf"} {
		t.Run(missing, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, Config{Dir: dir})
			grow(t, s, "a", 1, 3, 0)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			name := filepath.Join(streamsDir(dir), eventStream, missing)
			if err := os.Rename(name, name+".away"); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(t.Context(), Config{Dir: dir}); !errors.Is(err, ErrBroken) || !strings.Contains(err.Error(), eventStream) {
				t.Errorf("got %v, want ErrBroken and %s", err, eventStream)
			}
			if err := os.Rename(name+".away", name); err != nil {
				t.Fatal(err)
			}
			if rec, _, err := open(t, Config{Dir: dir}).Last(t.Context(), "a"); err != nil || rec.Event.Seq != 3 {
				t.Errorf("mended: got seq %d, %v, want 3", rec.Event.Seq, err)
			}
		})
	}
}
