// Package lines makes the lines of a job's text out of what its worker logs, and holds those that are not stored
// yet. It knows neither workers nor stores. It runs no goroutine.
package lines

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"jobcast/jobs/job"
)

// Bounds of a job's text. A worker that writes faster than the store takes loses its oldest lines, and
// a line says how many: it never waits.
const (
	maxLineBytes   = 16 << 10
	maxFieldsBytes = 8 << 10
	maxBufferBytes = 1 << 20 // lines that wait to be stored
	chunkBytes     = 64 << 10
	chunkLines     = 1000 // the contract's bound
	flushLines     = 64   // that are not left waiting for logGap
	logGap         = 200 * time.Millisecond
)

// A Buffer holds the lines that are not stored yet. It belongs to one goroutine at a time.
type Buffer struct {
	lines   []bufferedLine
	bytes   int
	dropped int64
	since   time.Time // when the oldest line came
}

type bufferedLine struct {
	line job.LogLine
	size int
}

// Add takes a line of about so many bytes. Where too many wait, the oldest are dropped.
func (b *Buffer) Add(now time.Time, line job.LogLine, size int) {
	if len(b.lines) == 0 {
		b.since = now
	}
	b.lines = append(b.lines, bufferedLine{line, size})
	b.bytes += size
	for b.bytes > maxBufferBytes {
		b.bytes -= b.lines[0].size
		b.lines[0] = bufferedLine{}
		b.lines = b.lines[1:]
		b.dropped++
	}
}

// Due returns when the buffer must be stored; zero means that it is empty.
func (b *Buffer) Due() time.Time {
	switch {
	case len(b.lines) == 0:
		return time.Time{}
	case len(b.lines) >= flushLines || b.bytes >= chunkBytes:
		return b.since
	}
	return b.since.Add(logGap)
}

// Take removes up to one chunk of lines. Where lines were dropped, one of the system's says so.
func (b *Buffer) Take(now time.Time) (lines []job.LogLine, bytes int) {
	if b.dropped > 0 {
		lines = append(lines, job.LogLine{
			T: now.UnixMilli(), Stream: "sys", Level: "warn",
			Text: fmt.Sprintf("%d lines left out: they came faster than they could be stored", b.dropped),
		})
		b.dropped = 0
	}
	n := 0
	for n < len(b.lines) && len(lines) < chunkLines && (n == 0 || bytes+b.lines[n].size <= chunkBytes) {
		lines = append(lines, b.lines[n].line)
		bytes += b.lines[n].size
		n++
	}
	clear(b.lines[:n])
	b.lines = b.lines[n:]
	b.bytes -= bytes
	b.since = now
	if len(b.lines) == 0 {
		b.lines = nil
	}
	return lines, bytes
}

// New makes a line out of what a worker logs, and says about how many bytes it has.
func New(now time.Time, level slog.Level, text string, attrs []slog.Attr) (job.LogLine, int) {
	line := job.LogLine{T: now.UnixMilli(), Stream: "out", Level: levelName(level)}
	text = strings.ToValidUTF8(strings.TrimRight(text, "\r\n"), "\uFFFD")
	if len(text) > maxLineBytes {
		marker := fmt.Sprintf(" … (cut: %d bytes)", len(text))
		text = job.Cut(text, maxLineBytes-len(marker)) + marker
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
