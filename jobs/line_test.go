package jobs

import (
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"
)

func TestLine(t *testing.T) {
	now := time.UnixMilli(1795208539287)
	for _, c := range []struct {
		level slog.Level
		text  string
		attrs []slog.Attr
		want  string
	}{
		{slog.LevelInfo, "hello\n", nil, `{"t":1795208539287,"s":"out","l":"info","m":"hello"}`},
		{slog.LevelDebug - 4, "a\xffb", nil, `{"t":1795208539287,"s":"out","l":"trace","m":"a�b"}`},
		{slog.LevelError, "x", []slog.Attr{slog.Int("n", 1), slog.Any("err", errors.New("bad")), slog.Float64("nan", math.NaN()),
			slog.Duration("took", time.Second), slog.Group("g", slog.Bool("b", true)), slog.Any("fn", func() {})},
			`"l":"error"`},
		{slog.LevelWarn, "x", []slog.Attr{slog.String("s", strings.Repeat("y", 9000))}, `"f":{"cut":"9008 bytes of fields"}`},
	} {
		line, size := newLine(now, c.level, c.text, c.attrs)
		got, err := json.Marshal(line)
		if err != nil || !strings.Contains(string(got), c.want) || size < len(line.Text) {
			t.Errorf("%s: got %s, %v, want %s", c.text, got, err, c.want)
		}
	}
	long, _ := newLine(now, slog.LevelInfo, strings.Repeat("é", maxLineBytes), nil)
	if len(long.Text) > maxLineBytes || !strings.HasSuffix(long.Text, "(cut: 32768 bytes)") {
		t.Errorf("got a line of %d bytes that ends with %q", len(long.Text), long.Text[len(long.Text)-30:])
	}
}

func TestALineAsTextHasAllThatItHas(t *testing.T) {
	for _, tt := range []struct {
		line LogLine
		want string
	}{
		{LogLine{Text: "plain"}, "plain"},
		{LogLine{Text: "a b=c", Fields: map[string]any{
			"path": "/x/y", "bytes": 12.0, "title": "a b", "quote": `say "x"`, "none": "", "null": nil, "deep": map[string]any{"a": []any{1.0, "<"}}, "a b": true, "line": "1\n2",
		}}, `a b=c "a b"=true bytes=12 deep="{\"a\":[1,\"<\"]}" line="1\n2" none="" null=null path=/x/y quote="say \"x\"" title="a b"`},
	} {
		if got := tt.line.String(); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}
