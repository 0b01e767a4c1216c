package app

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jobcast/jobs"
)

// A name that cannot be written, here because the directory is missing, is as good for this run as one that can.
func TestANameThatCannotBeKeptIsOneForThisRun(t *testing.T) {
	data := filepath.Join(t.TempDir(), "gone")
	var log bytes.Buffer
	s := &Server{cfg: Config{Data: data}, log: slog.New(slog.NewTextHandler(&log, nil))}
	name, err := s.nameNode()
	if err != nil || jobs.CheckNode(name) != nil || !strings.Contains(log.String(), "node="+name) {
		t.Errorf("got %q, %v, and the log %s", name, err, &log)
	}
	if err := os.MkdirAll(filepath.Join(data, "node"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err = s.nameNode(); err == nil || !strings.HasPrefix(err.Error(), "cannot read the server's name in "+filepath.Join(data, "node")+": ") {
		t.Errorf("a directory: got %v", err)
	}
}
