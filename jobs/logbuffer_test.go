package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestLogLine(t *testing.T) {
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

func TestLogBufferDropsTheOldest(t *testing.T) {
	var b logBuffer
	now := time.Now()
	for i := range 100 {
		line, size := newLine(now, slog.LevelInfo, fmt.Sprint(i, strings.Repeat("x", maxLineBytes-10)), nil)
		b.add(now, line, size)
		if b.bytes > maxBufferBytes {
			t.Fatalf("got %d bytes waiting, want at most %d", b.bytes, maxBufferBytes)
		}
	}
	kept := len(b.lines)
	lines, _ := b.take(now)
	if want := fmt.Sprintf("%d lines left out", 100-kept); lines[0].Stream != "sys" || !strings.HasPrefix(lines[0].Text, want) {
		t.Errorf("got %q, want %q", lines[0].Text, want)
	}
	if !strings.HasPrefix(lines[1].Text, fmt.Sprint(100-kept)) {
		t.Errorf("got %.10q after it, want line %d", lines[1].Text, 100-kept)
	}
	for n := len(lines) - 1; n < kept; {
		lines, size := b.take(now)
		if len(lines) == 0 || len(lines) > chunkLines || size > chunkBytes || lines[0].Stream == "sys" {
			t.Fatalf("got a chunk of %d lines, %d bytes", len(lines), size)
		}
		n += len(lines)
	}
	if !b.due().IsZero() || b.bytes != 0 {
		t.Errorf("got %d bytes left", b.bytes)
	}
}

func TestLogIsStoredInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kind := NewKind[struct{}, struct{}]("talk")
		e := openEngine(t, NewMemoryStore(), "n1", kind.Worker(nil, func(ctx context.Context, r *Run, _ struct{}) (struct{}, error) {
			r.Log(slog.LevelInfo, "one")
			time.Sleep(150 * time.Millisecond)
			r.Log(slog.LevelInfo, "two")
			time.Sleep(time.Second)
			for i := range 150 {
				r.Log(slog.LevelInfo, fmt.Sprint(i))
			}
			time.Sleep(time.Second)
			return struct{}{}, nil
		}))
		defer closeEngine(t, e)
		began := time.Now()
		job, _, err := e.Start(t.Context(), StartRequest{Kind: "talk"})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		seen := int64(0)
		for c, err := range e.FollowLogs(t.Context(), job.ID, 0) {
			if err != nil || c.Line != seen+1 {
				t.Fatalf("got line %d, %v, want %d", c.Line, err, seen+1)
			}
			seen = lastLine(c)
			got = append(got, fmt.Sprintf("%d at %v", seen, time.Since(began)))
		}
		if got[0] != "2 at 200ms" {
			t.Errorf("two lines 150 ms apart: got %s, want them at 200ms", got[0])
		}
		if !strings.HasSuffix(got[1], "at 1.15s") { // as soon as there were 64
			t.Errorf("a burst: got lines up to %s, want the first at 1.15s", got[1])
		}
		if end := got[len(got)-1]; end != "152 at 1.15s" && end != "152 at 1.35s" {
			t.Errorf("the rest of the burst: got lines up to %s, want 152 at 1.35s", end)
		}
		for _, c := range []struct {
			q           LogQuery
			first, last int64
		}{
			{LogQuery{}, 1, 152}, {LogQuery{Limit: 10}, 1, 10}, {LogQuery{After: 60, Limit: 20}, 61, 80}, {LogQuery{Tail: 5}, 148, 152},
			{LogQuery{Tail: 1000}, 1, 152}, {LogQuery{After: 152}, 153, 152}, {LogQuery{After: 999}, 1000, 999},
		} {
			chunk, err := e.Logs(t.Context(), job.ID, c.q)
			if err != nil || chunk.Line != c.first || lastLine(chunk) != c.last || chunk.Dropped != 0 || chunk.Lines == nil {
				t.Errorf("%+v: got lines %d to %d, dropped %d, %v, want %d to %d", c.q, chunk.Line, lastLine(chunk), chunk.Dropped, err, c.first, c.last)
			}
		}
		for c := range e.FollowLogs(t.Context(), job.ID, 140) {
			if c.Line != 141 || len(c.Lines) != 12 {
				t.Errorf("after the end: got %d lines from %d, want 12 from 141", len(c.Lines), c.Line)
			}
			break
		}
		if _, err := e.Logs(t.Context(), "none", LogQuery{}); ProblemOf(err).Code != CodeNotFound {
			t.Errorf("no job: got %v", err)
		}
	})
}
