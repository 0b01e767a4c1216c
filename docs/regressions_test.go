package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The tests that docs/regressions.md promises exist.
func TestRegressionsAreTested(t *testing.T) {
	doc, err := os.ReadFile("regressions.md")
	if err != nil {
		t.Fatal(err)
	}
	promised := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9]+)`").FindAllSubmatch(doc, -1)
	if len(promised) < 20 {
		t.Fatalf("regressions.md names %d tests, want more", len(promised))
	}
	var tests strings.Builder
	for _, dir := range []string{"../engineio", "../socketio"} {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			source, err := os.ReadFile(path)
			tests.Write(source)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range promised {
		if !strings.Contains(tests.String(), "func "+string(name[1])+"(") {
			t.Errorf("regressions.md names %s, which does not exist", name[1])
		}
	}
}
