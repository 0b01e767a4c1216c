package socketio

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"jobcast/socketio/internal/parser"
)

// Answer is what one of many sockets said when it was asked.
type Answer[Res any] struct {
	Socket *Socket
	Value  Res
}

// UnansweredError says which sockets gave no answer to a question for many.
type UnansweredError struct {
	Event    string
	Answered int               // how many sockets did answer
	Missing  map[*Socket]error // why each of the others did not, as Call.Ask has it
}

func (e *UnansweredError) Error() string {
	return fmt.Sprintf("ask %s: %d of %d sockets gave no answer", e.Event, len(e.Missing), len(e.Missing)+e.Answered)
}

// Unwrap returns the error of every socket.
func (e *UnansweredError) Unwrap() []error { return slices.Collect(maps.Values(e.Missing)) }

// Ask emits the event to one client and waits for its acknowledgement, for Config.AckTimeout at the
// most if ctx has no deadline. It must not be called while holding a lock, and may be called from a
// handler. The error wraps that of ctx, context.DeadlineExceeded, ErrDisconnected with the Reason, or is
// a *PayloadError if the acknowledgement does not fit Res.
func (c Call[Req, Res]) Ask(ctx context.Context, s *Socket, req Req) (Res, error) {
	return c.Begin(s, req)(ctx)
}

// Begin is the first half of Ask: it emits the event and returns at once, so that what is emitted next
// comes next. It may be called while holding a lock. wait is the other half; it has the errors of both, and
// must be called, once.
func (c Call[Req, Res]) Begin(s *Socket, req Req) (wait func(ctx context.Context) (Res, error)) {
	id, replies := s.ns.nextAsk.Add(1)-1, make(chan reply, 1)
	expected := false
	out, err := encode(parser.Event, s.ns.name, &id, c.name, payloadOf(c.req, &req))
	if err != nil {
		err = fmt.Errorf("encode event %s: %w", c.name, err)
	} else {
		prepareHeard(s.ns, out, c.name, req)
		if expected = s.expect(id, replies); expected {
			if err = s.send(out); err != nil {
				err = fmt.Errorf("ask %s: %w", c.name, err)
			}
			s.ns.emitted(c.name, out.sent)
		}
	}
	return func(ctx context.Context) (res Res, _ error) {
		if expected {
			defer s.forget(id)
		}
		if err != nil {
			return res, err
		}
		s.welcome() // it may be its OnConnect that asks
		ctx, cancel := s.target().deadline(ctx)
		defer cancel()
		select {
		case r := <-replies:
			if r.err == nil {
				return res, decode(c.name, r.args, payloadOf(c.res, &res))
			}
			return res, fmt.Errorf("ask %s: %w", c.name, r.err)
		case <-ctx.Done():
			return res, fmt.Errorf("ask %s: %w", c.name, ended(ctx))
		}
	}
}

// AskEach emits the event to all sockets of a Target or a Namespace when the loop begins, and yields what
// became of each, as it comes: its answer, or an error as Ask returns it, with the socket that it is of.
// The loop ends when the last has answered or left, at the latest with ctx or after Target.Timeout;
// without either it takes Config.AckTimeout. The event is encoded once for all. If it cannot be encoded,
// that error is all there is, with no socket. AskEach keeps nothing when the loop ends, and sockets that
// come while it runs are not asked. A socket for which a Volatile event was dropped does not answer.
func (c Call[Req, Res]) AskEach(ctx context.Context, to Emitter, req Req) iter.Seq2[Answer[Res], error] {
	return func(yield func(Answer[Res], error) bool) {
		t := to.target()
		ctx, cancel := t.deadline(ctx)
		defer cancel()
		q, err := put(t, c.name, req, payloadOf(c.req, &req))
		if err != nil {
			yield(Answer[Res]{}, fmt.Errorf("encode event %s: %w", c.name, err))
			return
		}
		defer q.forget()
		q.welcomeAsked(ctx)
		for r := range q.replies(ctx) {
			a, err := Answer[Res]{Socket: r.socket}, r.err
			if err == nil {
				err = decode(c.name, r.args, payloadOf(c.res, &a.Value))
			} else {
				err = fmt.Errorf("ask %s: %w", c.name, err)
			}
			if !yield(a, err) {
				return
			}
		}
	}
}

// AskAll is AskEach for who wants all answers at once (emitWithAck of a broadcast in Node), in the order
// in which they came. If some socket gives none, there is an *UnansweredError beside the answers of the
// others.
func (c Call[Req, Res]) AskAll(ctx context.Context, to Emitter, req Req) ([]Answer[Res], error) {
	var answers []Answer[Res]
	missing := map[*Socket]error{}
	for a, err := range c.AskEach(ctx, to, req) {
		switch {
		case err == nil:
			answers = append(answers, a)
		case a.Socket == nil:
			return nil, err
		default:
			missing[a.Socket] = err
		}
	}
	if len(missing) > 0 {
		return answers, &UnansweredError{c.name, len(answers), missing}
	}
	return answers, nil
}

// deadline bounds the wait for answers.
func (t Target) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	timeout := t.timeout
	if timeout == 0 {
		if _, ok := ctx.Deadline(); ok {
			return ctx, func() {}
		}
		timeout = t.ns.srv.cfg.AckTimeout
	}
	return context.WithTimeout(ctx, timeout)
}

// A question was put to sockets, each of which replies to it once, if only by leaving.
type question struct {
	asked []asked
	reply chan reply // has room for all
}

type asked struct {
	socket *Socket
	id     uint64
	event  *outgoing
}

type reply struct {
	socket *Socket
	args   Args
	err    error
}

// put asks the sockets of t. payload is what encode takes for req.
func put[Req any](t Target, name string, req Req, payload any) (*question, error) {
	q := new(question)
	for t := range t.each() {
		id := t.ns.nextAsk.Add(1) - 1
		out, err := encodeFor(way{plain: t.plain}, parser.Event, t.ns.name, &id, name, payload)
		if err != nil {
			return nil, err
		}
		out.volatile = t.volatile
		prepareHeard(t.ns, out, name, req)
		before := len(q.asked)
		for s := range t.Sockets() {
			q.asked = append(q.asked, asked{s, id, out})
		}
		t.ns.emitted(name, int32(len(q.asked)-before))
	}
	q.reply = make(chan reply, len(q.asked))
	for _, a := range q.asked {
		if a.socket.expect(a.id, q.reply) {
			if err := a.socket.send(a.event); err != nil && a.socket.forget(a.id) {
				q.reply <- reply{socket: a.socket, err: err}
			}
		}
	}
	return q, nil
}

// replies yields what each socket replies until ctx ends, and then its end for the others.
func (q *question) replies(ctx context.Context) iter.Seq[reply] {
	return func(yield func(reply) bool) {
		for n := len(q.asked); n > 0; n-- {
			select {
			case r := <-q.reply:
				if !yield(r) {
					return
				}
				continue
			case <-ctx.Done():
			}
			late := q.forget()
			for range n - len(late) { // those that have just replied
				if !yield(<-q.reply) {
					return
				}
			}
			for _, s := range late {
				if !yield(reply{socket: s, err: ended(ctx)}) {
					return
				}
			}
			return
		}
	}
}

// forget lets the replies that are still to come be ignored, and returns the sockets that owe them.
func (q *question) forget() (late []*Socket) {
	for _, a := range q.asked {
		if a.socket.forget(a.id) {
			late = append(late, a.socket)
		}
	}
	return late
}

// disconnected is the error of asking a socket that is closed.
func disconnected(reason Reason) error { return fmt.Errorf("%w: %w", ErrDisconnected, reason) }

// ended is the error of a wait that ended with its context, which may be that of a socket.
func ended(ctx context.Context) error {
	err := context.Cause(ctx)
	if reason, ok := errors.AsType[Reason](err); ok {
		return disconnected(reason)
	}
	return err
}

// expect has what comes under an acknowledgement id sent to a channel with room for it. It returns false
// if the socket is closed, and its error was sent.
func (s *Socket) expect(id uint64, to chan<- reply) bool {
	s.mu.Lock()
	isClosed := s.state.Load() == closed
	if !isClosed {
		if s.asks == nil {
			s.asks = map[uint64]chan<- reply{}
		}
		s.asks[id] = to
	}
	s.mu.Unlock()
	if isClosed {
		<-s.ctx.Done() // at any moment
		to <- reply{socket: s, err: ended(s.ctx)}
	}
	return !isClosed
}

// forget reports whether something was still to come under an id.
func (s *Socket) forget(id uint64) bool { return s.taken(id) != nil }

// taken takes out who waits for an id, or nil.
func (s *Socket) taken(id uint64) chan<- reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	to := s.asks[id]
	if delete(s.asks, id); len(s.asks) == 0 {
		s.asks = nil // a socket is not asked often
	}
	return to
}

// settle delivers an acknowledgement from the session's reader. One that nobody waits for is ignored.
func (s *Socket) settle(id uint64, args Args) {
	if to := s.taken(id); to != nil {
		to <- reply{socket: s, args: args}
	}
}

// failAsks tells all who wait for an answer that the socket is closed.
func (s *Socket) failAsks(reason Reason) {
	s.mu.Lock()
	asks := s.asks
	s.asks = nil
	s.mu.Unlock()
	for _, to := range asks {
		to <- reply{socket: s, err: disconnected(reason)}
	}
}
