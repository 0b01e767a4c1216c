package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"jobcast/events"
	"jobcast/jobs"
	goclient "jobcast/socketio/client"
)

// ask sends a request that a proxy on this machine passes on from a client, and decodes the answer into v.
func (p *process) ask(from, method, path, body string, v any) *http.Response {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.url+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Forwarded-For", "198.51.100.1, "+from) // the first is what the client says
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	if v != nil {
		if err := json.Unmarshal(text, v); err != nil {
			p.t.Fatalf("%s %s: %v in %s", method, path, err, text)
		}
	}
	return resp
}

// startOver starts a job over a socket of a client behind the proxy, and returns the code of the refusal, or "".
func (p *process) startOver(from, args string) (code string, waitMs int64) {
	p.t.Helper()
	c := goclient.New(goclient.Config{URL: p.url, Header: http.Header{"X-Forwarded-For": {from}}})
	defer c.Close()
	socket := c.Of("/jobs")
	if err := socket.Connect(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
	_, err := goclient.Call(p.t.Context(), socket, events.JobStart, jobs.StartRequest{Kind: "checksum", Args: json.RawMessage(args)})
	if err == nil {
		return "", 0
	}
	refused, ok := errors.AsType[*goclient.CallError](err)
	if !ok {
		p.t.Fatal(err)
	}
	var ack events.Refusal
	if err := json.Unmarshal(refused.Ack, &ack); err != nil {
		p.t.Fatal(err)
	}
	return ack.Error.Code, ack.Error.RetryAfterMs
}

// slowRoot is a directory with a file that takes long to read, and no room on the disk.
func slowRoot(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "big"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(1 << 40); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestJobsStartedFromOneAddressAreLimitedOverHTTPAndSockets(t *testing.T) {
	root := slowRoot(t)
	args := `{"path":` + strconv.Quote(root) + `}`
	body := `{"kind":"checksum","args":` + args + `}`
	p := startServer(t, "--root="+root, "--trusted-proxy=127.0.0.0/8", "--start-rate=1", "--start-burst=3", "--max-queued=0")
	const greedy, other = "203.0.113.7", "203.0.113.8"
	// However long this machine takes: one more is allowed each second, and 60 are asked for.
	statuses := map[int]int{}
	codes := map[string]int{}
	began := time.Now()
	for range 30 {
		var problem jobs.Problem
		resp := p.ask(greedy, "POST", "/api/jobs", body, &problem)
		statuses[resp.StatusCode]++
		if resp.StatusCode == http.StatusTooManyRequests {
			if resp.Header.Get("Retry-After") != "1" || problem.Code != jobs.CodeTooManyRequests || problem.RetryAfterMs <= 0 || problem.RetryAfterMs > 1000 {
				t.Fatalf("got Retry-After %q and %+v", resp.Header.Get("Retry-After"), problem)
			}
		}
		code, wait := p.startOver(greedy, args)
		if codes[code]++; code == jobs.CodeTooManyRequests && (wait <= 0 || wait > 1000) {
			t.Fatalf("over a socket: got a wait of %d ms", wait)
		}
	}
	allowed := 3 + int(time.Since(began)/time.Second) + 1
	if started := statuses[202] + codes[""]; started < 3 || started > allowed || statuses[202]+statuses[429] != 30 || codes[""]+codes[jobs.CodeTooManyRequests] != 30 {
		t.Errorf("got %v and %v, want 3 to %d started", statuses, codes, allowed)
	}
	if code, _ := p.startOver(other, args); code != "" {
		t.Errorf("another client of the proxy: got %s", code)
	}
	if resp := p.ask(other, "POST", "/api/jobs", body, nil); resp.StatusCode != http.StatusAccepted {
		t.Errorf("another client of the proxy: got %d", resp.StatusCode)
	}
	if log := p.stderr.String(); !strings.Contains(log, "address="+greedy) || strings.Contains(log, "198.51.100.1") {
		t.Errorf("the log has not the address of the client: %s", log)
	}
}

func TestTheQueueOfOneAddressStaysLimitedAfterAKill(t *testing.T) {
	root := slowRoot(t)
	body := `{"kind":"checksum","args":{"path":` + strconv.Quote(root) + `}}`
	limits := []string{"--root=" + root, "--trusted-proxy=127.0.0.1", "--concurrency=1", "--max-queued=3", "--start-rate=0"}
	p := startServer(t, limits...)
	data := p.data
	const greedy, other = "203.0.113.7", "203.0.113.8"
	start := func(from string) (id jobs.ID, status int) {
		t.Helper()
		var answer struct{ Job jobs.Job }
		resp := p.ask(from, "POST", "/api/jobs", body, &answer)
		if retry := resp.Header.Get("Retry-After"); resp.StatusCode == http.StatusTooManyRequests && retry == "" {
			t.Error("no Retry-After")
		}
		return answer.Job.ID, resp.StatusCode
	}
	running := func(id jobs.ID) {
		t.Helper()
		for {
			var job jobs.Job
			if p.ask(other, "GET", "/api/jobs/"+string(id)+"?after=1&wait=10", "", &job); job.State == jobs.Running {
				return
			}
		}
	}
	first, _ := start(other)
	running(first)
	var waits []jobs.ID
	for {
		id, status := start(greedy)
		if status == http.StatusTooManyRequests {
			break
		}
		if status != http.StatusAccepted {
			t.Fatalf("got %d", status)
		}
		waits = append(waits, id)
	}
	if len(waits) != 3 {
		t.Fatalf("got %d queued, want 3", len(waits))
	}

	p.signal(syscall.SIGKILL)
	_ = p.wait(time.Minute) // it was killed
	p = startServer(t, append(limits, "--data="+data)...)
	if _, status := start(greedy); status != http.StatusTooManyRequests {
		t.Errorf("after a kill: got %d, want 429", status)
	}
	if code, _ := p.startOver(greedy, `{"path":`+strconv.Quote(root)+`}`); code != jobs.CodeTooManyRequests {
		t.Errorf("after a kill, over a socket: got %q", code)
	}
	if _, status := start(other); status != http.StatusAccepted {
		t.Errorf("another client: got %d", status)
	}
	p.ask(greedy, "POST", "/api/jobs/"+string(waits[1])+"/cancel", "{}", nil)
	if _, status := start(greedy); status != http.StatusAccepted {
		t.Errorf("one has left the queue: got %d", status)
	}
	if _, status := start(greedy); status != http.StatusTooManyRequests {
		t.Errorf("and one has come: got %d", status)
	}
}

func TestALoudClientBehindAProxySilencesNobodyElse(t *testing.T) {
	for _, tt := range []struct {
		name    string
		args    []string
		refused bool // the other client
	}{
		{"trusted", []string{"--trusted-proxy=127.0.0.1"}, false},
		{"not trusted", nil, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := startServer(t, tt.args...)
			refused := false
			for try, others := 0, 0; others < 20 && !refused; try++ {
				if try == 10_000 {
					t.Fatal("a flood is not limited")
				}
				if p.ask("203.0.113.7", "GET", "/send/msg?text=x", "", nil).StatusCode == http.StatusTooManyRequests {
					refused = p.ask("203.0.113.8", "GET", "/send/msg?text=y", "", nil).StatusCode == http.StatusTooManyRequests
					others++
				}
			}
			if refused != tt.refused {
				t.Errorf("the other client: got refused %v, want %v", refused, tt.refused)
			}
		})
	}
}

func TestAbortedPollsTakeNobodysPlace(t *testing.T) {
	p := startServer(t, "--trusted-proxy=127.0.0.1")
	host := strings.TrimPrefix(p.url, "http://")
	if status := p.ask("203.0.113.8", "GET", "/send/msg?text=first", "", nil).StatusCode; status != http.StatusOK {
		t.Fatalf("got %d", status)
	}
	// As curl --max-time does it, on one connection for many: the server reads the next request when the client
	// of the one before has gone, so each has its own.
	for i := range 10_000 {
		conn, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "GET /get_msg/?name=%d HTTP/1.1\r\nHost: %s\r\nX-Forwarded-For: 203.0.113.7\r\n\r\n", i, host)
		conn.Close()
	}
	talking, stop := context.WithCancel(t.Context())
	var talk sync.WaitGroup
	talk.Go(func() { // for as long as the reader needs to come
		for talking.Err() == nil {
			req, err := http.NewRequestWithContext(talking, http.MethodGet, p.url+"/send/msg?text=hello", nil)
			if err != nil {
				t.Error(err)
				return
			}
			if resp, err := http.DefaultClient.Do(req); err == nil {
				resp.Body.Close()
			}
			select {
			case <-talking.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
	defer talk.Wait()
	defer stop()
	for {
		var answer struct {
			Status bool
			Msg    string
		}
		if resp := p.ask("203.0.113.8", "GET", "/get_msg/?name=honest", "", &answer); resp.StatusCode != http.StatusOK {
			t.Fatalf("got %s, want a place", resp.Status)
		}
		if answer.Status {
			if answer.Msg != "hello" {
				t.Errorf("got %q", answer.Msg)
			}
			return
		}
	}
}
