package docs

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"go/format"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"jobcast/jobs"
	"jobcast/socketio"
	"jobcast/socketio/client"
)

// limit is for what takes seconds on a machine that has nothing else to do.
const limit = 3 * time.Minute

// Code in the documents is whole files, as gofmt writes them.
func TestCodeIsFormatted(t *testing.T) {
	n := 0
	for _, document := range documents(t) {
		for _, b := range blocks(t, document, "go") {
			n++
			formatted, err := format.Source([]byte(b.text))
			if err != nil {
				t.Errorf("%s: %v", b.place, err)
				continue
			}
			if string(formatted) != b.text {
				t.Errorf("%s is not as gofmt writes it; want\n%s", b.place, formatted)
			}
			if !strings.Contains(b.text, "package ") {
				t.Errorf("%s is no whole file", b.place)
			}
			if b.title == "" && !strings.HasPrefix(b.text, "package main") && !strings.Contains(b.text, "\npackage main") {
				t.Errorf("%s is no program: say where it belongs, as in ```go title=\"events/greet.go\"", b.place)
			}
		}
	}
	if n < 5 {
		t.Errorf("found %d pieces of Go, want more: does the test still see them?", n)
	}
}

// The code in the documents works as it is printed. The README's recipe is put into the module; the programs
// are built beside it, and talk to a server that has it.
func TestCode(t *testing.T) {
	o := newOverlay(t)
	o.apply(blocks(t, "../README.md", "go", "diff"))
	server := startServer(t, o.build(t, ".", "jobcast"))
	t.Run("recipe", func(t *testing.T) { testRecipe(t, server) })
	for _, document := range documents(t) {
		for i, b := range blocks(t, document, "go") {
			if b.title == "" {
				name := fmt.Sprintf("program%d_%s", i, strings.TrimSuffix(filepath.Base(document), ".md"))
				t.Run(strings.TrimPrefix(b.place, "../"), func(t *testing.T) { testProgram(t, o, server, name, b.text) })
			}
		}
	}
}

// testRecipe lets another client hear the new event and see the new job.
func testRecipe(t *testing.T, server string) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	type greeting struct {
		Name string `json:"name"`
	}
	type greetAck struct {
		OK   bool   `json:"ok"`
		Text string `json:"text"`
	}
	greet, greeted := socketio.NewCall[greeting, greetAck]("greet"), socketio.NewEvent[greeting]("greeted")
	heard := make(chan greeting, 1)
	listener := connect(ctx, t, server, "/greet", func(s *client.Socket) {
		client.On(s, greeted, func(_ context.Context, g greeting) { heard <- g })
	})
	speaker := connect(ctx, t, server, "/greet", nil)
	if answer, err := client.Call(ctx, speaker, greet, greeting{"Ada"}); err != nil || answer != (greetAck{true, "hello Ada"}) {
		t.Fatalf("greet: got %+v, %v", answer, err)
	}
	select {
	case g := <-heard:
		if g.Name != "Ada" {
			t.Errorf("greeted: got %+v", g)
		}
	case <-ctx.Done():
		t.Error("the other client was not greeted")
	}
	_ = listener

	answer := post(ctx, t, server+"/api/jobs", `{"kind":"count","args":{"to":2}}`, http.Header{"Prefer": {"wait=60"}})
	var got struct{ Job jobs.Job }
	if err := json.Unmarshal(answer, &got); err != nil || got.Job.State != jobs.Completed {
		t.Fatalf("count: got %s, %v", answer, err)
	}
	if refused := post(ctx, t, server+"/api/jobs", `{"kind":"count","args":{"to":0}}`, http.Header{}); !bytes.Contains(refused, []byte("/args/to")) {
		t.Errorf("count to 0: got %s, want it refused", refused)
	}
}

// connect joins a namespace with the client in Go.
func connect(ctx context.Context, t *testing.T, server, namespace string, prepare func(*client.Socket)) *client.Socket {
	t.Helper()
	c := client.New(client.Config{URL: server})
	t.Cleanup(c.Close)
	s := c.Of(namespace)
	if prepare != nil {
		prepare(s)
	}
	if err := s.Connect(ctx); err != nil {
		t.Fatal(err)
	}
	return s
}

func post(ctx context.Context, t *testing.T, url, body string, header http.Header) []byte {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// testProgram builds and runs a program. One that serves on port 3000 must open a session for who asks; any
// other runs to its end beside the server, whose address it has from the document.
func testProgram(t *testing.T, o *overlay, server, name, text string) {
	port := freePort(t)
	text = strings.ReplaceAll(text, "http://127.0.0.1:8080", server)
	serves := strings.Contains(text, ":3000")
	text = strings.ReplaceAll(text, ":3000", ":"+port)
	o.add(filepath.Join("docs", name, "main.go"), text)
	program := o.build(t, "./docs/"+name, name)

	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, program)
	cmd.Dir = t.TempDir()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if serves {
		err := opensSession(ctx, "http://127.0.0.1:"+port+"/socket.io/?EIO=4&transport=polling")
		_ = cmd.Process.Kill() // it serves until it is killed
		_ = cmd.Wait()
		if err != nil {
			t.Errorf("%v; the program says\n%s", err, &out)
		}
		return
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v; the program says\n%s", err, &out)
	}
}

// opensSession asks until a server answers with the packet that opens a session.
func opensSession(ctx context.Context, url string) error {
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(r)
		if err == nil {
			body, err := io.ReadAll(answer.Body)
			answer.Body.Close()
			if err != nil || answer.StatusCode != http.StatusOK || !bytes.HasPrefix(body, []byte(`0{"sid":"`)) {
				return fmt.Errorf("got %s %q, %v", answer.Status, body, err) //nolint:errorlint // there may be no error
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// An overlay is the module with files that are not on the disk, or are different there.
type overlay struct {
	t     *testing.T
	root  string
	dir   string            // where its files are
	files map[string]string // what the go command shall read, for each path in the module
}

func newOverlay(t *testing.T) *overlay {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	return &overlay{t: t, root: root, dir: t.TempDir(), files: map[string]string{}}
}

func (o *overlay) add(name, text string) {
	o.t.Helper()
	file := filepath.Join(o.dir, strconv.Itoa(len(o.files))+".go")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		o.t.Fatal(err)
	}
	o.files[filepath.Join(o.root, name)] = file
}

// apply adds the files among the blocks, and makes their changes.
func (o *overlay) apply(all []block) {
	o.t.Helper()
	for _, b := range all {
		if b.title == "" {
			continue
		}
		if b.language == "go" {
			o.add(b.title, b.text)
			continue
		}
		source, err := os.ReadFile(filepath.Join(o.root, b.title))
		if err != nil {
			o.t.Fatal(err)
		}
		var before, after strings.Builder
		for l := range strings.Lines(b.text) {
			if l[0] != '+' {
				before.WriteString(l[1:])
			}
			if l[0] != '-' {
				after.WriteString(l[1:])
			}
		}
		if n := bytes.Count(source, []byte(before.String())); n != 1 {
			o.t.Fatalf("%s: the lines that are changed are %d times in %s, want once", b.place, n, b.title)
		}
		o.add(b.title, strings.Replace(string(source), before.String(), after.String(), 1))
	}
}

// build returns the program that is made of a package.
func (o *overlay) build(t *testing.T, pkg, name string) string {
	t.Helper()
	list, err := json.Marshal(map[string]any{"Replace": o.files})
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(o.dir, "overlay.json")
	if err := os.WriteFile(config, list, 0o644); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(o.dir, name)
	cmd := exec.Command("go", "build", "-overlay", config, "-o", program, pkg)
	cmd.Dir = o.root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

var listening = regexp.MustCompile(`listening on (http://[^,]+),`)

// startServer starts a program that is Jobcast, and returns its address.
func startServer(t *testing.T, program string) string {
	t.Helper()
	cmd := exec.Command(program, "--listen=127.0.0.1:0", "--data="+t.TempDir(), "--root="+t.TempDir())
	var log bytes.Buffer // read after the process has ended
	cmd.Stderr = &log
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server: %v\n%s", err, &log)
		}
	})
	first, err := bufio.NewReader(stdout).ReadString('\n')
	found := listening.FindStringSubmatch(first)
	if found == nil {
		t.Fatalf("the server says %q, %v", first, err)
	}
	return found[1]
}
