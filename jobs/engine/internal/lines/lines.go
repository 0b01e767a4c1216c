// Package lines holds the lines of a job's text that are not stored yet. It knows neither workers nor stores. It
// runs no goroutine.
package lines

import (
	"fmt"
	"time"

	"jobcast/jobs"
)

// Bounds of a job's text. A worker that writes faster than the store takes loses its oldest lines, and
// a line says how many: it never waits.
const (
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
	line jobs.LogLine
	size int
}

// Add takes a line of about so many bytes. Where too many wait, the oldest are dropped.
func (b *Buffer) Add(now time.Time, line jobs.LogLine, size int) {
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
func (b *Buffer) Take(now time.Time) (lines []jobs.LogLine, bytes int) {
	if b.dropped > 0 {
		lines = append(lines, jobs.LogLine{
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
