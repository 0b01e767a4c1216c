package engine

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"

	"github.com/oklog/ulid/v2"

	"jobcast/jobs"
)

// jobID is the id of the job: the client's, or one that its key always leads to, so that two requests with one key
// meet in the store, or a new one.
func jobID(r *jobs.StartRequest) jobs.ID {
	switch {
	case r.ID != "":
		return r.ID
	case r.IdempotencyKey != "":
		sum := sha256.Sum256([]byte("jobs: idempotency key\x00" + r.IdempotencyKey))
		return jobs.ID("k" + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:20]))
	}
	return jobs.ID(ulid.Make().String())
}

// mismatch is the Problem of an id or a key that another request has used.
func mismatch(r *jobs.StartRequest) *jobs.Problem {
	if r.ID != "" {
		return jobs.NewProblem(jobs.CodeConflict, fmt.Sprintf("the id %q was used with another kind or other args", r.ID))
	}
	return jobs.NewProblem(jobs.CodeIdempotencyMismatch, "the key was used with another kind or other args")
}

// sameJSON reports whether two texts are the same value, whatever their blanks and order of fields.
func sameJSON(a, b json.RawMessage) bool {
	return bytes.Equal(canonical(a), canonical(b))
}

func canonical(raw json.RawMessage) []byte {
	if len(raw) == 0 {
		return []byte("null")
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return raw
	}
	out, err := json.Marshal(v)
	if err != nil {
		return raw
	}
	return out
}
