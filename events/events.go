// Package events is the catalogue of everything that can be said: the named events of each namespace
// and their payloads, one file a namespace. It holds names and types and no logic. The payloads of the
// job events are the types of package jobs, which are also what the log stores and the HTTP mirror
// answers.
package events

import "jobcast/jobs"

// Refusal is the acknowledgement of a request that was refused.
type Refusal struct {
	OK    bool          `json:"ok"` // false
	Error *jobs.Problem `json:"error"`
}

// OK is the acknowledgement of a request that has nothing else to say.
type OK struct {
	OK bool `json:"ok"` // true
}
