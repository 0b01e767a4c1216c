package jobs

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
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
