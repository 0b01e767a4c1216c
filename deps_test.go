package main

import (
	"os/exec"
	"strings"
	"testing"
)

// Who imports the protocol gets no web framework, no store and no other server of it: their modules are for the
// server that is built here. What only tests import does not count.
func TestLibrariesBringNoFramework(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "./socketio", "./engineio").Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := strings.Fields(string(out))
	if len(packages) < 50 {
		t.Fatalf("got %d packages, want all that the two need", len(packages))
	}
	for _, p := range packages {
		for _, unwanted := range []string{"github.com/googollee/go-socket.io", "github.com/labstack/echo", "github.com/nats-io/"} {
			if strings.HasPrefix(p, unwanted) {
				t.Errorf("socketio or engineio needs %s", p)
			}
		}
	}
}
