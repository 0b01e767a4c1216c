// Package namespaces answers the events of each namespace, one file a namespace. It knows the catalogue
// and the jobs, and neither wire formats, HTTP nor storage.
package namespaces

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"strings"

	"jobcast/chat"
	"jobcast/events"
	"jobcast/jobs"
	"jobcast/limit"
	"jobcast/socketio"
)

// address is what the limits of a client's address are kept by.
func address(s *socketio.Socket) string { return limit.Address(s.Handshake().RemoteAddr) }

// EncodeError makes the acknowledgement of a request that was refused: a Refusal, which tells a client
// what it did wrong and nothing about what went wrong here. That a client has left meanwhile is logged
// at Debug, since nobody has to look at it.
func EncodeError(err error) any {
	problem := jobs.ProblemOf(err)
	if payload, ok := errors.AsType[*socketio.PayloadError](err); ok && problem.Code == jobs.CodeInternal {
		pointer := ""
		if payload.Field != "" {
			pointer = "/" + strings.ReplaceAll(payload.Field, ".", "/")
		}
		problem = jobs.BadRequest(pointer, payload.Error())
	}
	if refusal, ok := errors.AsType[*chat.Refusal](err); ok {
		problem = jobs.NewProblem(refusal.Code, refusal.Detail)
	}
	if errors.Is(err, chat.ErrClosed) {
		problem = jobs.NewProblem(jobs.CodeUnavailable, "the server is about to stop; say it again in a moment")
	}
	if problem.Code == jobs.CodeInternal {
		level := slog.LevelError
		if _, left := errors.AsType[socketio.Reason](err); left || errors.Is(err, socketio.ErrDisconnected) {
			level = slog.LevelDebug
		}
		slog.Log(context.Background(), level, "a request failed", "err", cmp.Or(errors.Unwrap(problem), err))
	}
	return events.Refusal{Error: *jobs.ProblemOf(problem)} // what was made here may be too long
}
