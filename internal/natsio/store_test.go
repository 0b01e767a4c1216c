package natsio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"jobcast/jobs"
	"jobcast/jobs/jobstest"
)

// open opens a store, on a new directory unless cfg names one.
func open(t *testing.T, cfg Config) *Store {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func record(id jobs.ID, seq uint64) jobs.Record {
	now := time.Now().UTC()
	return jobs.Record{
		Event: jobs.Event{
			Type: jobs.EventProgress, JobID: id, Seq: seq, Prev: seq - 1, Time: now, Attempt: 1, State: jobs.Running,
			Data: json.RawMessage(`{"progress":{"done":41,"total":120,"unit":"file","percent":34.2,"message":"Reading"}}`),
		},
		Job: jobs.Job{ID: id, Kind: "test", Queue: "default", State: jobs.Running, Seq: seq, Attempt: 1, MaxAttempts: 3, CreatedAt: now},
	}
}

// grow appends records first to last and returns the position of the newest.
func grow(t testing.TB, s *Store, id jobs.ID, first, last uint64, pos jobs.Position) jobs.Position {
	t.Helper()
	for seq := first; seq <= last; seq++ {
		next, err := s.Append(t.Context(), record(id, seq), pos)
		if err != nil {
			t.Errorf("append %s %d: %v", id, seq, err)
			return pos
		}
		pos = next
	}
	return pos
}

// within bounds a wait for something that must happen, by the time that the whole run of tests has.
func within(t *testing.T) context.Context {
	ends, bounded := t.Deadline()
	if !bounded {
		return t.Context()
	}
	ctx, cancel := context.WithDeadline(t.Context(), ends.Add(-10*time.Second))
	t.Cleanup(cancel)
	return ctx
}

func TestStore(t *testing.T) {
	jobstest.TestStore(t, func(t *testing.T) jobs.Store { return open(t, Config{}) })
}

func TestStoreThatSyncsAlwaysAppends(t *testing.T) {
	s := open(t, Config{Sync: "always"})
	grow(t, s, "a", 1, 20, 0)
	if rec, _, err := s.Last(t.Context(), "a"); err != nil || rec.Event.Seq != 20 {
		t.Errorf("got seq %d, %v, want 20", rec.Event.Seq, err)
	}
}

func TestSyncMode(t *testing.T) {
	for _, c := range []struct{ sync, mode string }{
		{"", "every 1s"}, {"always", "always"}, {"250ms", "every 250ms"}, {"0s", ""}, {"-1s", ""}, {"often", ""},
	} {
		s, err := Open(t.Context(), Config{Dir: t.TempDir(), Sync: c.sync})
		if err != nil {
			if c.mode != "" {
				t.Errorf("sync %q: got %v, want %s", c.sync, err, c.mode)
			}
			continue
		}
		if got := s.SyncMode(); got != c.mode {
			t.Errorf("sync %q: got %q, want %q", c.sync, got, c.mode)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	first := open(t, Config{Dir: dir})
	if _, err := Open(t.Context(), Config{Dir: dir}); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), dir) {
		t.Errorf("a directory in use: got %v, want ErrInUse and %s", err, dir)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, Config{Dir: dir})

	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var pathErr *fs.PathError
	if _, err := Open(t.Context(), Config{Dir: filepath.Join(file, "below")}); !errors.As(err, &pathErr) {
		t.Errorf("a directory below a file: got %v, want a *fs.PathError", err)
	}
	if _, err := Open(t.Context(), Config{}); err == nil {
		t.Error("no directory: got no error")
	}

	taken := t.TempDir()
	if err := os.WriteFile(filepath.Join(taken, "jetstream"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Config{Dir: taken}); err == nil || !strings.Contains(err.Error(), taken) {
		t.Errorf("a file where the server keeps its own: got %v, want an error that names %s", err, taken)
	}
}

// TestOpenRefusesDamagedStream must not begin with an empty log where there was one.
func TestOpenRefusesDamagedStream(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	grow(t, s, "a", 1, 3, 0)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "jetstream", "$G", "streams", eventStream, "meta.inf")
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Config{Dir: dir}); !errors.Is(err, ErrBroken) || !strings.Contains(err.Error(), eventStream) {
		t.Errorf("got %v, want ErrBroken and %s", err, eventStream)
	}
	if err := os.WriteFile(name, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if rec, _, err := open(t, Config{Dir: dir}).Last(t.Context(), "a"); err != nil || rec.Event.Seq != 3 {
		t.Errorf("mended: got seq %d, %v, want 3", rec.Event.Seq, err)
	}
}

func TestOpenRefusesForbiddenDirectory(t *testing.T) {
	if os.Getuid() == 0 {
		// For root nothing is forbidden, except to write where the system keeps what it knows of itself.
		if _, err := Open(t.Context(), Config{Dir: "/proc/jobcast"}); !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			t.Errorf("got %v, want the file system's error", err)
		}
		return
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Config{Dir: dir}); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v, want fs.ErrPermission", err)
	}
}

func TestReopenKeepsEverything(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	ctx := within(t)
	if err := s.PutArgs(ctx, "a", json.RawMessage(`{"n":1}`)); err != nil {
		t.Fatal(err)
	}
	pos := grow(t, s, "a", 1, 10, 0)
	chunk := jobs.LogChunk{JobID: "a", Attempt: 1, Line: 1, Lines: []jobs.LogLine{{Text: "one"}, {Text: "two"}}}
	if _, err := s.AppendLog(ctx, chunk, 0); err != nil {
		t.Fatal(err)
	}
	cell, err := s.PutCell(ctx, "queue", "a", []byte("paused"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	if err := s.Ready(); !errors.Is(err, jobs.ErrClosed) {
		t.Errorf("ready after close: got %v, want ErrClosed", err)
	}

	s = open(t, Config{Dir: dir, MaxBytes: 1 << 30})
	if err := s.Ready(); err != nil {
		t.Errorf("ready: %v", err)
	}
	rec, at, err := s.Last(ctx, "a")
	if err != nil || rec.Event.Seq != 10 || at != pos {
		t.Errorf("last: got seq %d at %d, %v, want 10 at %d", rec.Event.Seq, at, err, pos)
	}
	grow(t, s, "a", 11, 12, at)
	if args, err := s.Args(ctx, "a"); err != nil || string(args) != `{"n":1}` {
		t.Errorf("args: got %s, %v", args, err)
	}
	if got, err := s.ReadLog(ctx, "a", 1, 10); err != nil || len(got) != 1 || got[0].Lines[1].Text != "two" {
		t.Errorf("log: got %v, %v", got, err)
	}
	if got, err := s.Cell(ctx, "queue", "a"); err != nil || string(got.Value) != "paused" || got.Position != cell {
		t.Errorf("cell: got %q at %d, %v, want it at %d", got.Value, got.Position, err, cell)
	}
}

func TestInvalidIDIsRefused(t *testing.T) {
	s := open(t, Config{})
	ctx := within(t)
	grow(t, s, "a", 1, 1, 0)
	for _, id := range []jobs.ID{"", "*", ">", "a.b", "a b", jobs.ID(strings.Repeat("a", 65))} {
		_, appendErr := s.Append(ctx, record(id, 1), 0)
		_, _, lastErr := s.Last(ctx, id)
		_, readErr := s.Read(ctx, id, 0, 1)
		var followErr error
		for _, followErr = range s.Follow(ctx, id, 0) {
			break
		}
		for doing, err := range map[string]error{
			"append": appendErr, "last": lastErr, "read": readErr, "follow": followErr,
			"put": s.PutArgs(ctx, id, nil), "remove": s.Remove(ctx, id),
		} {
			if err == nil {
				t.Errorf("%s %q: got no error", doing, id)
			}
		}
	}
	if _, _, err := s.Last(ctx, "a"); err != nil {
		t.Errorf("the valid job: %v", err)
	}
}

func TestCloseEndsEveryWait(t *testing.T) {
	s := open(t, Config{})
	var group sync.WaitGroup
	var waiting sync.WaitGroup
	waiting.Add(3)
	wait := func(name string, run func(began func()) error) {
		group.Go(func() {
			if err := run(waiting.Done); !errors.Is(err, jobs.ErrClosed) {
				t.Errorf("%s: got %v, want ErrClosed", name, err)
			}
		})
	}
	grow(t, s, "a", 1, 1, 0)
	wait("follow", func(began func()) (last error) {
		for rec, err := range s.Follow(t.Context(), "a", 0) {
			if last = err; rec.Event.Seq == 1 {
				began()
			}
		}
		return last
	})
	wait("index", func(began func()) (last error) {
		for rec, err := range s.Index(t.Context()) {
			if last = err; err == nil && rec.Event.JobID == "" {
				began()
			}
		}
		return last
	})
	wait("watch cells", func(began func()) (last error) {
		for cell, err := range s.WatchCells(t.Context(), "session") {
			if last = err; err == nil && cell.Key == "" {
				began()
			}
		}
		return last
	})
	waiting.Wait()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	group.Wait()
	if _, err := s.Append(t.Context(), record("a", 2), 1); !errors.Is(err, jobs.ErrClosed) {
		t.Errorf("append after close: got %v, want ErrClosed", err)
	}
	if _, _, err := s.Last(t.Context(), "a"); !errors.Is(err, jobs.ErrClosed) {
		t.Errorf("last after close: got %v, want ErrClosed", err)
	}
}

// TestFullStoreRefusesEvents fills a small store: new jobs are refused first, then all events, and no job
// loses any. Removing a job makes room.
func TestFullStoreRefusesEvents(t *testing.T) {
	s := open(t, Config{MaxBytes: 512 << 10})
	ctx := within(t)
	pos := grow(t, s, "old", 1, 1, 0)
	var n int
	var err error
	for err == nil {
		n++
		_, err = s.Append(ctx, record(jobs.ID(fmt.Sprint("new", n)), 1), 0)
	}
	if !errors.Is(err, jobs.ErrFull) {
		t.Fatalf("new job %d: got %v, want ErrFull", n, err)
	}
	if err := s.PutArgs(ctx, "refused", json.RawMessage(`{"large":true}`)); !errors.Is(err, jobs.ErrFull) {
		t.Errorf("arguments of a job that will be refused: got %v, want ErrFull", err)
	}
	if args, err := s.Args(ctx, "refused"); !errors.Is(err, jobs.ErrNotFound) {
		t.Errorf("arguments of a job that was refused: got %s, %v, want none", args, err)
	}
	seq, at := uint64(1), pos
	for err = nil; err == nil; {
		if at, err = s.Append(ctx, record("old", seq+1), at); err == nil {
			seq++
		}
	}
	if !errors.Is(err, jobs.ErrFull) || seq < 10 {
		t.Errorf("event %d of a job under way: got %v, want ErrFull after more of them", seq+1, err)
	}
	recs, err := s.Read(ctx, "old", 0, 1000)
	if err != nil || len(recs) != int(seq) {
		t.Errorf("got %d records, %v, want %d", len(recs), err, seq)
	}
	for i := range n - 1 {
		if _, _, err := s.Last(ctx, jobs.ID(fmt.Sprint("new", i+1))); err != nil {
			t.Errorf("new%d: %v", i+1, err)
		}
	}
	for i := range n / 2 {
		if err := s.Remove(ctx, jobs.ID(fmt.Sprint("new", i+1))); err != nil {
			t.Fatal(err)
		}
	}
	grow(t, s, "another", 1, 2, 0)
	if err := s.Ready(); err != nil {
		t.Errorf("a store that was full: got %v, want ready", err)
	}
}

// TestLostAnswerIsSettled loses the answer to every other write.
func TestLostAnswerIsSettled(t *testing.T) {
	s := open(t, Config{})
	var n atomic.Int64
	s.hooks.loseAck = func() bool { return n.Add(1)%2 == 1 }
	pos := grow(t, s, "a", 1, 10, 0)
	if err := s.PutArgs(t.Context(), "a", json.RawMessage(`1`)); err != nil {
		t.Error(err)
	}
	cell, err := s.PutCell(t.Context(), "queue", "a", []byte("1"), 0)
	if err != nil {
		t.Error(err)
	}
	if _, err := s.PutCell(t.Context(), "queue", "a", []byte("2"), cell); err != nil {
		t.Error(err)
	}
	if _, err := s.Append(t.Context(), record("a", 11), pos-1); !errors.Is(err, jobs.ErrConflict) {
		t.Errorf("a stale position: got %v, want ErrConflict", err)
	}
	s.hooks.loseAck = nil
	recs, err := s.Read(t.Context(), "a", 0, 100)
	if err != nil || len(recs) != 10 {
		t.Errorf("got %d records, %v, want 10", len(recs), err)
	}
	if rec, at, err := s.Last(t.Context(), "a"); err != nil || rec.Event.Seq != 10 || at != pos {
		t.Errorf("last: got seq %d at %d, %v, want 10 at %d", rec.Event.Seq, at, err, pos)
	}
}
