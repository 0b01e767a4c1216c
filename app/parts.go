package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"
)

const (
	// drainTime bounds the whole end: whoever stops a service kills it soon after.
	drainTime = 10 * time.Second
	// closeTime is for the end of what has nothing more to do, unless its part says otherwise.
	closeTime = time.Second
	// patience is how much longer than its time a drain or a close is waited for, to hear its error. After that it is
	// left behind.
	patience = time.Second
)

// A part is one of the things that a server consists of. Each func may be nil, and is called once at most.
type part struct {
	name string
	// start makes the part work. If it fails it leaves nothing behind: drain and close are not called then. ctx is
	// that of the start, and ends when the start is interrupted.
	start func(ctx context.Context) error
	// drain ends the part's work and returns when it has ended, or soon after its ctx has. The drains of all parts
	// begin together.
	drain func(ctx context.Context) error
	// close frees what the part has. It comes after the part's own drain, and after the closes of all later parts.
	close func(ctx context.Context) error
	// budget is the time for drain, counted from the beginning of the end. Of a part without a drain, it is the time
	// for close. Zero means closeTime.
	budget time.Duration
}

var (
	errDrain = errors.New("not everything ended in time, see the log above; unfinished jobs go on after the next start")
	errHangs = errors.New("it does not end, and is left behind")
)

// startParts starts the parts in order. If one fails, or panics, it ends those that have started.
func startParts(ctx context.Context, log *slog.Logger, parts []part) error {
	started := 0
	defer func() {
		if started < len(parts) {
			_ = endParts(context.WithoutCancel(ctx), log, parts[:started]) // the first error is the one to tell
		}
	}()
	for _, p := range parts {
		if p.start != nil {
			if err := p.start(ctx); err != nil {
				return err
			}
		}
		started++
	}
	return nil
}

// endParts drains all parts at once, each within its own budget, and closes them from the last to the first. What
// fails is logged, and the rest ends all the same; then it returns errDrain. It takes no longer than drainTime, unless
// several closes hang, which cost their own time each.
func endParts(ctx context.Context, log *slog.Logger, parts []part) (err error) {
	ctx, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	drained := make([]<-chan error, len(parts))
	for i, p := range parts {
		if p.drain != nil {
			drained[i] = within(ctx, cmp.Or(p.budget, closeTime), p.drain)
		}
	}
	failed := func(name string, e error) {
		if e != nil {
			log.Error("drain failed", "part", name, "err", e)
			err = errDrain
		}
	}
	for i, p := range slices.Backward(parts) {
		closing := closeTime
		if p.drain == nil {
			closing = cmp.Or(p.budget, closeTime)
		} else {
			failed(p.name, <-drained[i])
		}
		if p.close != nil {
			failed(p.name, <-within(ctx, closing, p.close))
		}
	}
	return err
}

// within calls f and sends its error, or errHangs if f does not return even some time after its context has ended.
func within(ctx context.Context, limit time.Duration, f func(context.Context) error) <-chan error {
	returned, result := make(chan error, 1), make(chan error, 1)
	ctx, cancel := context.WithTimeout(ctx, limit)
	go func() { // ends with f
		defer func() {
			if p := recover(); p != nil {
				returned <- fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		returned <- f(ctx)
	}()
	go func() { // ends with its result
		defer cancel()
		hangs := time.NewTimer(limit + patience)
		defer hangs.Stop()
		select {
		case err := <-returned:
			result <- err
		case <-hangs.C:
			result <- errHangs
		}
	}()
	return result
}
