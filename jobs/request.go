package jobs

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"jobcast/jobs/internal/text"
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

	From string `json:"-"` // the client's address, for the limits of those who start jobs; "" has none
}

// UnmarshalJSON decodes a request from a client. Its error is a *Problem with code bad_request that
// points at every wrong field.
func (r *StartRequest) UnmarshalJSON(data []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil || fields == nil {
		return BadRequest("", "the request must be a JSON object")
	}
	*r = StartRequest{}
	into := map[string]any{
		"kind": &r.Kind, "args": &r.Args, "id": &r.ID, "idempotencyKey": &r.IdempotencyKey, "maxAttempts": &r.MaxAttempts,
		"title": &r.Title, "tags": &r.Tags, "subscribe": &r.Subscribe, "logs": &r.Logs, "queue": &r.Queue,
		"priority": &r.Priority, "runAt": &r.RunAt, "delayMs": &r.DelayMs, "timeoutMs": &r.TimeoutMs, "backoff": &r.Backoff,
		"concurrencyKey": &r.ConcurrencyKey, "parentId": &r.ParentID, "retentionMs": &r.RetentionMs,
	}
	var wrong []ProblemField
	refuse := func(name, detail string) {
		wrong = append(wrong, ProblemField{Pointer: "/" + pointerToken(name), Detail: detail})
	}
	for name, value := range fields {
		target, known := into[name]
		switch {
		case !known:
			refuse(name, "is not a field of this request")
		case name == "args":
			r.Args = bytes.Clone(value)
		case string(value) == "null":
			refuse(name, "must not be null")
		default:
			if json.Unmarshal(value, target) != nil {
				refuse(name, "has the wrong type")
			} else if name == "maxAttempts" && r.MaxAttempts == 0 {
				refuse(name, fmt.Sprintf("must be 1 to %d", maxAttemptsLimit))
			} else if name == "title" && r.Title == "" {
				refuse(name, wrongTitle)
			} else if name == "timeoutMs" && r.TimeoutMs == 0 {
				refuse(name, wrongTimeout)
			}
		}
	}
	return badFields(wrong)
}

// pointerToken escapes a field's name for a JSON pointer (RFC 6901) and keeps it short.
func pointerToken(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(text.Bytes(name, 64))
}

// badFields is a Problem with the wrong fields, or nil if there are none. Of many it names the first, and says
// how many more there are.
func badFields(wrong []ProblemField) error {
	if len(wrong) == 0 {
		return nil
	}
	// The order of a map is no order: the same request gets the same answer.
	slices.SortFunc(wrong, func(a, b ProblemField) int { return strings.Compare(a.Pointer, b.Pointer) })
	p := BadRequest(wrong[0].Pointer, wrong[0].Detail)
	p.Errors = wrong[:min(maxNamed, len(wrong))]
	parts := make([]string, len(p.Errors), maxNamed+1)
	for i, f := range p.Errors {
		parts[i] = cmp.Or(strings.TrimPrefix(f.Pointer, "/"), "the request") + " " + f.Detail
	}
	if more := len(wrong) - maxNamed; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more are wrong", more))
	}
	p.Detail = strings.Join(parts, "; ")
	return p
}

// Check holds the request against the contract's limits. The error is a *Problem.
func (r *StartRequest) Check() error {
	var wrong []ProblemField
	refuse := func(pointer, detail string) {
		wrong = append(wrong, ProblemField{Pointer: pointer, Detail: detail})
	}
	if r.Kind == "" {
		refuse("/kind", "is missing")
	}
	if len(r.Args) > maxArgsBytes {
		p := NewProblem(CodeTooLarge, fmt.Sprintf("args has %d bytes; at most %d are taken", len(r.Args), maxArgsBytes))
		p.Errors = []ProblemField{{Pointer: "/args", Detail: p.Detail}}
		return p
	}
	if len(r.Args) > 0 && !json.Valid(r.Args) {
		refuse("/args", "is not JSON")
	}
	if r.ID != "" && !r.ID.Valid() {
		refuse("/id", "must be 1 to 64 of 0-9 A-Z a-z _ -")
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
		refuse("/queue", "must match "+namePattern.String())
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
		refuse("/parentId", "must be 1 to 64 of 0-9 A-Z a-z _ -")
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
