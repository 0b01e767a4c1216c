// Package namespaces answers the events of each namespace, one file a namespace. It knows the catalogue
// and the jobs, and neither wire formats, HTTP nor storage.
package namespaces

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"strings"

	"jobcast/events"
	"jobcast/internal/limit"
	"jobcast/internal/systems/chat"
	"jobcast/jobs"
	"jobcast/socketio"
)

// address is what the limits of a client's address are kept by.
func address(s *socketio.Socket) string { return limit.Address(s.Handshake().RemoteAddr) }

// EncodeError makes the acknowledgement of a request that was refused: a Refusal, which tells a client
// what it did wrong and nothing about what went wrong here. It logs nothing: LogFailures does.
func EncodeError(err error) any { return events.Refusal{Error: *problemOf(err)} }

func problemOf(err error) *jobs.Problem {
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
	return problem
}

// LogFailures returns what logs the requests that failed here, for socketio.Hooks.EventFailed. What a client did
// wrong is not logged, and that it has left meanwhile at Debug, since nobody has to look at it.
func LogFailures(log *slog.Logger) func(ctx context.Context, s *socketio.Socket, event string, err error) {
	return func(ctx context.Context, s *socketio.Socket, event string, err error) {
		problem := problemOf(err)
		if problem.Code != jobs.CodeInternal {
			return
		}
		level := slog.LevelError
		if _, left := errors.AsType[socketio.Reason](err); left || errors.Is(err, socketio.ErrDisconnected) {
			level = slog.LevelDebug
		}
		log.Log(ctx, level, "a request failed", "nsp", s.Namespace().Name(), "socket", s.Label(), "event", event,
			"err", cmp.Or(errors.Unwrap(problem), err))
	}
}

// refuseUnknown has a namespace refuse the events that it does not know, by their acknowledgement. Without it a
// page with a misspelled event would wait for ever.
func refuseUnknown(ns *socketio.Namespace) {
	ns.HandleAny(func(_ context.Context, _ *socketio.Socket, event string, _ socketio.Args) (socketio.Args, error) {
		return socketio.Args{}, &socketio.PayloadError{Event: shortened(event), Err: errUnknown}
	})
}

var errUnknown = errors.New("nothing handles it")

// shortened is what is repeated of a name that a client has made up.
func shortened(name string) string {
	const longest = 100
	if len(name) <= longest {
		return name
	}
	return strings.ToValidUTF8(name[:longest], "") + "…"
}
