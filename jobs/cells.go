package jobs

import (
	"context"
	"fmt"
	"iter"
	"regexp"
)

// MaxCellBytes bounds the value of a cell.
const MaxCellBytes = 64 << 10

// Cells keeps small named values beside the jobs: who is alive, which queue is paused, what is scheduled. A cell is
// named by its group, 1 to 32 of a-z, and its key, 1 to 64 of 0-9 A-Z a-z _ -; any other name is refused, and so is
// a value of more than MaxCellBytes. A store may bound the size of all cells together: then PutCell returns ErrFull
// for a new one, while those that are there can still be changed and deleted.
type Cells interface {
	// PutCell stores value as the cell's newest if its version so far is at after (zero: there is no such
	// cell), and else returns ErrConflict. The position of a removal is that of no version.
	PutCell(ctx context.Context, group, key string, value []byte, after Position) (Position, error)
	// Cell returns a cell, or ErrNotFound.
	Cell(ctx context.Context, group, key string) (Cell, error)
	// DeleteCell removes a cell if its version is at after, and else returns ErrConflict. Where there is no
	// such cell it returns ErrNotFound.
	DeleteCell(ctx context.Context, group, key string, after Position) error
	// WatchCells yields every cell of a group, then one zero Cell, then each cell as it changes or is removed,
	// until ctx is done; that is no error. Of several changes to one cell it may yield only the newest, but
	// never an older one after a newer.
	WatchCells(ctx context.Context, group string) iter.Seq2[Cell, error]
}

// Cell is one version of a cell. The positions of one cell grow, also where it is removed and made anew.
type Cell struct {
	Group, Key string
	Value      []byte // nil where WatchCells tells that the cell was removed, and only there
	Position   Position
}

var groupPattern = regexp.MustCompile(`^[a-z]{1,32}$`)

// CheckCellGroup refuses what cannot name a group of cells.
func CheckCellGroup(group string) error {
	if !groupPattern.MatchString(group) {
		return fmt.Errorf("jobs: %q cannot name a group of cells: it must be 1 to 32 of a-z", group)
	}
	return nil
}

// CheckCell refuses what cannot be a cell. Stores call it before anything else.
func CheckCell(group, key string, value []byte) error {
	if err := CheckCellGroup(group); err != nil {
		return err
	}
	if !idPattern.MatchString(key) {
		return fmt.Errorf("jobs: %q cannot be the key of a cell: it must be 1 to 64 of 0-9 A-Z a-z _ -", key)
	}
	if len(value) > MaxCellBytes {
		return fmt.Errorf("jobs: the value of a cell has %d bytes; at most %d are taken", len(value), MaxCellBytes)
	}
	return nil
}
