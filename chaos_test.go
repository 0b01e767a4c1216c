package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// kills is how often TestKillDuringFirstStart kills; `make chaos` asks for more.
var kills = flag.Int("kills", 20, "servers that are killed during their first second")

// TestKillDuringFirstStart kills servers at any moment of their first second on an empty directory. The next
// one must open that directory, and find there every job whose start was answered.
func TestKillDuringFirstStart(t *testing.T) {
	for i := range *kills {
		// As many in each part of the second as in every other.
		after := (time.Duration(i)*time.Second + rand.N(time.Second)) / time.Duration(*kills)
		t.Run(after.String(), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			ids := killAfter(t, dir, after)
			again := startServer(t, "--data="+dir, "--start-rate=0", "--max-queued=0")
			if status, body := get(t, again.url+"/readyz"); status != http.StatusOK {
				t.Errorf("got %d %s, want 200: %s", status, body, again.stderr)
			}
			for _, id := range ids {
				if status, body := get(t, again.url+"/api/jobs/"+id); status != http.StatusOK {
					t.Errorf("job %s: got %d %s, want 200", id, status, body)
				}
			}
		})
	}
}

// killAfter runs a server on a directory for so long, starts jobs as soon as that can be done, and returns
// those whose start was answered.
func killAfter(t *testing.T, dir string, after time.Duration) (ids []string) {
	t.Helper()
	cmd := exec.Command(binary, "--listen=127.0.0.1:0", "--data="+dir, "--root="+t.TempDir(), "--start-rate=0", "--max-queued=0")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	line, _ := bufio.NewReader(stdout).ReadString('\n') // empty if it was killed before
	if _, url, ok := strings.Cut(line, "listening on "); ok {
		url, _, _ = strings.Cut(url, ",")
		for {
			resp, err := http.Post(url+"/api/jobs", "application/json", strings.NewReader(`{"kind":"checksum","args":{"path":"."}}`))
			if err != nil {
				break // it is dead
			}
			var answer struct{ Job struct{ ID string } }
			err = json.NewDecoder(resp.Body).Decode(&answer)
			resp.Body.Close()
			if err == nil && resp.StatusCode == http.StatusAccepted {
				ids = append(ids, answer.Job.ID)
			} else if err == nil {
				t.Errorf("start a job: got %s", resp.Status)
			}
		}
	}
	_ = cmd.Wait() // it was killed
	return ids
}
