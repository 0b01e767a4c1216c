package cli

import (
	"encoding"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

// texts are the settings as they are typed, on the command line, in the environment or in a file. The text is kept
// until it is known which place wins, so that only that one is checked, and a wrong one can be named by its place.
//
// It is a struct with the fields of Settings, each a string, a []string or a bool, and those of others: kong fills it.
type texts struct{ reflect.Value }

func newTexts() texts {
	var fields []reflect.StructField
	for f := range reflect.TypeFor[Settings]().Fields() {
		name := f.Tag.Get("toml")
		f.Tag += reflect.StructTag(` name:"` + name + `" env:"` + variable(name) + `"`)
		switch f.Type.Kind() {
		case reflect.Bool:
		case reflect.Slice:
			f.Type = reflect.TypeFor[[]string]()
		default:
			f.Type = reflect.TypeFor[string]()
		}
		fields = append(fields, reflect.StructField{Name: f.Name, Type: f.Type, Tag: f.Tag})
	}
	fields = append(fields, reflect.StructField{Name: "Others", Type: reflect.TypeFor[others](), Tag: `embed:""`})
	return texts{reflect.New(reflect.StructOf(fields)).Elem()}
}

// grammar is for kong.New.
func (t texts) grammar() any { return t.Addr().Interface() }

func (t texts) others() others { return t.FieldByName("Others").Interface().(others) }

// settings checks what was typed.
func (t texts) settings(ctx *kong.Context) (s Settings, err error) {
	place := func(name string) string { return place(ctx, t.others().Config, name) }
	for field, value := range reflect.ValueOf(&s).Elem().Fields() {
		if err := read(value, t.FieldByName(field.Name)); err != nil {
			return s, &UsageError{place(field.Tag.Get("toml")) + " " + err.Error()}
		}
	}
	return s, s.complete(place)
}

// read sets a field of Settings to what was typed.
func read(value, typed reflect.Value) error {
	switch value.Kind() {
	case reflect.Bool:
		value.SetBool(typed.Bool())
		return nil
	case reflect.Slice: // empty rather than nil, so that it is in the printed configuration
		value.Set(reflect.MakeSlice(value.Type(), typed.Len(), typed.Len()))
		for i := range typed.Len() {
			if err := read(value.Index(i), typed.Index(i)); err != nil {
				return err
			}
		}
		return nil
	}
	return value.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(typed.String()))
}

// place names where the setting in force came from.
func place(ctx *kong.Context, file configFile, name string) string {
	for _, path := range ctx.Path {
		if path.Flag != nil && path.Flag.Name == name {
			if path.Resolved {
				return string(file) + ": " + name
			}
			return "--" + name
		}
	}
	return variable(name)
}

// variable is the environment variable of a setting.
func variable(name string) string {
	return "JOBCAST_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// Flag returns the flag of a field of Settings, such as --root for Roots. It panics if there is no such field.
func Flag(field string) string {
	f, ok := reflect.TypeFor[Settings]().FieldByName(field)
	if !ok {
		panic("cli: there is no setting " + field)
	}
	return "--" + f.Tag.Get("toml")
}
