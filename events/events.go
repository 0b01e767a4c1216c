// Package events is the catalogue of everything that can be said: the named events of each namespace
// and their payloads, one file a namespace. It holds names and types and no logic. The payloads of the
// job events are the types of package jobs, which are also what the log stores and the HTTP mirror
// answers.
//
// It is also the contract with a page. From the names, types and comments here, go generate makes the
// TypeScript declarations for the stock client (public/events.d.ts), docs/asyncapi.json and the tables of
// docs/events.md, and a test fails while they are stale. So a comment is written for who reads it there:
// the name that it begins with becomes the one that a page uses. Every event belongs into a Namespace.
package events

import "jobcast/jobs"

//go:generate go run ./generate

// Namespace says who says what on one namespace. Every variable of this type is in the catalogue.
type Namespace struct {
	Path   string    // what a client connects to
	Auth   any       // a value of the type that a client connects with; nil: none is read
	Client []Message // what a client says
	Server []Message // what the server says

	// Next is declared, and said by nobody yet: it is not in what is made of the catalogue. Who serves one of it
	// moves it to Client or Server.
	Next []Message
}

// Message is an Event or a Call of package socketio.
type Message interface{ Name() string }

// Refusal is the acknowledgement of any request that was refused. The field ok tells it from a result.
type Refusal struct {
	OK    bool         `json:"ok"` // false
	Error jobs.Problem `json:"error"`
}

// OK is the acknowledgement of a request that has nothing else to say.
type OK struct {
	OK bool `json:"ok"` // true
}
