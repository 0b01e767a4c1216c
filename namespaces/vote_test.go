package namespaces

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"testing/synctest"

	"jobcast/events"
	"jobcast/internal/systems/journal"
	"jobcast/internal/systems/vote"
	"jobcast/socketio"
)

// inVote runs a test in fake time with the namespace /vote.
func inVote(t *testing.T, test func(t *testing.T, l *pipeListener, votes *vote.Vote)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		votes, err := vote.Open(t.Context(), new(journal.Memory))
		if err != nil {
			t.Fatal(err)
		}
		io := socketio.New(socketio.Config{EncodeError: EncodeError})
		end := Register(io, Vote, Services{Vote: votes})
		t.Cleanup(func() { end(context.Background()) })
		test(t, serve(t, io), votes)
	})
}

func TestVotesOfManyClientsAreSeenByEachInOrder(t *testing.T) {
	inVote(t, func(t *testing.T, l *pipeListener, votes *vote.Vote) {
		const clients, each = 20, 25
		var done sync.WaitGroup
		for range clients {
			c := l.connect(t, "/vote")
			var list events.VoteList
			if e := c.next(); e.name != "votes" || json.Unmarshal(e.payload, &list) != nil || len(list.Candidates) != 3 {
				t.Fatalf("got %s %s, want the votes", e.name, e.payload)
			}
			done.Go(func() {
				for i := range each {
					var ack events.VoteAck
					c.ask("vote", events.VoteRequest{UID: vote.UID(i%3 + 1)}, &ack)
					if !ack.OK || ack.Candidate.UID != i%3+1 {
						t.Errorf("got %+v", ack)
					}
				}
				for list.Rev < 1+2*clients*each {
					var change events.VoteChange
					e := c.next()
					decode(t, e.payload, &change)
					if e.name != "vote:changed" || change.Rev != list.Rev+1 {
						t.Errorf("got %s %s after %d", e.name, e.payload, list.Rev)
						return
					}
					list.Rev = change.Rev
					list.Candidates[change.UID-1] = change.Candidate
				}
				if got, want := list.Candidates[0].Count+list.Candidates[1].Count+list.Candidates[2].Count, int64(1100+2*clients*each); got != want {
					t.Errorf("got %d votes, want %d", got, want)
				}
			})
		}
		for i := range clients * each { // those of other transports
			done.Go(func() {
				if _, _, err := votes.Cast(t.Context(), vote.UID(i%3+1)); err != nil {
					t.Error(err)
				}
			})
		}
		done.Wait()
	})
}

func TestAVoteForNobodyIsRefused(t *testing.T) {
	inVote(t, func(t *testing.T, l *pipeListener, votes *vote.Vote) {
		c := l.connect(t, "/vote")
		for payload, want := range map[string]string{`{"uid":9}`: "not_found", `{"uid":"9"}`: "not_found", `{}`: "not_found", `{"uid":"<b>"}`: "bad_request"} {
			var got events.Refusal
			c.ask("vote", json.RawMessage(payload), &got)
			if got.OK || got.Error.Code != want {
				t.Errorf("%s: got %+v, want %s", payload, got, want)
			}
		}
		if rev, _ := votes.Now(); rev != 1 {
			t.Errorf("got revision %d, want 1", rev)
		}
		var ack events.VoteAck // a page reads its uid from an attribute, as text
		if c.ask("vote", json.RawMessage(`{"uid":"1"}`), &ack); !ack.OK || ack.Candidate.Count != 301 {
			t.Errorf("got %+v, want the vote counted", ack)
		}
	})
}
