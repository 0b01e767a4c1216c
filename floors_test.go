package main

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// floors says, for each package, the whole of what it may import outside the standard library. Nothing
// imports upward or sideways. A name that ends with a slash stands for all below it.
var floors = map[string][]string{
	"internal/cli":               {"engineio/cors", "jobs", "github.com/alecthomas/kong", "github.com/pelletier/go-toml/v2"},
	"internal/coding":            {"github.com/klauspost/compress/gzip", "github.com/klauspost/compress/zlib"},
	"engineio/cors":              {},
	"engineio/internal/deadline": {},
	"engineio/internal/gate":     {"internal/coding", "engineio/cors", "internal/websocket/opening"},
	"engineio/internal/netconn":  {"golang.org/x/sys/unix"},
	"internal/websocket/opening": {},
	"engineio/internal/outbox":   {"engineio/parser", "internal/websocket/wsframe", "engineio/internal/wtframe", "github.com/gobwas/ws"},
	"engineio/parser":            {},
	"internal/websocket/wsframe": {"github.com/gobwas/httphead", "github.com/gobwas/ws", "github.com/gobwas/ws/wsflate"},
	"engineio/internal/wtframe":  {"engineio/parser"},
	"socketio/internal/parser":   {},
	"socketio/internal/work":     {},

	"internal/systems/chat":    {"internal/systems/journal", "internal/limit", "golang.org/x/time/rate"},
	"internal/systems/compare": {},
	"engineio": {"engineio/internal/deadline", "engineio/cors", "engineio/internal/gate", "engineio/internal/netconn", "internal/websocket/opening", "engineio/internal/outbox",
		"engineio/parser", "internal/websocket/wsframe", "engineio/internal/wtframe", "github.com/gobwas/ws"},
	"engineio/webtransport":      {"github.com/quic-go/quic-go", "github.com/quic-go/quic-go/http3", "github.com/quic-go/webtransport-go"},
	"jobs":                       {"jobs/internal/schema", "jobs/internal/text"},
	"jobs/engine":                {"jobs", "jobs/files", "jobs/engine/internal/index", "jobs/engine/internal/lines", "jobs/engine/internal/ready", "jobs/engine/internal/ticks", "jobs/internal/text", "internal/limit", "github.com/oklog/ulid/v2"},
	"jobs/engine/internal/index": {"jobs"},
	"jobs/engine/internal/lines": {"jobs"},
	"jobs/engine/internal/ready": {"jobs"},
	"jobs/engine/internal/ticks": {"github.com/netresearch/go-cron"},
	"jobs/files":                 {"jobs"},
	"jobs/internal/schema":       {"github.com/invopop/jsonschema"},
	"jobs/internal/text":         {},
	"jobs/jobstest":              {"jobs"},
	"jobs/memory":                {"jobs"},
	"internal/limit":             {"golang.org/x/time/rate"},
	"internal/systems/journal":   {},
	"internal/systems/vote":      {"internal/systems/journal", "internal/limit", "golang.org/x/time/rate"},
	"internal/websocket":         {"engineio/cors", "internal/websocket/opening", "internal/websocket/wsframe", "github.com/gobwas/ws"},
	"web":                        {"internal/coding", "internal/systems/chat", "internal/systems/compare", "jobs", "jobs/engine", "jobs/files", "internal/limit", "internal/systems/vote", "internal/websocket", "github.com/labstack/echo/v4"},

	"socketio/internal/attach":  {"socketio/internal/parser"},
	"socketio/internal/msgpack": {"socketio/internal/parser"},
	"socketio/bundle":           {"internal/coding", "engineio/cors"},
	"socketio":                  {"engineio", "socketio/internal/attach", "socketio/bundle", "socketio/internal/msgpack", "socketio/internal/parser", "socketio/internal/work"},

	// It needs the server's events, whose types both sides share, and nothing of its inside.
	"socketio/client": {"engineio/parser", "socketio", "socketio/internal/msgpack", "socketio/internal/parser", "github.com/gobwas/ws", "github.com/gobwas/ws/wsutil"},

	// Tests only: that the code in the documents works.
	"docs": {},

	"events":  {"internal/systems/chat", "internal/systems/compare", "jobs", "socketio", "internal/systems/vote"},
	"workers": {"jobs", "workers/csv", "workers/internal/names"},

	"workers/csv":            {"workers/internal/names", "github.com/axiomhq/hyperloglog"},
	"workers/internal/names": {},

	"app": {"engineio", "engineio/cors", "engineio/webtransport", "internal/limit", "internal/natsio", "internal/systems/chat", "internal/systems/compare", "internal/systems/vote",
		"jobs", "jobs/engine", "jobs/files", "namespaces", "public", "socketio", "socketio/bundle", "web", "workers", "golang.org/x/sys/unix"},
	"public": {},

	"namespaces":      {"internal/systems/chat", "internal/systems/compare", "events", "jobs", "jobs/engine", "internal/limit", "socketio", "internal/systems/vote", "workers", "golang.org/x/time/rate"},
	"internal/natsio": {"jobs", "internal/systems/journal", "github.com/nats-io/"},

	// The generator reads events as source.
	"events/generate": {},

	// Programs beside the server, for measuring and for the official suites.
	"bench/":              {"engineio", "engineio/cors", "socketio", "github.com/googollee/go-socket.io", "github.com/googollee/go-socket.io/"},
	"interop/goclient":    {"socketio", "socketio/client"},
	"interop/suiteserver": {"engineio", "engineio/cors", "socketio"},
	"interop/old/server":  {"engineio", "engineio/webtransport", "socketio"},
	"interop/old":         {}, // tests only: go-socket.io's client
}

const module = "jobcast"

func TestFloors(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var pkg struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&pkg); err != nil {
			t.Fatal(err)
		}
		if pkg.ImportPath == module {
			continue // main wires everything together
		}
		name := strings.TrimPrefix(pkg.ImportPath, module+"/")
		granted, ok := grants(name)
		if !ok {
			t.Errorf("package %s has no floor", name)
		}
		for _, imp := range pkg.Imports {
			first, _, _ := strings.Cut(imp, "/")
			if first != module && !strings.Contains(first, ".") {
				continue // standard library
			}
			if short := strings.TrimPrefix(imp, module+"/"); !slices.ContainsFunc(granted, func(g string) bool { return matches(g, short) }) {
				t.Errorf("%s imports %s, which its floor does not grant", name, short)
			}
		}
	}
}

func grants(pkg string) ([]string, bool) {
	for name, granted := range floors {
		if matches(name, pkg) {
			return granted, true
		}
	}
	return nil, false
}

func matches(pattern, name string) bool {
	return name == pattern || strings.HasSuffix(pattern, "/") && strings.HasPrefix(name, pattern)
}
