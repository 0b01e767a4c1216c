package jobs

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"math"
	"time"

	"jobcast/jobs/internal/text"
)

// Bounds of what a worker reports, in characters. What is longer is cut.
const (
	maxUnitLength = 24
	maxMessage    = 500
	maxStepName   = 120
)

// Run is one attempt of one job, as its worker sees it: what the worker reports goes through it. Its methods
// may be called from any goroutine, do not block on the network or the disk (but see Create), and do nothing
// once the attempt is over.
type Run struct {
	id      ID
	attempt int
	to      Reporter
}

// NewRun makes the Run of an attempt, which counts from 1. It is for who runs workers; a test of a worker may
// hand in a Reporter of its own.
func NewRun(id ID, attempt int, to Reporter) *Run { return &Run{id, attempt, to} }

// A Reporter takes what one attempt reports: it is the engine's side of a Run, which hands in only what is
// within the bounds. Its methods may be called from any goroutine, and must not block but for Event,
// Receive, Create and Upload. After the end of the attempt they do nothing, and Create returns an error.
type Reporter interface {
	Progress(Report)
	Step(Step)
	Warn(n int64)
	// Log takes a line of text, and how many bytes it has when it is stored, about.
	Log(line LogLine, bytes int)
	// Event takes a custom event. It waits where many are not stored yet, until ctx or the attempt ends.
	Event(ctx context.Context, e DataEvent) error
	// Receive waits for the next message of a name, until ctx or the attempt ends, and returns its payload.
	Receive(ctx context.Context, name string) (json.RawMessage, error)
	// Set takes a live value; nil takes the key away.
	Set(key string, value json.RawMessage) error
	Create(name, contentType string) (ArtifactWriter, error)
	Upload(name string) (*Upload, error)
}

// Report is how far a worker says that it is.
type Report struct {
	Done, Total float64 // neither negative nor infinite; a Total of 0 means that nobody knows
	Unit        string
	Message     string
}

// ID is the job's.
func (r *Run) ID() ID { return r.id }

// Attempt counts from 1.
func (r *Run) Attempt() int { return r.attempt }

// Progress reports how far the job is. It may be called in a tight loop: a report is stored when 250 ms
// or 1 % have passed since the last one (and at least 50 ms); the first, the last, and a change of
// message always are, of several within 50 ms the newest. A total of 0 or less means that nobody knows.
// unit has at most 24 characters, message 500; more is cut.
func (r *Run) Progress(done, total float64, unit, message string) {
	r.to.Progress(Report{
		Done: finite(done), Total: finite(total),
		Unit: text.Characters(unit, maxUnitLength), Message: text.Characters(message, maxMessage),
	})
}

// Step says that part index (from 1) of count begins. Progress starts anew. name has at most 120
// characters. Steps are few: of more than 16 within 50 ms, the newest are stored.
func (r *Run) Step(index, count int, name string) {
	index = max(1, index)
	r.to.Step(Step{Index: index, Count: max(index, count), Name: text.Characters(name, maxStepName)})
}

// Warn counts n things that the job could not do, such as files that cannot be read, and went on without. The
// job's snapshot has their number, so that lists show it; say in the log what they are. Who could do nothing
// at all returns an error instead. Watchers learn of the number with the job's next event.
func (r *Run) Warn(n int64) { r.to.Warn(n) }

// Log writes one line; attrs become its fields. Lines are stored a few times a second. A line has at
// most 16 KiB; more is cut, and says so. Log never waits for the disk: of more than 1 MiB that is not
// stored yet, the oldest lines are dropped, and a line of the system's says how many.
func (r *Run) Log(level slog.Level, text string, attrs ...slog.Attr) {
	r.to.Log(newLine(time.Now(), level, text, attrs))
}

// Create makes an artifact, which appears when the writer is closed without an error; a later attempt
// replaces it. contentType may be empty. The name is a plain one of at most 200 bytes. Create and the
// writer use the disk: they may block. Watchers learn of the artifact with the job's next event.
func (r *Run) Create(name, contentType string) (ArtifactWriter, error) {
	if err := CheckFileName(name); err != nil {
		return nil, err
	}
	return r.to.Create(name, contentType)
}

// Upload opens a file that a client uploaded. The error is a *Problem of code not_found or bad_request.
func (r *Run) Upload(name string) (*Upload, error) { return r.to.Upload(name) }

// ArtifactWriter writes one artifact. It belongs to one goroutine.
type ArtifactWriter interface {
	// Write returns the first error again and again: an artifact that was torn does not appear.
	io.Writer
	// Close makes the artifact appear, whole and synced to disk. It returns the first error of Write, and
	// refuses when the attempt is over: its job may already run elsewhere. Closing twice does nothing.
	io.Closer
	// Abort removes what was written. After Close it does nothing.
	Abort()
}

// finite makes of v what JSON and a progress bar can show.
func finite(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
		return 0
	}
	return v
}
