// Package jobstest is the suite that every jobs.Store passes. It knows no implementation: it is given a
// way to open an empty store and uses nothing but the interface.
package jobstest

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/jobs"
)

var cases = []struct {
	name string
	run  func(t *testing.T, s jobs.Store)
}{
	{"AppendAndLast", appendAndLast},
	{"RecordsKeepEveryField", recordsKeepEveryField},
	{"AppendRefusesStalePosition", appendRefusesStalePosition},
	{"AppendUnderContention", appendUnderContention},
	{"CreateUnderContention", createUnderContention},
	{"ReadPages", readPages},
	{"FollowHasNoHoles", followHasNoHoles},
	{"FollowEnds", followEnds},
	{"FollowIsOfOneJob", followIsOfOneJob},
	{"IndexThenLive", indexThenLive},
	{"IndexUnderConcurrentAppends", indexUnderConcurrentAppends},
	{"Args", args},
	{"LogAppendAndLast", logAppendAndLast},
	{"LogReadFromTheMiddleOfAChunk", logReadFromTheMiddleOfAChunk},
	{"FollowLogHasNoHoles", followLogHasNoHoles},
	{"CellPutAndDelete", cellPutAndDelete},
	{"CellsAreBytes", cellsAreBytes},
	{"CellNamesAreChecked", cellNamesAreChecked},
	{"CellUnderContention", cellUnderContention},
	{"CellDeleteAgainstPut", cellDeleteAgainstPut},
	{"WatchCells", watchCells},
	{"WatchCellsHasNoHoles", watchCellsHasNoHoles},
	{"RemoveLeavesNothing", removeLeavesNothing},
	{"IndexTellsOfRemoval", indexTellsOfRemoval},
	{"IndexUnderConcurrentRemoves", indexUnderConcurrentRemoves},
	{"UsageGrowsAndShrinks", usageGrowsAndShrinks},
}

// TestStore runs the suite, each case in parallel on a store of its own that open returns empty; open
// registers its own clean-up.
func TestStore(t *testing.T, open func(t *testing.T) jobs.Store) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, open(t))
		})
	}
}

// TestStoreInBubble runs the suite in testing/synctest, where waiting takes no time: for a store that
// uses neither network nor disk.
func TestStoreInBubble(t *testing.T, open func(t *testing.T) jobs.Store) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.run(t, open(t)) })
		})
	}
}

// patience bounds every wait for something that must happen.
const patience = 5 * time.Minute

// absence is how long a case waits for something that must not happen.
const absence = 300 * time.Millisecond

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// record is event number seq of a job; seq tells it apart from every other.
func record(id jobs.ID, seq uint64) jobs.Record {
	now := time.Now().UTC().Round(time.Millisecond)
	e := jobs.Event{
		Type: jobs.EventProgress, JobID: id, Seq: seq, Prev: seq - 1, Time: now, Attempt: 1, State: jobs.Running,
		Data: json.RawMessage(fmt.Sprintf(`{"done":%d}`, seq)),
	}
	return jobs.Record{Event: e, Job: jobs.Job{
		ID: id, Kind: "test", Queue: "default", State: jobs.Running, Seq: seq, Attempt: 1, MaxAttempts: 3, CreatedAt: now,
	}}
}

// grow appends records first to last, one after the other, and returns the position of the newest.
func grow(t *testing.T, s jobs.Store, id jobs.ID, first, last uint64, pos jobs.Position) jobs.Position {
	t.Helper()
	for seq := first; seq <= last; seq++ {
		next, err := s.Append(t.Context(), record(id, seq), pos)
		if err != nil {
			t.Errorf("append %s %d: %v", id, seq, err)
			return pos
		}
		pos = next
	}
	return pos
}

// chunk holds n lines from number line on; each line's text is its number.
func chunk(id jobs.ID, line int64, n int) jobs.LogChunk {
	c := jobs.LogChunk{JobID: id, Attempt: 1, Line: line}
	for i := range n {
		c.Lines = append(c.Lines, jobs.LogLine{T: 1, Stream: "out", Level: "info", Text: fmt.Sprint(line + int64(i))})
	}
	return c
}
