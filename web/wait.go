package web

import (
	"context"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// awaitNext waits until there is something in a sequence that follows what a client does not have, and reports
// whether there is. The end of the wait, and of the request's context, is no error.
func awaitNext[T any](ctx context.Context, wait time.Duration, follow func(context.Context) iter.Seq2[T, error]) (bool, error) {
	if wait <= 0 {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for _, err := range follow(ctx) {
		if err != nil && ctx.Err() != nil {
			return false, nil
		}
		return err == nil, err
	}
	return false, nil
}

// preferredWait returns the wait of a Prefer field (RFC 7240, "wait"). A preference that is not
// understood is not honoured, and no error.
func preferredWait(h http.Header) time.Duration {
	for preference := range elements(h, "Prefer") {
		preference, _, _ = strings.Cut(preference, ";")
		name, value, _ := strings.Cut(preference, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "wait") {
			continue
		}
		seconds, err := strconv.ParseUint(strings.Trim(strings.TrimSpace(value), `"`), 10, 31)
		if err == nil {
			return min(time.Duration(seconds)*time.Second, maxWait)
		}
	}
	return 0
}
