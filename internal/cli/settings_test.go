package cli

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// write makes a configuration file and returns its name.
func write(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "jobcast.toml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestMain removes the variables of whoever runs the tests: the tests set their own.
func TestMain(m *testing.M) {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "JOBCAST_") {
			_ = os.Unsetenv(name)
		}
	}
	os.Exit(m.Run())
}

func TestDefaults(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	got, err := Parse(nil, "0.0.0", io.Discard)
	want := Settings{
		Listen:         "127.0.0.1:8080",
		Origins:        []Origin{},
		Hosts:          []Host{},
		TrustedProxies: []Network{},
		Data:           Dir(filepath.Join(dir, "data")),
		Sync:           DiskSync(time.Second),
		Roots:          []Dir{Dir(dir)},
		MaxUpload:      4 << 30,
		Concurrency:    4,
		StartRate:      50,
		StartBurst:     200,
		MaxQueued:      1000,
		Keep:           Age(30 * day),
		KeepFailed:     Age(90 * day),
		KeepJobs:       100_000,
		MaxStore:       10 << 30,
		LogLevel:       0,
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("parse() = %+v, %v, want %+v", got, err, want)
	}
}

func TestFlagWinsOverEnvironmentOverFileOverDefault(t *testing.T) {
	file := write(t, `
		listen = "127.0.0.1:1"
		origin = ["https://file.example"]
		host = ["file.example"]
		trusted-proxy = "10.0.0.1"
		tls-cert = "/file/c"
		tls-key = "/file/k"
		webtransport = true
		data = "/file"
		node = "file-1"
		sync = "2s"
		root = ["/file,a", "/file b"]
		max-upload = 1000
		keep = "1h"
		keep-failed = "1h30m"
		keep-jobs = 51
		max-store = "1GiB"
		concurrency = 11
		start-rate = 21
		start-burst = 31
		max-queued = 41
		log-level = "warn"`)
	env := map[string]string{
		"JOBCAST_LISTEN":        "127.0.0.1:2",
		"JOBCAST_ORIGIN":        "https://a.example,https://b.example",
		"JOBCAST_HOST":          "a.example,b.example",
		"JOBCAST_TRUSTED_PROXY": "10.1.2.3/8,2001:db8::1",
		"JOBCAST_TLS_CERT":      "/env/c",
		"JOBCAST_TLS_KEY":       "/env/k",
		"JOBCAST_WEBTRANSPORT":  "false",
		"JOBCAST_DATA":          "/env",
		"JOBCAST_NODE":          "env_1",
		"JOBCAST_SYNC":          "3s",
		"JOBCAST_ROOT":          "/env,/env2",
		"JOBCAST_MAX_UPLOAD":    "2KB",
		"JOBCAST_CONCURRENCY":   "12",
		"JOBCAST_START_RATE":    "22",
		"JOBCAST_START_BURST":   "32",
		"JOBCAST_MAX_QUEUED":    "42",
		"JOBCAST_KEEP":          "2d",
		"JOBCAST_KEEP_FAILED":   "72h",
		"JOBCAST_KEEP_JOBS":     "52",
		"JOBCAST_MAX_STORE":     "2GiB",
		"JOBCAST_LOG_LEVEL":     "error",
	}
	flags := map[string][]string{
		"listen":        {"--listen=127.0.0.1:3"},
		"origin":        {"--origin", "*", "--origin", "http://c.example:81/"},
		"host":          {"--host", "*", "--host", "C.example."},
		"trusted-proxy": {"--trusted-proxy=::ffff:127.0.0.1", "--trusted-proxy", "fd00::/8"},
		"tls-cert":      {"--tls-cert", "/flag/c", "--tls-key", "/flag/k"},
		"tls-key":       {"--tls-key", "/flag/k", "--tls-cert", "/flag/c"},
		"webtransport":  {"--webtransport"},
		"data":          {"--data", "/flag"},
		"node":          {"--node=flag.1"},
		"sync":          {"--sync=always"},
		"root":          {"--root", "/flag", "--root=/flag2"},
		"max-upload":    {"--max-upload", "1.5 GiB"},
		"concurrency":   {"--concurrency=13"},
		"start-rate":    {"--start-rate=0"},
		"start-burst":   {"--start-burst=33"},
		"max-queued":    {"--max-queued=0"},
		"keep":          {"--keep=0"},
		"keep-failed":   {"--keep-failed", "0"},
		"keep-jobs":     {"--keep-jobs=0"},
		"max-store":     {"--max-store=3GiB"},
		"log-level":     {"--log-level=debug"},
	}
	tests := []struct {
		field                 string
		inFile, inEnv, asFlag any
		variable              string
		valueOf               func(Settings) any
	}{
		{"listen", Address("127.0.0.1:1"), Address("127.0.0.1:2"), Address("127.0.0.1:3"), "JOBCAST_LISTEN", func(s Settings) any { return s.Listen }},
		{"origin", []Origin{"https://file.example"}, []Origin{"https://a.example", "https://b.example"},
			[]Origin{"*", "http://c.example:81"}, "JOBCAST_ORIGIN", func(s Settings) any { return s.Origins }},
		{"host", []Host{"file.example"}, []Host{"a.example", "b.example"}, []Host{"*", "c.example"}, "JOBCAST_HOST",
			func(s Settings) any { return s.Hosts }},
		{"trusted-proxy", networks("10.0.0.1/32"), networks("10.0.0.0/8", "2001:db8::1/128"), networks("127.0.0.1/32", "fd00::/8"),
			"JOBCAST_TRUSTED_PROXY", func(s Settings) any { return s.TrustedProxies }},
		{"tls-cert", File("/file/c"), File("/env/c"), File("/flag/c"), "JOBCAST_TLS_CERT", func(s Settings) any { return s.TLSCert }},
		{"tls-key", File("/file/k"), File("/env/k"), File("/flag/k"), "JOBCAST_TLS_KEY", func(s Settings) any { return s.TLSKey }},
		{"webtransport", true, false, true, "JOBCAST_WEBTRANSPORT", func(s Settings) any { return s.WebTransport }},
		{"data", Dir("/file"), Dir("/env"), Dir("/flag"), "JOBCAST_DATA", func(s Settings) any { return s.Data }},
		{"node", NodeName("file-1"), NodeName("env_1"), NodeName("flag.1"), "JOBCAST_NODE", func(s Settings) any { return s.Node }},
		{"sync", DiskSync(2 * time.Second), DiskSync(3 * time.Second), DiskSync(0), "JOBCAST_SYNC", func(s Settings) any { return s.Sync }},
		{"root", []Dir{"/file,a", "/file b"}, []Dir{"/env", "/env2"}, []Dir{"/flag", "/flag2"}, "JOBCAST_ROOT",
			func(s Settings) any { return s.Roots }},
		{"max-upload", ByteSize(1000), ByteSize(2000), ByteSize(3 << 29), "JOBCAST_MAX_UPLOAD", func(s Settings) any { return s.MaxUpload }},
		{"concurrency", Count(11), Count(12), Count(13), "JOBCAST_CONCURRENCY", func(s Settings) any { return s.Concurrency }},
		{"start-rate", Limit(21), Limit(22), Limit(0), "JOBCAST_START_RATE", func(s Settings) any { return s.StartRate }},
		{"start-burst", Limit(31), Limit(32), Limit(33), "JOBCAST_START_BURST", func(s Settings) any { return s.StartBurst }},
		{"max-queued", Limit(41), Limit(42), Limit(0), "JOBCAST_MAX_QUEUED", func(s Settings) any { return s.MaxQueued }},
		{"keep", Age(time.Hour), Age(2 * day), Age(0), "JOBCAST_KEEP", func(s Settings) any { return s.Keep }},
		{"keep-failed", Age(90 * time.Minute), Age(3 * day), Age(0), "JOBCAST_KEEP_FAILED", func(s Settings) any { return s.KeepFailed }},
		{"keep-jobs", Limit(51), Limit(52), Limit(0), "JOBCAST_KEEP_JOBS", func(s Settings) any { return s.KeepJobs }},
		{"max-store", ByteSize(1 << 30), ByteSize(2 << 30), ByteSize(3 << 30), "JOBCAST_MAX_STORE", func(s Settings) any { return s.MaxStore }},
		{"log-level", LogLevel(4), LogLevel(8), LogLevel(-4), "JOBCAST_LOG_LEVEL", func(s Settings) any { return s.LogLevel }},
	}
	if _, keys := keys(); len(tests) != len(keys) {
		t.Errorf("%d settings are tested, want all of %v", len(tests), keys)
	}
	for _, tt := range tests {
		t.Run(tt.field, func(t *testing.T) {
			check := func(place string, want any, args ...string) {
				t.Helper()
				s, err := Parse(args, "0.0.0", io.Discard)
				if got := tt.valueOf(s); err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("%s from the %s: got %v, %v, want %v", tt.field, place, got, err, want)
				}
			}
			defaults, err := Parse(nil, "0.0.0", io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			check("file", tt.inFile, "--config", file)
			check("flag over file", tt.asFlag, append(flags[tt.field], "--config", file)...)
			t.Setenv(tt.variable, env[tt.variable])
			if strings.HasPrefix(tt.field, "tls-") { // one is no use without the other
				t.Setenv("JOBCAST_TLS_CERT", env["JOBCAST_TLS_CERT"])
				t.Setenv("JOBCAST_TLS_KEY", env["JOBCAST_TLS_KEY"])
			}
			check("environment", tt.inEnv)
			check("environment over file", tt.inEnv, "--config", file)
			check("flag over both", tt.asFlag, append([]string{"serve", "--config=" + file}, flags[tt.field]...)...)
			if reflect.DeepEqual(tt.valueOf(defaults), tt.inFile) {
				t.Errorf("the file says what the default is, %v: the test shows nothing", tt.inFile)
			}
		})
	}
	t.Run("config", func(t *testing.T) {
		t.Setenv("JOBCAST_CONFIG", file)
		s, err := Parse(nil, "0.0.0", io.Discard)
		if err != nil || s.Concurrency != 11 {
			t.Errorf("concurrency by JOBCAST_CONFIG: got %d, %v, want 11", s.Concurrency, err)
		}
	})
}

func networks(texts ...string) (all []Network) {
	for _, text := range texts {
		all = append(all, Network{netip.MustParsePrefix(text)})
	}
	return all
}

func TestWrongSettingsGetOneSentence(t *testing.T) {
	file := func(text string) []string { return []string{"--config", write(t, text)} }
	tests := []struct {
		name string
		args []string
		env  string // NAME=value
		want string // FILE stands for the file's name
	}{
		{"unknown flag", []string{"--lisen=x"}, "", `unknown flag --lisen, did you mean "--listen"; jobcast --help lists what there is`},
		{"unknown command", []string{"sevre"}, "", `unexpected argument sevre, did you mean "serve"; jobcast --help lists what there is`},
		{"no value", []string{"--listen"}, "", `--listen needs a value; jobcast --help lists what there is`},
		{"no value for a list", []string{"--root"}, "", `--root needs a value; jobcast --help lists what there is`},
		{"no file's name", []string{"--config"}, "", `--config needs a value; jobcast --help lists what there is`},
		{"address", []string{"--listen", "8080"}, "", `--listen must be an address such as 127.0.0.1:8080, not "8080"`},
		{"port", []string{"--listen", ":99999"}, "", `--listen must be an address such as 127.0.0.1:8080, not ":99999"`},
		{"empty address", nil, "JOBCAST_LISTEN=", `JOBCAST_LISTEN must be an address such as 127.0.0.1:8080, not ""`},
		{"origin", []string{"--origin", "example.com"}, "", `--origin must be an origin such as https://example.com, or *, not "example.com"`},
		{"origin with a path", nil, "JOBCAST_ORIGIN=https://a.example/x", `JOBCAST_ORIGIN must be an origin such as https://example.com, or *, not "https://a.example/x"`},
		{"proxy", []string{"--trusted-proxy=proxy.example"}, "", `--trusted-proxy must be an address such as 10.1.2.3, or a network such as 10.0.0.0/8, not "proxy.example"`},
		{"a network that is too long", nil, "JOBCAST_TRUSTED_PROXY=10.0.0.0/33", `JOBCAST_TRUSTED_PROXY must be an address such as 10.1.2.3, or a network such as 10.0.0.0/8, not "10.0.0.0/33"`},
		{"certificate without a key", []string{"--tls-cert=c.pem"}, "", `--tls-cert is no use without --tls-key`},
		{"key without a certificate", nil, "JOBCAST_TLS_KEY=k.pem", `JOBCAST_TLS_KEY is no use without --tls-cert`},
		{"webtransport in file", file("webtransport = 'yes'"), "", `FILE: webtransport has a value of the wrong type, yes`},
		{"data", []string{"--data="}, "", `--data must name a directory`},
		{"node", []string{"--node=web 1"}, "", `--node must be a name of 1 to 64 letters, digits, hyphens, underscores and dots, such as web-1, not "web 1"`},
		{"long node", nil, "JOBCAST_NODE=" + strings.Repeat("n", 65), `JOBCAST_NODE must be a name of 1 to 64 letters, digits, hyphens, underscores and dots, such as web-1, not "` + strings.Repeat("n", 65) + `"`},
		{"sync", nil, "JOBCAST_SYNC=often", `JOBCAST_SYNC must be always, or an interval from 10ms to 1h such as 1s, not "often"`},
		{"sync too often", []string{"--sync=1us"}, "", `--sync must be always, or an interval from 10ms to 1h such as 1s, not "1us"`},
		{"size", []string{"--max-upload=big"}, "", `--max-upload must be a size such as 500MB or 4GiB, not "big"`},
		{"negative size", []string{"--max-upload=-1"}, "", `--max-upload must be a size such as 500MB or 4GiB, not "-1"`},
		{"huge size", []string{"--max-upload=1e30"}, "", `--max-upload must be a size such as 500MB or 4GiB, not "1e30"`},
		{"not a size", []string{"--max-upload=NaN"}, "", `--max-upload must be a size such as 500MB or 4GiB, not "NaN"`},
		{"concurrency", nil, "JOBCAST_CONCURRENCY=0", `JOBCAST_CONCURRENCY must be a number from 1 to 1024, not "0"`},
		{"start rate", []string{"--start-rate=fast"}, "", `--start-rate must be a number from 1 to 1000000, or 0 for no limit, not "fast"`},
		{"start burst", nil, "JOBCAST_START_BURST=-1", `JOBCAST_START_BURST must be a number from 1 to 1000000, or 0 for no limit, not "-1"`},
		{"queued", file("max-queued = 1000001"), "", `FILE: max-queued must be a number from 1 to 1000000, or 0 for no limit, not "1000001"`},
		{"level", []string{"--log-level=loud"}, "", `--log-level must be debug, info, warn or error, not "loud"`},
		{"no file", []string{"--config", "/nowhere/x"}, "",
			`cannot read the configuration file /nowhere/x: no such file or directory; name another with --config`},
		{"unknown key", file("listen = '127.0.0.1:1'\nworkers = 4"), "",
			`FILE: unknown key "workers"; the keys are listen, origin, host, trusted-proxy, tls-cert, tls-key, webtransport, data, node, sync, root, max-upload, concurrency, start-rate, start-burst, max-queued, keep, keep-failed, keep-jobs, max-store, log-level`},
		{"a flag that is no setting", file("version = true"), "",
			`FILE: unknown key "version"; the keys are listen, origin, host, trusted-proxy, tls-cert, tls-key, webtransport, data, node, sync, root, max-upload, concurrency, start-rate, start-burst, max-queued, keep, keep-failed, keep-jobs, max-store, log-level`},
		{"no TOML", file("listen = "), "", `FILE:1:9: this is not TOML: expected value, not end of input`},
		{"value in file", file("concurrency = 0"), "", `FILE: concurrency must be a number from 1 to 1024, not "0"`},
		{"type in file", file("listen = true"), "", `FILE: listen has a value of the wrong type, true`},
		{"table in file", file("[listen]\nhost = 'a'"), "", `FILE: listen has a value of the wrong type, map[host:a]`},
		{"list in file", file("data = ['a', 'b']"), "", `FILE: data must be one value, not a list`},
		{"list of numbers", file("root = [1]"), "", `FILE: root must be a list of texts`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := tt.want
			if len(tt.args) == 2 {
				want = strings.Replace(want, "FILE", tt.args[1], 1)
			}
			if name, value, ok := strings.Cut(tt.env, "="); ok {
				t.Setenv(name, value)
			}
			var stdout bytes.Buffer
			_, err := Parse(tt.args, "0.0.0", &stdout)
			if e, ok := errors.AsType[*UsageError](err); !ok || e.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
			if stdout.Len() > 0 {
				t.Errorf("stdout: got %q, want nothing", &stdout)
			}
		})
	}
}

func TestPrintedConfigIsAConfig(t *testing.T) {
	args := []string{"--listen=[::1]:0", "--origin=*", "--origin=https://a.example", "--trusted-proxy=10.1.2.3/8", "--trusted-proxy=::1", "--data=some dir", "--node=n1", "--sync=always",
		"--webtransport", "--tls-cert=c.pem", "--tls-key=k.pem", `--root=a\,b`, `--root=c"d'`, "--max-upload=1234567", "--concurrency=7", "--start-rate=0", "--start-burst=9", "--max-queued=10", "--log-level=warn"}
	var first, second bytes.Buffer
	if _, err := Parse(append(args, "--print-config"), "0.0.0", &first); !errors.Is(err, ErrDone) {
		t.Fatalf("--print-config: %v", err)
	}
	file := write(t, first.String())
	t.Chdir(t.TempDir()) // it means the same everywhere
	if _, err := Parse([]string{"--print-config", "--config", file}, "0.0.0", &second); !errors.Is(err, ErrDone) {
		t.Fatalf("--print-config of %s: %v", &first, err)
	}
	if first.String() != second.String() {
		t.Errorf("got\n%s\nwant\n%s", &second, &first)
	}
	for _, want := range []string{"1234567B", "always", "a,b'", "concurrency = 7", "start-rate = 0", "start-burst = 9", "max-queued = 10", "'10.0.0.0/8', '::1/128'"} {
		if !strings.Contains(first.String(), want) {
			t.Errorf("no %q in\n%s", want, &first)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{
		"1": 1, "10B": 10, "1k": 1024, "1KB": 1000, "2kib": 2048, "500MB": 500e6, "1.5GiB": 3 << 29, "2 TiB": 2 << 40,
	} {
		var got ByteSize
		if err := got.UnmarshalText([]byte(text)); err != nil || int64(got) != want {
			t.Errorf("%q: got %d, %v, want %d", text, got, err, want)
		}
		var again ByteSize
		back, err := got.MarshalText()
		if err = errors.Join(err, again.UnmarshalText(back)); err != nil || again != got {
			t.Errorf("%q as %q: got %d, %v, want %d", text, back, again, err, got)
		}
	}
}

func TestVersionAndHelpNeedNoGoodSettings(t *testing.T) {
	t.Setenv("JOBCAST_SYNC", "nonsense")
	t.Setenv("JOBCAST_CONFIG", "/nowhere")
	for flag, want := range map[string][]string{
		"--version": {"jobcast 0.0.0\n"},
		"--help":    {"Examples:", "--max-upload", "$JOBCAST_LISTEN", "127.0.0.1:8080", "serve"},
	} {
		var stdout bytes.Buffer
		if _, err := Parse([]string{flag}, "0.0.0", &stdout); !errors.Is(err, ErrDone) {
			t.Errorf("%s: got %v, want nothing wrong", flag, err)
		}
		for _, text := range want {
			if !strings.Contains(stdout.String(), text) {
				t.Errorf("%s: no %q in\n%s", flag, text, &stdout)
			}
		}
	}
}

func TestFlagsHaveTheNamesOfSettings(t *testing.T) {
	for field, want := range map[string]string{"Roots": "--root", "TLSCert": "--tls-cert", "WebTransport": "--webtransport"} {
		if got := Flag(field); got != want {
			t.Errorf("%s: got %s, want %s", field, got, want)
		}
	}
}
