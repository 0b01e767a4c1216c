package jobs

import (
	"fmt"
	"strings"
)

// maxNodeBytes bounds the name of a server.
const maxNodeBytes = 64

// CheckNode says what is wrong with the name of a server that runs jobs, or returns nil: a name has 1 to 64 letters,
// digits, hyphens, underscores and dots. The error goes on from what the name is called: "must be …, not …".
func CheckNode(name string) error {
	allowed := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.'
	}
	if name == "" || len(name) > maxNodeBytes || strings.ContainsFunc(name, func(r rune) bool { return !allowed(r) }) {
		return fmt.Errorf("must be a name of 1 to %d letters, digits, hyphens, underscores and dots, such as web-1, not %q", maxNodeBytes, name)
	}
	return nil
}
