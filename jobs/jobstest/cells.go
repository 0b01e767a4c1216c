package jobstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"jobcast/jobs"
)

// put stores a cell and returns its position.
func put(t *testing.T, s jobs.Store, group, key, value string, after jobs.Position) jobs.Position {
	t.Helper()
	pos, err := s.PutCell(t.Context(), group, key, []byte(value), after)
	if err != nil || pos <= after {
		t.Fatalf("put %s/%s after %d: got %d, %v", group, key, after, pos, err)
	}
	return pos
}

func wantCell(t *testing.T, s jobs.Store, group, key, value string, pos jobs.Position) {
	t.Helper()
	c, err := s.Cell(t.Context(), group, key)
	if err != nil || c.Group != group || c.Key != key || string(c.Value) != value || c.Value == nil || c.Position != pos {
		t.Errorf("cell %s/%s: got %s/%s %q at %d, %v, want %q at %d", group, key, c.Group, c.Key, c.Value, c.Position, err, value, pos)
	}
}

func wantNoCell(t *testing.T, s jobs.Store, group, key string) {
	t.Helper()
	if c, err := s.Cell(t.Context(), group, key); !errors.Is(err, jobs.ErrNotFound) {
		t.Errorf("cell %s/%s: got %q at %d, %v, want ErrNotFound", group, key, c.Value, c.Position, err)
	}
}

func cellPutAndDelete(t *testing.T, s jobs.Store) {
	ctx := t.Context()
	wantNoCell(t, s, "node", "a")
	if err := s.DeleteCell(ctx, "node", "a", 1); !errors.Is(err, jobs.ErrNotFound) {
		t.Errorf("delete no cell: got %v, want ErrNotFound", err)
	}
	if err := s.DeleteCell(ctx, "node", "a", 0); !errors.Is(err, jobs.ErrNotFound) {
		t.Errorf("delete no cell after zero: got %v, want ErrNotFound", err)
	}
	if _, err := s.PutCell(ctx, "node", "a", nil, 7); !errors.Is(err, jobs.ErrConflict) {
		t.Errorf("put no cell after 7: got %v, want ErrConflict", err)
	}
	first := put(t, s, "node", "a", "one", 0)
	other := put(t, s, "other", "a", "x", 0)
	wantCell(t, s, "node", "a", "one", first)
	for _, after := range []jobs.Position{0, other, first + 1000} {
		if _, err := s.PutCell(ctx, "node", "a", []byte("no"), after); !errors.Is(err, jobs.ErrConflict) {
			t.Errorf("put after %d: got %v, want ErrConflict", after, err)
		}
		if err := s.DeleteCell(ctx, "node", "a", after); !errors.Is(err, jobs.ErrConflict) {
			t.Errorf("delete after %d: got %v, want ErrConflict", after, err)
		}
	}
	second := put(t, s, "node", "a", "", first)
	wantCell(t, s, "node", "a", "", second)
	if err := s.DeleteCell(ctx, "node", "a", first); !errors.Is(err, jobs.ErrConflict) {
		t.Errorf("delete an older version: got %v, want ErrConflict", err)
	}
	if err := s.DeleteCell(ctx, "node", "a", second); err != nil {
		t.Fatal(err)
	}
	wantNoCell(t, s, "node", "a")
	if err := s.DeleteCell(ctx, "node", "a", second); !errors.Is(err, jobs.ErrNotFound) {
		t.Errorf("delete again: got %v, want ErrNotFound", err)
	}
	if _, err := s.PutCell(ctx, "node", "a", []byte("no"), second); !errors.Is(err, jobs.ErrConflict) {
		t.Errorf("put after what was deleted: got %v, want ErrConflict", err)
	}
	third := put(t, s, "node", "a", "again", 0)
	if third <= second {
		t.Errorf("made anew at %d, which is not after %d", third, second)
	}
	wantCell(t, s, "node", "a", "again", third)
	wantCell(t, s, "other", "a", "x", other)
}

func cellsAreBytes(t *testing.T, s jobs.Store) {
	every := everyByte()
	for i, value := range [][]byte{every, []byte("\n"), bytes.Repeat([]byte{'\n', 0, ' '}, jobs.MaxCellBytes/3), make([]byte, jobs.MaxCellBytes)} {
		key := strconv.Itoa(i)
		pos := put(t, s, "bytes", key, string(value), 0)
		wantCell(t, s, "bytes", key, string(value), pos)
		clear(value) // which is the caller's
	}
	c := must(s.Cell(t.Context(), "bytes", "0"))(t)
	clear(c.Value)
	wantCell(t, s, "bytes", "0", string(everyByte()), c.Position)
}

func everyByte() []byte {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

func cellNamesAreChecked(t *testing.T, s jobs.Store) {
	ctx := t.Context()
	long := strings.Repeat("a", 33)
	check := func(group, key string, value []byte, wrongGroup bool) {
		_, putErr := s.PutCell(ctx, group, key, value, 0)
		errs := map[string]error{"put": putErr}
		if len(value) == 0 {
			_, errs["cell"] = s.Cell(ctx, group, key)
			errs["delete"] = s.DeleteCell(ctx, group, key, 1)
		}
		if wrongGroup {
			for _, err := range s.WatchCells(ctx, group) {
				errs["watch"] = err
				break
			}
		}
		for doing, err := range errs {
			if err == nil || errors.Is(err, jobs.ErrNotFound) || errors.Is(err, jobs.ErrConflict) {
				t.Errorf("%s %q/%q with %d bytes: got %v, want it refused", doing, group, key, len(value), err)
			}
		}
	}
	for _, group := range []string{"", "A", "a.b", "*", ">", "a1", "a b", long, "é"} {
		check(group, "k", nil, true)
	}
	for _, key := range []string{"", "*", ">", "a.b", "a b", "é", long + long} {
		check("g", key, nil, false)
	}
	check("g", "k", make([]byte, jobs.MaxCellBytes+1), false)
	put(t, s, strings.Repeat("z", 32), strings.Repeat("Az09_-aa", 8), "", 0)
}

// cellUnderContention has writers count in one cell, which each deletes at times: no step may be lost.
func cellUnderContention(t *testing.T, s jobs.Store) {
	const writers, each = 8, 25
	ctx := within(t, patience)
	var group sync.WaitGroup
	var carried atomic.Int64 // what a delete has taken out of the cell
	for n := range writers {
		group.Go(func() {
			for won := 0; won < each; {
				c, err := s.Cell(ctx, "count", "a")
				if err != nil && !errors.Is(err, jobs.ErrNotFound) {
					t.Error(err)
					return
				}
				value, _ := strconv.Atoi(string(c.Value))
				if err == nil && (won+n)%5 == 4 {
					switch err := s.DeleteCell(ctx, "count", "a", c.Position); {
					case err == nil:
						carried.Add(int64(value) + 1)
						won++
					case !errors.Is(err, jobs.ErrConflict) && !errors.Is(err, jobs.ErrNotFound):
						t.Error(err)
						return
					}
					continue
				}
				switch _, err := s.PutCell(ctx, "count", "a", []byte(strconv.Itoa(value+1)), c.Position); {
				case err == nil:
					won++
				case !errors.Is(err, jobs.ErrConflict):
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	c, err := s.Cell(ctx, "count", "a")
	if err != nil && !errors.Is(err, jobs.ErrNotFound) {
		t.Fatal(err)
	}
	left, _ := strconv.Atoi(string(c.Value))
	if got := carried.Load() + int64(left); got != writers*each {
		t.Errorf("counted %d, want %d", got, writers*each)
	}
}

// cellDeleteAgainstPut lets a delete and a put of the same version race, and two puts of a cell that is not there:
// one of each wins.
func cellDeleteAgainstPut(t *testing.T, s jobs.Store) {
	const rounds = 40
	ctx := within(t, patience)
	var pos jobs.Position
	for round := range rounds {
		if pos == 0 {
			var made atomic.Int32
			var at [4]jobs.Position
			var group sync.WaitGroup
			for n := range at {
				group.Go(func() {
					var err error
					if at[n], err = s.PutCell(ctx, "race", "a", fmt.Append(nil, "made", n), 0); err == nil {
						made.Add(1)
					} else if !errors.Is(err, jobs.ErrConflict) {
						t.Error(err)
					}
				})
			}
			group.Wait()
			c := must(s.Cell(ctx, "race", "a"))(t)
			n := int(c.Value[len(c.Value)-1] - '0')
			if pos = c.Position; made.Load() != 1 || at[n] != pos {
				t.Fatalf("round %d: %d made the cell at %v, and %q is there at %d", round, made.Load(), at, c.Value, pos)
			}
		}
		var putErr, deleteErr error
		var next jobs.Position
		var group sync.WaitGroup
		group.Go(func() { next, putErr = s.PutCell(ctx, "race", "a", []byte("put"), pos) })
		group.Go(func() { deleteErr = s.DeleteCell(ctx, "race", "a", pos) })
		group.Wait()
		switch {
		case putErr == nil && errors.Is(deleteErr, jobs.ErrConflict):
			wantCell(t, s, "race", "a", "put", next)
			pos = next
			if round%2 == 0 { // so that there is a delete, whoever is the faster one
				if err := s.DeleteCell(ctx, "race", "a", pos); err != nil {
					t.Fatal(err)
				}
				pos = 0
			}
		case deleteErr == nil && errors.Is(putErr, jobs.ErrConflict):
			wantNoCell(t, s, "race", "a")
			pos = 0
		default:
			t.Fatalf("round %d: put got %v, delete got %v", round, putErr, deleteErr)
		}
	}
}

// cellView is what a watcher knows of a group.
type cellView map[string]string

func (v cellView) apply(t *testing.T, c jobs.Cell, at map[string]jobs.Position) {
	if c.Position < at[c.Key] || c.Position == at[c.Key] && c.Value != nil {
		t.Errorf("%s: got position %d after %d", c.Key, c.Position, at[c.Key])
	}
	at[c.Key] = c.Position
	if c.Value == nil {
		delete(v, c.Key)
	} else {
		v[c.Key] = string(c.Value)
	}
}

func watchCells(t *testing.T, s jobs.Store) {
	ctx, cancel := context.WithCancel(within(t, patience))
	a := put(t, s, "queue", "a", "1", 0)
	b := put(t, s, "queue", "b", "1", 0)
	put(t, s, "queues", "a", "no", 0)
	put(t, s, "queu", "a", "no", 0)
	gone := put(t, s, "queue", "gone", "1", 0)
	if err := s.DeleteCell(ctx, "queue", "gone", gone); err != nil {
		t.Fatal(err)
	}
	next, stop := iter.Pull2(s.WatchCells(ctx, "queue"))
	defer stop()
	one := func() jobs.Cell {
		t.Helper()
		c, err, ok := next()
		if err != nil || !ok {
			t.Fatalf("got %v, %v, want a cell", err, ok)
		}
		if c.Group != "queue" && c.Group+c.Key != "" {
			t.Fatalf("got %s/%s", c.Group, c.Key)
		}
		return c
	}
	found := make(map[string]jobs.Position)
	for c := one(); c.Key != ""; c = one() {
		if found[c.Key] = c.Position; string(c.Value) != "1" {
			t.Errorf("%s: got %q, want 1", c.Key, c.Value)
		}
	}
	if want := map[string]jobs.Position{"a": a, "b": b}; !reflect.DeepEqual(found, want) {
		t.Errorf("before the zero cell: got %v, want %v", found, want)
	}
	put(t, s, "queues", "a2", "no", 0)
	c := put(t, s, "queue", "c", "", 0)
	if got := one(); got.Key != "c" || got.Position != c || got.Value == nil || len(got.Value) != 0 {
		t.Errorf("a new cell: got %+v, want an empty c at %d", got, c)
	}
	a = put(t, s, "queue", "a", "2", a)
	if got := one(); got.Key != "a" || got.Position != a || string(got.Value) != "2" {
		t.Errorf("a cell that changes: got %+v, want 2 at %d", got, a)
	}
	if err := s.DeleteCell(ctx, "queue", "b", b); err != nil {
		t.Fatal(err)
	}
	removal := one()
	if removal.Key != "b" || removal.Value != nil || removal.Position <= b {
		t.Errorf("a cell that is removed: got %+v, want no value after %d", removal, b)
	}
	if _, err := s.PutCell(ctx, "queue", "b", nil, removal.Position); !errors.Is(err, jobs.ErrConflict) {
		t.Errorf("put after the position of a removal: got %v, want ErrConflict", err)
	}
	b = put(t, s, "queue", "b", "3", 0)
	if got := one(); got.Key != "b" || got.Position != b || string(got.Value) != "3" || b <= removal.Position {
		t.Errorf("a cell that is made anew: got %+v, want 3 at %d, which is after %d", got, b, removal.Position)
	}
	cancel()
	if c, err, ok := next(); ok {
		t.Errorf("after the end of its context: got %+v, %v", c, err)
	}
}

// watchCellsHasNoHoles lets watchers join at every stage of cells that are put and deleted all the while: in the
// end each of them must know what is there.
func watchCellsHasNoHoles(t *testing.T, s jobs.Store) {
	const writers, watchers, rounds = 4, 8, 60
	ctx := within(t, patience)
	var writing, watching sync.WaitGroup
	for n := range writers {
		writing.Go(func() {
			for round := range rounds {
				key := fmt.Sprint("k", n, "-", round%7)
				c, err := s.Cell(ctx, "hole", key)
				if err == nil && round%3 == 0 {
					err = s.DeleteCell(ctx, "hole", key, c.Position)
				} else if err == nil || errors.Is(err, jobs.ErrNotFound) {
					_, err = s.PutCell(ctx, "hole", key, fmt.Append(nil, round), c.Position)
				}
				if err != nil {
					t.Error(err)
					return
				}
				if round%10 == 0 {
					time.Sleep(2 * time.Millisecond)
				}
			}
		})
	}
	var views [watchers]cellView
	for n := range watchers {
		watching.Go(func() {
			time.Sleep(time.Duration(n) * 5 * time.Millisecond)
			views[n] = make(cellView)
			at := make(map[string]jobs.Position)
			for c, err := range s.WatchCells(ctx, "hole") {
				if err != nil {
					t.Errorf("watcher %d: %v", n, err)
					return
				}
				if c.Key == "end" {
					return
				}
				if c.Key != "" {
					views[n].apply(t, c, at)
				}
			}
			t.Errorf("watcher %d ended before the end", n)
		})
	}
	writing.Wait()
	put(t, s, "hole", "end", "", 0)
	watching.Wait()
	want := make(cellView)
	for c, err := range s.WatchCells(ctx, "hole") {
		if err != nil {
			t.Fatal(err)
		}
		if c.Key == "" {
			break
		}
		if c.Key != "end" {
			want[c.Key] = string(c.Value)
		}
	}
	for n, view := range views {
		if !reflect.DeepEqual(view, want) {
			t.Errorf("watcher %d: got %v, want %v", n, view, want)
		}
	}
}
