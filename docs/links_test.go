package docs

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"jobcast/internal/cli"
)

var (
	code    = regexp.MustCompile("(?ms)^```.*?^```$")
	link    = regexp.MustCompile(`\]\(([^)#\s]*)(?:#([^)\s]*))?\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	unkept  = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// What a document links to is there, and the README leads to every document.
func TestLinks(t *testing.T) {
	linked := map[string]bool{} // names below the module's root
	for _, document := range documents(t) {
		data, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(string(data), ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			target := document
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(document), m[1])
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s: %v", document, m[1], err)
				continue
			}
			if document == "../README.md" {
				linked[filepath.Join("docs", target)] = true
			}
			if m[2] != "" && !hasHeading(t, target, m[2]) {
				t.Errorf("%s links to %s#%s, and there is no such heading", document, m[1], m[2])
			}
		}
	}
	for _, document := range documents(t) {
		name := filepath.Join("docs", document)
		if name != "README.md" && !linked[name] && !linked[filepath.Dir(name)] {
			t.Errorf("the README does not lead to %s", document)
		}
	}
}

// hasHeading says whether a document has a heading whose anchor is that, as GitHub makes them.
func hasHeading(t *testing.T, document, anchor string) bool {
	t.Helper()
	data, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range heading.FindAllStringSubmatch(string(data), -1) {
		words := unkept.ReplaceAllString(strings.ToLower(m[1]), "")
		if strings.ReplaceAll(words, " ", "-") == anchor {
			return true
		}
	}
	return false
}

// No flag is named that the program does not have.
func TestFlagsExist(t *testing.T) {
	var help bytes.Buffer
	if _, err := cli.Parse([]string{"--help"}, "", &help); !errors.Is(err, cli.ErrDone) {
		t.Fatal(err)
	}
	flag := regexp.MustCompile("`(?:jobcast )?--([a-z][a-z-]*)")
	for _, document := range []string{"../README.md", "deploy.md", "security.md"} {
		data, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range flag.FindAllStringSubmatch(string(data), -1) {
			if !regexp.MustCompile(`--`+m[1]+`\b`).Match(help.Bytes()) && m[1] != "stop-timeout" {
				t.Errorf("%s names --%s, which --help does not", document, m[1])
			}
		}
	}
}
