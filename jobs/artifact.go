package jobs

import (
	"net/url"

	"jobcast/jobs/files"
)

// ArtifactWriter writes one artifact. It belongs to one goroutine.
type ArtifactWriter struct {
	run         *Run
	tmp         *files.Temp
	name        string
	contentType string
	size        int64
	err         error // the first failed Write: a torn file must not appear
	closed      bool
}

// Create makes an artifact, which appears when the writer is closed without an error; a later attempt
// replaces it. contentType may be empty. The name is a plain one of at most 200 bytes. Create and the
// writer use the disk: they may block. Watchers learn of the artifact with the job's next event.
func (r *Run) Create(name, contentType string) (*ArtifactWriter, error) {
	if p := files.CheckName(name); p != nil {
		return nil, p
	}
	if err := r.alive(); err != nil {
		return nil, err
	}
	tmp, err := r.files.Create()
	if err != nil {
		return nil, files.DiskProblem("create artifact", err)
	}
	return &ArtifactWriter{run: r, tmp: tmp, name: name, contentType: contentType}, nil
}

func (w *ArtifactWriter) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.tmp.Write(p)
	w.size += int64(n)
	if err != nil {
		w.err = files.DiskProblem("write artifact", err)
	}
	return n, w.err
}

// Close makes the artifact appear, whole and synced to disk. It returns the first error of Write, and
// refuses when the attempt is over: its job may already run elsewhere. Closing twice does nothing.
func (w *ArtifactWriter) Close() error {
	if w.closed {
		return w.err
	}
	w.closed = true
	defer w.tmp.Discard()
	if w.err == nil {
		w.err = w.run.alive()
	}
	if w.err != nil {
		return w.err
	}
	if err := w.tmp.CommitArtifact(w.run.id, w.name); err != nil {
		w.err = files.DiskProblem("close artifact", err)
		return w.err
	}
	w.run.addArtifact(Artifact{
		Name: w.name,
		Href: "/api/jobs/" + url.PathEscape(string(w.run.id)) + "/artifacts/" + url.PathEscape(w.name),
		Type: w.contentType,
		Size: w.size,
	})
	return nil
}

// Abort removes what was written. After Close it does nothing.
func (w *ArtifactWriter) Abort() {
	if !w.closed {
		w.closed = true
		w.err = ErrClosed
		w.tmp.Discard()
	}
}
