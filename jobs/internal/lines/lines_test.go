package lines

import (
	"encoding/json"
	"errors"
	"fmt"
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
		line, size := New(now, c.level, c.text, c.attrs)
		got, err := json.Marshal(line)
		if err != nil || !strings.Contains(string(got), c.want) || size < len(line.Text) {
			t.Errorf("%s: got %s, %v, want %s", c.text, got, err, c.want)
		}
	}
	long, _ := New(now, slog.LevelInfo, strings.Repeat("é", maxLineBytes), nil)
	if len(long.Text) > maxLineBytes || !strings.HasSuffix(long.Text, "(cut: 32768 bytes)") {
		t.Errorf("got a line of %d bytes that ends with %q", len(long.Text), long.Text[len(long.Text)-30:])
	}
}

func TestBufferDropsTheOldest(t *testing.T) {
	var b Buffer
	now := time.Now()
	for i := range 100 {
		line, size := New(now, slog.LevelInfo, fmt.Sprint(i, strings.Repeat("x", maxLineBytes-10)), nil)
		b.Add(now, line, size)
		if b.bytes > maxBufferBytes {
			t.Fatalf("got %d bytes waiting, want at most %d", b.bytes, maxBufferBytes)
		}
	}
	kept := len(b.lines)
	lines, _ := b.Take(now)
	if want := fmt.Sprintf("%d lines left out", 100-kept); lines[0].Stream != "sys" || !strings.HasPrefix(lines[0].Text, want) {
		t.Errorf("got %q, want %q", lines[0].Text, want)
	}
	if !strings.HasPrefix(lines[1].Text, fmt.Sprint(100-kept)) {
		t.Errorf("got %.10q after it, want line %d", lines[1].Text, 100-kept)
	}
	for n := len(lines) - 1; n < kept; {
		lines, size := b.Take(now)
		if len(lines) == 0 || len(lines) > chunkLines || size > chunkBytes || lines[0].Stream == "sys" {
			t.Fatalf("got a chunk of %d lines, %d bytes", len(lines), size)
		}
		n += len(lines)
	}
	if !b.Due().IsZero() || b.bytes != 0 {
		t.Errorf("got %d bytes left", b.bytes)
	}
}
