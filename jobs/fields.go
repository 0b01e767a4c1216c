package jobs

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"jobcast/jobs/internal/text"
)

// fields are those of a request by their names in JSON, each with a pointer to where its value goes. Into a
// *json.RawMessage goes any value, null too; elsewhere null is refused.
type fields map[string]any

// decode reads a request from a client. A field that is not there by name, and one of the wrong type, is refused
// with a pointer to it; those of a request within the request too. present, which may be nil, is called for each field
// that was read, and says what is wrong with its value: it can tell a zero that was sent from one that was not. The
// error is a *Problem with code bad_request.
func (f fields) decode(data []byte, present func(name string) (wrong string)) error {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(data, &values); err != nil || values == nil {
		return BadRequest("", "the request must be a JSON object")
	}
	var wrong []ProblemField
	for name, value := range values {
		pointer := "/" + pointerToken(name)
		target, known := f[name]
		raw, whole := target.(*json.RawMessage)
		switch {
		case !known:
			wrong = append(wrong, ProblemField{pointer, "is not a field of this request"})
			continue
		case whole:
			*raw = bytes.Clone(value)
		case string(value) == "null":
			wrong = append(wrong, ProblemField{pointer, "must not be null"})
			continue
		default:
			err := json.Unmarshal(value, target)
			if inner, ok := errors.AsType[*Problem](err); ok {
				wrong = append(wrong, within(pointer, inner)...)
				continue
			}
			if err != nil {
				wrong = append(wrong, ProblemField{pointer, "has the wrong type"})
				continue
			}
		}
		if present != nil {
			if detail := present(name); detail != "" {
				wrong = append(wrong, ProblemField{pointer, detail})
			}
		}
	}
	return badFields(wrong)
}

// within are the wrong parts of a value that stands at pointer in a request.
func within(pointer string, p *Problem) []ProblemField {
	if len(p.Errors) == 0 {
		return []ProblemField{{pointer, p.Detail}}
	}
	wrong := make([]ProblemField, len(p.Errors))
	for i, f := range p.Errors {
		wrong[i] = ProblemField{pointer + f.Pointer, f.Detail}
	}
	return wrong
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

// What is wrong with a value of which several requests have one.
const wrongID = "must be 1 to 64 of 0-9 A-Z a-z _ -"

var wrongName = "must match " + namePattern.String()

// checkValue says what is wrong with a value that a client sends to a job, or returns "".
func checkValue(value json.RawMessage) string {
	switch {
	case len(value) == 0:
		return "is missing"
	case len(value) > MaxPayloadBytes:
		return fmt.Sprintf("has %d bytes; at most %d are taken", len(value), MaxPayloadBytes)
	case !json.Valid(value):
		return "is not JSON"
	}
	return ""
}
