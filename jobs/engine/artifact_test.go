package engine

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"

	"jobcast/jobs"
	"jobcast/jobs/memory"
)

func TestArtifacts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kind := jobs.NewKind[struct{}, struct{}]("make")
		var late jobs.ArtifactWriter
		e := openEngine(t, memory.New(), "n1", kind.Worker(nil, func(ctx context.Context, r *jobs.Run, _ struct{}) (struct{}, error) {
			for _, name := range []string{"SHA256SUMS", "a b+ü?.txt", "SHA256SUMS"} {
				w, err := r.Create(name, "text/plain")
				if err != nil {
					return struct{}{}, err
				}
				defer w.Abort() // does nothing after Close
				io.WriteString(w, "content of ")
				io.WriteString(w, name)
				if err := errors.Join(w.Close(), w.Close()); err != nil {
					return struct{}{}, err
				}
			}
			w, err := r.Create("aborted", "")
			if err != nil {
				return struct{}{}, err
			}
			w.Abort()
			if w.Close() == nil {
				t.Error("Close after Abort: got no error")
			}
			if _, err := r.Create("../x", ""); jobs.ProblemOf(err).Code != jobs.CodeBadRequest {
				t.Errorf("a bad name: got %v", err)
			}
			late, err = r.Create("late", "")
			return struct{}{}, err
		}))
		defer closeEngine(t, e)
		job, _, err := e.Start(t.Context(), jobs.StartRequest{Kind: "make", ID: "j-1"})
		if err != nil {
			t.Fatal(err)
		}
		end := last(story(t, e, job.ID)).Job
		want := []jobs.Artifact{
			{Name: "SHA256SUMS", Href: "/api/jobs/j-1/artifacts/SHA256SUMS", Type: "text/plain", Size: 21},
			{Name: "a b+ü?.txt", Href: "/api/jobs/j-1/artifacts/a%20b+%C3%BC%3F.txt", Type: "text/plain", Size: 22},
		}
		if end.State != jobs.Completed || len(end.Artifacts) != 2 || end.Artifacts[0] != want[0] || end.Artifacts[1] != want[1] {
			t.Errorf("got %s, %+v, want %+v", end.State, end.Artifacts, want)
		}
		file, err := e.files.OpenArtifact("j-1", "a b+ü?.txt")
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if data, _ := io.ReadAll(file); !bytes.Equal(data, []byte("content of a b+ü?.txt")) {
			t.Errorf("got %q", data)
		}
		if err := late.Close(); !errors.Is(err, errOver) {
			t.Errorf("Close after the attempt: got %v, want errOver", err)
		}
		if _, err := e.files.OpenArtifact("j-1", "late"); jobs.ProblemOf(err).Code != jobs.CodeNotFound {
			t.Errorf("an artifact appeared after the attempt: got %v", err)
		}
	})
}
