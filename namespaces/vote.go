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

// VoteNamespace answers the events of /vote. Its goroutine tells the clients of each vote; Close waits
// for it.
type VoteNamespace struct {
	ns     *socketio.Namespace
	votes  *vote.Vote
	log    *slog.Logger
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu   sync.Mutex // protects the field below; held while outboxes are filled, which never blocks
	told events.VoteList
}

// Vote registers /vote. log may be nil, which means slog.Default().
func Vote(io *socketio.Server, votes *vote.Vote, log *slog.Logger) *VoteNamespace {
	if log == nil {
		log = slog.Default()
	}
	io.Of("/vote").AllowMsgpack()
	n := &VoteNamespace{ns: io.Of("/vote"), votes: votes, log: log}
	refuseUnknown(n.ns)
	n.ns.OnConnect(n.welcome)
	n.ns.Handle(events.Vote.On(n.vote))
	n.told.Rev, n.told.Candidates = votes.Now()
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	n.done.Go(func() { n.tell(ctx, n.told.Rev) }) // only this goroutine writes told
	return n
}

// Close ends the telling. It comes after the server's Close.
func (n *VoteNamespace) Close() {
	n.cancel()
	n.done.Wait()
}

// welcome tells a client how the vote stands for all who are told of changes, and makes it one of them.
func (n *VoteNamespace) welcome(_ context.Context, s *socketio.Socket) {
	n.mu.Lock()
	defer n.mu.Unlock()
	voter.Set(s, vote.NewVoter())
	if events.Votes.Emit(s, n.told) == nil { // or it has left
		s.Join(voteRoom)
	}
}

func (n *VoteNamespace) vote(ctx context.Context, s *socketio.Socket, req events.VoteRequest) (events.VoteAck, error) {
	who, _ := voter.Get(s) // welcome comes first
	candidate, _, err := n.votes.CastBy(ctx, who, req.UID)
	return events.VoteAck{OK: true, Candidate: candidate}, voteProblem(err)
}

// tell tells everybody of each change, encoded once.
func (n *VoteNamespace) tell(ctx context.Context, rev uint64) {
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

func (n *VoteNamespace) pass(to socketio.Emitter, change vote.Change) error {
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
