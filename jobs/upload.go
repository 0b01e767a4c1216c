package jobs

import (
	"fmt"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxFileName  = 200 // bytes of a file's name, as a client gives it
	tokenLength  = 26  // of the unguessable start of an upload's name, which is rand.Text
	tokenLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
)

// Upload is an uploaded file, open for reading.
type Upload struct {
	*os.File
	Name string // as the client called it
	Size int64
}

// CheckUpload refuses a name that no upload can have. Whether there is one of that name is what
// [Run.Upload] finds out.
func CheckUpload(upload string) *Problem {
	token, name, ok := strings.Cut(upload, "-")
	if !ok || len(token) != tokenLength || strings.Trim(token, tokenLetters) != "" || CheckFileName(name) != nil {
		return BadRequest("", "this is not the name of an upload")
	}
	return nil
}

// CheckFileName refuses what cannot be a file's name on every system.
func CheckFileName(name string) *Problem {
	switch {
	case name == "" || len(name) > maxFileName:
		return BadRequest("", fmt.Sprintf("a file's name must have 1 to %d bytes", maxFileName))
	case !utf8.ValidString(name):
		return BadRequest("", "a file's name must be UTF-8")
	case strings.ContainsAny(name, `/\`):
		return BadRequest("", "a file's name must not have a separator in it")
	case strings.ContainsFunc(name, unicode.IsControl):
		return BadRequest("", "a file's name must not have a control character in it")
	case strings.Trim(name, ".") == "":
		return BadRequest("", "a file's name must not be only dots")
	}
	return nil
}
