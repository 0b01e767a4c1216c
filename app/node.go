package app

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"jobcast/jobs"
)

// A server's name stands in the records of the jobs that it runs, so no other server may have it. It is made once and
// kept in the data directory, since the host's name is not enough: several servers may run on one host, and containers
// get a new one at each start.

// nameNode returns the server's name: the one that is configured, else the one that the data directory has, else a new
// one, which the directory has from now on. Only who holds the lock of the directory may call it.
func (s *Server) nameNode() (string, error) {
	if s.cfg.Node != "" {
		if err := jobs.CheckNode(s.cfg.Node); err != nil {
			return "", fmt.Errorf("%s %w", s.cfg.Called("Node"), err)
		}
		return s.cfg.Node, nil
	}
	file := filepath.Join(s.cfg.Data, "node")
	text, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		name := newNode()
		if err := writeWhole(file, name+"\n"); err != nil { // a full disk is no reason not to start
			s.log.Warn("the server's name cannot be kept, so it gets another at the next start", "file", file, "node", name, "err", err)
		}
		return name, nil
	case err != nil:
		return "", fmt.Errorf("cannot read the server's name in %s: %w; make it readable, or remove it, and a new name is made", file, reason(err))
	}
	name := strings.TrimSpace(string(text))
	if jobs.CheckNode(name) != nil {
		return "", fmt.Errorf("the file %s does not hold a server's name; remove it, and a new name is made, or give one with %s",
			file, s.cfg.Called("Node"))
	}
	return name, nil
}

// newNode makes a name: the host's, so that a person recognizes it, and eight random letters and digits.
func newNode() string {
	host, _ := os.Hostname() // without one the rest is enough
	host, _, _ = strings.Cut(host, ".")
	if jobs.CheckNode(host) != nil || len(host) > 40 {
		host = "jobcast"
	}
	return host + "-" + strings.ToLower(rand.Text()[:8])
}

// writeWhole writes a file, so that after a crash it is there in full or not at all.
func writeWhole(name, text string) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".node-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone already, if all went well
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
