package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// TestDrainHandsBackWhileASocketFloods has one client fill its socket's inbox with requests for jobs. That may
// cost a job that runs meanwhile nothing: not its attempt, and not its place in the queue.
func TestDrainHandsBackWhileASocketFloods(t *testing.T) {
	root := t.TempDir()
	// It takes minutes to read, and no room.
	if err := errors.Join(os.WriteFile(filepath.Join(root, "large"), nil, 0o600), os.Truncate(filepath.Join(root, "large"), 200<<30)); err != nil {
		t.Fatal(err)
	}
	p := startServer(t, "--root="+root, "--start-rate=0", "--start-burst=0", "--max-queued=0", "--sync=always") // so that each start of a job takes its time
	resp, err := http.Post(p.url+"/api/jobs", "application/json", strings.NewReader(
		fmt.Sprintf(`{"kind":"checksum","args":{"path":%q},"maxAttempts":1}`, root)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var started struct{ Job struct{ ID string } }
	if err := json.NewDecoder(resp.Body).Decode(&started); err != nil || started.Job.ID == "" {
		t.Fatalf("start a job: got %s, %v", resp.Status, err)
	}
	job := "/api/jobs/" + started.Job.ID
	awaitState(t, p.url+job, "running")

	conn := dialRaw(t, p, "/socket.io/?EIO=4&transport=websocket")
	conn.SetReadDeadline(time.Now().Add(time.Minute))
	join := func(namespace string) {
		if err := wsutil.WriteClientText(conn, []byte("40"+namespace+",")); err != nil {
			t.Fatal(err)
		}
		for got := ""; !strings.HasPrefix(got, "40"+namespace+","); {
			text, err := wsutil.ReadServerText(conn)
			if err != nil {
				t.Fatal(err)
			}
			got = string(text)
		}
	}
	join("/jobs")
	var flood bytes.Buffer
	for range 9900 {
		frame := ws.NewTextFrame([]byte(`42/jobs,["job:start",{"kind":"task","args":{"param":"flood"}}]`))
		if err := ws.WriteFrame(&flood, ws.MaskFrame(frame)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := conn.Write(flood.Bytes()); err != nil {
		t.Fatal(err)
	}
	join("/compare") // the server has read the flood when it answers
	p.signal(syscall.SIGTERM)
	if err := p.wait(2 * drainTime); err != nil {
		t.Errorf("got %v, want exit code 0: %s", err, tail(p.stderr.String(), 1000))
	}
	again := startServer(t, "--data="+p.data, "--root="+root, "--concurrency=1") // it is the first in the queue
	state := awaitState(t, again.url+job, "running")
	if state.Attempt != 1 {
		t.Errorf("after the restart: got attempt %d, want 1: the one that was broken off does not count", state.Attempt)
	}
}

func tail(text string, n int) string { return text[max(0, len(text)-n):] }

type jobState struct {
	State   string
	Attempt int
}

// awaitState asks until a job is in a state.
func awaitState(t *testing.T, url, want string) jobState {
	t.Helper()
	for limit := time.Now().Add(30 * time.Second); ; {
		_, body := get(t, url)
		var job jobState
		if err := json.Unmarshal([]byte(body), &job); err != nil {
			t.Fatalf("%s: got %s, %v", url, body, err)
		}
		switch {
		case job.State == want:
			return job
		case job.State == "failed" || time.Now().After(limit):
			t.Fatalf("%s: got %s, want it %s", url, body, want)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
