package jobs

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of a StartRequest (the contract's StartRequest).
const (
	maxArgsBytes     = 256 << 10
	maxKeyLength     = 255
	maxTags          = 16
	maxTagLength     = 64
	maxAttemptsLimit = 100
	maxTitleLength   = 200

	maxConcurrencyKey = 128                       // bytes
	maxAheadMs        = 10 * 365 * 24 * 3_600_000 // of delays, timeouts and retention: ten years
)

// StartRequest asks for a new job. Its fields and limits are those of the contract's StartRequest; a
// field that this server does not serve is refused by name, never ignored.
type StartRequest struct {
	Kind           string          `json:"kind"`
	Args           json.RawMessage `json:"args,omitempty"`
	Title          string          `json:"title,omitempty"` // 1 to 200 characters; empty means the one that the kind makes
	ID             ID              `json:"id,omitempty"`
	IdempotencyKey string          `json:"idempotencyKey,omitempty"`
	Queue          string          `json:"queue,omitempty"`    // empty means the kind's, which is "default" unless it says another
	Priority       Priority        `json:"priority,omitempty"` // empty means default
	RunAt          *time.Time      `json:"runAt,omitempty"`    // not before; nil or past: at once
	DelayMs        int64           `json:"delayMs,omitempty"`  // the same, from now; not together with RunAt
	TimeoutMs      int64           `json:"timeoutMs,omitempty"`
	MaxAttempts    int             `json:"maxAttempts,omitempty"` // 1 to 100; 0 means the kind's, which is 1 unless it says another
	Backoff        *Backoff        `json:"backoff,omitempty"`
	ConcurrencyKey string          `json:"concurrencyKey,omitempty"` // at most one job of a key runs at a time
	ParentID       ID              `json:"parentId,omitempty"`
	RetentionMs    *int64          `json:"retentionMs,omitempty"` // how long it is kept when it has finished; 0: not at all
	Tags           []string        `json:"tags,omitempty"`
	Subscribe      *bool           `json:"subscribe,omitempty"` // Socket.IO only; default true
	Logs           bool            `json:"logs,omitempty"`      // Socket.IO only

	RootID   ID     `json:"-"` // that of ParentID, or ParentID: the engine sets it
	RetryOf  ID     `json:"-"` // the finished job that this one repeats: see engine.Retry
	Schedule *Tick  `json:"-"` // the tick that makes it; nil: none does
	From     string `json:"-"` // the client's address, for the limits of those who start jobs; "" has none
}

// UnmarshalJSON decodes a request from a client. Its error is a *Problem with code bad_request that
// points at every wrong field.
func (r *StartRequest) UnmarshalJSON(data []byte) error {
	*r = StartRequest{}
	return fields{
		"kind": &r.Kind, "args": &r.Args, "id": &r.ID, "idempotencyKey": &r.IdempotencyKey, "maxAttempts": &r.MaxAttempts,
		"title": &r.Title, "tags": &r.Tags, "subscribe": &r.Subscribe, "logs": &r.Logs, "queue": &r.Queue,
		"priority": &r.Priority, "runAt": &r.RunAt, "delayMs": &r.DelayMs, "timeoutMs": &r.TimeoutMs, "backoff": &backoffField{&r.Backoff},
		"concurrencyKey": &r.ConcurrencyKey, "parentId": &r.ParentID, "retentionMs": &r.RetentionMs,
	}.decode(data, func(name string) (wrong string) {
		switch {
		case name == "maxAttempts" && r.MaxAttempts == 0:
			return fmt.Sprintf("must be 1 to %d", maxAttemptsLimit)
		case name == "title" && r.Title == "":
			return wrongTitle
		case name == "timeoutMs" && r.TimeoutMs == 0:
			return wrongTimeout
		}
		return ""
	})
}

// Check holds the request against the contract's limits. The error is a *Problem.
func (r *StartRequest) Check() error {
	var wrong []ProblemField
	refuse := func(pointer, detail string) {
		wrong = append(wrong, ProblemField{Pointer: pointer, Detail: detail})
	}
	if r.Kind == "" {
		refuse("/kind", "is missing")
	} else if !namePattern.MatchString(r.Kind) {
		refuse("/kind", wrongName)
	}
	if p := tooLargeArgs(r.Args); p != nil {
		return p
	}
	if len(r.Args) > 0 && !json.Valid(r.Args) {
		refuse("/args", "is not JSON")
	}
	if r.ID != "" && !r.ID.Valid() {
		refuse("/id", wrongID)
	}
	if utf8.RuneCountInString(r.IdempotencyKey) > maxKeyLength {
		refuse("/idempotencyKey", fmt.Sprintf("must have at most %d characters", maxKeyLength))
	}
	if r.ID != "" && r.IdempotencyKey != "" {
		refuse("/idempotencyKey", "cannot be given together with id, which has the same effect")
	}
	if r.MaxAttempts < 0 || r.MaxAttempts > maxAttemptsLimit {
		refuse("/maxAttempts", fmt.Sprintf("must be 1 to %d", maxAttemptsLimit))
	}
	if r.Queue != "" && !namePattern.MatchString(r.Queue) {
		refuse("/queue", wrongName)
	}
	if !slices.Contains([]Priority{"", PriorityHigh, PriorityDefault, PriorityLow}, r.Priority) {
		refuse("/priority", "must be one of high, default, low")
	}
	if r.DelayMs < 0 || r.DelayMs > maxAheadMs {
		refuse("/delayMs", fmt.Sprintf("must be 0 to %d", maxAheadMs))
	}
	if r.RunAt != nil && r.DelayMs != 0 {
		refuse("/delayMs", "cannot be given together with runAt")
	}
	if r.RunAt != nil && r.RunAt.Year() > 9999 {
		refuse("/runAt", "is too far away")
	}
	if r.TimeoutMs < 0 || r.TimeoutMs > maxAheadMs {
		refuse("/timeoutMs", wrongTimeout)
	}
	if r.Backoff != nil {
		r.Backoff.check(refuse)
	}
	if len(r.ConcurrencyKey) > maxConcurrencyKey {
		refuse("/concurrencyKey", fmt.Sprintf("must have at most %d bytes", maxConcurrencyKey))
	}
	if r.ParentID != "" && !r.ParentID.Valid() {
		refuse("/parentId", wrongID)
	}
	if r.RetentionMs != nil && (*r.RetentionMs < 0 || *r.RetentionMs > maxAheadMs) {
		refuse("/retentionMs", fmt.Sprintf("must be 0 to %d", maxAheadMs))
	}
	if utf8.RuneCountInString(r.Title) > maxTitleLength || r.Title != CleanTitle(r.Title) {
		refuse("/title", wrongTitle)
	}
	if len(r.Tags) > maxTags {
		refuse("/tags", fmt.Sprintf("must have at most %d items", maxTags))
	}
	for i, tag := range r.Tags {
		if tag == "" || utf8.RuneCountInString(tag) > maxTagLength {
			refuse(fmt.Sprintf("/tags/%d", i), fmt.Sprintf("must have 1 to %d characters", maxTagLength))
			break
		}
	}
	return badFields(wrong)
}

// tooLargeArgs is the Problem of arguments that are too large, or nil.
func tooLargeArgs(args json.RawMessage) *Problem {
	if len(args) <= maxArgsBytes {
		return nil
	}
	p := NewProblem(CodeTooLarge, fmt.Sprintf("args has %d bytes; at most %d are taken", len(args), maxArgsBytes))
	p.Errors = []ProblemField{{Pointer: "/args", Detail: p.Detail}}
	return p
}

var wrongTimeout = fmt.Sprintf("must be 1 to %d", maxAheadMs)

var wrongTitle = fmt.Sprintf("must have 1 to %d characters on one line, without a blank at either end", maxTitleLength)

// CleanTitle makes of any text what can be a title: one line of at most 200 characters.
func CleanTitle(title string) string {
	title = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(title, "\uFFFD"))
	n := 0
	for i := range title {
		if n++; n > maxTitleLength {
			return strings.TrimSpace(title[:i])
		}
	}
	return strings.TrimSpace(title)
}
