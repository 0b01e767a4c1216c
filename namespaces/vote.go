package namespaces

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"

	"jobcast/events"
	"jobcast/internal/systems/vote"
	"jobcast/jobs"
	"jobcast/socketio"
)

// voteRoom has the sockets that know how the vote stands.
const voteRoom = "vote"

// voter is who votes over a socket.
var voter = socketio.NewData[*vote.Voter]("voter")

// Vote is /vote: votes are taken, and all are told how they stand. It runs a goroutine that tells the clients of each
// vote.
var Vote = Namespace{Path: events.VoteNamespace.Path, Open: openVote}

type voteNamespace struct {
	ns    *socketio.Namespace
	votes *vote.Vote
	log   *slog.Logger

	mu   sync.Mutex // protects the field below; held while outboxes are filled, which never blocks
	told events.VoteList
}

func openVote(ns *socketio.Namespace, s Services) Close {
	n := &voteNamespace{ns: ns, votes: s.Vote, log: s.Logger}
	ns.OnConnect(n.welcome)
	ns.Handle(events.Vote.On(n.vote))
	n.told.Rev, n.told.Candidates = n.votes.Now()
	return Background(func(ctx context.Context) { n.tell(ctx, n.told.Rev) }) // only this goroutine writes told
}

// welcome tells a client how the vote stands for all who are told of changes, and makes it one of them.
func (n *voteNamespace) welcome(_ context.Context, s *socketio.Socket) {
	n.mu.Lock()
	defer n.mu.Unlock()
	voter.Set(s, vote.NewVoter())
	if events.Votes.Emit(s, n.told) == nil { // or it has left
		s.Join(voteRoom)
	}
}

func (n *voteNamespace) vote(ctx context.Context, s *socketio.Socket, req events.VoteRequest) (events.VoteAck, error) {
	who, _ := voter.Get(s) // welcome comes first
	candidate, _, err := n.votes.CastBy(ctx, who, req.UID)
	return events.VoteAck{OK: true, Candidate: candidate}, voteProblem(err)
}

// tell tells everybody of each change, encoded once.
func (n *voteNamespace) tell(ctx context.Context, rev uint64) {
	to := n.ns.To(voteRoom)
	for change, err := range n.votes.Follow(ctx, rev) {
		if err != nil {
			return // only because of Close
		}
		if err := n.pass(to, change); err != nil {
			n.log.Error("clients miss a vote", "nsp", "/vote", "err", err)
		}
	}
}

func (n *voteNamespace) pass(to socketio.Emitter, change vote.Change) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.told.Rev = change.Rev
	if change.All != nil {
		n.told.Candidates = change.All
		return events.Votes.Emit(to, n.told)
	}
	n.told.Candidates = slices.Clone(n.told.Candidates) // the slice before is the poll's
	for i, c := range n.told.Candidates {
		if c.UID == change.UID {
			n.told.Candidates[i] = change.Candidate
		}
	}
	return events.VoteChanged.Emit(to, events.VoteChange{Rev: change.Rev, Candidate: change.Candidate})
}

// voteProblem is what a client is told of an error of package vote.
func voteProblem(err error) error {
	switch {
	case errors.Is(err, vote.ErrUnknown):
		return jobs.NewProblem(jobs.CodeNotFound, "there is no candidate with this uid")
	case errors.Is(err, vote.ErrTooFast):
		return jobs.NewProblem(jobs.CodeTooManyRequests, "nobody may vote so often; wait a moment")
	case errors.Is(err, vote.ErrBusy):
		return jobs.NewProblem(jobs.CodeUnavailable, "this vote was not counted; vote again in a moment")
	}
	return err
}
