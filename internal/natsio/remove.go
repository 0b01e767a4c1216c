package natsio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"jobcast/jobs"
)

// The server does not write down all that it lets go of. Of what a bound of a subject has dropped nothing says that it
// is gone; nor of what lay in a file that a purge has emptied, if that file also says what is gone from an older one.
// All of it comes back when the process is killed. The bounds are then applied again, but a job that was removed
// meanwhile would be there with old events, and be run again. So a removal is written down, in a stream of its own,
// before it is made, and made once more when the store is opened.

// partStreams has the streams that hold the parts of a job. The events go last, so that what is half removed is still
// there to be removed again.
var partStreams = [...]struct{ stream, prefix string }{{argStream, argPrefix}, {logStream, logPrefix}, {eventStream, eventPrefix}}

// A removal says up to where a job was removed.
type removal struct {
	ID   jobs.ID                  `json:"id"`
	UpTo [len(partStreams)]uint64 `json:"upTo"` // the newest position of each part; zero: there was none
}

// Remove implements jobs.Store. A crash before the readers of the index are told does no harm: they end with it.
func (s *Store) Remove(ctx context.Context, id jobs.ID) error {
	if !id.Valid() {
		return fmt.Errorf("natsio: %q cannot name a job", id)
	}
	if err := s.writeRemoval(ctx, id); err != nil {
		return s.failed("write down a removal", err)
	}
	for _, part := range partStreams {
		if _, err := s.purge(ctx, part.stream, part.prefix+string(id), 0); err != nil {
			return s.failed("remove", err)
		}
	}
	// They are told once it has begun to be true, whatever becomes of ctx.
	return s.failed("tell of a removal", s.tellRemoved(context.WithoutCancel(ctx), id))
}

// writeRemoval writes down that what there is of a job is to be removed.
func (s *Store) writeRemoval(ctx context.Context, id jobs.ID) error {
	r := removal{ID: id}
	for i, part := range partStreams {
		e, err := s.getLast(ctx, part.stream, part.prefix+string(id))
		if err != nil && !errors.Is(err, jobs.ErrNotFound) {
			return err
		}
		r.UpTo[i] = e.pos
	}
	if r.UpTo == (removal{}).UpTo {
		return nil
	}
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	for {
		last, err := s.getLast(ctx, removalStream, removalPrefix+string(id))
		if err != nil && !errors.Is(err, jobs.ErrNotFound) {
			return err
		}
		if _, err = s.put(ctx, removalStream, removalPrefix+string(id), data, last.pos); !errors.Is(err, jobs.ErrConflict) {
			return err
		}
	}
}

// removeAgain makes the removals once more that are written down. If nothing had come back they are forgotten, and else
// kept: another crash may bring it back again.
func (s *Store) removeAgain(ctx context.Context) error {
	var cameBack uint64
	for from := uint64(1); ; {
		b, err := s.getBatch(ctx, removalStream, removalPrefix+"*", from, maxBatch)
		if err != nil {
			return err
		}
		for i := range partStreams {
			purged, err := s.removePart(ctx, i, b.entries)
			if err != nil {
				return err
			}
			cameBack += purged
		}
		if from = b.last + 1; b.more {
			continue
		}
		if cameBack > 0 {
			s.log.Warn("what was removed had come back, and is removed again", "messages", cameBack)
		} else if from > 1 {
			_, err = s.purge(ctx, removalStream, "", 0)
		}
		return err
	}
}

// removePart makes removals of one part of jobs once more, and returns how many messages it has found.
func (s *Store) removePart(ctx context.Context, i int, written []entry) (purged uint64, err error) {
	part := partStreams[i]
	upTo := make(map[string]uint64)
	for _, e := range written {
		var r removal
		if err := json.Unmarshal(e.data, &r); err != nil || !r.ID.Valid() {
			return 0, fmt.Errorf("natsio: entry %d of %s is no removal: %w", e.pos, removalStream, err)
		}
		if r.UpTo[i] != 0 {
			upTo[part.prefix+string(r.ID)] = r.UpTo[i]
		}
	}
	if len(upTo) == 0 {
		return 0, nil
	}
	// Most often there is none of them: all are asked for at once.
	there, err := s.lastOf(ctx, part.stream, slices.Collect(maps.Keys(upTo)))
	if err != nil {
		return 0, err
	}
	for _, e := range there {
		n, err := s.purge(ctx, part.stream, e.subject, upTo[e.subject]+1)
		if err != nil {
			return purged, err
		}
		purged += n
	}
	return purged, nil
}
