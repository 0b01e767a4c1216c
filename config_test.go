package main

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

func TestDefaults(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	got, err := parse(nil, io.Discard)
	want := settings{
		Listen:       "127.0.0.1:8080",
		Origin:       []string{},
		Host:         []string{},
		TrustedProxy: []netip.Prefix{},
		Data:         filepath.Join(dir, "data"),
		Sync:         diskSync(time.Second),
		Root:         []string{dir},
		MaxUpload:    4 << 30,
		Concurrency:  4,
		StartRate:    50,
		StartBurst:   200,
		MaxQueued:    1000,
		LogLevel:     0,
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
		sync = "2s"
		root = ["/file,a", "/file b"]
		max-upload = 1000
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
		"JOBCAST_SYNC":          "3s",
		"JOBCAST_ROOT":          "/env,/env2",
		"JOBCAST_MAX_UPLOAD":    "2KB",
		"JOBCAST_CONCURRENCY":   "12",
		"JOBCAST_START_RATE":    "22",
		"JOBCAST_START_BURST":   "32",
		"JOBCAST_MAX_QUEUED":    "42",
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
		"sync":          {"--sync=always"},
		"root":          {"--root", "/flag", "--root=/flag2"},
		"max-upload":    {"--max-upload", "1.5 GiB"},
		"concurrency":   {"--concurrency=13"},
		"start-rate":    {"--start-rate=0"},
		"start-burst":   {"--start-burst=33"},
		"max-queued":    {"--max-queued=0"},
		"log-level":     {"--log-level=debug"},
	}
	tests := []struct {
		field                 string
		inFile, inEnv, asFlag any
		variable              string
		valueOf               func(settings) any
	}{
		{"listen", "127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3", "JOBCAST_LISTEN", func(s settings) any { return s.Listen }},
		{"origin", []string{"https://file.example"}, []string{"https://a.example", "https://b.example"},
			[]string{"*", "http://c.example:81"}, "JOBCAST_ORIGIN", func(s settings) any { return s.Origin }},
		{"host", []string{"file.example"}, []string{"a.example", "b.example"}, []string{"*", "c.example"}, "JOBCAST_HOST",
			func(s settings) any { return s.Host }},
		{"trusted-proxy", networks("10.0.0.1/32"), networks("10.0.0.0/8", "2001:db8::1/128"), networks("127.0.0.1/32", "fd00::/8"),
			"JOBCAST_TRUSTED_PROXY", func(s settings) any { return s.TrustedProxy }},
		{"tls-cert", "/file/c", "/env/c", "/flag/c", "JOBCAST_TLS_CERT", func(s settings) any { return s.TLSCert }},
		{"tls-key", "/file/k", "/env/k", "/flag/k", "JOBCAST_TLS_KEY", func(s settings) any { return s.TLSKey }},
		{"webtransport", true, false, true, "JOBCAST_WEBTRANSPORT", func(s settings) any { return s.WebTransport }},
		{"data", "/file", "/env", "/flag", "JOBCAST_DATA", func(s settings) any { return s.Data }},
		{"sync", diskSync(2 * time.Second), diskSync(3 * time.Second), diskSync(0), "JOBCAST_SYNC", func(s settings) any { return s.Sync }},
		{"root", []string{"/file,a", "/file b"}, []string{"/env", "/env2"}, []string{"/flag", "/flag2"}, "JOBCAST_ROOT",
			func(s settings) any { return s.Root }},
		{"max-upload", byteSize(1000), byteSize(2000), byteSize(3 << 29), "JOBCAST_MAX_UPLOAD", func(s settings) any { return s.MaxUpload }},
		{"concurrency", 11, 12, 13, "JOBCAST_CONCURRENCY", func(s settings) any { return s.Concurrency }},
		{"start-rate", 21, 22, 0, "JOBCAST_START_RATE", func(s settings) any { return s.StartRate }},
		{"start-burst", 31, 32, 33, "JOBCAST_START_BURST", func(s settings) any { return s.StartBurst }},
		{"max-queued", 41, 42, 0, "JOBCAST_MAX_QUEUED", func(s settings) any { return s.MaxQueued }},
		{"log-level", logLevel(4), logLevel(8), logLevel(-4), "JOBCAST_LOG_LEVEL", func(s settings) any { return s.LogLevel }},
	}
	if len(tests) != len(configKeys) {
		t.Errorf("%d settings are tested, want all of %v", len(tests), configKeys)
	}
	for _, tt := range tests {
		t.Run(tt.field, func(t *testing.T) {
			check := func(place string, want any, args ...string) {
				t.Helper()
				s, err := parse(args, io.Discard)
				if got := tt.valueOf(s); err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("%s from the %s: got %v, %v, want %v", tt.field, place, got, err, want)
				}
			}
			defaults, err := parse(nil, io.Discard)
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
		s, err := parse(nil, io.Discard)
		if err != nil || s.Concurrency != 11 {
			t.Errorf("concurrency by JOBCAST_CONFIG: got %d, %v, want 11", s.Concurrency, err)
		}
	})
}

func networks(texts ...string) (all []netip.Prefix) {
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
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
			`FILE: unknown key "workers"; the keys are listen, origin, host, trusted-proxy, tls-cert, tls-key, webtransport, data, sync, root, max-upload, concurrency, start-rate, start-burst, max-queued, log-level`},
		{"a flag that is no setting", file("version = true"), "",
			`FILE: unknown key "version"; the keys are listen, origin, host, trusted-proxy, tls-cert, tls-key, webtransport, data, sync, root, max-upload, concurrency, start-rate, start-burst, max-queued, log-level`},
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
			var stdout, stderr bytes.Buffer
			code := run(tt.args, &stdout, &stderr)
			if got := stderr.String(); got != "jobcast: "+want+"\n" {
				t.Errorf("stderr: got  %q\nwant %q", got, "jobcast: "+want+"\n")
			}
			if code != 2 || stdout.Len() > 0 {
				t.Errorf("got exit code %d and stdout %q, want 2 and nothing", code, &stdout)
			}
		})
	}
}

func TestPrintedConfigIsAConfig(t *testing.T) {
	args := []string{"--listen=[::1]:0", "--origin=*", "--origin=https://a.example", "--trusted-proxy=10.1.2.3/8", "--trusted-proxy=::1", "--data=some dir", "--sync=always",
		"--webtransport", "--tls-cert=c.pem", "--tls-key=k.pem", `--root=a\,b`, `--root=c"d'`, "--max-upload=1234567", "--concurrency=7", "--start-rate=0", "--start-burst=9", "--max-queued=10", "--log-level=warn"}
	var first, second bytes.Buffer
	if _, err := parse(append(args, "--print-config"), &first); err != errDone {
		t.Fatalf("--print-config: %v", err)
	}
	file := write(t, first.String())
	t.Chdir(t.TempDir()) // it means the same everywhere
	if _, err := parse([]string{"--print-config", "--config", file}, &second); err != errDone {
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
		var got byteSize
		if err := got.UnmarshalText([]byte(text)); err != nil || int64(got) != want {
			t.Errorf("%q: got %d, %v, want %d", text, got, err, want)
		}
		var again byteSize
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
		"--version": {"jobcast " + version + "\n"},
		"--help":    {"Examples:", "--max-upload", "$JOBCAST_LISTEN", "127.0.0.1:8080", "serve"},
	} {
		var stdout, stderr bytes.Buffer
		code := run([]string{flag}, &stdout, &stderr)
		if code != 0 || stderr.Len() > 0 {
			t.Errorf("%s: got exit code %d and %q, want 0 and nothing", flag, code, &stderr)
		}
		for _, text := range want {
			if !strings.Contains(stdout.String(), text) {
				t.Errorf("%s: no %q in\n%s", flag, text, &stdout)
			}
		}
	}
}
