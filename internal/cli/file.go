package cli

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
	"github.com/pelletier/go-toml/v2"
)

// configFile is a flag whose value names a file with values for the others.
type configFile string

// BeforeResolve reads the file.
func (configFile) BeforeResolve(ctx *kong.Context, path *kong.Path) error {
	name := string(ctx.FlagValue(path.Flag).(configFile))
	values, err := readConfig(name)
	if err != nil {
		return &UsageError{err.Error()}
	}
	kinds, keys := keys()
	for key, value := range values {
		kind, ok := kinds[key]
		if !ok {
			return &UsageError{fmt.Sprintf("%s: unknown key %q; the keys are %s", name, key, strings.Join(keys, ", "))}
		}
		if values[key], err = textOf(value, kind == reflect.Slice, kind == reflect.Bool); err != nil {
			return &UsageError{fmt.Sprintf("%s: %s %v", name, key, err)}
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

// keys are the keys of a configuration file in the order of Settings, and what kind of value each has: a slice, a bool,
// or anything else for one text.
func keys() (kinds map[string]reflect.Kind, names []string) {
	kinds = make(map[string]reflect.Kind)
	for f := range reflect.TypeFor[Settings]().Fields() {
		name := f.Tag.Get("toml")
		kinds[name], names = f.Type.Kind(), append(names, name)
	}
	return kinds, names
}

func readConfig(name string) (map[string]any, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		if e, ok := errors.AsType[syscall.Errno](err); ok {
			err = e // without the path, which the sentence has
		}
		return nil, fmt.Errorf("cannot read the configuration file %s: %w; name another with --config", name, err)
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
