package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"math"
	"net/http"

	"github.com/labstack/echo/v4"

	"jobcast/internal/systems/vote"
	"jobcast/internal/websocket"
	"jobcast/jobs"
)

// votes is how all candidates stand at one revision.
type votes struct {
	Rev        uint64           `json:"rev"`
	Candidates []vote.Candidate `json:"candidates"`
}

// getVote answers GET /api/vote: at once, as a long poll with after and wait, or as a stream.
func (s *server) getVote(c echo.Context) error {
	q := query{c: c}
	q.only("after", "wait")
	after, polls := q.after()
	if q.err != nil {
		return q.err
	}
	if wantsStream(c) {
		return s.streamVote(c)
	}
	wait := q.wait()
	if q.err != nil {
		return q.err
	}
	if polls {
		// Another revision, or the end of the wait: either is answered with how all stand.
		_, _ = awaitNext(c.Request().Context(), wait, func(ctx context.Context) iter.Seq2[vote.Change, error] {
			return s.Vote.Follow(ctx, after)
		})
	}
	var now votes
	now.Rev, now.Candidates = s.Vote.Now()
	var body bytes.Buffer
	if err := encode(&body, now); err != nil {
		return err
	}
	// Of the content: a revision alone may come again, with other counts, where the data was thrown away.
	sum := fnv.New64a()
	sum.Write(body.Bytes())
	tag := fmt.Sprintf(`"%d-%x"`, now.Rev, sum.Sum64())
	return s.respondTagged(c, tag, body.Bytes())
}

// streamVote sends how all stand and then each vote as Server-Sent Events, until the client goes. A browser
// that was cut off comes back by itself with Last-Event-ID, and goes on after it.
func (s *server) streamVote(c echo.Context) error {
	q := query{c: c}
	after := q.resumeAfter()
	if q.err != nil {
		return q.err
	}
	return respondStream(c, func(ctx context.Context, stream *eventStream) {
		for change, err := range s.Vote.Follow(ctx, after) {
			if err != nil {
				return
			}
			name, data := "vote:changed", any(change)
			if change.All != nil {
				name, data = "votes", votes{change.Rev, change.All}
			}
			if !stream.send(change.Rev, name, data) {
				return
			}
		}
	})
}

// postVote answers POST /api/vote, with JSON or a form.
func (s *server) postVote(c echo.Context) error {
	var body struct {
		UID vote.UID `json:"uid"`
	}
	var err error
	if isForm(c.Request()) {
		if err = readForm(c); err == nil {
			body.UID, err = vote.ParseUID(c.Request().PostFormValue("uid"))
		}
	} else {
		err = decode(c, &body)
	}
	if err != nil {
		return err
	}
	candidate, rev, err := s.Vote.CastFrom(c.Request().Context(), address(c), body.UID)
	if err != nil {
		return err
	}
	return s.respond(c, http.StatusOK, struct {
		OK        bool           `json:"ok"`
		Rev       uint64         `json:"rev"`
		Candidate vote.Candidate `json:"candidate"`
	}{true, rev, candidate})
}

// socketVote answers GET /ws/vote. A candidate's uid as text, such as 1, is a vote, which nothing confirms
// but its change: every vote, of whomever, is told as the JSON of its candidate. Anything else is answered
// by a JSON text with an error.
func (s *server) socketVote(c echo.Context) error {
	told, _ := s.Vote.Now() // before the client can ask how all stand
	return s.raw(c, websocket.Options{MaxMessageBytes: 4 << 10}, func(ctx context.Context, socket *websocket.Socket) error {
		voter := vote.NewVoter()
		var own uint64 // the revision of this client's last vote
		err := socket.Talk(ctx, func(ctx context.Context) {
			told = s.tellVotes(ctx, socket, told, math.MaxUint64)
		}, func(message []byte, text bool) error {
			rev, err := s.castText(ctx, voter, message, text)
			if err != nil {
				return sendJSON(socket, struct {
					Error string `json:"error"`
				}{problemOf(err).Detail})
			}
			own = rev
			return nil
		})
		s.tellVotes(ctx, socket, told, own) // a vote that was taken in is answered, though the server drains
		return err
	})
}

func (s *server) castText(ctx context.Context, voter *vote.Voter, message []byte, text bool) (uint64, error) {
	uid, err := vote.ParseUID(string(message))
	if err != nil || !text {
		return 0, jobs.BadRequest("", "a vote is the uid of a candidate as text, such as 1")
	}
	_, rev, err := s.Vote.CastBy(ctx, voter, uid)
	if err != nil && problemOf(err).Code == jobs.CodeInternal {
		s.Logger.Error("a vote failed", "err", err)
	}
	return rev, err
}

// tellVotes sends what changes after revision told, until it has told revision last, or ctx ends, or the
// client is gone. It returns the revision that the client has been told.
func (s *server) tellVotes(ctx context.Context, socket *websocket.Socket, told, last uint64) uint64 {
	if told >= last {
		return told
	}
	for change, err := range s.Vote.Follow(ctx, told) {
		if err != nil {
			break
		}
		candidates := change.All
		if candidates == nil {
			candidates = []vote.Candidate{change.Candidate}
		}
		for _, candidate := range candidates {
			if sendJSON(socket, candidate) != nil {
				return told
			}
		}
		if told = change.Rev; told >= last {
			break
		}
	}
	return told
}

// voteProblem is what a client is told of an error of package vote, or nil.
func voteProblem(err error) *jobs.Problem {
	switch {
	case errors.Is(err, vote.ErrUnknown):
		return jobs.NewProblem(jobs.CodeNotFound, "there is no candidate with this uid")
	case errors.Is(err, vote.ErrUID):
		return jobs.BadRequest("/uid", "uid must be a candidate's number, such as 1")
	case errors.Is(err, vote.ErrTooFast):
		return jobs.NewProblem(jobs.CodeTooManyRequests, "nobody may vote so often; wait a moment")
	case errors.Is(err, vote.ErrBusy):
		return jobs.NewProblem(jobs.CodeUnavailable, "this vote was not counted; vote again in a moment")
	}
	return nil
}
