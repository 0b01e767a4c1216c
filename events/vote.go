package events

import (
	"jobcast/internal/systems/vote"
	"jobcast/socketio"
)

// VoteNamespace counts votes and shows the counts live.
var VoteNamespace = Namespace{
	Path:   "/vote",
	Client: []Message{Vote},
	Server: []Message{Votes, VoteChanged},
}

// The events of namespace /vote.
var (
	Vote = socketio.NewCall[VoteRequest, VoteAck]("vote") // is answered when the vote is stored

	Votes       = socketio.NewEvent[VoteList]("votes")          // is how all stand: when a client connects, and again where changes were missed
	VoteChanged = socketio.NewEvent[VoteChange]("vote:changed") // is one vote, of whomever; a count only grows
)

// VoteRequest is a vote.
type VoteRequest struct {
	UID vote.UID `json:"uid"`
}

// VoteAck is a vote that counts, with its candidate after it.
type VoteAck struct {
	OK        bool           `json:"ok"`
	Candidate vote.Candidate `json:"candidate"`
}

// VoteList is how all candidates stand at one revision.
type VoteList struct {
	Rev        uint64           `json:"rev"`
	Candidates []vote.Candidate `json:"candidates"`
}

// VoteChange is the revision that a vote made, and its candidate then.
type VoteChange struct {
	Rev uint64 `json:"rev"`
	vote.Candidate
}
