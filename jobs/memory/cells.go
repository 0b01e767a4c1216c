package memory

import (
	"context"
	"iter"
	"maps"
	"slices"

	"jobcast/jobs"
)

// cellName names a cell.
type cellName struct{ group, key string }

// PutCell implements Store.
func (s *Store) PutCell(ctx context.Context, group, key string, value []byte, after jobs.Position) (jobs.Position, error) {
	if err := jobs.CheckCell(group, key, value); err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := cellName{group, key}
	if s.cells[name].Position != after {
		return 0, jobs.ErrConflict
	}
	s.pos++
	s.cells[name] = jobs.Cell{Group: group, Key: key, Value: append([]byte{}, value...), Position: s.pos}
	s.wakeCells()
	return s.pos, nil
}

// Cell implements Store.
func (s *Store) Cell(ctx context.Context, group, key string) (jobs.Cell, error) {
	if err := jobs.CheckCell(group, key, nil); err != nil {
		return jobs.Cell{}, err
	}
	if err := ctx.Err(); err != nil {
		return jobs.Cell{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, there := s.cells[cellName{group, key}]
	if !there {
		return jobs.Cell{}, jobs.ErrNotFound
	}
	return copyCell(c), nil
}

// DeleteCell implements Store.
func (s *Store) DeleteCell(ctx context.Context, group, key string, after jobs.Position) error {
	if err := jobs.CheckCell(group, key, nil); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := cellName{group, key}
	c, there := s.cells[name]
	switch {
	case !there:
		return jobs.ErrNotFound
	case c.Position != after:
		return jobs.ErrConflict
	}
	s.pos++
	delete(s.cells, name)
	s.wakeCells()
	return nil
}

// WatchCells implements Store.
func (s *Store) WatchCells(ctx context.Context, group string) iter.Seq2[jobs.Cell, error] {
	return func(yield func(jobs.Cell, error) bool) {
		if err := jobs.CheckCellGroup(group); err != nil {
			yield(jobs.Cell{}, err)
			return
		}
		known := make(map[string]jobs.Position) // of each cell that was yielded
		for first := true; ctx.Err() == nil; first = false {
			changed, grown := s.changedCells(group, known)
			for _, c := range changed {
				if !yield(c, nil) {
					return
				}
			}
			if first && !yield(jobs.Cell{}, nil) {
				return
			}
			select {
			case <-grown:
			case <-ctx.Done():
			}
		}
	}
}

// changedCells returns what is not as known says, in the order in which it came to be, and brings known up to date.
// The channel is closed at the next change of any cell.
func (s *Store) changedCells(group string, known map[string]jobs.Position) ([]jobs.Cell, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var changed []jobs.Cell
	for _, key := range slices.Sorted(maps.Keys(known)) {
		if _, there := s.cells[cellName{group, key}]; !there {
			changed = append(changed, jobs.Cell{Group: group, Key: key, Position: s.pos})
			delete(known, key)
		}
	}
	for name, c := range s.cells {
		if name.group == group && c.Position > known[name.key] {
			changed = append(changed, copyCell(c))
			known[name.key] = c.Position
		}
	}
	slices.SortStableFunc(changed, func(a, b jobs.Cell) int { return int(a.Position) - int(b.Position) })
	return changed, s.cellsGrown
}

// wakeCells lets everyone who watches cells look again. mu is held.
func (s *Store) wakeCells() {
	close(s.cellsGrown)
	s.cellsGrown = make(chan struct{})
}

// copyCell shares no memory with c.
func copyCell(c jobs.Cell) jobs.Cell {
	c.Value = append([]byte{}, c.Value...)
	return c
}
