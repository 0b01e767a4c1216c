package events

import (
	"jobcast/internal/systems/compare"
	"jobcast/socketio"
)

// CompareNamespace is one stream of events, watched over every transport side by side.
var CompareNamespace = Namespace{
	Path:   "/compare",
	Auth:   CompareAuth{},
	Client: []Message{CompareOpen, CompareSet, CompareClock, CompareFigures},
	Server: []Message{CompareEvent},
}

// The events of namespace /compare: one stream of events, watched over every transport side by side. A
// socket without auth has the controls of a run, which ends with it; one with CompareAuth gets its events.
var (
	CompareOpen    = socketio.NewCall[compare.Settings, CompareAck]("compare:open")   // opens a run, which ends with this socket
	CompareSet     = socketio.NewCall[compare.Settings, CompareAck]("compare:set")    // changes its settings
	CompareClock   = socketio.NewCall[struct{}, CompareClockAck]("compare:clock")     // asks for the server's clock
	CompareFigures = socketio.NewCall[struct{}, CompareFiguresAck]("compare:figures") // asks what the run has cost

	CompareEvent = socketio.NewEvent[compare.Event]("compare:event") // is one event of the run
)

// CompareAuth asks for the events of a run from After on.
type CompareAuth struct {
	Run   string `json:"run"`
	After uint64 `json:"after,omitempty"` // the number that the client holds
}

// CompareAck is the run that was opened or changed, with its settings from now on.
type CompareAck struct {
	OK bool `json:"ok"`
	compare.Settings
	Run  string `json:"run"`
	Last uint64 `json:"last"` // the newest event's number
}

// CompareClockAck is the time by the server's clock: half-way between question and answer, more or less.
type CompareClockAck struct {
	OK bool  `json:"ok"`
	At int64 `json:"at"` // microseconds since 1970
}

// CompareFiguresAck is what the run has cost so far.
type CompareFiguresAck struct {
	OK bool `json:"ok"`
	compare.Figures
}
