package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestProblemOf(t *testing.T) {
	own := BadRequest("/args/path", "is outside the roots")
	for _, c := range []struct {
		err    error
		code   string
		status int
	}{
		{own, CodeBadRequest, 400},
		{fmt.Errorf("check: %w", own), CodeBadRequest, 400},
		{fmt.Errorf("read: %w", ErrNotFound), CodeNotFound, 404},
		{ErrConflict, CodeConflict, 409},
		{ErrClosed, CodeUnavailable, 503},
		{fmt.Errorf("append: %w", ErrFull), CodeUnavailable, 503},
		{fmt.Errorf("append: %w", ErrBroken), CodeUnavailable, 503},
		{context.Canceled, CodeUnavailable, 503},
		{fmt.Errorf("x: %w", context.DeadlineExceeded), CodeUnavailable, 503},
		{errors.New("password is hunter2"), CodeInternal, 500},
		{NewProblem(CodeTooLarge, ""), CodeTooLarge, 413},
		{NewProblem(CodeTooManyRequests, ""), CodeTooManyRequests, 429},
		{NewProblem(CodeForbidden, ""), CodeForbidden, 403},
		{NewProblem(CodeIdempotencyMismatch, ""), CodeIdempotencyMismatch, 422},
	} {
		p := ProblemOf(c.err)
		if p.Code != c.code || p.Status != c.status || p.Type != "urn:jobs:problem:"+c.code || p.Title == "" || p.Error() == "" {
			t.Errorf("%v: got %+v, want %s %d", c.err, p, c.code, c.status)
		}
		if !errors.Is(p, c.err) && !errors.Is(c.err, p) {
			t.Errorf("%v: its problem does not know it", c.err)
		}
	}
	if p := ProblemOf(nil); p != nil {
		t.Errorf("nil: got %v", p)
	}
	got, _ := json.Marshal(ProblemOf(errors.New("password is hunter2")))
	if want := `{"type":"urn:jobs:problem:internal","title":"Something went wrong here","status":500,"code":"internal"}`; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
	got, _ = json.Marshal(own)
	if want := `{"type":"urn:jobs:problem:bad_request","title":"The request is wrong","status":400,"detail":"is outside the roots","code":"bad_request","errors":[{"pointer":"/args/path","detail":"is outside the roots"}]}`; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestARefusalIsSmallWhateverWasAsked(t *testing.T) {
	var many, long strings.Builder
	for i := range 95_000 {
		fmt.Fprintf(&many, `"field %06d":1,`, i)
	}
	for i := range 20 {
		fmt.Fprintf(&long, `"%s%02d":1,`, strings.Repeat("\\u0001", 10_000), i)
	}
	var start StartRequest
	err := json.Unmarshal([]byte("{"+many.String()+`"kind":"x"}`), &start)
	p := ProblemOf(err)
	if len(p.Errors) != 16 || p.Errors[0].Pointer != "/field 000000" || p.Errors[15].Pointer != "/field 000015" {
		t.Errorf("got %d fields by name, %v, want the first 16", len(p.Errors), p.Errors)
	}
	if !strings.HasSuffix(p.Detail, "field 000015 is not a field of this request; and 94984 more are wrong") {
		t.Errorf("got %q, want how many more there are", p.Detail)
	}
	many.Reset()
	for i := range 16 {
		fmt.Fprintf(&many, `"field %d":1,`, i)
	}
	if p := ProblemOf(json.Unmarshal([]byte("{"+many.String()+`"kind":"x"}`), &start)); strings.Contains(p.Detail, "more") || len(p.Errors) != 16 {
		t.Errorf("16 fields: got %q", p.Detail)
	}

	whole := strings.Repeat("ü", 1<<14)
	wrong := NewProblem(CodeBadRequest, whole)
	wrong.Instance = whole
	for range 1000 {
		wrong.Errors = append(wrong.Errors, ProblemField{whole, whole})
	}
	for name, err := range map[string]error{
		"long names":     json.Unmarshal([]byte("{"+long.String()+`"kind":"x"}`), &start),
		"long arguments": decodeArgs(json.RawMessage(`{"`+whole+`":1}`), &struct{}{}),
		"anything":       fmt.Errorf("check: %w", wrong),
	} {
		got := ProblemOf(err)
		text, _ := json.Marshal(got)
		if len(text) > 16<<10 || !utf8.Valid(text) {
			t.Errorf("%s: got %d bytes, want at most 16 KiB", name, len(text))
		}
		if got.Code != CodeBadRequest || got.Status != 400 {
			t.Errorf("%s: got %.200s", name, text)
		}
	}
	if len(wrong.Detail) != len(whole) || len(wrong.Errors) != 1000 || len(wrong.Errors[0].Detail) != len(whole) {
		t.Error("the problem itself was changed")
	}
	if small := BadRequest("/x", "y"); ProblemOf(small) != small {
		t.Error("a small problem was copied")
	}
}
