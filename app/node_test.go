package app_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jobcast/app"
	"jobcast/jobs"
)

// TestAServersNameIsKept reads the name where a job's story tells it, over starts and configurations.
func TestAServersNameIsKept(t *testing.T) {
	noop := jobs.NewKind[int, int]("noop")
	cfg := app.Config{
		Listen:  "127.0.0.1:0",
		Data:    t.TempDir(),
		Workers: []jobs.Worker{noop.Worker(nil, func(_ context.Context, _ *jobs.Run, n int) (int, error) { return n, nil })},
		Logger:  slog.New(slog.DiscardHandler),
	}
	first := nodeOf(t, cfg)
	if jobs.CheckNode(first) != nil || len(first) < 10 {
		t.Errorf("the first name: got %q", first)
	}
	if kept, err := os.ReadFile(filepath.Join(cfg.Data, "node")); err != nil || string(kept) != first+"\n" {
		t.Errorf("the file: got %q, %v, want %s", kept, err, first)
	}
	if again := nodeOf(t, cfg); again != first {
		t.Errorf("after another start: got %s, want %s", again, first)
	}
	named, elsewhere := cfg, cfg
	named.Node, elsewhere.Data = "web-1", t.TempDir()
	if got := nodeOf(t, named); got != "web-1" {
		t.Errorf("configured: got %s", got)
	}
	if again := nodeOf(t, cfg); again != first {
		t.Errorf("no more configured: got %s, want %s", again, first)
	}
	if other := nodeOf(t, elsewhere); other == first {
		t.Errorf("another directory has the name %s too", other)
	}
}

// nodeOf starts the server, and reads its name where a job tells who runs it.
func nodeOf(t *testing.T, cfg app.Config) string {
	t.Helper()
	s, err := app.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	resp, err := http.Post(s.URL()+"/api/jobs", "application/json", strings.NewReader(`{"kind":"noop","args":1}`))
	if err != nil {
		t.Fatal(err)
	}
	var started struct {
		Job struct {
			ID string `json:"id"`
		} `json:"job"`
	}
	err = json.NewDecoder(resp.Body).Decode(&started)
	if resp.Body.Close(); err != nil || started.Job.ID == "" {
		t.Fatalf("start: got %+v, %v", started, err)
	}
	for {
		var page struct {
			Events []struct {
				Seq  int            `json:"seq"`
				Type jobs.EventType `json:"type"`
				Data struct {
					Worker string `json:"worker"`
				} `json:"data"`
			} `json:"events"`
		}
		body := get(t, s.URL()+"/api/jobs/"+started.Job.ID+"/events?wait=10&after=0")
		if err := json.Unmarshal([]byte(body), &page); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		for _, e := range page.Events {
			if e.Type == jobs.EventStarted {
				return e.Data.Worker
			}
		}
	}
}

func TestABadNameIsRefused(t *testing.T) {
	cfg := app.Config{Listen: "127.0.0.1:0", Data: t.TempDir(), Logger: slog.New(slog.DiscardHandler)}
	file := filepath.Join(cfg.Data, "node")
	if err := os.WriteFile(file, []byte("<a b>"), 0o600); err != nil {
		t.Fatal(err)
	}
	named := cfg
	named.Node = "a/b"
	for want, cfg := range map[string]app.Config{
		"the file " + file + " does not hold a server's name; remove it, and a new name is made, or give one with Config.Node": cfg,
		`Config.Node must be a name of 1 to 64 letters, digits, hyphens, underscores and dots, such as web-1, not "a/b"`:       named,
	} {
		if _, err := app.Start(t.Context(), cfg); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}
