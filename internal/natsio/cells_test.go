package natsio

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"jobcast/jobs"
)

// messages is how many messages the stream of cells holds.
func messages(t *testing.T, s *Store) uint64 {
	t.Helper()
	state, err := s.state(within(t), cellStream)
	if err != nil {
		t.Fatal(err)
	}
	return state.Msgs
}

// churn puts a cell several times and deletes it, again and again.
func churn(t *testing.T, s *Store, key string, times int) {
	t.Helper()
	for range times {
		var pos jobs.Position
		for n := range 3 {
			var err error
			if pos, err = s.PutCell(within(t), "queue", key, fmt.Append(nil, n), pos); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.DeleteCell(within(t), "queue", key, pos); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCellsLeaveNothingBehind(t *testing.T) {
	s := open(t, Config{})
	churn(t, s, "a", 20)
	if got := messages(t, s); got != 0 {
		t.Errorf("got %d messages of a cell that is deleted, want none", got)
	}
	pos, err := s.PutCell(within(t), "queue", "b", []byte("1"), 0)
	for range 20 {
		if err == nil {
			pos, err = s.PutCell(within(t), "queue", "b", []byte("2"), pos)
		}
	}
	if got := messages(t, s); err != nil || got != 1 {
		t.Errorf("got %d messages of one cell, %v", got, err)
	}
}

// TestOpenTidiesCells opens what is left where nothing could be purged, as by crashes between a put and its purge.
func TestOpenTidiesCells(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	s.hooks.skipTrim = func() bool { return true }
	churn(t, s, "gone", 5)
	churn(t, s, "kept", 1)
	pos, err := s.PutCell(within(t), "queue", "kept", []byte("new"), 0)
	if err != nil {
		t.Fatalf("put where a tombstone is: %v", err)
	}
	if got := messages(t, s); got != 25 {
		t.Errorf("got %d messages, want 25 that nobody has purged", got)
	}
	if _, err := s.Cell(within(t), "queue", "gone"); !errors.Is(err, jobs.ErrNotFound) {
		t.Errorf("a deleted cell: got %v, want ErrNotFound", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, Config{Dir: dir})
	if got := messages(t, s); got != 1 {
		t.Errorf("got %d messages after the store was opened again, want 1", got)
	}
	if cell, err := s.Cell(within(t), "queue", "kept"); err != nil || string(cell.Value) != "new" || cell.Position != pos {
		t.Errorf("got %q at %d, %v, want new at %d", cell.Value, cell.Position, err, pos)
	}
}

// TestCellWatcherMissesNothing loses live messages of cells, of each kind in turn.
func TestCellWatcherMissesNothing(t *testing.T) {
	s := open(t, Config{})
	came := 0
	s.hooks.dropLive = func(string) bool { // runs on the watcher
		came++
		return came%3 != 0
	}
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	told := make(chan jobs.Cell)
	watching := make(chan error, 1)
	go func() {
		for cell, err := range s.WatchCells(ctx, "queue") {
			if err != nil {
				watching <- err
				return
			}
			select {
			case told <- cell:
			case <-ctx.Done():
			}
		}
		watching <- nil
	}()
	if cell := <-told; cell.Key != "" {
		t.Fatalf("got %+v, want the end of what there is", cell)
	}
	for round := range 10 {
		key := fmt.Sprint("key", round)
		pos, err := s.PutCell(ctx, "queue", key, []byte("1"), 0)
		if err == nil && round%2 == 1 {
			err = s.DeleteCell(ctx, "queue", key, pos)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	there := make(map[string]bool)
	// What was lost shows with the next message that comes through. The last key comes last.
	end, err := s.PutCell(ctx, "queue", "z", []byte("1"), 0)
	for !there["z"] && err == nil {
		select {
		case cell := <-told:
			if there[cell.Key] = true; cell.Value == nil {
				delete(there, cell.Key)
			}
		case err = <-watching:
		default:
			end, err = s.PutCell(ctx, "queue", "z", []byte("1"), end)
		}
	}
	for round := range 10 {
		if key := fmt.Sprint("key", round); there[key] != (round%2 == 0) {
			t.Errorf("%s: the watcher holds it: %v", key, there[key])
		}
	}
	cancel()
	if err == nil {
		err = <-watching
	}
	if err != nil {
		t.Error(err)
	}
}
