package main

import (
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"testing"

	"jobcast/internal/cli"
)

// TestEverySettingReachesTheServer sets one setting after the other, and looks whether the server's configuration is
// another one then.
func TestEverySettingReachesTheServer(t *testing.T) {
	means := func(s cli.Settings) string {
		cfg := config(s, io.Discard)
		debug := cfg.Logger.Enabled(t.Context(), slog.LevelDebug)
		cfg.Logger, cfg.Called, cfg.Source = nil, nil, nil
		return fmt.Sprintf("%+v, debug: %v", cfg, debug)
	}
	without := means(cli.Settings{})
	fields := reflect.TypeFor[cli.Settings]()
	for i := range fields.NumField() {
		var s cli.Settings
		switch field := reflect.ValueOf(&s).Elem().Field(i); field.Kind() {
		case reflect.String:
			field.SetString("something")
		case reflect.Bool:
			field.SetBool(true)
		case reflect.Int, reflect.Int64:
			field.SetInt(int64(slog.LevelDebug)) // any number will do for the others
		case reflect.Slice:
			field.Set(reflect.MakeSlice(field.Type(), 1, 1))
			if one := field.Index(0); one.Kind() == reflect.String {
				one.SetString("something")
			}
		default:
			t.Errorf("%s is a %s, for which this test has no value", fields.Field(i).Name, field.Kind())
		}
		if means(s) == without {
			t.Errorf("%s is read, and changes nothing: main.go does not pass it on", fields.Field(i).Name)
		}
	}
}
