// Package journal is an append-only log of small records under a name, for systems whose whole state is
// rebuilt from what was said: a vote, a chat. It knows neither what is in the records nor where they are
// kept. Memory keeps them in the process, for tests; natsio keeps them on the disk. It runs no goroutine.
package journal

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// ErrConflict is the error of an append after which someone else has appended.
var ErrConflict = errors.New("journal: something was appended meanwhile")

// MaxRecordBytes bounds one record.
const MaxRecordBytes = 256 << 10

// An Entry is one record and its position, which grows from entry to entry and is never zero.
type Entry struct {
	Position uint64
	Data     []byte
}

// A Journal is one log. Its methods may be called from any goroutine.
type Journal interface {
	// Append adds a record if the newest so far is at after (zero: there is none), and else returns
	// ErrConflict. It returns when the record is as safe as the store makes it.
	Append(ctx context.Context, data []byte, after uint64) (position uint64, err error)
	// Last returns the newest entry, or a zero one.
	Last(ctx context.Context) (Entry, error)
	// Read returns up to limit entries behind a position, oldest first. The oldest of a long journal
	// may be gone.
	Read(ctx context.Context, after uint64, limit int) ([]Entry, error)
}

var _ Journal = (*Memory)(nil)

// Memory is a Journal in memory. The zero value is empty.
type Memory struct {
	mu      sync.Mutex // protects the field below
	entries []Entry
}

// Append implements Journal.
func (m *Memory) Append(ctx context.Context, data []byte, after uint64) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if last := uint64(len(m.entries)); last != after {
		return 0, ErrConflict
	}
	m.entries = append(m.entries, Entry{uint64(len(m.entries)) + 1, slices.Clone(data)})
	return uint64(len(m.entries)), nil
}

// Last implements Journal.
func (m *Memory) Last(context.Context) (Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.entries) == 0 {
		return Entry{}, nil
	}
	return m.entries[len(m.entries)-1], nil
}

// Read implements Journal.
func (m *Memory) Read(_ context.Context, after uint64, limit int) ([]Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	from := min(after, uint64(len(m.entries)))
	return slices.Clone(m.entries[from:min(uint64(len(m.entries)), from+uint64(limit))]), nil
}
