//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"jobcast/jobs"
)

// TestJobsGoOnAfterAShortage lets no file of a running server grow for longer than a lease, as a full disk does: its
// session and its jobs cannot be written. Then they go on by themselves.
func TestJobsGoOnAfterAShortage(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	// It takes minutes to read, and no room.
	if err := errors.Join(os.WriteFile(filepath.Join(root, "large"), nil, 0o600), os.Truncate(filepath.Join(root, "large"), 200<<30)); err != nil {
		t.Fatal(err)
	}
	p := startServer(t, "--root="+root, "--start-rate=0")
	start := func(request string) string {
		resp, err := http.Post(p.url+"/api/jobs", "application/json", strings.NewReader(request))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var started struct{ Job struct{ ID string } }
		if err := json.NewDecoder(resp.Body).Decode(&started); err != nil || started.Job.ID == "" {
			t.Fatalf("start a job: got %s, %v", resp.Status, err)
		}
		return p.url + "/api/jobs/" + started.Job.ID
	}
	ready := func(want int) {
		for limit := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
			status, body := get(t, p.url+"/readyz")
			if status == want {
				return
			}
			if time.Now().After(limit) {
				t.Fatalf("ready: got %d %s, want %d: %s", status, body, want, p.stderr)
			}
		}
	}
	large := start(fmt.Sprintf(`{"kind":"checksum","args":{"path":%q},"maxAttempts":1}`, root))
	awaitState(t, large, "running")

	var before unix.Rlimit
	if err := unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 1, Max: unix.RLIM_INFINITY}, &before); err != nil {
		t.Fatal(err)
	}
	ready(http.StatusServiceUnavailable)
	time.Sleep(jobs.LeaseTime + 2*time.Second) // nothing to wait for: the server must be without its files for so long
	if err := unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_FSIZE, &before, nil); err != nil {
		t.Fatal(err)
	}
	ready(http.StatusOK)

	after := start(`{"kind":"task","args":{"param":"after"}}`)
	awaitState(t, after, "completed")
	if job := awaitState(t, large, "running"); job.Attempt != 1 {
		t.Errorf("the job of before: got attempt %d, want 1", job.Attempt)
	}
	resp, err := http.Post(large+"/cancel", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	awaitState(t, large, "cancelled")
	_, body := get(t, large+"/events?limit=1000")
	var log struct{ Events []jobs.Event }
	if err := json.Unmarshal([]byte(body), &log); err != nil {
		t.Fatal(err)
	}
	for i, event := range log.Events {
		if event.Seq != uint64(i+1) || event.Type == jobs.EventCancelled && i < len(log.Events)-1 {
			t.Errorf("event %d is %d, %s", i+1, event.Seq, event.Type)
		}
	}
}
