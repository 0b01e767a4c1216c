//go:build unix

package natsio

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"jobcast/jobs"
)

// The directory for a child process that is to be killed after it has removed jobs, and which of removals it makes.
const (
	removeDir = "NATSIO_TEST_REMOVE_DIR"
	removeHow = "NATSIO_TEST_REMOVE_HOW"
)

// removals are what the child does. Each removes job "gone", and leaves job "kept" with three events.
var removals = map[string]func(ctx context.Context, s *Store) error{
	// What the bounds of a subject have let go of is written down nowhere.
	"of a job with more events than are kept": func(ctx context.Context, s *Store) error {
		if err := fill(ctx, s, "gone", maxEvents+500, 0); err != nil {
			return err
		}
		var pos jobs.Position
		for line := range int64(maxChunks + 100) {
			var err error
			if pos, err = s.AppendLog(ctx, jobs.LogChunk{JobID: "gone", Line: line + 1, Lines: []jobs.LogLine{{}}}, pos); err != nil {
				return err
			}
		}
		return s.Remove(ctx, "gone")
	},
	"of a job that fits": func(ctx context.Context, s *Store) error {
		if err := fill(ctx, s, "gone", 200, 0); err != nil {
			return err
		}
		return s.Remove(ctx, "gone")
	},
	// A file of the store that has become empty is kept for what it says of an older file.
	"that empties a file": func(ctx context.Context, s *Store) error {
		for _, job := range []struct {
			id     jobs.ID
			events int
		}{{"other", 10}, {"filler", 140}} { // which is more than a file holds
			if err := fill(ctx, s, job.id, job.events, 64<<10); err != nil {
				return err
			}
		}
		if err := s.Remove(ctx, "other"); err != nil {
			return err
		}
		// From here on, the events are in the second file.
		if _, err := s.purge(ctx, eventStream, eventPrefix+"filler", 0); err != nil {
			return err
		}
		if err := fill(ctx, s, "gone", 10, 0); err != nil {
			return err
		}
		return s.Remove(ctx, "gone")
	},
}

// fill appends so many events, with so many bytes each.
func fill(ctx context.Context, s *Store, id jobs.ID, events, size int) error {
	var pos jobs.Position
	for seq := range uint64(events) {
		rec := record(id, seq+1)
		if size > 0 {
			rec.Event.Data = json.RawMessage(`"` + strings.Repeat("x", size) + `"`)
		}
		var err error
		if pos, err = s.Append(ctx, rec, pos); err != nil {
			return err
		}
	}
	return nil
}

// removeUntilKilled says on stdout when the job is removed, and waits.
func removeUntilKilled(dir string) error {
	ctx := context.Background()
	s, err := Open(ctx, Config{Dir: dir})
	if err != nil {
		return err
	}
	if remove := removals[os.Getenv(removeHow)]; remove != nil {
		if err := s.PutArgs(ctx, "gone", json.RawMessage("{}")); err != nil {
			return err
		}
		if err := fill(ctx, s, "kept", 3, 0); err != nil {
			return err
		}
		if _, err := s.AppendLog(ctx, jobs.LogChunk{JobID: "kept", Line: 1, Lines: []jobs.LogLine{{}}}, 0); err != nil {
			return err
		}
		if err := remove(ctx, s); err != nil {
			return err
		}
	}
	fmt.Println("removed")
	time.Sleep(time.Hour)
	return nil
}

// TestRemovedStaysRemoved kills a process that has removed a job, twice: nothing of the job comes back.
func TestRemovedStaysRemoved(t *testing.T) {
	for how := range removals {
		for _, wait := range []time.Duration{0, 2 * time.Second} {
			t.Run(fmt.Sprint(how, ", ", wait), func(t *testing.T) {
				dir := t.TempDir()
				runAndKill(t, dir, how, wait)
				runAndKill(t, dir, "", 0)
				s := open(t, Config{Dir: dir})
				nothingOf(t, s, "gone")
				if rec, _, err := s.Last(within(t), "kept"); err != nil || rec.Event.Seq != 3 {
					t.Errorf("the job that was kept: got seq %d, %v, want 3", rec.Event.Seq, err)
				}
				if chunk, _, err := s.LastLog(within(t), "kept"); err != nil || chunk.Line != 1 {
					t.Errorf("the text of the job that was kept: got line %d, %v, want 1", chunk.Line, err)
				}
			})
		}
	}
}

// runAndKill runs a child on a directory until it has made its removals, and kills it some time later.
func runAndKill(t *testing.T, dir, how string, wait time.Duration) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), removeDir+"="+dir, removeHow+"="+how)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	time.Sleep(wait)
	_ = child.Process.Kill()
	_ = child.Wait()
	if line != "removed\n" {
		t.Fatalf("got %q, %v from the child", line, err)
	}
}

// nothingOf checks that a store has nothing of a job, and takes one of that name.
func nothingOf(t *testing.T, s *Store, id jobs.ID) {
	t.Helper()
	ctx := within(t)
	for rec, err := range s.Index(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if rec.Event.JobID == id {
			t.Errorf("the index has the job, at seq %d", rec.Event.Seq)
		}
		if rec.Event.JobID == "" {
			break
		}
	}
	if recs, err := s.Read(ctx, id, 0, maxEvents); err != nil || len(recs) > 0 {
		t.Errorf("got %d events, %v, want none", len(recs), err)
	}
	if chunks, err := s.ReadLog(ctx, id, 0, maxChunks); err != nil || len(chunks) > 0 {
		t.Errorf("got %d chunks of text, %v, want none", len(chunks), err)
	}
	if err := s.PutArgs(ctx, id, json.RawMessage("1")); err != nil {
		t.Errorf("arguments for another job of the name: %v", err)
	}
	grow(t, s, id, 1, 3, 0)
}
