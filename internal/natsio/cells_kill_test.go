//go:build unix

package natsio

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"jobcast/jobs"
)

// cellsDir is the directory for a child process that is killed while it puts and deletes cells.
const cellsDir = "NATSIO_TEST_CELLS_DIR"

const killCells = 8

// cellsUntilKilled puts each cell twice and deletes it, over and over, and says on stdout which step has been
// acknowledged, and at what position.
func cellsUntilKilled(dir string) error {
	ctx := context.Background()
	s, err := Open(ctx, Config{Dir: dir})
	if err != nil {
		return err
	}
	failed := make(chan error)
	for n := range killCells {
		go func() {
			key := fmt.Sprint("key", n)
			var pos jobs.Position
			for step := 0; ; step++ {
				var err error
				if step%3 == 2 {
					err = s.DeleteCell(ctx, "queue", key, pos)
					pos = 0
				} else {
					pos, err = s.PutCell(ctx, "queue", key, strconv.AppendInt(nil, int64(step), 10), pos)
				}
				if err == nil {
					_, err = fmt.Fprintf(os.Stdout, "%d %d %d\n", n, step, pos)
				}
				if err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	return <-failed
}

// TestKillKeepsCells kills a process that puts and deletes cells: each is as its last acknowledged step has left it,
// or the next one.
func TestKillKeepsCells(t *testing.T) {
	dir := t.TempDir()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), cellsDir+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var steps [killCells]int
	var at [killCells]jobs.Position
	lines := 0
	for in := bufio.NewScanner(out); in.Scan(); lines++ {
		var n, step int
		var pos jobs.Position
		if _, err := fmt.Sscan(in.Text(), &n, &step, &pos); err != nil {
			break // the line that it was writing
		}
		steps[n], at[n] = step, pos
		if lines == 2000 {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := child.Wait(); lines < 2000 {
		t.Fatalf("the child reported %d steps and ended with %v", lines, err)
	}
	s := open(t, Config{Dir: dir})
	there := uint64(0)
	for n := range killCells {
		key, step := fmt.Sprint("key", n), steps[n]
		cell, err := s.Cell(within(t), "queue", key)
		switch {
		case err == nil:
			there++
			got, _ := strconv.Atoi(string(cell.Value))
			if got != step && got != step+1 || got == step && cell.Position != at[n] {
				t.Errorf("%s: got step %d at %d, want %d at %d, or the next step", key, got, cell.Position, step, at[n])
			}
		case !errors.Is(err, jobs.ErrNotFound) || step%3 == 0: // then the next step is no deletion
			t.Errorf("%s: got %v after step %d", key, err, step)
		}
		pos, err := s.PutCell(within(t), "queue", key, []byte("new"), cell.Position)
		if err != nil {
			t.Errorf("%s: put after that: %v", key, err)
		} else if err := s.DeleteCell(within(t), "queue", key, pos); err != nil {
			t.Errorf("%s: delete after that: %v", key, err)
		}
	}
	if got := messages(t, s); got != 0 {
		t.Errorf("got %d messages when all cells are deleted, want none", got)
	}
	t.Logf("%d steps were acknowledged, %d cells were there", lines, there)
}
