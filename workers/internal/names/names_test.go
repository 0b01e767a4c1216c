package names

import (
	"maps"
	"strings"
	"testing"
)

func TestNamesAreFitForALine(t *testing.T) {
	for name, want := range map[string]string{
		"plain name": "plain name", "ünï€": "ünï€", "new\nline": `"new\nline"`, "\xff": `"\xff"`, "\x1b[31m": `"\x1b[31m"`, "": "",
		strings.Repeat("ä", 101): strings.Repeat("ä", 100) + "…", strings.Repeat("ä", 100): strings.Repeat("ä", 100),
	} {
		if got := Show(name); got != want {
			t.Errorf("%q: got %s, want %s", name, got, want)
		}
	}
	for s, want := range maps.All(map[string]string{"": "", "abc": "abc", "abcd": "abc", "aää": "aä", "ab€": "ab", "𝄞": ""}) {
		if got := Cut(s, 3); got != want {
			t.Errorf("%q: got %q, want %q", s, got, want)
		}
	}
}
