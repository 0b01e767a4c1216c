package jobs

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	cut "jobcast/jobs/internal/text"
)

// Bounds of a line of a job's text.
const (
	maxLineBytes   = 16 << 10
	maxFieldsBytes = 8 << 10
)

// newLine makes a line out of what a worker logs, and says about how many bytes it has.
func newLine(now time.Time, level slog.Level, text string, attrs []slog.Attr) (LogLine, int) {
	line := LogLine{T: now.UnixMilli(), Stream: "out", Level: levelName(level)}
	text = strings.ToValidUTF8(strings.TrimRight(text, "\r\n"), "\uFFFD")
	if len(text) > maxLineBytes {
		marker := fmt.Sprintf(" … (cut: %d bytes)", len(text))
		text = cut.Bytes(text, maxLineBytes-len(marker)) + marker
	}
	line.Text = text
	size := len(text) + 32
	if len(attrs) > 0 {
		line.Fields = fieldsOf(attrs)
		encoded, err := json.Marshal(line.Fields)
		if err != nil || len(encoded) > maxFieldsBytes {
			line.Fields = map[string]any{"cut": fmt.Sprintf("%d bytes of fields", len(encoded))}
		}
		size += min(len(encoded), maxFieldsBytes)
	}
	return line, size
}

// String is the line as text: what it says, and after it its fields in the order of their names, each as " name=value".
// A value, or a name, that has a blank, a quote, a = or a line's end in it is quoted, as log/slog does.
func (l LogLine) String() string {
	if len(l.Fields) == 0 {
		return l.Text
	}
	var w strings.Builder
	w.WriteString(l.Text)
	for _, name := range slices.Sorted(maps.Keys(l.Fields)) {
		value, ok := l.Fields[name].(string)
		if !ok {
			encoded, err := encodeField(l.Fields[name])
			if err != nil {
				continue // what came out of JSON does not fail to go back
			}
			value = encoded
		}
		w.WriteString(" " + quoted(name) + "=" + quoted(value))
	}
	return w.String()
}

// encodeField is a value as JSON, with <, > and & as they are.
func encodeField(value any) (string, error) {
	var w strings.Builder
	enc := json.NewEncoder(&w)
	enc.SetEscapeHTML(false)
	err := enc.Encode(value)
	return strings.TrimSuffix(w.String(), "\n"), err
}

func quoted(s string) string {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '"' || r == '=' || !unicode.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}

func levelName(level slog.Level) string {
	switch {
	case level < slog.LevelDebug:
		return "trace"
	case level < slog.LevelInfo:
		return "debug"
	case level < slog.LevelWarn:
		return "info"
	case level < slog.LevelError:
		return "warn"
	}
	return "error"
}

func fieldsOf(attrs []slog.Attr) map[string]any {
	fields := make(map[string]any, len(attrs))
	for _, a := range attrs {
		fields[a.Key] = fieldOf(a.Value.Resolve())
	}
	return fields
}

// fieldOf is the value as something that can be encoded, whatever the worker gave.
func fieldOf(v slog.Value) any {
	switch v.Kind() {
	case slog.KindGroup:
		return fieldsOf(v.Group())
	case slog.KindBool, slog.KindInt64, slog.KindUint64, slog.KindTime:
		return v.Any()
	case slog.KindAny:
		if _, isError := v.Any().(error); !isError {
			if encoded, err := json.Marshal(v.Any()); err == nil {
				return json.RawMessage(encoded)
			}
		}
	case slog.KindFloat64:
		if encoded, err := json.Marshal(v.Float64()); err == nil {
			return json.RawMessage(encoded)
		}
	}
	return strings.ToValidUTF8(v.String(), "\uFFFD")
}
