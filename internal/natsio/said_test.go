package natsio

import (
	"errors"
	"fmt"
	"testing"

	said "jobcast/internal/systems/journal"
)

// journals are the implementations, which must not differ.
func journals(t *testing.T) map[string]func() said.Journal {
	store, err := Open(t.Context(), Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return map[string]func() said.Journal{
		"memory": func() said.Journal { return new(said.Memory) },
		"natsio": func() said.Journal { return store.Journal("test") },
	}
}

func TestJournal(t *testing.T) {
	for name, open := range journals(t) {
		t.Run(name, func(t *testing.T) {
			j, ctx := open(), t.Context()
			if e, err := j.Last(ctx); err != nil || e.Position != 0 || e.Data != nil {
				t.Fatalf("last of nothing: got %v, %v", e, err)
			}
			var positions []uint64
			var after uint64
			for i := range 1200 {
				pos, err := j.Append(ctx, fmt.Append(nil, i), after)
				if err != nil || pos <= after {
					t.Fatalf("append %d: got %d, %v", i, pos, err)
				}
				after = pos
				positions = append(positions, pos)
			}
			if _, err := j.Append(ctx, []byte("late"), positions[3]); !errors.Is(err, said.ErrConflict) {
				t.Fatalf("append behind the newest: got %v", err)
			}
			if _, err := j.Append(ctx, []byte("first"), 0); !errors.Is(err, said.ErrConflict) {
				t.Fatalf("append as the first: got %v", err)
			}
			if e, err := j.Last(ctx); err != nil || e.Position != after || string(e.Data) != "1199" {
				t.Fatalf("last: got %d %q, %v", e.Position, e.Data, err)
			}
			list, err := j.Read(ctx, 0, 5000)
			if err != nil || len(list) != 1200 || string(list[700].Data) != "700" || list[700].Position != positions[700] {
				t.Fatalf("read all: got %d, %v", len(list), err)
			}
			list, err = j.Read(ctx, positions[9], 2)
			if err != nil || len(list) != 2 || string(list[0].Data) != "10" || string(list[1].Data) != "11" {
				t.Fatalf("read two: got %v, %v", list, err)
			}
			if list, err = j.Read(ctx, after, 10); err != nil || len(list) != 0 {
				t.Fatalf("read behind the newest: got %v, %v", list, err)
			}
		})
	}
}

func TestJournalIsThereAfterReopening(t *testing.T) {
	dir := t.TempDir()
	var after uint64
	for range 3 {
		store, err := Open(t.Context(), Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		j := store.Journal("test")
		last, err := j.Last(t.Context())
		if err != nil || last.Position != after {
			t.Fatalf("got position %d, %v; want %d", last.Position, err, after)
		}
		if after, err = j.Append(t.Context(), []byte("x"), after); err != nil {
			t.Fatal(err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
