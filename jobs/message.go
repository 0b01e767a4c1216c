package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
)

// MaxPayloadBytes bounds what one event of a job carries of others: the payload of a custom event or a message, an
// answer, a question. With what stands around it the event keeps within 16 KiB.
const MaxPayloadBytes = 15 << 10

// DataEvent is the data of a job.event: a custom event that the worker has emitted.
type DataEvent struct {
	Name    string          `json:"name"` // it matches ^[a-z][a-z0-9_.:-]{0,63}$
	Payload json.RawMessage `json:"payload,omitempty"`
}

// DataMessage is the data of a job.message: what somebody has sent to the worker.
type DataMessage struct {
	Name    string          `json:"name"` // it matches ^[a-z][a-z0-9_.:-]{0,63}$
	Payload json.RawMessage `json:"payload,omitempty"`
	From    string          `json:"from,omitempty"` // who has sent it, if that is known
}

// A Message is what others send to a worker with job:send, with a payload of type T, encoded as JSON. Declare it once.
type Message[T any] struct{ name string }

// NewMessage declares a message. The name must match ^[a-z][a-z0-9_.:-]{0,63}$, or NewMessage panics.
func NewMessage[T any](name string) Message[T] {
	if !namePattern.MatchString(name) {
		panic(fmt.Sprintf("jobs: %q cannot name a message", name))
	}
	return Message[T]{name}
}

// Name is the name of the message.
func (m Message[T]) Name() string { return m.name }

// Receive waits for the next message of this name, and returns its payload. Messages come in the order in which they
// were sent, those too that were sent before the run began; one that does not fit T is left out, and the job's text
// says so. After a crash, those may come again that were received shortly before. The error is the cause of ctx, or says
// that the run has ended.
func (m Message[T]) Receive(ctx context.Context, r *Run) (T, error) {
	for {
		var payload T
		raw, err := r.to.Receive(ctx, m.name)
		if err != nil {
			return payload, err
		}
		if len(raw) == 0 {
			raw = json.RawMessage("null")
		}
		if err = json.Unmarshal(raw, &payload); err == nil {
			return payload, nil
		}
		r.Log(slog.LevelWarn, fmt.Sprintf("a message %q was left out, as it does not fit: %v", m.name, err))
	}
}

// SendRequest sends a message to the worker of a job, which gets it wherever it runs; between two attempts it waits
// for the next. It is refused with code conflict when the job has finished.
type SendRequest struct {
	ID      ID              `json:"id"`
	Name    string          `json:"name"`
	Payload json.RawMessage `json:"payload,omitempty"` // at most MaxPayloadBytes

	From string `json:"-"` // who sends, as everybody may read it; "" says nothing
}

// UnmarshalJSON decodes a request from a client; what the client does not say stays as it is. The error is a *Problem
// with code bad_request that points at every wrong field.
func (r *SendRequest) UnmarshalJSON(data []byte) error {
	return fields{"id": &r.ID, "name": &r.Name, "payload": &r.Payload}.decode(data, nil)
}

// Check holds the request against the contract's limits. The error is a *Problem.
func (r *SendRequest) Check() error {
	var wrong []ProblemField
	if !r.ID.Valid() {
		wrong = append(wrong, ProblemField{"/id", wrongID})
	}
	if !namePattern.MatchString(r.Name) {
		wrong = append(wrong, ProblemField{"/name", wrongName})
	}
	if len(r.Payload) > 0 {
		if detail := checkValue(r.Payload); detail != "" {
			wrong = append(wrong, ProblemField{"/payload", detail})
		}
	}
	return badFields(wrong)
}

// Finished is the Problem of a request that only a job which has not finished can meet.
func Finished(id ID, state State) *Problem {
	return NewProblem(CodeConflict, fmt.Sprintf("job %q has finished: it is %s", id, state))
}

// Reserved reports whether a custom event of this name is told as job:event alone, since the name is one of the
// server's or of the Socket.IO clients' own.
func Reserved(name string) bool {
	family, _, _ := strings.Cut(name, ":")
	return slices.Contains(reservedFamilies, family) || slices.Contains(reservedEvents, name)
}

var (
	reservedFamilies = []string{"job", "jobs", "queue", "queues", "schedule", "schedules"}
	reservedEvents   = []string{"connect", "connect_error", "disconnect", "disconnecting", "error", "message", "ping", "pong", "reconnect"}
)
