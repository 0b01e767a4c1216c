package natsio

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"jobcast/jobs"
)

// A cell is a subject, and its newest message is the newest version. A cell is removed by a message that says so,
// a tombstone, which is stored with compare-and-set as any other version is, and then purged. Only what is before a
// known message is ever purged, so that nothing newer can be lost.
//
// The stream lets go of nothing by itself: what a limit, such as one message for each subject, lets go of is not
// written down, and comes back when the process is killed. That does no harm while there is a newer message, but
// the tombstone goes. So each version is purged by whoever has stored the next one. What a crash leaves is purged
// by tidyCells.

// A version is one message of a cell's subject: its name and a nonce, then, after a line feed, the value. A
// tombstone has no line feed. The nonce tells our message from another's who stored the same.
type version struct {
	cell    jobs.Cell
	removed bool
}

func encodeCell(group, key string, value []byte) []byte {
	return append(encodeTombstone(group, key), append([]byte{'\n'}, value...)...)
}

func encodeTombstone(group, key string) []byte {
	return fmt.Appendf(nil, "%s %s %s", group, key, rand.Text())
}

func decodeCell(e entry) (version, error) {
	head, value, there := bytes.Cut(e.data, []byte{'\n'})
	names := strings.Split(string(head), " ")
	if len(names) != 3 {
		return version{}, fmt.Errorf("natsio: entry %d of %s is no cell", e.pos, cellStream)
	}
	v := version{cell: jobs.Cell{Group: names[0], Key: names[1], Position: cellPosition(e.pos)}}
	if there {
		v.cell.Value = append([]byte{}, value...)
	} else {
		v.removed, v.cell.Position = true, removalPosition(e.pos)
	}
	return v, nil
}

// The position of a version is even, that of a removal is odd, so that no version is ever put after a removal.
func cellPosition(seq uint64) jobs.Position    { return jobs.Position(seq << 1) }
func removalPosition(seq uint64) jobs.Position { return jobs.Position(seq<<1 | 1) }

func ofVersion(p jobs.Position) (seq uint64, ok bool) { return uint64(p >> 1), p&1 == 0 }

func cellSubject(group, key string) string { return cellPrefix + group + "." + key }

// PutCell implements jobs.Store. Once begun it is not broken off when ctx ends. It can also return jobs.ErrFull
// and ErrBroken.
func (s *Store) PutCell(ctx context.Context, group, key string, value []byte, after jobs.Position) (jobs.Position, error) {
	if err := jobs.CheckCell(group, key, value); err != nil {
		return 0, err
	}
	last, ok := ofVersion(after)
	if !ok {
		return 0, jobs.ErrConflict
	}
	if last == 0 {
		if err := s.roomForCell(ctx); err != nil {
			return 0, s.failed("put a cell", err)
		}
	}
	subject, data := cellSubject(group, key), encodeCell(group, key, value)
	pos, err := s.put(ctx, cellStream, subject, data, last)
	if last == 0 && errors.Is(err, jobs.ErrConflict) {
		// What is in the way may be a tombstone that is not purged yet.
		if last, err = s.tombstone(ctx, subject); err == nil {
			pos, err = s.put(ctx, cellStream, subject, data, last)
		}
	}
	if err != nil {
		return 0, s.failed("put a cell", err)
	}
	if last != 0 {
		s.trimCell(ctx, subject, pos)
	}
	return cellPosition(pos), nil
}

// tombstone returns where the newest message of a subject lies if it is a tombstone, zero if there is none, and
// jobs.ErrConflict if there is a cell.
func (s *Store) tombstone(ctx context.Context, subject string) (uint64, error) {
	e, err := s.getLast(ctx, cellStream, subject)
	if errors.Is(err, jobs.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	v, err := decodeCell(e)
	if err == nil && !v.removed {
		err = jobs.ErrConflict
	}
	return e.pos, err
}

// roomForCell returns jobs.ErrFull when what room is left is needed for the cells that there are.
func (s *Store) roomForCell(ctx context.Context) error {
	state, err := s.state(ctx, cellStream)
	if err != nil {
		return err
	}
	if bound := uint64(cellBytes(s.maxBytes)); state.Bytes > bound-bound/16 {
		return jobs.ErrFull
	}
	return nil
}

// trimCell purges what a subject has before a position. A failure costs room until the cell is written again, or
// the store is opened again.
func (s *Store) trimCell(ctx context.Context, subject string, before uint64) {
	if skip := s.hooks.skipTrim; skip != nil && skip() {
		return
	}
	if _, err := s.purge(context.WithoutCancel(ctx), cellStream, subject, before); err != nil {
		s.log.Debug("cannot purge old versions of a cell", "subject", subject, "err", err)
	}
}

// Cell implements jobs.Store.
func (s *Store) Cell(ctx context.Context, group, key string) (jobs.Cell, error) {
	if err := jobs.CheckCell(group, key, nil); err != nil {
		return jobs.Cell{}, err
	}
	e, err := s.getLast(ctx, cellStream, cellSubject(group, key))
	if err != nil {
		return jobs.Cell{}, s.failed("get a cell", err)
	}
	v, err := decodeCell(e)
	if err != nil {
		return jobs.Cell{}, err
	}
	if v.removed {
		return jobs.Cell{}, jobs.ErrNotFound
	}
	return v.cell, nil
}

// DeleteCell implements jobs.Store. Once begun it is not broken off when ctx ends.
func (s *Store) DeleteCell(ctx context.Context, group, key string, after jobs.Position) error {
	if err := jobs.CheckCell(group, key, nil); err != nil {
		return err
	}
	last, ok := ofVersion(after)
	subject := cellSubject(group, key)
	if ok && last != 0 {
		pos, err := s.put(ctx, cellStream, subject, encodeTombstone(group, key), last)
		if err == nil {
			s.trimCell(ctx, subject, pos+1)
			return nil
		}
		if !errors.Is(err, jobs.ErrConflict) {
			return s.failed("delete a cell", err)
		}
	}
	if _, err := s.Cell(ctx, group, key); err != nil {
		return err
	}
	return jobs.ErrConflict
}

// listCells returns the newest version of each cell below a filter, tombstones too, and which of them has older
// messages below it.
func (s *Store) listCells(ctx context.Context, filter string) (newest map[string]version, older map[string]bool, err error) {
	newest, older = make(map[string]version), make(map[string]bool)
	for from := uint64(1); ; {
		b, err := s.getBatch(ctx, cellStream, filter, from, maxBatch)
		if err != nil {
			return nil, nil, err
		}
		for _, e := range b.entries {
			v, err := decodeCell(e)
			if err != nil {
				return nil, nil, err
			}
			subject := cellSubject(v.cell.Group, v.cell.Key)
			if _, more := newest[subject]; more {
				older[subject] = true
			}
			newest[subject] = v
		}
		if from = b.last + 1; !b.more {
			return newest, older, nil
		}
	}
}

// tidyCells purges what is left of deletes and puts that a crash has cut short.
func (s *Store) tidyCells(ctx context.Context) error {
	newest, older, err := s.listCells(ctx, cellPrefix+"*.*")
	if err != nil {
		return err
	}
	for subject, v := range newest {
		before := uint64(v.cell.Position >> 1)
		if v.removed {
			before++
		} else if !older[subject] {
			continue
		}
		if _, err := s.purge(ctx, cellStream, subject, before); err != nil {
			return err
		}
	}
	return nil
}

// WatchCells implements jobs.Store. A watcher that is slow, or stops for a while, slows nobody: it is told of what
// has changed meanwhile when it goes on. It holds the key and the position of each cell of the group.
func (s *Store) WatchCells(ctx context.Context, group string) iter.Seq2[jobs.Cell, error] {
	return func(yield func(jobs.Cell, error) bool) {
		if err := jobs.CheckCellGroup(group); err != nil {
			yield(jobs.Cell{}, err)
			return
		}
		w := cellWatch{store: s, group: group, known: make(map[string]jobs.Position), yield: yield}
		t := tail{store: s, stream: cellStream, live: cellLive + "*.*", start: w.start, fill: w.fill, yield: w.live}
		if err := t.run(ctx); !errors.Is(err, errEnded) && ctx.Err() == nil {
			yield(jobs.Cell{}, s.failed("watch cells", err))
		}
	}
}

// A cellWatch is one watcher of a group.
type cellWatch struct {
	store *Store
	group string
	known map[string]jobs.Position // of each cell that was yielded, by key
	all   bool                     // the zero cell was yielded
	yield func(jobs.Cell, error) bool
}

func (w *cellWatch) start(context.Context) (uint64, error) { return 0, nil }

// fill yields what has changed since the watcher last heard of its cells, and returns a position of the stream up to
// which it then knows everything. A removed cell leaves nothing behind, so the cells that there are must be held
// against those that the watcher knows.
func (w *cellWatch) fill(ctx context.Context) (uint64, error) {
	state, err := w.store.state(ctx, cellStream)
	if err != nil {
		return 0, err
	}
	newest, _, err := w.store.listCells(ctx, cellPrefix+w.group+".*")
	if err != nil {
		return 0, err
	}
	for _, key := range slices.Sorted(maps.Keys(w.known)) {
		if v, there := newest[cellSubject(w.group, key)]; !there || v.removed {
			gone := jobs.Cell{Group: w.group, Key: key, Position: removalPosition(state.LastSeq)}
			if err := w.tell(version{gone, true}); err != nil {
				return 0, err
			}
		}
	}
	for _, subject := range slices.Sorted(maps.Keys(newest)) {
		if err := w.tell(newest[subject]); err != nil {
			return 0, err
		}
	}
	if !w.all && !w.yield(jobs.Cell{}, nil) {
		return 0, errEnded
	}
	w.all = true
	return state.LastSeq, nil
}

// live yields a message as it is stored. Those of other groups come too: that no message is missing shows only by
// all of them.
func (w *cellWatch) live(e entry) error {
	v, err := decodeCell(e)
	if err != nil || v.cell.Group != w.group {
		return err
	}
	return w.tell(v)
}

// tell yields a version if the watcher does not know it, or a newer one.
func (w *cellWatch) tell(v version) error {
	known, there := w.known[v.cell.Key]
	switch {
	case v.cell.Position <= known, v.removed && !there:
		return nil
	case v.removed:
		delete(w.known, v.cell.Key)
	default:
		w.known[v.cell.Key] = v.cell.Position
	}
	if !w.yield(v.cell, nil) {
		return errEnded
	}
	return nil
}
