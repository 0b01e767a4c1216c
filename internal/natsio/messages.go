package natsio

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"jobcast/jobs"
)

// entry is one message of a stream.
type entry struct {
	pos  uint64 // its sequence number in the stream; zero where it was not asked for
	prev uint64 // that of the message before it in its subject; set only on a live message
	data []byte

	subject string // empty where it was not asked for
}

// The codes of the refusals that mean something to us.
const (
	codeBound        = jetstream.ErrorCode(server.JSStreamStoreFailedF) // a bound of the stream
	codeOutOfRoom    = jetstream.ErrorCode(server.JSInsufficientResourcesErr)
	codeWrongLast    = jetstream.JSErrCodeStreamWrongLastSequence
	codeWrongLastToo = jetstream.JSErrCodeStreamWrongLastSequenceConstant
)

// errUnknown is returned by publish when no answer came in time.
var errUnknown = fmt.Errorf("nobody knows whether it was stored: %w", context.DeadlineExceeded)

// put stores a message if the newest of its subject is at after, and returns its position. Otherwise it
// returns jobs.ErrConflict; its other errors are jobs.ErrFull, ErrBroken, and errUnknown if the server is gone.
//
// A message whose answer is lost is sent again. The newest message alone could not tell what became of
// it, as it may still be on its way; but the server takes only one of the two, and refuses the second
// only when the outcome of the first is there to be read.
func (s *Store) put(ctx context.Context, stream, subject string, data []byte, after uint64) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if why := s.broken.Load(); why != nil {
		return 0, *why
	}
	// A write that has begun is waited for, whatever becomes of ctx: else its outcome would be unknown.
	ctx = context.WithoutCancel(ctx)
	pos, err := s.publish(ctx, subject, data, after, askAgainTime)
	if !errors.Is(err, errUnknown) {
		return pos, err
	}
	// The server gives no answer at all when it could not write, and takes nothing more.
	if err := s.health(); errors.Is(err, ErrBroken) {
		s.suspect(err)
		return 0, err
	}
	lost := err
	pos, err = s.publish(ctx, subject, data, after, answerTime)
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
func (s *Store) publish(ctx context.Context, subject string, data []byte, after uint64, limit time.Duration) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
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
		if errors.Is(err, nats.ErrMaxPayload) {
			return 0, err
		}
		return 0, fmt.Errorf("%w: %w", errUnknown, err)
	}
	switch refused.ErrorCode {
	case codeWrongLast, codeWrongLastToo:
		return 0, jobs.ErrConflict
	case codeBound, codeOutOfRoom:
		return 0, fmt.Errorf("%w: %w", jobs.ErrFull, err)
	}
	return 0, err
}

// state asks what a stream holds.
func (s *Store) state(ctx context.Context, stream string) (jetstream.StreamState, error) {
	if err := ctx.Err(); err != nil {
		return jetstream.StreamState{}, err
	}
	of, err := insist(ctx, s, func(ctx context.Context) (jetstream.Stream, error) { return s.js.Stream(ctx, stream) })
	if err != nil {
		return jetstream.StreamState{}, err
	}
	return of.CachedInfo().State, nil
}

// purge lets go of the messages of a subject before a position, and returns how many there were. Zero means all of
// them, and an empty subject the whole stream.
func (s *Store) purge(ctx context.Context, stream, subject string, before uint64) (purged uint64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	body, err := json.Marshal(server.JSApiStreamPurgeRequest{Subject: subject, Sequence: before})
	if err != nil {
		return 0, err
	}
	m, err := insist(ctx, s, func(ctx context.Context) (*nats.Msg, error) {
		return s.ask.RequestWithContext(ctx, purgeAPI+stream, body)
	})
	if err != nil {
		return 0, err
	}
	var answer struct {
		Error  *jetstream.APIError `json:"error"`
		Purged uint64              `json:"purged"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return 0, fmt.Errorf("decode the answer to a purge: %w", err)
	}
	if answer.Error != nil {
		return 0, answer.Error
	}
	return answer.Purged, nil
}

// getRequest is the body of a direct get (NATS ADR-31).
type getRequest struct {
	Seq      uint64 `json:"seq"`
	Subject  string `json:"next_by_subj,omitempty"`
	Batch    int    `json:"batch,omitempty"`
	MaxBytes int    `json:"max_bytes,omitempty"`
	NoHeader bool   `json:"no_hdr,omitempty"`

	LastOf []string `json:"multi_last,omitempty"` // the newest message of each, at most 1,024
}

const (
	getAPI     = "$JS.API.DIRECT.GET."
	purgeAPI   = "$JS.API.STREAM.PURGE."
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
	m, err := insist(ctx, s, func(ctx context.Context) (*nats.Msg, error) {
		return s.ask.RequestWithContext(ctx, api, body)
	})
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

// batch is part of a subject, or of a stream.
type batch struct {
	entries []entry
	last    uint64 // the position of the newest of them
	more    bool   // there are more after it
}

// getBatch returns messages of a subject from a position on, oldest first. An empty subject means the
// whole stream. Only of that, and of a subject with a wildcard, does each entry say where it lies, as headers are a
// third of the work.
func (s *Store) getBatch(ctx context.Context, stream, subject string, from uint64, limit int) (batch, error) {
	return s.fetch(ctx, stream, getRequest{
		Seq: from, Subject: subject, Batch: min(limit, maxBatch), MaxBytes: maxBatchBytes,
		NoHeader: subject != "" && !strings.HasSuffix(subject, "*"),
	})
}

// lastOf returns the newest message of each of up to maxBatch subjects, where there is one.
func (s *Store) lastOf(ctx context.Context, stream string, subjects []string) ([]entry, error) {
	b, err := s.fetch(ctx, stream, getRequest{LastOf: subjects, Batch: maxBatch, MaxBytes: math.MaxInt32})
	return b.entries, err
}

// fetch returns what answers a request for a batch.
func (s *Store) fetch(ctx context.Context, stream string, request getRequest) (batch, error) {
	b := batch{last: request.Seq - 1}
	if err := ctx.Err(); err != nil {
		return b, err
	}
	body, err := json.Marshal(request)
	if err != nil {
		return b, err
	}
	woken := s.woken()
	// There is room for the whole answer, so none of it is dropped.
	answers := make(chan *nats.Msg, request.Batch+1)
	inbox := s.read.NewInbox()
	sub, err := s.read.ChanSubscribe(inbox, answers)
	if err != nil {
		return b, err
	}
	defer sub.Unsubscribe()
	if err := s.read.PublishRequest(getAPI+stream, inbox, body); err != nil {
		return b, err
	}
	timer := time.NewTimer(answerTime)
	defer timer.Stop()
	for {
		var m *nats.Msg
		select {
		case m = <-answers:
		case <-woken: // the rest has gone with the connection
			return s.fetch(ctx, stream, request)
		case <-ctx.Done():
			return b, ctx.Err()
		case <-s.done:
			return b, jobs.ErrClosed
		case <-timer.C:
			return b, context.DeadlineExceeded
		}
		switch m.Header.Get("Status") {
		case "":
			b.entries = append(b.entries, newEntry(m))
		case "204": // the end of the batch
			b.last = number(m, jetstream.LastSequenceHeader)
			b.more = number(m, numPending) > 0
			return b, nil
		case "404":
			return b, nil
		default:
			return b, statusError(m)
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

		subject: m.Header.Get(jetstream.SubjectHeader),
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
