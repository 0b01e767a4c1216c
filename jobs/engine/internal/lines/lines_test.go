package lines

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"jobcast/jobs"
)

func TestBufferDropsTheOldest(t *testing.T) {
	var b Buffer
	now := time.Now()
	for i := range 100 {
		line := jobs.LogLine{T: now.UnixMilli(), Text: fmt.Sprint(i, strings.Repeat("x", 16<<10))}
		b.Add(now, line, len(line.Text)+32)
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
