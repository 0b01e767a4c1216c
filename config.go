package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/pelletier/go-toml/v2"
)

// settings are what the server runs with. Marshalled as TOML they are a configuration file.
type settings struct {
	Listen string   `toml:"listen"`
	Origin []string `toml:"origin"`
	Host   []string `toml:"host"`

	TrustedProxy []netip.Prefix `toml:"trusted-proxy"`

	TLSCert      string `toml:"tls-cert"`
	TLSKey       string `toml:"tls-key"`
	WebTransport bool   `toml:"webtransport"`

	Data        string   `toml:"data"`
	Sync        diskSync `toml:"sync"`
	Root        []string `toml:"root"`
	MaxUpload   byteSize `toml:"max-upload"`
	Concurrency int      `toml:"concurrency"`
	StartRate   int      `toml:"start-rate"`
	StartBurst  int      `toml:"start-burst"`
	MaxQueued   int      `toml:"max-queued"`
	LogLevel    logLevel `toml:"log-level"`
}

// flags are the settings as they are typed, on the command line, in the environment or in a file: the
// text is kept until it is known where it came from, so that a wrong one can be named by its place.
type flags struct {
	Listen string   `group:"Server" default:"127.0.0.1:8080" env:"JOBCAST_LISTEN" help:"Address to listen on; port 0 takes a free one."`
	Origin []string `group:"Server" placeholder:"ORIGIN" sep:"," env:"JOBCAST_ORIGIN" help:"Other site whose pages may connect a socket, such as https://example.com, or * for all. Repeatable."`
	Host   []string `group:"Server" placeholder:"NAME" sep:"," env:"JOBCAST_HOST" help:"Name that browsers may ask this server by, beside localhost and addresses, or * for any. Any will do unless it listens on this machine only, or one is given. Repeatable."`

	TrustedProxy []string `group:"Server" placeholder:"ADDRESS" sep:"," env:"JOBCAST_TRUSTED_PROXY" help:"Address or network, such as 10.0.0.0/8, of a proxy that is believed whom it speaks for, by Forwarded or X-Forwarded-For. Without it all who come through a proxy count as one. Repeatable."`

	TLSCert      string `name:"tls-cert" group:"Server" placeholder:"FILE" env:"JOBCAST_TLS_CERT" help:"Certificate chain, in PEM: speak HTTPS with it."`
	TLSKey       string `name:"tls-key" group:"Server" placeholder:"FILE" env:"JOBCAST_TLS_KEY" help:"Key of the certificate, in PEM."`
	WebTransport bool   `name:"webtransport" group:"Server" env:"JOBCAST_WEBTRANSPORT" help:"Serve WebTransport too (HTTP/3), on the UDP port of the same number. Without --tls-cert the certificate is one for development."`

	Data        string   `group:"Jobs" default:"./data" env:"JOBCAST_DATA" help:"Directory that holds everything the server must not forget. Made if missing."`
	Sync        string   `group:"Jobs" default:"1s" env:"JOBCAST_SYNC" help:"How often writes are forced to disk: an interval such as 1s, or always."`
	Root        []string `group:"Jobs" placeholder:"DIR" sep:"," env:"JOBCAST_ROOT" help:"Directory that jobs may read. Repeatable; the working directory if there is none."`
	MaxUpload   string   `group:"Jobs" default:"4GiB" env:"JOBCAST_MAX_UPLOAD" help:"Largest upload, such as 500MB or 4GiB."`
	Concurrency string   `group:"Jobs" default:"4" env:"JOBCAST_CONCURRENCY" help:"Jobs that run at once."`
	StartRate   string   `group:"Jobs" default:"50" env:"JOBCAST_START_RATE" help:"Jobs that may be started from one address in a second, over HTTP and sockets together; 0 means any number."`
	StartBurst  string   `group:"Jobs" default:"200" env:"JOBCAST_START_BURST" help:"Jobs that may be started from one address at once, after a pause; 0 means any number."`
	MaxQueued   string   `group:"Jobs" default:"1000" env:"JOBCAST_MAX_QUEUED" help:"Jobs started from one address that may wait to be run; 0 means any number."`

	Config      configFile  `group:"Settings" placeholder:"FILE" env:"JOBCAST_CONFIG" help:"TOML file with settings, one key for each flag of the groups above and --log-level."`
	LogLevel    string      `group:"Settings" default:"info" env:"JOBCAST_LOG_LEVEL" help:"Least level that is logged: debug, info, warn or error."`
	PrintConfig bool        `group:"Settings" help:"Print the settings in force as TOML, fit for --config, and exit."`
	Version     versionFlag `group:"Settings" help:"Print the version and exit."`

	Serve struct{} `cmd:"" default:"1" help:"Run the server. This is what happens without a command."`
}

// describe is what --help says first. The indented lines are kept as they are.
const describe = `Socket.IO server with durable long-running jobs.

A flag wins over its environment variable, that over the configuration file, and that over the default.

Examples:

  jobcast                                     serve this directory at http://127.0.0.1:8080
  jobcast --root /srv/files --data /var/lib/jobcast
  JOBCAST_LISTEN=127.0.0.1:9000 jobcast serve
  jobcast --print-config > jobcast.toml && jobcast --config jobcast.toml
`

// A usageError is a mistake in what was typed; the exit code tells it from a failure.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

// errDone ends the program without a failure: what was asked for has been printed.
var errDone = errors.New("done")

type versionFlag bool

// BeforeReset answers before any setting is read: a wrong one must not hide the version.
func (versionFlag) BeforeReset(app *kong.Kong) error {
	fmt.Fprintln(app.Stdout, "jobcast", version)
	return errDone
}

// parse reads the settings. It returns errDone after --help, --version and --print-config, and a
// *usageError, of one sentence, for what is wrong.
func parse(args []string, stdout io.Writer) (s settings, err error) {
	var f flags
	exited := new(int) // what kong's exit panics with
	parser, err := kong.New(&f,
		kong.Name("jobcast"),
		kong.Description(describe),
		kong.Writers(stdout, io.Discard),
		kong.Exit(func(int) { panic(exited) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 110}),
	)
	if err != nil {
		return s, err
	}
	defer func() { // --help exits in the middle of Parse
		if p := recover(); p == exited {
			err = errDone
		} else if p != nil {
			panic(p)
		}
	}()
	ctx, err := parser.Parse(args)
	switch {
	case errors.Is(err, errDone):
		return s, errDone
	case err != nil:
		if e, ok := errors.AsType[*usageError](err); ok {
			return s, e
		}
		text := strings.TrimSuffix(err.Error(), "?")
		// kong has no typed errors, and its own words for this one are those of a parser.
		if flag, rest, _ := strings.Cut(text, ": "); strings.Contains(rest, "EOL") || strings.HasPrefix(rest, "missing value") {
			text = flag + " needs a value"
		}
		return s, &usageError{text + "; jobcast --help lists what there is"}
	}
	if s, err = f.settings(ctx); err != nil {
		return s, err
	}
	if f.PrintConfig {
		text, err := toml.Marshal(s)
		if err != nil {
			return s, err
		}
		if _, err = stdout.Write(text); err != nil {
			return s, err
		}
		return s, errDone
	}
	return s, nil
}

// settings checks what was typed.
func (f *flags) settings(ctx *kong.Context) (settings, error) {
	s := settings{Origin: []string{}, Host: []string{}, TrustedProxy: []netip.Prefix{}, Root: []string{}}
	var failed error
	check := func(flag string, err error) {
		if err != nil && failed == nil {
			failed = &usageError{source(ctx, f.Config, flag) + " " + err.Error()}
		}
	}
	var err error
	s.Listen, err = parseAddress(f.Listen)
	check("listen", err)
	for _, text := range f.Origin {
		origin, err := parseOrigin(text)
		check("origin", err)
		s.Origin = append(s.Origin, origin)
	}
	for _, text := range f.Host {
		host, err := parseHost(text)
		check("host", err)
		s.Host = append(s.Host, host)
	}
	for _, text := range f.TrustedProxy {
		network, err := parseNetwork(text)
		check("trusted-proxy", err)
		s.TrustedProxy = append(s.TrustedProxy, network)
	}
	s.TLSCert, err = parseFile(f.TLSCert, f.TLSKey, "--tls-key")
	check("tls-cert", err)
	s.TLSKey, err = parseFile(f.TLSKey, f.TLSCert, "--tls-cert")
	check("tls-key", err)
	s.WebTransport = f.WebTransport
	s.Data, err = parseDir(f.Data)
	check("data", err)
	check("sync", s.Sync.UnmarshalText([]byte(f.Sync)))
	if len(f.Root) == 0 {
		f.Root = []string{"."}
	}
	for _, text := range f.Root {
		root, err := parseDir(text)
		check("root", err)
		s.Root = append(s.Root, root)
	}
	check("max-upload", s.MaxUpload.UnmarshalText([]byte(f.MaxUpload)))
	s.Concurrency, err = parseConcurrency(f.Concurrency)
	check("concurrency", err)
	s.StartRate, err = parseLimit(f.StartRate)
	check("start-rate", err)
	s.StartBurst, err = parseLimit(f.StartBurst)
	check("start-burst", err)
	s.MaxQueued, err = parseLimit(f.MaxQueued)
	check("max-queued", err)
	check("log-level", s.LogLevel.UnmarshalText([]byte(f.LogLevel)))
	return s, failed
}

// source names the place that a setting came from.
func source(ctx *kong.Context, file configFile, name string) string {
	for _, path := range ctx.Path {
		if path.Flag != nil && path.Flag.Name == name {
			if path.Resolved {
				return string(file) + ": " + name
			}
			return "--" + name
		}
	}
	return "JOBCAST_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

func parseAddress(text string) (string, error) {
	_, port, err := net.SplitHostPort(text)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return "", fmt.Errorf("must be an address such as 127.0.0.1:8080, not %q", text)
	}
	return text, nil
}

func parseOrigin(text string) (string, error) {
	u, err := url.Parse(text)
	if text == "*" || err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" &&
		strings.TrimSuffix(text, "/") == u.Scheme+"://"+u.Host {
		return strings.TrimSuffix(text, "/"), nil
	}
	return "", fmt.Errorf("must be an origin such as https://example.com, or *, not %q", text)
}

func parseHost(text string) (string, error) {
	host := strings.ToLower(strings.TrimSuffix(text, "."))
	if host == "" || host != "*" && strings.ContainsAny(host, ":/*@[] ") {
		return "", fmt.Errorf("must be a name such as jobs.example.com, without a port, or *, not %q", text)
	}
	return host, nil
}

// parseNetwork reads a network, or an address, which is a network of one.
func parseNetwork(text string) (netip.Prefix, error) {
	network, err := netip.ParsePrefix(text)
	if addr, e := netip.ParseAddr(text); e == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		network, err = netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	if err != nil || network.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("must be an address such as 10.1.2.3, or a network such as 10.0.0.0/8, not %q", text)
	}
	return network.Masked(), nil
}

// parseDir makes a path absolute, so that --print-config means the same wherever it is used.
func parseDir(text string) (string, error) {
	if text == "" {
		return "", errors.New("must name a directory")
	}
	return filepath.Abs(text)
}

// parseFile makes a path absolute, as parseDir does. It is no use without the other file.
func parseFile(text, other, flag string) (string, error) {
	switch {
	case text == "":
		return "", nil
	case other == "":
		return "", fmt.Errorf("is no use without %s", flag)
	}
	return filepath.Abs(text)
}

const maxConcurrency = 1024

func parseConcurrency(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxConcurrency {
		return 0, fmt.Errorf("must be a number from 1 to %d, not %q", maxConcurrency, text)
	}
	return n, nil
}

const maxLimit = 1_000_000

// parseLimit reads a bound; 0 is none.
func parseLimit(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > maxLimit {
		return 0, fmt.Errorf("must be a number from 1 to %d, or 0 for no limit, not %q", maxLimit, text)
	}
	return n, nil
}

// diskSync is how often the store is synced to disk; zero means after every write.
type diskSync time.Duration

func (d *diskSync) UnmarshalText(text []byte) error {
	if string(text) == "always" {
		*d = 0
		return nil
	}
	interval, err := time.ParseDuration(string(text))
	if err != nil || interval < 10*time.Millisecond || interval > time.Hour {
		return fmt.Errorf("must be always, or an interval from 10ms to 1h such as 1s, not %q", text)
	}
	*d = diskSync(interval)
	return nil
}

func (d diskSync) String() string {
	if d == 0 {
		return "always"
	}
	return time.Duration(d).String()
}

func (d diskSync) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// byteSize is a number of bytes that a person writes with a unit.
type byteSize int64

var byteUnits = []struct {
	name  string
	bytes int64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12},
	{"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {"t", 1 << 40},
	{"b", 1},
}

func (b *byteSize) UnmarshalText(text []byte) error {
	number, unit := strings.ToLower(strings.TrimSpace(string(text))), int64(1)
	for _, u := range byteUnits {
		if n, ok := strings.CutSuffix(number, u.name); ok {
			number, unit = strings.TrimSpace(n), u.bytes
			break
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	bytes := n * float64(unit)
	if err != nil || !(bytes >= 1 && bytes < math.MaxInt64) {
		return fmt.Errorf("must be a size such as 500MB or 4GiB, not %q", text)
	}
	*b = byteSize(bytes)
	return nil
}

func (b byteSize) MarshalText() ([]byte, error) {
	for _, unit := range []struct {
		name  string
		bytes byteSize
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if b >= unit.bytes && b%unit.bytes == 0 {
			return fmt.Appendf(nil, "%d%s", b/unit.bytes, unit.name), nil
		}
	}
	return fmt.Appendf(nil, "%dB", b), nil
}

type logLevel slog.Level

func (l *logLevel) UnmarshalText(text []byte) error {
	i := slices.Index(levelNames, string(text))
	if i < 0 {
		return fmt.Errorf("must be debug, info, warn or error, not %q", text)
	}
	*l = logLevel(levels[i])
	return nil
}

func (l logLevel) MarshalText() ([]byte, error) {
	return []byte(strings.ToLower(slog.Level(l).String())), nil
}

var (
	levelNames = []string{"debug", "info", "warn", "error"}
	levels     = []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}
)

// configFile is a flag whose value names a file with values for the others.
type configFile string

// BeforeResolve reads the file.
func (configFile) BeforeResolve(ctx *kong.Context, path *kong.Path) error {
	name := string(ctx.FlagValue(path.Flag).(configFile))
	values, err := readConfig(name)
	if err != nil {
		return &usageError{err.Error()}
	}
	for key, value := range values {
		if !slices.Contains(configKeys, key) {
			return &usageError{fmt.Sprintf("%s: unknown key %q; the keys are %s", name, key, strings.Join(configKeys, ", "))}
		}
		if values[key], err = textOf(value, slices.Contains(listKeys, key), key == "webtransport"); err != nil {
			return &usageError{fmt.Sprintf("%s: %s %v", name, key, err)}
		}
	}
	ctx.AddResolver(kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		for _, env := range flag.Envs {
			if _, ok := os.LookupEnv(env); ok {
				return nil, nil // the environment wins over the file
			}
		}
		return values[flag.Name], nil
	}))
	return nil
}

// configKeys are the keys of a configuration file: those of settings.
var configKeys = []string{"listen", "origin", "host", "trusted-proxy", "tls-cert", "tls-key", "webtransport", "data", "sync", "root", "max-upload", "concurrency",
	"start-rate", "start-burst", "max-queued", "log-level"}

// listKeys are those that may have more than one value.
var listKeys = []string{"origin", "host", "trusted-proxy", "root"}

func readConfig(name string) (map[string]any, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read the configuration file %s: %w; name another with --config", name, reason(err))
	}
	values := make(map[string]any)
	if err := toml.Unmarshal(text, &values); err != nil {
		if e, ok := errors.AsType[*toml.DecodeError](err); ok {
			row, column := e.Position()
			return nil, fmt.Errorf("%s:%d:%d: this is not TOML: %s", name, row, column, strings.TrimPrefix(e.Error(), "toml: "))
		}
		return nil, fmt.Errorf("%s: this is not TOML: %w", name, err)
	}
	return values, nil
}

// textOf turns a TOML value into what would be typed on the command line. A flag is on or off.
func textOf(value any, list, flag bool) (any, error) {
	switch v := value.(type) {
	case string:
		if list {
			return []any{v}, nil
		}
		if !flag {
			return v, nil
		}
	case []any:
		if !list {
			return nil, errors.New("must be one value, not a list")
		}
		for _, element := range v {
			if _, ok := element.(string); !ok {
				return nil, errors.New("must be a list of texts")
			}
		}
		return v, nil
	case int64:
		if !list && !flag {
			return strconv.FormatInt(v, 10), nil
		}
	case bool:
		if flag {
			return v, nil
		}
	}
	return nil, fmt.Errorf("has a value of the wrong type, %v", value)
}
