package jobs

import (
	"errors"
	"time"
)

// NoRetry marks an error of a worker: the job has failed for good, however many attempts it has left. The job's error is
// err's. A nil error stays nil.
func NoRetry(err error) error {
	if err == nil {
		return nil
	}
	return &retryError{error: err, never: true}
}

// RetryAfter marks an error of a worker: if the job has attempts left, the next begins after d, which goes before the
// backoff of the job. The job's error is err's. A nil error stays nil; a d of 0 or less means the backoff.
func RetryAfter(err error, d time.Duration) error {
	if err == nil {
		return nil
	}
	return &retryError{error: err, after: max(0, d)}
}

// RetryOf reports what NoRetry and RetryAfter have said of an error. It is for who runs workers.
func RetryOf(err error) (after time.Duration, never bool) {
	if marked, ok := errors.AsType[*retryError](err); ok {
		return marked.after, marked.never
	}
	return 0, false
}

type retryError struct {
	error
	after time.Duration
	never bool
}

func (e *retryError) Unwrap() error { return e.error }
