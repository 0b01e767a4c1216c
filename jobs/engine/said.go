package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"jobcast/jobs"
)

// Bounds of the custom events that wait to be stored: who emits more waits.
const (
	maxSaid      = 256
	maxSaidBytes = 1 << 20
)

// valuesGap is the least time between two events with changed values.
const valuesGap = 250 * time.Millisecond

// said are the custom events of a run that are not stored yet.
type said struct {
	waiting []jobs.DataEvent
	bytes   int
	room    chan struct{} // closed and replaced when some have been stored
}

// due is when the oldest must be stored, which is at once; zero if there is none.
func (s *said) due() time.Time {
	if len(s.waiting) == 0 {
		return time.Time{}
	}
	return time.Unix(0, 1)
}

// Event implements jobs.Reporter.
func (r *run) Event(ctx context.Context, e jobs.DataEvent) error {
	for {
		r.mu.Lock()
		if r.over || r.fenced {
			r.mu.Unlock()
			return r.alive()
		}
		s := &r.said
		if len(s.waiting) < maxSaid && s.bytes < maxSaidBytes {
			s.waiting = append(s.waiting, e)
			s.bytes += len(e.Payload)
			r.signs.add(time.Now())
			r.mu.Unlock()
			r.poke()
			return nil
		}
		if s.room == nil {
			s.room = make(chan struct{})
		}
		room := s.room
		r.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-r.ctx.Done():
			return context.Cause(r.ctx)
		}
	}
}

// storeSaid stores the custom events that wait, in order.
func (a *attempt) storeSaid() error {
	r := a.run
	r.mu.Lock()
	waiting := slices.Clone(r.said.waiting)
	r.mu.Unlock()
	for _, e := range waiting {
		if err := a.put(jobs.EventEvent, e, func(*jobs.Job) {}); err != nil {
			return err
		}
		r.mu.Lock()
		s := &r.said
		s.waiting = s.waiting[1:]
		s.bytes -= len(e.Payload)
		if s.room != nil {
			close(s.room)
			s.room = nil
		}
		r.mu.Unlock()
	}
	return nil
}

// values are the live values of a run, and what of them is not stored yet.
type values struct {
	all     map[string]json.RawMessage
	bytes   int // of all keys and values
	changed map[string]json.RawMessage
	at      time.Time // when they were last stored
}

// due is when the changes must be stored; zero if there are none.
func (v *values) due() time.Time {
	if len(v.changed) == 0 {
		return time.Time{}
	}
	return v.at.Add(valuesGap)
}

// Set implements jobs.Reporter.
func (r *run) Set(key string, value json.RawMessage) error {
	var err error
	r.take(func() time.Time {
		err = r.values.set(key, value)
		return r.values.due()
	})
	if err == nil {
		err = r.alive()
	}
	return err
}

func (v *values) set(key string, value json.RawMessage) error {
	old, there := v.all[key]
	bytes, keys := v.bytes, len(v.all)
	if there {
		bytes, keys = bytes-len(key)-len(old), keys-1
	}
	if value != nil {
		bytes, keys = bytes+len(key)+len(value), keys+1
	}
	switch {
	case value == nil && !there:
		return nil
	case keys > jobs.MaxValues:
		return fmt.Errorf("a job has at most %d values", jobs.MaxValues)
	case bytes > jobs.MaxValuesBytes-jobs.MaxValues*6: // with quotes, colons and commas
		return fmt.Errorf("the values of a job have at most %d bytes in all", jobs.MaxValuesBytes)
	}
	if v.all == nil {
		v.all = make(map[string]json.RawMessage)
	}
	if v.changed == nil {
		v.changed = make(map[string]json.RawMessage)
	}
	if v.bytes = bytes; value == nil {
		delete(v.all, key)
	} else {
		v.all[key] = value
	}
	v.changed[key] = value
	return nil
}

// storeValues stores the values that have changed, if any.
func (a *attempt) storeValues() error {
	r := a.run
	r.mu.Lock()
	changed, all := r.values.changed, maps.Clone(r.values.all)
	r.values.changed, r.values.at = nil, time.Now()
	r.mu.Unlock()
	if len(changed) == 0 {
		return nil
	}
	err := a.put(jobs.EventValues, jobs.DataValues{Values: changed}, func(j *jobs.Job) { j.Values = all })
	if err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		maps.Copy(changed, r.values.changed) // what has changed since is newer
		r.values.changed = changed
	}
	return err
}
