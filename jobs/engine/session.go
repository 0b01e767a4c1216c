package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"jobcast/jobs"
)

const (
	sessionGroup = "session" // of cells, one for each engine that is open
	beatEvery    = jobs.LeaseTime / 3
)

// session is what an engine's cell says of it. That the cell changes is what says that the engine is alive.
type session struct {
	Node string    `json:"node"`
	Beat int       `json:"beat"`
	At   time.Time `json:"at"` // for people
}

// sessions knows who of those that run jobs is alive. A session is over when its cell is gone, or has not changed for
// jobs.LeaseTime, on the clock of who looks: no two clocks are compared.
type sessions struct {
	own  string // the key of this engine's cell
	node string

	mu   sync.Mutex           // guards everything below
	seen map[string]time.Time // when the cell of each was last seen to change
	pos  jobs.Position        // of the own cell
	beat int
}

func newSessions(node string) *sessions {
	return &sessions{own: ulid.Make().String(), node: node, seen: make(map[string]time.Time)}
}

// openSession makes the engine's session, after it has ended those that an engine of the same name has left behind:
// the name is only this one's.
func (e *Engine) openSession(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*storeTimeout)
	defer cancel()
	for cell, err := range e.store.WatchCells(ctx, sessionGroup) {
		if err != nil {
			return err
		}
		if cell.Key == "" {
			break
		}
		var of session
		if json.Unmarshal(cell.Value, &of) == nil && of.Node == e.node {
			if err := e.store.DeleteCell(ctx, sessionGroup, cell.Key, cell.Position); err != nil && !errors.Is(err, jobs.ErrNotFound) && !errors.Is(err, jobs.ErrConflict) {
				return err
			}
			continue
		}
		e.sessions.see(cell)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	for try := 0; ; try++ {
		err := e.beat(ctx)
		if err == nil || try == 3 || errors.Is(err, jobs.ErrClosed) || !sleep(ctx, 100*time.Millisecond<<try) {
			return err
		}
	}
}

// beat says that the engine is alive.
func (e *Engine) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	s := e.sessions
	s.mu.Lock()
	s.beat++
	beat, after := s.beat, s.pos
	s.mu.Unlock()
	value, err := json.Marshal(session{e.node, beat, e.now().UTC()})
	if err != nil {
		return fmt.Errorf("encode session: %w", err)
	}
	pos, err := e.store.PutCell(ctx, sessionGroup, s.own, value, after)
	if errors.Is(err, jobs.ErrConflict) {
		// An answer was lost; or another has ended this session. Whoever has it now, it is written again: what
		// shuts out those who are late is the log of each job.
		cell, cellErr := e.store.Cell(ctx, sessionGroup, s.own)
		if cellErr != nil && !errors.Is(cellErr, jobs.ErrNotFound) {
			return cellErr
		}
		pos, err = e.store.PutCell(ctx, sessionGroup, s.own, value, cell.Position)
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pos = pos
	return nil
}

// beats keeps the engine's session until all that runs here has ended, and then closes it.
func (e *Engine) beats() {
	ticker := time.NewTicker(beatEvery)
	defer ticker.Stop()
	for {
		select {
		case <-e.stopped:
			ctx, cancel := context.WithTimeout(e.base, storeTimeout)
			defer cancel()
			e.sessions.mu.Lock()
			pos := e.sessions.pos
			e.sessions.mu.Unlock()
			if err := e.store.DeleteCell(ctx, sessionGroup, e.sessions.own, pos); err != nil {
				e.log.Debug("cannot close this server's session", "err", err)
			}
			return
		case <-ticker.C:
			if err := e.beat(e.base); err != nil && e.base.Err() == nil && !errors.Is(err, jobs.ErrClosed) {
				e.log.Warn("cannot say that this server is alive", "err", err)
			}
			e.timekeeper.look()
		}
	}
}

// watchSessions keeps up with the sessions of others until the engine closes.
func (e *Engine) watchSessions() {
	for e.work.Err() == nil {
		for cell, err := range e.store.WatchCells(e.work, sessionGroup) {
			if err != nil {
				if errors.Is(err, jobs.ErrClosed) {
					return
				}
				e.log.Warn("what tells which servers are alive broke off and is read anew", "err", err)
				break
			}
			if cell.Key != "" && e.sessions.see(cell) {
				e.timekeeper.look()
			}
		}
		sleep(e.work, retryAfter)
	}
}

// see takes note of a cell, and reports whether its session is over.
func (s *sessions) see(cell jobs.Cell) (over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cell.Value == nil {
		delete(s.seen, cell.Key)
		return true
	}
	s.seen[cell.Key] = time.Now()
	return false
}

// over reports whether a session has ended, as far as is known here. One that was never seen is not known.
func (s *sessions) over(holder string) (over, known bool) {
	if holder == s.own {
		return false, true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	seen, ok := s.seen[holder]
	return ok && time.Since(seen) > jobs.LeaseTime, ok
}

// dead finds out whether the holder of a lease is not there any more.
func (e *Engine) dead(holder string) bool {
	if holder == "" {
		return true // of a version that knew no sessions
	}
	over, known := e.sessions.over(holder)
	if known {
		return over
	}
	ctx, cancel := context.WithTimeout(e.base, storeTimeout)
	defer cancel()
	cell, err := e.store.Cell(ctx, sessionGroup, holder)
	switch {
	case errors.Is(err, jobs.ErrNotFound):
		return true
	case err == nil:
		e.sessions.see(cell)
	}
	return false
}
