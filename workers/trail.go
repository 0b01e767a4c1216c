package workers

import (
	"os"
	"slices"
)

// A trail goes from directory to directory below a root with a handle for each directory on the way, so
// that the next one costs what it is away from the last one, and not from the root. It holds at most limit
// handles, the deepest ones: the way back up opens the others again, limit at a time. It belongs to one
// goroutine.
type trail struct {
	root   *os.Root
	hidden hidden
	limit  int

	names   []string   // from the root to where the trail is
	handles []*os.Root // of names; nil where it was let go of
	opened  int        // directories so far: what the way has cost
}

// to goes to a directory, which is named by its path from the root. The handle is good until the next call.
func (t *trail) to(path string) (*os.Root, error) {
	names := parts(path)
	same := 0
	for same < min(len(names), len(t.names)) && names[same] == t.names[same] {
		same++
	}
	t.cut(same)
	from := same
	for from > 0 && t.handles[from-1] == nil {
		from--
	}
	at := t.root
	if from > 0 {
		at = t.handles[from-1]
	}
	for i := from; i < len(names); i++ {
		dir, err := openDir(at, names[i], t.hidden)
		if err != nil {
			t.cut(i)
			return nil, err
		}
		t.opened++
		if i == len(t.names) {
			t.names, t.handles = append(t.names, names[i]), append(t.handles, nil)
		}
		t.handles[i], at = dir, dir
		if old := i - t.limit; old >= 0 && t.handles[old] != nil {
			t.handles[old].Close()
			t.handles[old] = nil
		}
	}
	return at, nil
}

// cut goes back up, to the first n names.
func (t *trail) cut(n int) {
	for _, dir := range t.handles[n:] {
		if dir != nil {
			dir.Close()
		}
	}
	t.names, t.handles = t.names[:n], slices.Delete(t.handles, n, len(t.handles))
}

// close lets go of all handles but the root's.
func (t *trail) close() { t.cut(0) }
