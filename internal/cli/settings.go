// Package cli reads the settings of the program: flags, environment variables and a configuration file in TOML. A
// setting is one field of Settings: its flag, its variable, its key in the file, its line in --help and its check all
// come from the field's name, tags and type. The package knows nothing of what the settings are for. It runs no
// goroutine.
package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/pelletier/go-toml/v2"
)

// Settings are what the server runs with. Marshalled as TOML they are a configuration file.
//
// The key in TOML is the setting's name: the flag is --NAME, the environment variable JOBCAST_NAME in capitals with an
// underscore for each hyphen. The other tags are kong's. A field's type is bool, a type that reads and checks its text
// (encoding.TextUnmarshaler), or a slice of such a type for a flag that can be repeated.
type Settings struct {
	Listen  Address  `toml:"listen" group:"Server" default:"127.0.0.1:8080" help:"Address to listen on; port 0 takes a free one."`
	Origins []Origin `toml:"origin" group:"Server" placeholder:"ORIGIN" help:"Other site whose pages may connect a socket, such as https://example.com, or * for all. Repeatable."`
	Hosts   []Host   `toml:"host" group:"Server" placeholder:"NAME" help:"Name that browsers may ask this server by, beside localhost and addresses, or * for any. Any will do unless it listens on this machine only, or one is given. Repeatable."`

	TrustedProxies []Network `toml:"trusted-proxy" group:"Server" placeholder:"ADDRESS" help:"Address or network, such as 10.0.0.0/8, of a proxy that is believed whom it speaks for, by Forwarded or X-Forwarded-For. Without it all who come through a proxy count as one. Repeatable."`

	TLSCert      File `toml:"tls-cert" group:"Server" placeholder:"FILE" help:"Certificate chain, in PEM: speak HTTPS with it."`
	TLSKey       File `toml:"tls-key" group:"Server" placeholder:"FILE" help:"Key of the certificate, in PEM."`
	WebTransport bool `toml:"webtransport" group:"Server" help:"Serve WebTransport too (HTTP/3), on the UDP port of the same number. Without --tls-cert the certificate is one for development."`

	Data        Dir      `toml:"data" group:"Jobs" default:"./data" help:"Directory that holds everything the server must not forget. Made if missing."`
	Node        NodeName `toml:"node" group:"Jobs" placeholder:"NAME" help:"Name of this server in the story of its jobs; no other may have it. Without it one is made at the first start and kept in the data directory."`
	Sync        DiskSync `toml:"sync" group:"Jobs" default:"1s" help:"How often writes are forced to disk: an interval such as 1s, or always."`
	Roots       []Dir    `toml:"root" group:"Jobs" placeholder:"DIR" help:"Directory that jobs may read. Repeatable; the working directory if there is none."`
	MaxUpload   ByteSize `toml:"max-upload" group:"Jobs" default:"4GiB" help:"Largest upload, such as 500MB or 4GiB."`
	Concurrency Count    `toml:"concurrency" group:"Jobs" default:"4" help:"Jobs that run at once."`
	StartRate   Limit    `toml:"start-rate" group:"Jobs" default:"50" help:"Jobs that may be started from one address in a second, over HTTP and sockets together; 0 means any number."`
	StartBurst  Limit    `toml:"start-burst" group:"Jobs" default:"200" help:"Jobs that may be started from one address at once, after a pause; 0 means any number."`
	MaxQueued   Limit    `toml:"max-queued" group:"Jobs" default:"1000" help:"Jobs started from one address that may wait to be run; 0 means any number."`
	Keep        Age      `toml:"keep" group:"Jobs" default:"30d" help:"How long a completed job is kept, such as 12h or 30d, unless its request or kind says it; 0 means for ever."`
	KeepFailed  Age      `toml:"keep-failed" group:"Jobs" default:"90d" help:"The same of a job that has failed or was cancelled."`
	KeepJobs    Limit    `toml:"keep-jobs" group:"Jobs" default:"100000" help:"Finished jobs that are kept; the oldest go first. 0 means any number."`
	MaxStore    ByteSize `toml:"max-store" group:"Jobs" default:"10GiB" help:"Size of the events of all jobs, of their texts and of their arguments, each. The oldest finished jobs go before it is full."`

	LogLevel LogLevel `toml:"log-level" group:"Settings" default:"info" help:"Least level that is logged: debug, info, warn or error."`
}

// others are the flags that are no settings, and the commands.
type others struct {
	Config      configFile  `group:"Settings" placeholder:"FILE" env:"JOBCAST_CONFIG" help:"TOML file with settings, one key for each flag of the groups above and --log-level."`
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

// A UsageError is a mistake in what was typed: one sentence, which names the place. The exit code tells it from a
// failure.
type UsageError struct{ text string }

func (e *UsageError) Error() string { return e.text }

// ErrDone ends the program without a failure: what was asked for has been printed.
var ErrDone = errors.New("done")

type versionFlag bool

// BeforeReset answers before any setting is read: a wrong one must not hide the version.
func (versionFlag) BeforeReset(app *kong.Kong, vars kong.Vars) error {
	fmt.Fprintln(app.Stdout, "jobcast", vars["version"])
	return ErrDone
}

// Parse reads the settings of args, which do not begin with the program's name, of the environment and of the file
// that they name. It returns ErrDone after --help, --version and --print-config, which it answers on stdout, and a
// *UsageError for what is wrong.
func Parse(args []string, version string, stdout io.Writer) (s Settings, err error) {
	typed := newTexts()
	exited := new(int) // what kong's exit panics with
	parser, err := kong.New(typed.grammar(),
		kong.Name("jobcast"),
		kong.Description(describe),
		kong.Vars{"version": version},
		kong.Writers(stdout, io.Discard),
		kong.Exit(func(int) { panic(exited) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 110}),
	)
	if err != nil {
		return s, err
	}
	defer func() { // --help exits in the middle of Parse
		if p := recover(); p == exited {
			err = ErrDone
		} else if p != nil {
			panic(p)
		}
	}()
	ctx, err := parser.Parse(args)
	switch {
	case errors.Is(err, ErrDone):
		return s, ErrDone
	case err != nil:
		if e, ok := errors.AsType[*UsageError](err); ok {
			return s, e
		}
		text := strings.TrimSuffix(err.Error(), "?")
		// kong has no typed errors, and its own words for this one are those of a parser.
		if flag, rest, _ := strings.Cut(text, ": "); strings.Contains(rest, "EOL") || strings.HasPrefix(rest, "missing value") {
			text = flag + " needs a value"
		}
		return s, &UsageError{text + "; jobcast --help lists what there is"}
	}
	if s, err = typed.settings(ctx); err != nil {
		return s, err
	}
	if typed.others().PrintConfig {
		text, err := toml.Marshal(s)
		if err != nil {
			return s, err
		}
		if _, err = stdout.Write(text); err != nil {
			return s, err
		}
		return s, ErrDone
	}
	return s, nil
}

// complete fills in what depends on more than one setting. place names where a setting came from.
func (s *Settings) complete(place func(name string) string) error {
	switch {
	case s.TLSCert != "" && s.TLSKey == "":
		return &UsageError{place("tls-cert") + " is no use without --tls-key"}
	case s.TLSKey != "" && s.TLSCert == "":
		return &UsageError{place("tls-key") + " is no use without --tls-cert"}
	}
	if len(s.Roots) > 0 {
		return nil
	}
	s.Roots = make([]Dir, 1)
	if err := s.Roots[0].UnmarshalText([]byte(".")); err != nil {
		return &UsageError{place("root") + " " + err.Error()}
	}
	return nil
}
