package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"unicode/utf8"
)

// newest keeps the newest of what a Run hands in.
type newest struct {
	report Report
	step   Step
}

var _ Reporter = (*newest)(nil)

func (n *newest) Progress(r Report) { n.report = r }
func (n *newest) Step(s Step)       { n.step = s }
func (n *newest) Warn(int64)        {}
func (n *newest) Event(context.Context, DataEvent) error {
	return errors.New("an event was let through")
}
func (n *newest) Receive(context.Context, string) (json.RawMessage, error) { return nil, ErrNotFound }
func (n *newest) Set(string, json.RawMessage) error                        { return errors.New("a value was let through") }
func (n *newest) Log(LogLine, int)                                         {}

func (n *newest) Create(string, string) (ArtifactWriter, error) {
	return nil, errors.New("a name was let through")
}

func (n *newest) Upload(string) (*Upload, error) { return nil, ErrNotFound }

func TestReportsAreMadeFit(t *testing.T) {
	to := new(newest)
	run := NewRun("a", 1, to)
	run.Progress(math.NaN(), math.Inf(1), strings.Repeat("u", 99), strings.Repeat("é", 999)+"\xff")
	if r := to.report; r.Done != 0 || r.Total != 0 || len(r.Unit) != maxUnitLength || utf8.RuneCountInString(r.Message) != maxMessage || !utf8.ValidString(r.Message) {
		t.Errorf("got %v of %v, unit %d, message %d", r.Done, r.Total, len(r.Unit), utf8.RuneCountInString(r.Message))
	}
	run.Progress(-1, -1, "", "a\xffb")
	if r := to.report; r.Done != 0 || r.Total != 0 || r.Message != "a\uFFFDb" {
		t.Errorf("got %+v", r)
	}
	run.Step(0, -1, strings.Repeat("é", 999))
	if s := to.step; s.Index != 1 || s.Count != 1 || utf8.RuneCountInString(s.Name) != maxStepName {
		t.Errorf("got %+v", s)
	}
	if err := NewEvent[string]("report:page").Emit(t.Context(), run, strings.Repeat("x", MaxPayloadBytes)); err == nil || strings.Contains(err.Error(), "let through") {
		t.Errorf("a payload that is too large: got %v", err)
	}
	for key, value := range map[string]any{"": 1, "a b": 1, "ok": func() {}} {
		if err := run.Set(key, value); err == nil || strings.Contains(err.Error(), "let through") {
			t.Errorf("a bad value %q: got %v", key, err)
		}
	}
	if _, err := run.Create("../x", ""); ProblemOf(err).Code != CodeBadRequest {
		t.Errorf("a bad name: got %v", err)
	}
}
