package app_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"jobcast/app"
	"jobcast/jobs"
	"jobcast/namespaces"
	"jobcast/socketio"
	"jobcast/socketio/client"
)

// A program of somebody else has a worker, a namespace and a page of its own.
func TestAServerOfOnesOwn(t *testing.T) {
	double := jobs.NewKind[int, int]("double")
	hello := socketio.NewCall[string, string]("hello")
	ended := false
	cfg := app.Config{
		Listen:  "127.0.0.1:0",
		Data:    filepath.Join(t.TempDir(), "data"),
		Workers: []jobs.Worker{double.Worker(nil, func(_ context.Context, _ *jobs.Run, n int) (int, error) { return 2 * n, nil })},
		Namespaces: append(slices.Clone(namespaces.All), namespaces.Namespace{Path: "/hello", Open: func(ns *socketio.Namespace, _ namespaces.Services) namespaces.Close {
			ns.Handle(hello.On(func(_ context.Context, _ *socketio.Socket, name string) (string, error) { return "hello " + name, nil }))
			return func(context.Context) error { ended = true; return nil }
		}}),
		Pages:  fstest.MapFS{"index.html": {Data: []byte("<!doctype html>mine")}},
		Logger: slog.New(slog.DiscardHandler),
	}
	s, err := app.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if body := get(t, s.URL()+"/"); !strings.Contains(body, "mine") {
		t.Errorf("the page: got %s", body)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+"/api/jobs", strings.NewReader(`{"kind":"double","args":21}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Prefer", "wait=60")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if resp.Body.Close(); err != nil || !strings.Contains(string(body), `"result":42`) {
		t.Errorf("the job: got %s, %v", body, err)
	}
	c := client.New(client.Config{URL: s.URL()})
	defer c.Close()
	socket := c.Of("/hello")
	if err := socket.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := client.Call(t.Context(), socket, hello, "Ada"); err != nil || got != "hello Ada" {
		t.Errorf("the namespace: got %q, %v", got, err)
	}
	c.Close()
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("Close: got %v", err)
		}
	}
	if !ended {
		t.Error("the namespace was not closed")
	}
	if _, err := http.Get(s.URL()); err == nil {
		t.Error("it answers after Close")
	}
	again, err := app.Start(t.Context(), cfg) // everything is free again
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := app.Run(ctx, app.Config{Listen: "127.0.0.1:0", Data: t.TempDir(), Logger: slog.New(slog.DiscardHandler)}); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestErrorsNameTheFieldOfConfig(t *testing.T) {
	_, err := app.Start(t.Context(), app.Config{Listen: "127.0.0.1:0", Data: t.TempDir(), Roots: []string{"/nowhere"}})
	want := "cannot read the root /nowhere: no such file or directory; name a directory that exists with Config.Roots"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestWrongConfigurationsAreRefused(t *testing.T) {
	for want, cfg := range map[string]app.Config{
		"Config.TLSCert is no use without Config.TLSKey":    {TLSKey: "key.pem"},
		"Config.Concurrency must not be negative, as -1 is": {Concurrency: -1},
		"Config.Sync must be 10ms at least, not 1ms":        {Sync: time.Millisecond},
	} {
		cfg.Listen, cfg.Data = "127.0.0.1:0", t.TempDir()
		if _, err := app.Start(t.Context(), cfg); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

func TestWaitEndsWithClose(t *testing.T) {
	s, err := app.Start(t.Context(), app.Config{Listen: "127.0.0.1:0", Data: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Wait(t.Context()) }()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("Wait: got %v", err)
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
