package jobs

import (
	"io"
	"os"
)

// Files keeps what is too big for the log, in a directory: artifacts by job, and uploads.
type Files struct{}

// OpenFiles opens or makes the directory.
func OpenFiles(dir string) (*Files, error) { panic("skeleton") }

// SaveUpload streams r to disk under a new unguessable name that ends with the given one, and refuses
// more than max bytes with a *Problem of code too_large; nothing is left behind then. A full disk is a
// *Problem of code unavailable.
func (f *Files) SaveUpload(name string, r io.Reader, max int64) (upload string, bytes int64, err error) {
	panic("skeleton")
}

// OpenUpload opens an upload for reading. The error is a *Problem of code not_found or bad_request.
func (f *Files) OpenUpload(upload string) (*Upload, error) { panic("skeleton") }

// Upload is an uploaded file, open for reading.
type Upload struct {
	*os.File
	Name string // as the client called it
	Size int64
}

// OpenArtifact opens a job's artifact for reading. The error is a *Problem.
func (f *Files) OpenArtifact(id ID, name string) (*os.File, error) { panic("skeleton") }

// ArtifactWriter writes one artifact.
type ArtifactWriter struct{}

func (w *ArtifactWriter) Write(p []byte) (int, error) { panic("skeleton") }

// Close makes the artifact appear, whole and synced to disk.
func (w *ArtifactWriter) Close() error { panic("skeleton") }

// Abort removes what was written. After Close it does nothing.
func (w *ArtifactWriter) Abort() { panic("skeleton") }
