package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"jobcast/jobs"
)

const (
	maxSought  = 200         // bytes of what is searched for
	searchTime = time.Second // after which a search says how far it is
)

// SearchLogs looks for the lines after q.After that have q.Q in them, in any case of its letters: what a line says,
// and its fields as jobs.LogLine.String writes them. It ends with q.Limit lines found (1 to 1,000; 0 means 200), after
// a second, or behind the last line that is stored by then. The error is a *Problem.
func (e *Engine) SearchLogs(ctx context.Context, id jobs.ID, q jobs.LogQuery) (jobs.LogFound, error) {
	limit, err := checkLimit("/limit", q.Limit)
	if err != nil {
		return jobs.LogFound{}, err
	}
	if q.Q == "" || len(q.Q) > maxSought {
		return jobs.LogFound{}, jobs.BadRequest("/q", fmt.Sprintf("must have 1 to %d bytes", maxSought))
	}
	if q.Tail != 0 {
		return jobs.LogFound{}, jobs.BadRequest("/tail", "does not go with q; a search begins after line \"after\"")
	}
	if _, err := e.snapshot(ctx, id); err != nil {
		return jobs.LogFound{}, err
	}
	sought := strings.ToLower(q.Q)
	found := jobs.LogFound{JobID: id, Hits: []jobs.LogHit{}, LastLine: max(0, q.After)}
	for began := time.Now(); ; {
		chunks, err := e.store.ReadLog(ctx, id, found.LastLine, pageChunks)
		if err != nil && !errors.Is(err, jobs.ErrNotFound) {
			return jobs.LogFound{}, jobs.ProblemOf(err)
		}
		if len(chunks) == 0 {
			return found, nil
		}
		for _, c := range chunks {
			c = linesAfter(c, found.LastLine)
			for i, line := range c.Lines {
				found.LastLine = c.Line + int64(i)
				if !strings.Contains(strings.ToLower(line.String()), sought) {
					continue
				}
				if found.Hits = append(found.Hits, jobs.LogHit{Line: found.LastLine, LogLine: line}); len(found.Hits) == limit {
					found.More = true // there may be lines behind it
					return found, nil
				}
			}
			if time.Since(began) >= searchTime {
				found.More = true
				return found, nil
			}
		}
	}
}
