package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A block is one piece of code in a document. What stands behind the language on its first line says
// where the code belongs: ```go title="events/greet.go" is a file of the module, ```diff title="main.go"
// is a change of one, and ```go alone is a program.
type block struct {
	place    string // document and line, for messages
	language string
	title    string
	text     string
}

// documents are all that a reader may copy code from.
func documents(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	decisions, err := filepath.Glob("decisions/*.md")
	if err != nil {
		t.Fatal(err)
	}
	above, err := filepath.Glob("../*.md")
	if err != nil {
		t.Fatal(err)
	}
	return append(append(above, names...), decisions...)
}

var fence = regexp.MustCompile("(?m)^```([a-z]+)(?: title=\"([^\"\n]+)\")?$")

// blocks returns the code of a document that is in one of the languages.
func blocks(t *testing.T, document string, languages ...string) []block {
	t.Helper()
	data, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	var found []block
	text := string(data)
	for at := 0; ; {
		m := fence.FindStringSubmatchIndex(text[at:])
		if m == nil {
			return found
		}
		begin := at + m[1] + 1
		length := strings.Index(text[begin:], "\n```")
		if length < 0 {
			t.Fatalf("%s: a block of code has no end", document)
		}
		b := block{
			place:    document + ":" + line(text[:begin]),
			language: text[at+m[2] : at+m[3]],
			text:     text[begin : begin+length+1],
		}
		if m[4] >= 0 {
			b.title = text[at+m[4] : at+m[5]]
		}
		for _, l := range languages {
			if l == b.language {
				found = append(found, b)
			}
		}
		at = begin + length + len("\n```")
	}
}

func line(above string) string { return strconv.Itoa(strings.Count(above, "\n") + 1) }
