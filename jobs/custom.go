package jobs

import (
	"context"
	"encoding/json"
	"fmt"
)

// A CustomEvent is an event that workers emit, with a payload of type T, encoded as JSON. Declare it once.
type CustomEvent[T any] struct{ name string }

// NewEvent declares a custom event. The name must match ^[a-z][a-z0-9_.:-]{0,63}$, or NewEvent panics. Who watches the job
// gets it as job:event, and under its own name too unless that is one of those that are [Reserved].
func NewEvent[T any](name string) CustomEvent[T] {
	if !namePattern.MatchString(name) {
		panic(fmt.Sprintf("jobs: %q cannot name an event", name))
	}
	return CustomEvent[T]{name}
}

// Name is the name of the event.
func (e CustomEvent[T]) Name() string { return e.name }

// Emit puts the event into the log of r's job, in the order of all that the run reports. It is never left out: where 256
// events or 1 MiB wait to be stored, Emit waits. The error says that the payload has more than 15 KiB as JSON or cannot be
// encoded, that ctx has ended, or that the run has.
func (e CustomEvent[T]) Emit(ctx context.Context, r *Run, payload T) error {
	encoded, err := json.Marshal(payload)
	if err != nil {
		return fmt.Errorf("encode the payload of %s: %w", e.name, err)
	}
	if len(encoded) > MaxPayloadBytes {
		return fmt.Errorf("the payload of %s has %d bytes; at most %d are taken", e.name, len(encoded), MaxPayloadBytes)
	}
	return r.to.Event(ctx, DataEvent{Name: e.name, Payload: encoded})
}

// Set shows a value of the job's work to those who watch it, such as a count or a rate, and to those who come later:
// it is in the job's snapshot. Of several changes within 250 ms the newest is told. nil takes the key away. Each
// attempt begins without values. The error says that the key is none (1 to 64 of 0-9 A-Z a-z _ . : -), that the value
// cannot be encoded as JSON, that there would be more than 64 keys or 16 KiB in all, or that the run has ended.
func (r *Run) Set(key string, value any) error {
	if !ValidKey(key) {
		return fmt.Errorf("%.64q cannot name a value: it must be 1 to 64 of 0-9 A-Z a-z _ . : -", key)
	}
	var encoded json.RawMessage
	if value != nil {
		var err error
		if encoded, err = json.Marshal(value); err != nil {
			return fmt.Errorf("encode the value of %s: %w", key, err)
		}
		if string(encoded) == "null" {
			encoded = nil
		}
	}
	return r.to.Set(key, encoded)
}
