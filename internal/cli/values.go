package cli

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"jobcast/engineio/cors"
	"jobcast/jobs"
)

// An Address is a host, which may be empty, and a port's number.
type Address string

// UnmarshalText implements encoding.TextUnmarshaler, as those of the other types here do. The error goes on from the
// setting's name: "must be …, not …".
func (a *Address) UnmarshalText(text []byte) error {
	_, port, err := net.SplitHostPort(string(text))
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("must be an address such as 127.0.0.1:8080, not %q", text)
	}
	*a = Address(text)
	return nil
}

// An Origin is a site, such as https://example.com, or *.
type Origin string

// UnmarshalText reads an origin.
func (o *Origin) UnmarshalText(text []byte) error {
	origin, err := cors.ParseOrigin(string(text))
	if err != nil {
		return fmt.Errorf("must be an origin such as https://example.com, or *, not %q", text)
	}
	*o = Origin(origin)
	return nil
}

// A NodeName is the name of a server. Empty means the one that it has.
type NodeName string

// UnmarshalText reads a name.
func (n *NodeName) UnmarshalText(text []byte) error {
	*n = NodeName(text)
	if *n == "" {
		return nil
	}
	return jobs.CheckNode(string(text))
}

// A Host is a name in lower case, without a dot at its end, or *.
type Host string

// UnmarshalText reads a name.
func (h *Host) UnmarshalText(text []byte) error {
	host := strings.ToLower(strings.TrimSuffix(string(text), "."))
	if host == "" || host != "*" && strings.ContainsAny(host, ":/*@[] ") {
		return fmt.Errorf("must be a name such as jobs.example.com, without a port, or *, not %q", text)
	}
	*h = Host(host)
	return nil
}

// A Network is a range of addresses, in its shortest form.
type Network struct{ netip.Prefix }

// UnmarshalText reads a network, or an address, which is a network of one.
func (n *Network) UnmarshalText(text []byte) error {
	network, err := netip.ParsePrefix(string(text))
	if addr, e := netip.ParseAddr(string(text)); e == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		network, err = netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	if err != nil || network.Addr().Is4In6() {
		return fmt.Errorf("must be an address such as 10.1.2.3, or a network such as 10.0.0.0/8, not %q", text)
	}
	n.Prefix = network.Masked()
	return nil
}

// A Dir is the absolute path of a directory, so that --print-config means the same wherever it is used.
type Dir string

// UnmarshalText reads a path.
func (d *Dir) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return errors.New("must name a directory")
	}
	path, err := filepath.Abs(string(text))
	*d = Dir(path)
	return err
}

// A File is the absolute path of a file, as Dir of a directory. Empty means none.
type File string

// UnmarshalText reads a path.
func (f *File) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*f = ""
		return nil
	}
	path, err := filepath.Abs(string(text))
	*f = File(path)
	return err
}

// A Count is a number from 1 to 1024.
type Count int

const maxCount = 1024

// UnmarshalText reads a number.
func (c *Count) UnmarshalText(text []byte) error {
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 1 || n > maxCount {
		return fmt.Errorf("must be a number from 1 to %d, not %q", maxCount, text)
	}
	*c = Count(n)
	return nil
}

// A Limit is a number from 1 to 1,000,000, or 0 for no limit.
type Limit int

const maxLimit = 1_000_000

// UnmarshalText reads a number.
func (l *Limit) UnmarshalText(text []byte) error {
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 0 || n > maxLimit {
		return fmt.Errorf("must be a number from 1 to %d, or 0 for no limit, not %q", maxLimit, text)
	}
	*l = Limit(n)
	return nil
}

// An Age is a time that a person writes with a unit, of which d is a day; zero means for ever.
type Age time.Duration

const (
	day    = 24 * time.Hour
	maxAge = 3650 * day
)

// UnmarshalText reads a time.
func (a *Age) UnmarshalText(text []byte) error {
	wrong := fmt.Errorf("must be a time such as 12h or 30d, at most 3650d, or 0 for ever, not %q", text)
	if string(text) == "0" {
		*a = 0
		return nil
	}
	var age time.Duration
	if days, ok := strings.CutSuffix(string(text), "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 1 || n > int(maxAge/day) {
			return wrong
		}
		age = time.Duration(n) * day
	} else {
		var err error
		if age, err = time.ParseDuration(string(text)); err != nil || age < time.Second || age > maxAge {
			return wrong
		}
	}
	*a = Age(age)
	return nil
}

// MarshalText writes it in days where that is exact.
func (a Age) MarshalText() ([]byte, error) {
	switch d := time.Duration(a); {
	case d == 0:
		return []byte("0"), nil
	case d%day == 0:
		return fmt.Appendf(nil, "%dd", d/day), nil
	default:
		return []byte(d.String()), nil
	}
}

// A DiskSync is how often the store is synced to disk; zero means after every write.
type DiskSync time.Duration

// UnmarshalText reads an interval, or always.
func (d *DiskSync) UnmarshalText(text []byte) error {
	if string(text) == "always" {
		*d = 0
		return nil
	}
	interval, err := time.ParseDuration(string(text))
	if err != nil || interval < 10*time.Millisecond || interval > time.Hour {
		return fmt.Errorf("must be always, or an interval from 10ms to 1h such as 1s, not %q", text)
	}
	*d = DiskSync(interval)
	return nil
}

func (d DiskSync) String() string {
	if d == 0 {
		return "always"
	}
	return time.Duration(d).String()
}

// MarshalText implements encoding.TextMarshaler.
func (d DiskSync) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// A ByteSize is a number of bytes that a person writes with a unit.
type ByteSize int64

var byteUnits = []struct {
	name  string
	bytes int64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12},
	{"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {"t", 1 << 40},
	{"b", 1},
}

// UnmarshalText reads a number with a unit, of bytes if it has none.
func (b *ByteSize) UnmarshalText(text []byte) error {
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
	*b = ByteSize(bytes)
	return nil
}

// MarshalText writes it with the largest unit that keeps it exact.
func (b ByteSize) MarshalText() ([]byte, error) {
	for _, unit := range []struct {
		name  string
		bytes ByteSize
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if b >= unit.bytes && b%unit.bytes == 0 {
			return fmt.Appendf(nil, "%d%s", b/unit.bytes, unit.name), nil
		}
	}
	return fmt.Appendf(nil, "%dB", b), nil
}

// A LogLevel is a slog.Level that has a name.
type LogLevel slog.Level

// UnmarshalText reads a name.
func (l *LogLevel) UnmarshalText(text []byte) error {
	i := slices.Index(levelNames, string(text))
	if i < 0 {
		return fmt.Errorf("must be debug, info, warn or error, not %q", text)
	}
	*l = LogLevel(levels[i])
	return nil
}

// MarshalText writes the name.
func (l LogLevel) MarshalText() ([]byte, error) {
	return []byte(strings.ToLower(slog.Level(l).String())), nil
}

var (
	levelNames = []string{"debug", "info", "warn", "error"}
	levels     = []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}
)
