//go:build unix

package natsio

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"jobcast/jobs"
)

// The directory for a child process that is to be killed, that cannot write large files, or for which the
// system is out of something for a while.
const (
	killDir  = "NATSIO_TEST_KILL_DIR"
	smallDir = "NATSIO_TEST_SMALL_DIR"
	shortDir = "NATSIO_TEST_SHORT_DIR"
)

const killJobs = 8

func TestMain(m *testing.M) {
	for variable, child := range map[string]func(dir string) error{
		killDir: writeUntilKilled, smallDir: writeUntilBroken, shortDir: writeThroughShortage,
		removeDir: removeUntilKilled, cellsDir: cellsUntilKilled,
	} {
		if dir := os.Getenv(variable); dir != "" {
			if err := child(dir); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			return
		}
	}
	os.Exit(m.Run())
}

// writeUntilKilled reports each record on stdout, once its Append has returned.
func writeUntilKilled(dir string) error {
	ctx := context.Background()
	s, err := Open(ctx, Config{Dir: dir})
	if err != nil {
		return err
	}
	if _, err := s.PutCell(ctx, "session", "a", []byte("one"), 0); err != nil {
		return err
	}
	gone, err := s.PutCell(ctx, "session", "gone", []byte("one"), 0)
	if err != nil {
		return err
	}
	if err := s.DeleteCell(ctx, "session", "gone", gone); err != nil {
		return err
	}
	failed := make(chan error)
	for n := range killJobs {
		go func() {
			id := jobs.ID(fmt.Sprint("job", n))
			var pos jobs.Position
			for seq := uint64(1); ; seq++ {
				var err error
				if pos, err = s.Append(ctx, record(id, seq), pos); err != nil {
					failed <- err
					return
				}
				if _, err := fmt.Fprintf(os.Stdout, "%d %d %d\n", n, seq, pos); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	return <-failed
}

// TestKillLosesNothing kills a process that writes. What it was told is stored must be there, in order.
func TestKillLosesNothing(t *testing.T) {
	dir := t.TempDir()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), killDir+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var seqs [killJobs]uint64
	var at [killJobs]jobs.Position
	lines := 0
	for in := bufio.NewScanner(out); in.Scan(); lines++ {
		var n int
		var seq uint64
		var pos jobs.Position
		if _, err := fmt.Sscan(in.Text(), &n, &seq, &pos); err != nil {
			break // the line that it was writing
		}
		seqs[n], at[n] = seq, pos
		if lines == 4000 {
			if _, err := Open(t.Context(), Config{Dir: dir}); !errors.Is(err, ErrInUse) {
				t.Errorf("open beside the child: got %v, want ErrInUse", err)
			}
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := child.Wait(); lines < 4000 {
		t.Fatalf("the child reported %d records and ended with %v", lines, err)
	}

	began := time.Now()
	s := open(t, Config{Dir: dir})
	t.Logf("%d records were acknowledged; open again in %v", lines, time.Since(began))
	ctx := within(t)
	for n := range killJobs {
		id := jobs.ID(fmt.Sprint("job", n))
		last, pos, err := s.Last(ctx, id)
		if err != nil || last.Event.Seq < seqs[n] || pos < at[n] {
			t.Errorf("%s: got %d at %d, %v, want at least the acknowledged %d at %d", id, last.Event.Seq, pos, err, seqs[n], at[n])
			continue
		}
		recs, err := s.Read(ctx, id, 0, maxEvents)
		if err != nil || uint64(len(recs)) != min(last.Event.Seq, maxEvents) {
			t.Errorf("%s: got %d records, %v, want %d", id, len(recs), err, last.Event.Seq)
		}
		for i := range recs {
			if want := recs[0].Event.Seq + uint64(i); recs[i].Event.Seq != want {
				t.Fatalf("%s: record %d has seq %d, want %d", id, i, recs[i].Event.Seq, want)
			}
		}
		grow(t, s, id, last.Event.Seq+1, last.Event.Seq+3, pos)
	}
	if cell, err := s.Cell(ctx, "session", "a"); err != nil || string(cell.Value) != "one" {
		t.Errorf("a cell: got %q, %v", cell.Value, err)
	}
	if cell, err := s.Cell(ctx, "session", "gone"); !errors.Is(err, jobs.ErrNotFound) {
		t.Errorf("a cell that was deleted: got %q, %v, want ErrNotFound", cell.Value, err)
	}
}

// writeUntilBroken reports the last record it could append to a disk that takes no file above 256 KiB.
func writeUntilBroken(dir string) error {
	limit := syscall.Rlimit{Cur: 256 << 10, Max: 256 << 10}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	ctx := context.Background()
	s, err := Open(ctx, Config{Dir: dir})
	if err != nil {
		return err
	}
	if err := s.Ready(); err != nil {
		return err
	}
	var pos jobs.Position
	var seq uint64
	for err == nil {
		seq++
		pos, err = s.Append(ctx, record("a", seq), pos)
	}
	fmt.Println(seq - 1)
	if !errors.Is(err, ErrBroken) {
		return fmt.Errorf("append %d: got %w, want ErrBroken", seq, err)
	}
	began := time.Now()
	if _, err := s.Append(ctx, record("b", 1), 0); !errors.Is(err, ErrBroken) || time.Since(began) > askAgainTime/2 {
		return fmt.Errorf("append after that: got %w after %v, want ErrBroken at once", err, time.Since(began))
	}
	if err := s.Ready(); !errors.Is(err, ErrBroken) {
		return fmt.Errorf("ready: got %w, want ErrBroken", err)
	}
	if rec, _, err := s.Last(ctx, "a"); err != nil || rec.Event.Seq != seq-1 {
		return fmt.Errorf("last: got seq %d, %w, want %d", rec.Event.Seq, err, seq-1)
	}
	return s.Close()
}

// TestFullDiskIsReported has a disk fail while it is written to, and mends it.
func TestFullDiskIsReported(t *testing.T) {
	dir := t.TempDir()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), smallDir+"="+dir)
	var stderr strings.Builder
	child.Stderr = &stderr
	out, err := child.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	var acked uint64
	if _, err := fmt.Sscan(string(out), &acked); err != nil {
		t.Fatal(err)
	}
	s := open(t, Config{Dir: dir})
	rec, pos, err := s.Last(t.Context(), "a")
	if err != nil || rec.Event.Seq < acked {
		t.Errorf("got seq %d, %v, want at least the acknowledged %d", rec.Event.Seq, err, acked)
	}
	grow(t, s, "a", rec.Event.Seq+1, rec.Event.Seq+500, pos)
}
