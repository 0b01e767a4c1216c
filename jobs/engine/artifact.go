package engine

import (
	"net/url"

	"jobcast/jobs"
	"jobcast/jobs/files"
)

// artifactWriter writes one artifact into the directory of files.
type artifactWriter struct {
	run         *run
	tmp         *files.Temp
	name        string
	contentType string
	size        int64
	err         error // the first failed Write: a torn file must not appear
	closed      bool
}

// Create implements jobs.Reporter.
func (r *run) Create(name, contentType string) (jobs.ArtifactWriter, error) {
	if err := r.alive(); err != nil {
		return nil, err
	}
	tmp, err := r.files.Create()
	if err != nil {
		return nil, files.DiskProblem("create artifact", err)
	}
	return &artifactWriter{run: r, tmp: tmp, name: name, contentType: contentType}, nil
}

// Write implements jobs.ArtifactWriter.
func (w *artifactWriter) Write(p []byte) (int, error) {
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

// Close implements jobs.ArtifactWriter.
func (w *artifactWriter) Close() error {
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
	w.run.addArtifact(jobs.Artifact{
		Name: w.name,
		Href: "/api/jobs/" + url.PathEscape(string(w.run.id)) + "/artifacts/" + url.PathEscape(w.name),
		Type: w.contentType,
		Size: w.size,
	})
	return nil
}

// Abort implements jobs.ArtifactWriter.
func (w *artifactWriter) Abort() {
	if !w.closed {
		w.closed = true
		w.err = jobs.ErrClosed
		w.tmp.Discard()
	}
}
