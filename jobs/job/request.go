package job

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/oklog/ulid/v2"
)

// DefaultGrace is how long a worker may take to return after a cancel.
const DefaultGrace = 10 * time.Second

// Limits of a StartRequest (the contract's StartRequest).
const (
	maxArgsBytes     = 256 << 10
	maxKeyLength     = 255
	maxTags          = 16
	maxTagLength     = 64
	maxAttemptsLimit = 100
	maxReasonLength  = 500
	maxTitleLength   = 200
	maxGraceMs       = 600_000
)

// StartRequest asks for a new job. Its fields and limits are those of the contract's StartRequest; a
// field that this server does not serve is refused by name, never ignored.
type StartRequest struct {
	Kind           string          `json:"kind"`
	Args           json.RawMessage `json:"args,omitempty"`
	Title          string          `json:"title,omitempty"` // 1 to 200 characters; empty means the one that the kind makes
	ID             ID              `json:"id,omitempty"`
	IdempotencyKey string          `json:"idempotencyKey,omitempty"`
	MaxAttempts    int             `json:"maxAttempts,omitempty"`
	Tags           []string        `json:"tags,omitempty"`
	Subscribe      *bool           `json:"subscribe,omitempty"` // Socket.IO only; default true
	Logs           bool            `json:"logs,omitempty"`      // Socket.IO only

	From string `json:"-"` // the client's address, for the limits of those who start jobs; "" has none
}

// notServed are the fields of the contract that this server does not act on. To ignore one of them
// would be to promise what is not kept.
var notServed = map[string]bool{
	"priority": true, "runAt": true, "delayMs": true, "timeoutMs": true, "backoff": true,
	"concurrencyKey": true, "parentId": true, "retentionMs": true,
}

// UnmarshalJSON decodes a request from a client. Its error is a *Problem with code bad_request that
// points at every wrong field.
func (r *StartRequest) UnmarshalJSON(data []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil || fields == nil {
		return BadRequest("", "the request must be a JSON object")
	}
	*r = StartRequest{}
	queue := "default"
	into := map[string]any{
		"kind": &r.Kind, "args": &r.Args, "id": &r.ID, "idempotencyKey": &r.IdempotencyKey, "maxAttempts": &r.MaxAttempts,
		"title": &r.Title, "tags": &r.Tags, "subscribe": &r.Subscribe, "logs": &r.Logs, "queue": &queue,
	}
	var wrong []ProblemField
	refuse := func(name, detail string) {
		wrong = append(wrong, ProblemField{Pointer: "/" + pointerToken(name), Detail: detail})
	}
	for name, value := range fields {
		target, known := into[name]
		switch {
		case notServed[name]:
			refuse(name, "is not served by this server")
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
			}
		}
	}
	if queue != "default" {
		refuse("queue", `other queues than "default" are not served by this server`)
	}
	return badFields(wrong)
}

// pointerToken escapes a field's name for a JSON pointer (RFC 6901) and keeps it short.
func pointerToken(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(Cut(name, 64))
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

var wrongTitle = fmt.Sprintf("must have 1 to %d characters on one line, without a blank at either end", maxTitleLength)

// CleanTitle makes of any text what can be a title: one line of at most 200 characters.
func CleanTitle(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	n := 0
	for i := range text {
		if n++; n > maxTitleLength {
			return strings.TrimSpace(text[:i])
		}
	}
	return strings.TrimSpace(text)
}

// DecodeArgs decodes the arguments of a kind and refuses fields that the kind does not have. Missing
// arguments are those with every field at its zero value.
func DecodeArgs(raw json.RawMessage, args any) error {
	if len(raw) == 0 || string(raw) == "null" {
		raw = json.RawMessage("{}")
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	err := dec.Decode(args)
	if err == nil {
		return nil
	}
	if typed, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		pointer := "/args"
		if typed.Field != "" {
			pointer += "/" + strings.ReplaceAll(typed.Field, ".", "/")
		}
		return BadRequest(pointer, fmt.Sprintf("must be %s, not %s", jsonName(typed.Type.Kind().String()), typed.Value))
	}
	return BadRequest("/args", strings.TrimPrefix(err.Error(), "json: "))
}

// jsonName is what JSON calls a value that Go keeps in the given kind of type.
func jsonName(kind string) string {
	switch {
	case kind == "bool":
		return "a boolean"
	case kind == "string":
		return "a string"
	case kind == "slice" || kind == "array":
		return "an array"
	case strings.HasPrefix(kind, "float"):
		return "a number"
	case strings.HasPrefix(kind, "int") || strings.HasPrefix(kind, "uint"):
		return "a whole number"
	}
	return "an object"
}

// SameJSON reports whether two texts are the same value, whatever their blanks and order of fields.
func SameJSON(a, b json.RawMessage) bool {
	return bytes.Equal(canonical(a), canonical(b))
}

func canonical(raw json.RawMessage) []byte {
	if len(raw) == 0 {
		return []byte("null")
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return raw
	}
	out, err := json.Marshal(v)
	if err != nil {
		return raw
	}
	return out
}

// CancelRequest asks a job to stop. Cancelling twice, or a finished job, is no error.
type CancelRequest struct {
	ID      ID     `json:"id"`
	Reason  string `json:"reason,omitempty"`
	GraceMs *int64 `json:"graceMs,omitempty"` // how long the worker may take; nil means 10,000
	Force   bool   `json:"force,omitempty"`   // do not wait for the worker at all
}

// Check holds the request against the contract's limits. The error is a *Problem.
func (r *CancelRequest) Check() error {
	var wrong []ProblemField
	if !r.ID.Valid() {
		wrong = append(wrong, ProblemField{"/id", "must be 1 to 64 of 0-9 A-Z a-z _ -"})
	}
	if utf8.RuneCountInString(r.Reason) > maxReasonLength {
		wrong = append(wrong, ProblemField{"/reason", fmt.Sprintf("must have at most %d characters", maxReasonLength)})
	}
	if r.GraceMs != nil && (*r.GraceMs < 0 || *r.GraceMs > maxGraceMs) {
		wrong = append(wrong, ProblemField{"/graceMs", fmt.Sprintf("must be 0 to %d", maxGraceMs)})
	}
	return badFields(wrong)
}

// Outcome is what a cancel did.
type Outcome string

// The outcomes of a cancel. A job that is cancelling has its worker told, and will be cancelled unless
// the worker completes it first.
const (
	OutcomeCancelled       Outcome = "cancelled"
	OutcomeCancelling      Outcome = "cancelling"
	OutcomeAlreadyFinished Outcome = "already_finished"
)

// LogQuery selects log lines: those after line After, or the newest Tail.
type LogQuery struct {
	After int64 `json:"after,omitempty"`
	Tail  int   `json:"tail,omitempty"`  // 1 to 1,000; wins over After
	Limit int   `json:"limit,omitempty"` // 1 to 1,000 lines; 0 means 200
}

// Changes are the jobs whose newest state a list must show.
type Changes struct {
	Jobs    []Job         `json:"jobs"` // at most 200, without Args and Result
	Removed []ID          `json:"removed,omitempty"`
	Counts  map[State]int `json:"counts"` // of all jobs, by state; every state is there
}

// JobID is the id of the job: the client's, or one that its key always leads to, so that two requests with one key
// meet in the store, or a new one.
func (r *StartRequest) JobID() ID {
	switch {
	case r.ID != "":
		return r.ID
	case r.IdempotencyKey != "":
		sum := sha256.Sum256([]byte("jobs: idempotency key\x00" + r.IdempotencyKey))
		return ID("k" + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:20]))
	}
	return ID(ulid.Make().String())
}

// Mismatch is the Problem of an id or a key that another request has used.
func (r *StartRequest) Mismatch() *Problem {
	if r.ID != "" {
		return NewProblem(CodeConflict, fmt.Sprintf("the id %q was used with another kind or other args", r.ID))
	}
	return NewProblem(CodeIdempotencyMismatch, "the key was used with another kind or other args")
}

// Grace is how long the worker may take.
func (r *CancelRequest) Grace() time.Duration {
	switch {
	case r.Force:
		return 0
	case r.GraceMs == nil:
		return DefaultGrace
	}
	return time.Duration(*r.GraceMs) * time.Millisecond
}

// Cut returns at most n bytes of s, as UTF-8.
func Cut(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "")
}
