package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// drainTime is how long the end of a server takes at most.
const drainTime = 10 * time.Second

// binary is the real program, built once.
var binary string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	for _, variable := range os.Environ() { // the tests' settings are their own
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "JOBCAST_") {
			_ = os.Unsetenv(name)
		}
	}
	dir, err := os.MkdirTemp("", "jobcast-*")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "jobcast")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// process is a running server.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	line   string // what it said at its start
	url    string
	data   string
	stderr *lineBuffer
	exited chan struct{} // closed after err is set
	err    error
}

// startServer starts a server on a free port with a data directory of its own, unless args say otherwise.
func startServer(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{t: t, data: t.TempDir(), stderr: newLineBuffer(), exited: make(chan struct{})}
	p.cmd = exec.Command(binary, append([]string{"--listen=127.0.0.1:0", "--data=" + p.data, "--root=" + t.TempDir()}, args...)...)
	p.cmd.Stderr = p.stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it has ended, as a rule
		<-p.exited
	})
	lines := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(stdout).ReadString('\n')
		lines <- line
		p.err = p.cmd.Wait()
		close(p.exited)
	}()
	select {
	case p.line = <-lines:
	case <-time.After(2 * time.Minute):
		t.Fatalf("the server does not start: %s", p.stderr)
	}
	if _, p.url, _ = strings.Cut(p.line, "listening on "); p.url == "" {
		_ = p.cmd.Process.Kill() // it has ended, as a rule
		<-p.exited
		t.Fatalf("got %q at start, and %v: %s", p.line, p.err, p.stderr)
	}
	p.url, _, _ = strings.Cut(p.url, ",")
	return p
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// wait returns when the process has ended.
func (p *process) wait(limit time.Duration) error {
	p.t.Helper()
	select {
	case <-p.exited:
		return p.err
	case <-time.After(limit):
		p.t.Fatalf("the server still runs after %v: %s", limit, p.stderr)
		return nil
	}
}

// lineBuffer keeps what is written, and lets a test wait for a line.
type lineBuffer struct {
	mu    sync.Mutex
	buf   bytes.Buffer
	grown chan struct{}
}

func newLineBuffer() *lineBuffer { return &lineBuffer{grown: make(chan struct{})} }

func (b *lineBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.grown)
	b.grown = make(chan struct{})
	return b.buf.Write(p)
}

func (b *lineBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *lineBuffer) await(t *testing.T, text string) {
	t.Helper()
	limit := time.After(time.Minute)
	for {
		b.mu.Lock()
		found, grown := strings.Contains(b.buf.String(), text), b.grown
		b.mu.Unlock()
		if found {
			return
		}
		select {
		case <-grown:
		case <-limit:
			t.Fatalf("no %q in %q", text, b)
		}
	}
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestStartSaysWhereItIs(t *testing.T) {
	p := startServer(t)
	want := `^jobcast 0\.1\.0 listening on http://127\.0\.0\.1:\d+, data in ` + regexp.QuoteMeta(p.data) + ` \(synced every 1s\)\n$`
	if !regexp.MustCompile(want).MatchString(p.line) {
		t.Errorf("got  %q\nwant %s", p.line, want)
	}
	for path, want := range map[string]string{
		"/":                                     "<!doctype html>",
		"/readyz":                               "ready",
		"/api/kinds":                            "checksum",
		"/api/jobs":                             `"jobs":[]`,
		"/socket.io/?EIO=4&transport=polling":   `"pingInterval"`,
		"/jobs/01K9ZQ8V5M9S2T7X4W3E6R1B0C":      "<!doctype html>",
		"/api/jobs/01K9ZQ8V5M9S2T7X4W3E6R1B0C/": "not_found",
	} {
		if _, body := get(t, p.url+path); !strings.Contains(strings.ToLower(body), strings.ToLower(want)) {
			t.Errorf("GET %s: got %.200q, want %q in it", path, body, want)
		}
	}
	p.signal(syscall.SIGTERM)
	if err := p.wait(time.Minute); err != nil {
		t.Errorf("SIGTERM: got %v, want exit code 0: %s", err, p.stderr)
	}
	if got := p.stderr.String(); strings.Contains(got, "level=ERROR") || strings.Contains(got, "level=WARN") {
		t.Errorf("stderr: got\n%s", got)
	}
}

func TestFailedStartGetsOneSentence(t *testing.T) {
	p := startServer(t)
	taken := strings.TrimPrefix(p.url, "http://")
	missing := filepath.Join(t.TempDir(), "missing")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	damaged := t.TempDir()
	if err := os.WriteFile(filepath.Join(damaged, "jetstream"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	tests := []struct {
		name string
		args []string
		code int
		want string
	}{
		{"taken port", []string{"--listen", taken, "--data", data}, 1,
			"address " + taken + " is taken by another program; stop that one, or choose another address with --listen"},
		{"no such address", []string{"--listen", "192.0.2.1:0", "--data", data}, 1,
			"cannot listen on 192.0.2.1:0: cannot assign requested address; choose another address with --listen"},
		{"taken UDP port", []string{"--listen", udp.LocalAddr().String(), "--data", data, "--webtransport"}, 1,
			"UDP address " + udp.LocalAddr().String() + " is taken by another program; stop that one, choose another address with " +
				"--listen, or leave --webtransport out"},
		{"missing certificate", []string{"--listen=127.0.0.1:0", "--data", data, "--tls-cert", missing, "--tls-key", file}, 1,
			"cannot use the certificate " + missing + " with the key " + file + ": no such file or directory; name others with " +
				"--tls-cert and --tls-key"},
		{"certificate that is none", []string{"--listen=127.0.0.1:0", "--data", data, "--tls-cert", file, "--tls-key", file}, 1,
			"cannot use the certificate " + file + " with the key " + file + ": tls: failed to find any PEM data in certificate " +
				"input; name others with --tls-cert and --tls-key"},
		{"data directory in use", []string{"--listen=127.0.0.1:0", "--data", p.data}, 1,
			"the data directory " + p.data + " is used by another jobcast; stop that one, or choose another directory with --data"},
		{"data directory is a file", []string{"--listen=127.0.0.1:0", "--data", file}, 1,
			"cannot use the data directory " + file + ": not a directory; make it readable and writable, or choose another with --data"},
		{"data directory cannot be made", []string{"--listen=127.0.0.1:0", "--data", "/proc/jobcast"}, 1,
			"cannot use the data directory /proc/jobcast: no such file or directory; make it readable and writable, or choose another with --data"},
		{"a file inside the data directory is in the way", []string{"--listen=127.0.0.1:0", "--data", damaged}, 1,
			"cannot use the data directory " + damaged + ": not a directory; make it readable and writable, or choose another with --data"},
		{"missing root", []string{"--listen=127.0.0.1:0", "--data", data, "--root", missing}, 1,
			"cannot read the root " + missing + ": no such file or directory; name a directory that exists with --root"},
		{"root is a file", []string{"--listen=127.0.0.1:0", "--data", data, "--root", file}, 1,
			"cannot read the root " + file + ": not a directory; name a directory that exists with --root"},
		{"a root in the data directory", []string{"--listen=127.0.0.1:0", "--data", data, "--root", data}, 1,
			"the root " + data + " lies in the data directory " + data + ", which jobs do not read; name another with --root"},
		{"wrong flag", []string{"--nonsense=80"}, 2, "unknown flag --nonsense; jobcast --help lists what there is"},
		{"wrong value", []string{"--listen=here"}, 2, `--listen must be an address such as 127.0.0.1:8080, not "here"`},
		{"missing file", []string{"--config", missing}, 2,
			"cannot read the configuration file " + missing + ": no such file or directory; name another with --config"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, binary, tt.args...)
			cmd.Stdout, cmd.Stderr, cmd.Dir = &stdout, &stderr, t.TempDir()
			err := cmd.Run()
			exit, ok := errors.AsType[*exec.ExitError](err)
			if !ok || exit.ExitCode() != tt.code {
				t.Errorf("got %v, want exit code %d", err, tt.code)
			}
			if got := stderr.String(); got != "jobcast: "+tt.want+"\n" {
				t.Errorf("stderr: got  %q\nwant %q", got, "jobcast: "+tt.want+"\n")
			}
			if stdout.Len() > 0 {
				t.Errorf("stdout: got %q, want nothing", &stdout)
			}
		})
	}
	if status, _ := get(t, p.url+"/readyz"); status != http.StatusOK {
		t.Errorf("the first server after all this: got %d, want 200", status)
	}
}

// TestNoJobReadsTheServersOwnData has the data directory below the root, as it is by default.
func TestNoJobReadsTheServersOwnData(t *testing.T) {
	base := t.TempDir()
	if err := os.WriteFile(filepath.Join(base, "mine"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startServer(t, "--root="+base, "--data="+filepath.Join(base, "data"))
	post := func(path, contentType, body string) (status int, text string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", contentType)
		req.Header.Set("Prefer", "wait=60")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		all, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(all)
	}
	if status, text := post("/api/uploads/secret.csv", "text/csv", "a,b\n1,2\n"); status != http.StatusCreated {
		t.Fatalf("upload: got %d %s", status, text)
	}
	_, text := post("/api/jobs", "application/json", `{"kind":"checksum","id":"all","args":{"path":"`+base+`"}}`)
	if !strings.Contains(text, `"state":"completed"`) || !strings.Contains(text, `"result":{"files":1,`) {
		t.Errorf("got %s, want one file", text)
	}
	if _, sums := get(t, p.url+"/api/jobs/all/artifacts/SHA256SUMS"); !strings.HasSuffix(sums, "  mine\n") || strings.Count(sums, "\n") != 1 {
		t.Errorf("got sums\n%s", sums)
	}
	for _, body := range []string{`{"kind":"checksum","args":{"path":"data/files"}}`, `{"kind":"csv.profile","args":{"path":"` + base + `/data/files"}}`} {
		if status, text := post("/api/jobs", "application/json", body); status != http.StatusBadRequest || !strings.Contains(text, "outside of what jobs may read") {
			t.Errorf("%s: got %d %s", body, status, text)
		}
	}
}

func TestDataDirectoryIsFreeAfterKill(t *testing.T) {
	p := startServer(t)
	p.signal(syscall.SIGKILL)
	_ = p.wait(time.Minute) // it was killed
	again := startServer(t, "--data="+p.data)
	if status, body := get(t, again.url+"/readyz"); status != http.StatusOK {
		t.Errorf("got %d %s, want 200", status, body)
	}
}

func TestDamagedDataIsNotDropped(t *testing.T) {
	p := startServer(t)
	p.signal(syscall.SIGTERM)
	if err := p.wait(2 * time.Minute); err != nil {
		t.Fatal(err)
	}
	sum := filepath.Join(p.data, "jetstream", "jetstream", "$G", "streams", "JOBS_EV", "meta.sum")
	if err := os.Remove(sum); err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd := exec.Command(binary, "--listen=127.0.0.1:0", "--data="+p.data)
	cmd.Stderr = &stderr
	if err := cmd.Run(); err == nil {
		t.Error("a start on damaged data ended without an error")
	}
	want := "jobcast: the data directory " + p.data + " is damaged: stream JOBS_EV holds something and cannot be opened, see the log above; " +
		"restore the directory from a backup, or choose another with --data\n"
	if got := stderr.String(); !strings.HasSuffix(got, "\n"+want) || !strings.Contains(got, sum) {
		t.Errorf("stderr: got  %q\nwant at its end %q", got, want)
	}
}

func TestDrainEndsWhatWaits(t *testing.T) {
	p := startServer(t)
	_, hello := get(t, p.url+"/socket.io/?EIO=4&transport=polling")
	sid, _, _ := strings.Cut(strings.TrimPrefix(hello, `0{"sid":"`), `"`)
	poll := make(chan error, 1)
	connected := make(chan struct{})
	go func() {
		conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
		if err != nil {
			close(connected)
			poll <- err
			return
		}
		defer conn.Close()
		_, err = fmt.Fprintf(conn, "GET /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: localhost\r\n\r\n", sid)
		close(connected)
		if err == nil {
			_, err = http.ReadResponse(bufio.NewReader(conn), nil)
		}
		poll <- err
	}()
	<-connected
	// Nothing tells when the poll was taken in. Others are answered meanwhile, so that it has had time.
	for range 20 {
		get(t, p.url+"/healthz")
		time.Sleep(10 * time.Millisecond)
	}
	p.signal(syscall.SIGINT)
	if err := p.wait(time.Minute); err != nil {
		t.Errorf("got %v, want exit code 0: %s", err, p.stderr)
	}
	if err := <-poll; err != nil {
		t.Errorf("the pending poll: %v, want an answer", err)
	}
}

// A client that has stopped polling does not take what waits for it: a page that is frozen, or a notebook that
// sleeps.
func TestDrainEndsWellWithAClientThatDoesNotPoll(t *testing.T) {
	p := startServer(t)
	path := p.url + "/socket.io/?EIO=4&transport=polling"
	_, open := get(t, path)
	var session struct{ SID string }
	if err := json.Unmarshal([]byte(strings.TrimPrefix(open, "0")), &session); err != nil {
		t.Fatalf("got %s, %v, want a session", open, err)
	}
	answer, err := http.Post(path+"&sid="+session.SID, "text/plain", strings.NewReader("40"))
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("got %v, %v, want ok", answer, err)
	}
	answer.Body.Close()
	p.signal(syscall.SIGTERM)
	if err := p.wait(time.Minute); err != nil {
		t.Errorf("got %v, want exit code 0: %s", err, p.stderr)
	}
}

func TestDrainAnswersAVoteAndSaysGoodbye(t *testing.T) {
	p := startServer(t)
	voter, idle := dialRaw(t, p, "/ws/vote"), dialRaw(t, p, "/ws/echo")
	// The vote is on its way when the server is told to end.
	if err := wsutil.WriteClientText(voter, []byte("2")); err != nil {
		t.Fatal(err)
	}
	p.signal(syscall.SIGTERM)
	voter.SetReadDeadline(time.Now().Add(time.Minute))
	if got, err := wsutil.ReadServerText(voter); err != nil || string(got) != `{"uid":2,"name":"小康","count":201}` {
		t.Errorf("got %s, %v, want the vote's answer", got, err)
	}
	for _, conn := range []net.Conn{voter, idle} {
		conn.SetReadDeadline(time.Now().Add(time.Minute))
		f, err := ws.ReadFrame(conn)
		if code, _ := ws.ParseCloseFrameData(f.Payload); err != nil || f.Header.OpCode != ws.OpClose || code != ws.StatusGoingAway {
			t.Errorf("got %v %v, %v, want a goodbye with %d", f.Header, code, err, ws.StatusGoingAway)
		}
	}
	if err := p.wait(time.Minute); err != nil {
		t.Errorf("got %v, want exit code 0: %s", err, p.stderr)
	}
	again := startServer(t, "--data="+p.data)
	if _, body := get(t, again.url+"/api/vote"); !strings.Contains(body, `"count":201`) {
		t.Errorf("after a restart: got %s, want the vote in it", body)
	}
}

func dialRaw(t *testing.T, p *process, path string) net.Conn {
	t.Helper()
	conn, _, _, err := ws.Dial(t.Context(), strings.Replace(p.url, "http", "ws", 1)+path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestNamesOfOtherSitesAreNotServed(t *testing.T) {
	p := startServer(t, "--host=jobs.example")
	port := p.url[strings.LastIndex(p.url, ":"):]
	for _, path := range []string{"/", "/api/vote", "/socket.io/?EIO=4&transport=polling", "/nothing"} {
		for host, served := range map[string]bool{
			"127.0.0.1" + port: true, "localhost" + port: true, "[::1]" + port: true, "localhost": true, "Jobs.example.:443": true,
			"evil.example" + port: false, "localhost.evil.example": false, "127.0.0.1.evil.example": false,
		} {
			req, _ := http.NewRequestWithContext(t.Context(), "GET", p.url+path, nil)
			req.Host = host
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if got := resp.StatusCode != http.StatusMisdirectedRequest; got != served {
				t.Errorf("%s at %s: got %d %s", path, host, resp.StatusCode, body)
			} else if name, _, _ := strings.Cut(host, ":"); !served && !strings.Contains(string(body), "start it with --host "+name) {
				t.Errorf("%s at %s: got %s, which does not say what to do", path, host, body)
			}
		}
	}
}

// stuckUpload begins an upload that never ends, and returns when the server has begun to read it.
func stuckUpload(t *testing.T, p *process) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	// The server answers 100 when the handler first reads the body.
	_, err = fmt.Fprint(conn, "PUT /api/uploads/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "HTTP/1.1 100") {
		t.Fatalf("got %q, %v, want 100 Continue", line, err)
	}
}

func TestDrainIsBounded(t *testing.T) {
	p := startServer(t)
	stuckUpload(t, p)
	p.signal(syscall.SIGTERM)
	if err := p.wait(drainTime + time.Minute); err != nil {
		t.Errorf("got %v, want exit code 0: %s", err, p.stderr)
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	p := startServer(t)
	stuckUpload(t, p)
	p.signal(syscall.SIGTERM)
	p.stderr.await(t, "draining")
	p.signal(syscall.SIGTERM)
	err := p.wait(time.Minute)
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
		t.Errorf("got %v, want an end by the signal", err)
	}
}
