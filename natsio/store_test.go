package natsio

import (
	"testing"

	"jobcast/jobs"
	"jobcast/jobs/jobstest"
)

// open opens a store on a new directory.
func open(t *testing.T, cfg Config) *Store {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestStore(t *testing.T) {
	jobstest.TestStore(t, func(t *testing.T) jobs.Store { return open(t, Config{}) })
}
