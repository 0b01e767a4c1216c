package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
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
