package workers

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// held counts the handles of a trail.
func (t *trail) held() (n int) {
	for _, h := range t.handles {
		if h != nil {
			n++
		}
	}
	return n
}

func TestATrailGoesFromAnywhereToAnywhereWithFewHandles(t *testing.T) {
	dir := t.TempDir()
	paths := []string{"."}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 300 {
		// Mostly below the newest one, so that some paths are long.
		parent := paths[max(0, len(paths)-1-random.IntN(3))]
		path := filepath.Join(parent, fmt.Sprint(i))
		must(t, os.Mkdir(filepath.Join(dir, path), 0o755))
		paths = append(paths, path)
	}
	root, err := os.OpenRoot(dir)
	must(t, err)
	defer root.Close()
	for _, limit := range []int{1, 3, 1000} {
		tr := trail{root: root, limit: limit}
		for i := range 400 {
			path := paths[random.IntN(len(paths))]
			at, err := tr.to(path)
			if err != nil {
				t.Fatalf("limit %d, number %d, %s: %v", limit, i, path, err)
			}
			got, err := at.Stat(".")
			must(t, err)
			want, err := os.Stat(filepath.Join(dir, path))
			must(t, err)
			if !os.SameFile(got, want) {
				t.Fatalf("limit %d, number %d, %s: got another directory", limit, i, path)
			}
			if n := tr.held(); n > limit {
				t.Fatalf("limit %d: got %d handles", limit, n)
			}
			if i%10 == 0 {
				if _, err := tr.to(path + "/gone"); !errors.Is(err, os.ErrNotExist) {
					t.Fatalf("got %v, want that it is not there", err)
				}
			}
		}
		if tr.close(); tr.held() != 0 {
			t.Errorf("limit %d: got %d handles after close", limit, tr.held())
		}
	}
}

// TestADeepTreeCostsWhatItHolds walks 1,500 levels down and up again.
func TestADeepTreeCostsWhatItHolds(t *testing.T) {
	const levels = 1500
	dir := t.TempDir()
	deep := strings.Repeat("d/", levels)
	must(t, os.MkdirAll(filepath.Join(dir, deep), 0o755))
	root, err := os.OpenRoot(dir)
	must(t, err)
	defer root.Close()
	tr := trail{root: root, limit: maxHandles}
	defer tr.close()
	for i := 1; i <= levels; i++ {
		_, err := tr.to(deep[:2*i-1])
		must(t, err)
	}
	if tr.opened != levels {
		t.Errorf("on the way down: opened %d directories, want each once", tr.opened)
	}
	for i := levels; i > 0; i-- {
		_, err := tr.to(deep[:2*i-1])
		must(t, err)
	}
	if most := levels + levels*levels/maxHandles; tr.opened > most {
		t.Errorf("down and up again: opened %d directories, want at most %d", tr.opened, most)
	}
	// A file in every third directory, and all of them summed.
	var want []string
	for i := 3; i <= levels; i += 3 {
		name := deep[:2*i] + "file"
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644))
		want = append(want, name)
	}
	p, err := findSummable(newRoots(Config{Roots: []string{dir}}), ".")
	must(t, err)
	defer p.Close()
	sums, res, err := sumPlace(t.Context(), &recorder{}, p)
	must(t, err)
	slices.Sort(want)
	if !slices.EqualFunc(sums, want, func(f fileSum, name string) bool { return f.name == name && !f.failed }) || res.Failed != 0 {
		t.Errorf("got %d files and %+v, want %d", len(sums), res, len(want))
	}
}

// TestProgressNeverGoesBackWhenFilesGrow has files that turn out longer than the walk found them.
func TestProgressNeverGoesBackWhenFilesGrow(t *testing.T) {
	dir := makeTree(t, map[string]string{"a": strings.Repeat("a", 4*readChunk), "b": "", "c": strings.Repeat("c", 5*readChunk)})
	rec, share := &recorder{}, 0.0
	rec.step = func(index int) {
		if index == 2 {
			must(t, os.Truncate(filepath.Join(dir, "a"), 30*readChunk))
			must(t, os.Truncate(filepath.Join(dir, "b"), 3*readChunk))
			share = 0
		}
	}
	rec.progress = func(done, total float64) { // reports come one after the other
		if total > 0 {
			if done/total < share {
				t.Errorf("got %v of %v after %.1f %%", done, total, 100*share)
			}
			share = done / total
		}
	}
	res, _, err := sumPath(t.Context(), rec, dir, "")
	must(t, err)
	if res.Files != 3 || rec.last[0] != rec.last[1] || rec.last[0] != 38*readChunk {
		t.Errorf("got %+v and progress %v, want all of it", res, rec.last)
	}
}
