package namespaces

import (
	"context"
	"log/slog"

	"jobcast/internal/systems/chat"
	"jobcast/internal/systems/compare"
	"jobcast/internal/systems/vote"
	"jobcast/jobs/engine"
	"jobcast/socketio"
)

// All are the namespaces of this server.
var All = []Namespace{Jobs, Vote, Chat, Task, Echo, Compare}

// A Namespace is one that a server has: what answers its events, and what it runs beside them.
type Namespace struct {
	// Path is what clients connect to, such as "/greet".
	Path string
	// Open registers the handlers of ns, and returns what ends the goroutines that it has started: nil if it has
	// started none, and what Background returns if it has started one. It is called once for each server, before
	// clients come.
	Open func(ns *socketio.Namespace, s Services) Close
}

// Close ends what a namespace runs, and returns when that has ended, or with an error when ctx has. It is called
// once, after the last socket has gone.
type Close func(ctx context.Context) error

// Services are what namespaces may use to answer.
type Services struct {
	Jobs   *engine.Engine
	Vote   *vote.Vote
	Chat   *chat.Chat
	Runs   *compare.Runs
	Logger *slog.Logger // nil means slog.Default()
}

// Register makes n a namespace of io. Events that n does not handle are refused in their acknowledgement, and clients
// may speak msgpack. The Close that it returns is never nil.
func Register(io *socketio.Server, n Namespace, s Services) Close {
	if s.Logger == nil {
		s.Logger = slog.Default()
	}
	ns := io.Of(n.Path)
	refuseUnknown(ns)
	ns.AllowMsgpack()
	if end := n.Open(ns, s); end != nil {
		return end
	}
	return func(context.Context) error { return nil }
}

// Background runs f on a goroutine of its own. The Close that it returns ends f's context and waits for f.
func Background(f func(ctx context.Context)) Close {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(ctx)
	}()
	return func(ctx context.Context) error {
		cancel()
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
