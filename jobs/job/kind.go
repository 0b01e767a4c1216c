package job

import "encoding/json"

// KindInfo describes a kind of job to who wants to start one.
type KindInfo struct {
	Name     string          `json:"name"`
	Title    string          `json:"title"`              // what people call the kind
	Sentence string          `json:"sentence,omitempty"` // what a job of the kind does
	Args     json.RawMessage `json:"args"`               // the JSON Schema (2020-12) of the arguments
}
