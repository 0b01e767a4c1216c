// Package namespaces answers the events of each namespace, one file a namespace. It knows the catalogue
// and the jobs, and neither wire formats, HTTP nor storage.
package namespaces

import (
	"cmp"
	"errors"
	"log/slog"
	"strings"

	"jobcast/events"
	"jobcast/jobs"
	"jobcast/socketio"
)

// EncodeError makes the acknowledgement of a request that was refused: a Refusal, which tells a client
// what it did wrong and nothing about what went wrong here.
func EncodeError(err error) any {
	problem := jobs.ProblemOf(err)
	if payload, ok := errors.AsType[*socketio.PayloadError](err); ok && problem.Code == jobs.CodeInternal {
		pointer := ""
		if payload.Field != "" {
			pointer = "/" + strings.ReplaceAll(payload.Field, ".", "/")
		}
		problem = jobs.BadRequest(pointer, payload.Error())
	}
	if problem.Code == jobs.CodeInternal {
		slog.Error("a request failed", "err", cmp.Or(errors.Unwrap(problem), err))
	}
	return events.Refusal{Error: *problem}
}
