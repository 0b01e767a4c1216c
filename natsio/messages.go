package natsio

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"jobcast/jobs"
)

// entry is one message of a stream.
type entry struct {
	pos  uint64 // its sequence number in the stream
	prev uint64 // that of the message before it in its subject; set only on a live message
	data []byte
}

// The server's codes for what is not in the client library's list.
const (
	codeStoreFailed  = jetstream.ErrorCode(server.JSStreamStoreFailedF)
	codeOutOfRoom    = jetstream.ErrorCode(server.JSInsufficientResourcesErr)
	codeWrongLast    = jetstream.JSErrCodeStreamWrongLastSequence
	codeWrongLastToo = jetstream.JSErrCodeStreamWrongLastSequenceConstant
)

// errUnknown is returned by publish when no answer came.
var errUnknown = errors.New("nobody knows whether it was stored")

// put stores a message if the newest of its subject is at after, and returns its position. Otherwise it
// returns jobs.ErrConflict; its other errors are ErrFull, ErrBroken, and errUnknown if the server is gone.
//
// A message whose answer is lost is sent again. The newest message alone could not tell what became of
// it, as it may still be on its way; but the server takes only one of the two, and refuses the second
// only when the outcome of the first is there to be read.
func (s *Store) put(ctx context.Context, stream, subject string, data []byte, after uint64) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	// A write that has begun is waited for, whatever becomes of ctx: else its outcome would be unknown.
	ctx = context.WithoutCancel(ctx)
	pos, err := s.publish(ctx, subject, data, after)
	if !errors.Is(err, errUnknown) {
		return pos, err
	}
	lost := err
	pos, err = s.publish(ctx, subject, data, after)
	if !errors.Is(err, jobs.ErrConflict) {
		return pos, err
	}
	newest, err := s.getLast(ctx, stream, subject)
	switch {
	case err == nil && bytes.Equal(newest.data, data):
		return newest.pos, nil
	case err == nil, errors.Is(err, jobs.ErrNotFound): // or it has been removed meanwhile
		return 0, jobs.ErrConflict
	}
	return 0, lost
}

// publish does what put does, once.
func (s *Store) publish(ctx context.Context, subject string, data []byte, after uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	ack, err := s.js.Publish(ctx, subject, data, jetstream.WithExpectLastSequencePerSubject(after))
	if err == nil && s.hooks.loseAck != nil && s.hooks.loseAck() {
		err = context.DeadlineExceeded
	}
	if err == nil {
		return ack.Sequence, nil
	}
	refused, ok := errors.AsType[*jetstream.APIError](err)
	if !ok {
		switch {
		case errors.Is(err, nats.ErrMaxPayload):
			return 0, err
		case errors.Is(err, jetstream.ErrNoStreamResponse):
			return 0, fmt.Errorf("%w: %w", ErrBroken, err)
		}
		return 0, fmt.Errorf("%w: %w", errUnknown, err)
	}
	switch refused.ErrorCode {
	case codeWrongLast, codeWrongLastToo:
		return 0, jobs.ErrConflict
	case codeOutOfRoom:
		return 0, fmt.Errorf("%w: %w", ErrFull, err)
	case codeStoreFailed:
		// One code for a bound that was reached and for a disk that failed; only the text tells them
		// apart, which is that of an error the server exports.
		if refused.Description == server.ErrMaxBytes.Error() {
			return 0, fmt.Errorf("%w: %w", ErrFull, err)
		}
		s.broken.CompareAndSwap(nil, &refused.Description)
		return 0, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	return 0, err
}

// state asks what a stream holds.
func (s *Store) state(ctx context.Context, stream string) (jetstream.StreamState, error) {
	if err := ctx.Err(); err != nil {
		return jetstream.StreamState{}, err
	}
	of, err := s.js.Stream(ctx, stream) // a question to the server
	if err != nil {
		return jetstream.StreamState{}, err
	}
	return of.CachedInfo().State, nil
}

func (s *Store) purge(ctx context.Context, stream, subject string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	of, err := s.js.Stream(ctx, stream)
	if err != nil {
		return err
	}
	return of.Purge(ctx, jetstream.WithPurgeSubject(subject))
}

// getRequest is the body of a direct get (NATS ADR-31).
type getRequest struct {
	Seq      uint64 `json:"seq"`
	Subject  string `json:"next_by_subj,omitempty"`
	Batch    int    `json:"batch,omitempty"`
	MaxBytes int    `json:"max_bytes,omitempty"`
}

const (
	getAPI     = "$JS.API.DIRECT.GET."
	numPending = "Nats-Num-Pending" // how many are left after a batch
)

// getLast returns the newest message of a subject, or jobs.ErrNotFound.
func (s *Store) getLast(ctx context.Context, stream, subject string) (entry, error) {
	return s.getOne(ctx, getAPI+stream+"."+subject, nil)
}

// getNext returns the first message of a subject at or after a position, or jobs.ErrNotFound.
func (s *Store) getNext(ctx context.Context, stream, subject string, from uint64) (entry, error) {
	body, err := json.Marshal(getRequest{Seq: from, Subject: subject})
	if err != nil {
		return entry{}, err
	}
	return s.getOne(ctx, getAPI+stream, body)
}

func (s *Store) getOne(ctx context.Context, api string, body []byte) (entry, error) {
	if err := ctx.Err(); err != nil {
		return entry{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	m, err := s.ask.RequestWithContext(ctx, api, body)
	if err != nil {
		return entry{}, err
	}
	switch m.Header.Get("Status") {
	case "":
		return newEntry(m), nil
	case "404":
		return entry{}, jobs.ErrNotFound
	default:
		return entry{}, statusError(m)
	}
}

// getBatch returns messages of a subject, from a position on, oldest first, and whether there are more.
// An empty subject means the whole stream.
func (s *Store) getBatch(ctx context.Context, stream, subject string, from uint64, limit int) (entries []entry, more bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	limit = min(limit, maxBatch)
	body, err := json.Marshal(getRequest{Seq: from, Subject: subject, Batch: limit, MaxBytes: maxBatchBytes})
	if err != nil {
		return nil, false, err
	}
	// There is room for the whole answer, so none of it is dropped.
	answers := make(chan *nats.Msg, limit+1)
	inbox := s.read.NewInbox()
	sub, err := s.read.ChanSubscribe(inbox, answers)
	if err != nil {
		return nil, false, err
	}
	defer sub.Unsubscribe()
	if err := s.read.PublishRequest(getAPI+stream, inbox, body); err != nil {
		return nil, false, err
	}
	timer := time.NewTimer(answerTime)
	defer timer.Stop()
	for {
		var m *nats.Msg
		select {
		case m = <-answers:
		case <-ctx.Done():
			return nil, false, ctx.Err()
		case <-s.done:
			return nil, false, jobs.ErrClosed
		case <-timer.C:
			return nil, false, nats.ErrTimeout
		}
		switch m.Header.Get("Status") {
		case "":
			entries = append(entries, newEntry(m))
		case "204": // the end of the batch
			return entries, m.Header.Get(numPending) != "0", nil
		case "404":
			return entries, false, nil
		default:
			return nil, false, statusError(m)
		}
	}
}

func statusError(m *nats.Msg) error {
	return fmt.Errorf("answer %s %s", m.Header.Get("Status"), m.Header.Get("Description"))
}

func newEntry(m *nats.Msg) entry {
	return entry{
		pos:  number(m, jetstream.SequenceHeader),
		prev: number(m, jetstream.LastSequenceHeader),
		data: m.Data,
	}
}

// number reads a header that only the server can have set.
func number(m *nats.Msg, header string) uint64 {
	n, err := strconv.ParseUint(m.Header.Get(header), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
