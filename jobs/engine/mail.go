package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"jobcast/jobs"
)

const (
	maxUnread = 1000 // messages of one job that its worker has not received; one more is refused
	readMail  = 256  // lines of the log that are read at once to find them
)

// Send puts a message into a job's log, from where its worker receives it, wherever it runs; between two attempts the
// message waits for the next. It returns the line's Seq. The error is a *Problem: of code conflict if the job has finished,
// of too_many_requests if 1,000 messages wait.
func (e *Engine) Send(ctx context.Context, req jobs.SendRequest) (uint64, error) {
	if err := req.Check(); err != nil {
		return 0, err
	}
	for {
		last, pos, err := e.last(ctx, req.ID)
		switch {
		case errors.Is(err, jobs.ErrNotFound):
			return 0, jobs.NoJob(req.ID)
		case err != nil:
			return 0, jobs.ProblemOf(err)
		case last.Job.State.Terminal():
			return 0, jobs.Finished(req.ID, last.Job.State)
		}
		var mail jobs.Mail
		if last.Mail != nil {
			mail = *last.Mail
		}
		if mail.Unread >= maxUnread {
			p := jobs.NewProblem(jobs.CodeTooManyRequests, fmt.Sprintf("%d messages wait already for the worker of job %q to receive them", mail.Unread, req.ID))
			p.RetryAfterMs = queuedWait.Milliseconds()
			return 0, p
		}
		data := jobs.DataMessage{Name: req.Name, Payload: req.Payload, From: req.From}
		rec := e.nextRecord(last, jobs.EventMessage, data, func(*jobs.Job) {})
		mail.Newest = rec.Event.Seq
		mail.Unread++
		rec.Mail = &mail
		switch _, err = e.append(ctx, rec, pos); {
		case err == nil:
			return rec.Event.Seq, nil
		case !errors.Is(err, jobs.ErrConflict):
			return 0, jobs.ProblemOf(err)
		}
	}
}

// mailbox are the messages that a run has read from the log and its worker has not received yet.
type mailbox struct {
	waiting   []message         // in the order of the log
	read      uint64            // the log is read up to here
	wanted    uint64            // the Seq of the newest message that is known to be there
	by        map[string]uint64 // the newest that was received of each name
	received  int               // since the log was told
	listening int               // calls of Receive that wait
	more      chan struct{}
}

type message struct {
	seq uint64
	jobs.DataMessage
}

// wantMail says that there is a message in the log, and reports whether the run did not know.
func (r *run) wantMail(seq uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if seq <= r.mail.wanted {
		return false
	}
	r.mail.wanted = seq
	return true
}

// Receive implements jobs.Reporter.
func (r *run) Receive(ctx context.Context, name string) (json.RawMessage, error) {
	r.mu.Lock()
	r.mail.listening++
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.mail.listening--
		r.signs.add(time.Now())
	}()
	for {
		r.mu.Lock()
		if r.over || r.fenced {
			r.mu.Unlock()
			return nil, r.alive()
		}
		m := &r.mail
		for i, waits := range m.waiting {
			if waits.Name == name {
				m.waiting = append(m.waiting[:i:i], m.waiting[i+1:]...)
				m.received++
				if m.by == nil {
					m.by = make(map[string]uint64)
				}
				m.by[name] = waits.seq
				r.mu.Unlock()
				return waits.Payload, nil
			}
		}
		if m.more == nil {
			m.more = make(chan struct{})
		}
		more := m.more
		r.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-r.ctx.Done():
			return nil, context.Cause(r.ctx)
		}
	}
}

// readMail reads the messages that the run has not read yet.
func (a *attempt) readMail() error {
	m := &a.run.mail
	for {
		a.run.mu.Lock()
		read, wanted := m.read, m.wanted
		a.run.mu.Unlock()
		if read >= wanted {
			return nil
		}
		ctx, cancel := context.WithTimeout(a.engine.base, storeTimeout)
		recs, err := a.engine.store.Read(ctx, a.run.id, read, readMail)
		cancel()
		if err != nil {
			return err
		}
		if len(recs) == 0 {
			read = wanted // the store has let go of it
		}
		a.run.mu.Lock()
		for _, rec := range recs {
			read = rec.Event.Seq
			var data jobs.DataMessage
			if rec.Event.Type == jobs.EventMessage && json.Unmarshal(rec.Event.Data, &data) == nil && read > m.by[data.Name] {
				m.waiting = append(m.waiting, message{read, data})
			}
		}
		m.read = read
		if m.more != nil {
			close(m.more)
			m.more = nil
		}
		a.run.mu.Unlock()
	}
}

// sign puts into a record which messages the worker has received, and returns how many of them the log did not know.
func (r *run) sign(rec *jobs.Record) (received int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := &r.mail
	if rec.Mail == nil || m.received == 0 {
		return 0
	}
	mail := *rec.Mail
	mail.Heard = m.read
	if len(m.waiting) > 0 {
		mail.Heard = m.waiting[0].seq - 1
	}
	mail.By = maps.Clone(m.by)
	maps.DeleteFunc(mail.By, func(_ string, seq uint64) bool { return seq <= mail.Heard })
	mail.Unread = max(0, mail.Unread-m.received)
	rec.Mail = &mail
	return m.received
}

// signed says that the log knows now of some messages that they were received.
func (r *run) signed(received int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mail.received -= received
}
