package bundle

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var stock embed.FS

// Stock returns the files of the stock JavaScript client that were in the directory dist of this package when the
// program was built, for Config.Files. There are none unless somebody has put them there, as the Makefile does. A
// program that does not call Stock does not contain them.
func Stock() fs.FS {
	files, err := fs.Sub(stock, "dist")
	if err != nil {
		panic(err) // the name is a valid one
	}
	return files
}
