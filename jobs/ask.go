package jobs

import (
	"encoding/json"
	"fmt"
	"time"
)

// Limits of questions.
const (
	MaxAsks       = 16   // of one job that are open at a time
	MaxAskText    = 2000 // characters
	MaxAskChoices = 50
	MaxAskChoice  = 200 // characters
)

// Ask is an open question of a job. A job asks with job.asked, and holds no slot until it is answered.
type Ask struct {
	DataAsked
	AskedAt time.Time `json:"askedAt"`
}

// DataAsked is the data of a job.asked event. The whole of it has at most MaxPayloadBytes.
type DataAsked struct {
	Ask      string          `json:"ask"`               // its name, unique in the job, such as "overwrite"; it matches ^[a-z][a-z0-9_.:-]{0,63}$
	Text     string          `json:"text"`              // what people are asked, 1 to 2,000 characters
	Schema   json.RawMessage `json:"schema,omitempty"`  // the JSON Schema (2020-12) of an answer; without it and without choices, any JSON is one
	Choices  []string        `json:"choices,omitempty"` // an answer is one of them; at most 50, of 1 to 200 characters each
	Default  json.RawMessage `json:"default,omitempty"` // the answer when the time has run out
	Deadline *time.Time      `json:"deadline,omitempty"`
}

// DataAnswered is the data of a job.answered event. An answer closes its question: there is one.
type DataAnswered struct {
	Ask     string          `json:"ask"`
	Value   json.RawMessage `json:"value"`             // null too, where the question allows it
	By      string          `json:"by,omitempty"`      // who gave it
	Default bool            `json:"default,omitempty"` // nobody gave it: the time had run out
}

// AnswerRequest answers an open question. The first answer wins; one that comes later is refused with code conflict.
type AnswerRequest struct {
	ID    ID              `json:"id"`
	Ask   string          `json:"ask"`
	Value json.RawMessage `json:"value"` // at most MaxPayloadBytes

	By string `json:"-"` // who answers, as everybody may read it; "" says nothing
}

// UnmarshalJSON decodes a request from a client; what the client does not say stays as it is. The error is a *Problem
// with code bad_request that points at every wrong field.
func (r *AnswerRequest) UnmarshalJSON(data []byte) error {
	return fields{"id": &r.ID, "ask": &r.Ask, "value": &r.Value}.decode(data, nil)
}

// Check holds the request against the contract's limits, but not against the question's schema. The error is a
// *Problem.
func (r *AnswerRequest) Check() error {
	var wrong []ProblemField
	if !r.ID.Valid() {
		wrong = append(wrong, ProblemField{"/id", wrongID})
	}
	if !namePattern.MatchString(r.Ask) {
		wrong = append(wrong, ProblemField{"/ask", wrongName})
	}
	if detail := checkValue(r.Value); detail != "" {
		wrong = append(wrong, ProblemField{"/value", detail})
	}
	return badFields(wrong)
}

// NoQuestion is the Problem of an answer to what the job has not asked.
func NoQuestion(id ID, ask string) *Problem {
	p := NewProblem(CodeNotFound, fmt.Sprintf("job %q has not asked %q", id, ask))
	p.Title = "No such question"
	return p
}

// AlreadyAnswered is the Problem of an answer that comes after another, or after the job's end.
func AlreadyAnswered(id ID, ask string) *Problem {
	return NewProblem(CodeConflict, fmt.Sprintf("the question %q of job %q is not open any more", ask, id))
}
