package natsio

import (
	"context"
	"errors"

	said "jobcast/internal/systems/journal"
	"jobcast/jobs"
)

var _ said.Journal = namedJournal{}

// namedJournal is a journal.Journal: one subject of a stream.
type namedJournal struct {
	store   *Store
	subject string
}

// Journal returns the journal of that name, which keeps its newest 20,000 records. The name must be one
// token, such as "vote"; Journal panics otherwise.
func (s *Store) Journal(name string) said.Journal {
	subject, err := subject(saidPrefix, jobs.ID(name))
	if err != nil {
		panic("natsio: journal: " + err.Error())
	}
	return namedJournal{s, subject}
}

// Append implements journal.Journal.
func (j namedJournal) Append(ctx context.Context, data []byte, after uint64) (uint64, error) {
	if len(data) > said.MaxRecordBytes {
		return 0, errors.New("natsio: the record is too large for a journal")
	}
	pos, err := j.store.put(ctx, saidStream, j.subject, data, after)
	if errors.Is(err, jobs.ErrConflict) {
		return 0, said.ErrConflict
	}
	return pos, j.store.failed("append", err)
}

// Last implements journal.Journal.
func (j namedJournal) Last(ctx context.Context) (said.Entry, error) {
	e, err := j.store.getLast(ctx, saidStream, j.subject)
	if errors.Is(err, jobs.ErrNotFound) {
		return said.Entry{}, nil
	}
	return said.Entry{Position: e.pos, Data: e.data}, j.store.failed("read the last entry", err)
}

// Read implements journal.Journal. It asks for one record at a time, some 30 µs each: a batch would not
// say where each lies.
func (j namedJournal) Read(ctx context.Context, after uint64, limit int) ([]said.Entry, error) {
	var list []said.Entry
	for len(list) < limit {
		e, err := j.store.getNext(ctx, saidStream, j.subject, after+1)
		if errors.Is(err, jobs.ErrNotFound) {
			break
		}
		if err != nil {
			return nil, j.store.failed("read", err)
		}
		after = e.pos
		list = append(list, said.Entry{Position: e.pos, Data: e.data})
	}
	return list, nil
}
