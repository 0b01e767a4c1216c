// Package engine runs jobs and lets anyone watch them:
//
//	e, err := engine.Open(ctx, engine.Config{Store: store, Files: files, Workers: workers})
//	…
//	job, created, err := e.Start(ctx, jobs.StartRequest{Kind: "checksum", Args: args})
//	for rec, err := range e.Follow(ctx, job.ID, 0) { … }
//	…
//	err = e.Close(ctx)
//
// The log of a job is the truth: everything that happens to it is appended there with compare-and-set, and
// watching a job means reading its log from any point on. What a job is, and what may be asked of it, says package
// jobs. The engine knows neither sockets nor HTTP, nor what stores the logs: it takes a jobs.Store.
//
// # Goroutines
//
// An Engine runs one that reads the index of all jobs, one that keeps its session and three that watch those of
// others, which queues are paused, and the schedules, one that keeps time (it queues what is due, serves the ticks of
// schedules, and looks after jobs whose server is gone), one that removes old
// uploads, one that hands out jobs, two for each job that runs (one writes what the other, its worker, reports), and
// one for each job that someone on this node follows. Stop waits for those of the runs and Close for all of them, each
// in one more as their contexts may end first. FollowLogs runs one more for each reader, and waits for it.
package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"jobcast/jobs"
	"jobcast/jobs/engine/internal/index"
	"jobcast/jobs/engine/internal/ready"
	"jobcast/jobs/files"
)

const (
	defaultConcurrency = 4
	cleanEvery         = time.Hour
	retryAfter         = time.Second // after the store failed
)

// Config configures an Engine. Store and Files must be set.
type Config struct {
	Store       jobs.Store
	Files       *files.Dir
	Workers     []jobs.Worker // the kinds of job that this node runs
	Concurrency int           // jobs at work at once; those that wait for a child or an answer do not count; zero means 4
	// StartRate is how many jobs one StartRequest.From may start a second, and StartBurst how many at once after a
	// pause. Zero in either means no limit.
	StartRate  float64
	StartBurst int
	// Keep is how long completed jobs are kept, and KeepFailed those that have failed or were cancelled, unless their
	// request or their kind says it. Zero means for ever.
	Keep, KeepFailed time.Duration
	KeepJobs         int              // how many finished jobs are kept, the oldest go; zero means any number
	MaxQueued        int              // how many jobs of one StartRequest.From may wait; zero means no limit
	Node             string           // the name of this node in events, which no other on the same store has; empty means the host's name
	Now              func() time.Time // the wall clock, by which jobs are scheduled and events dated; nil means time.Now
	Logger           *slog.Logger     // nil means slog.Default()
}

// An Engine takes requests for jobs, runs them, and lets anyone watch. Its methods may be called from
// any goroutine. The package comment lists its goroutines.
type Engine struct {
	store   jobs.Store
	files   *files.Dir
	workers map[string]jobs.Worker
	node    string
	log     *slog.Logger
	now     func() time.Time
	index   *index.Index
	starts  *starts

	keep, keepFailed time.Duration
	keepJobs         int
	clearing         sync.Mutex // held while old jobs are removed to make room

	pausing sync.Mutex        // held while a cell of a queue is taken in, so that an old one does not undo a newer; guards paused
	paused  map[string]string // the queues that are paused, by the keys of their cells

	learning   sync.Mutex // held while what is below takes in a newer record, so that all see the same order
	ready      *ready.Set
	timekeeper *timekeeper
	sessions   *sessions
	slots      *slots
	pace       pace
	schedules  *schedules

	taking     context.Context // ends when Stop begins: no job is taken any more, and with it end the runs
	stopTaking context.CancelCauseFunc
	work       context.Context // ends when Close begins: with it end the tails and the index
	stopWork   context.CancelFunc
	base       context.Context // ends when Stop or Close gives up: nothing is stored any more
	stopBase   context.CancelFunc
	abandon    chan struct{} // closed when Stop will not wait for workers any longer
	stopping   sync.Once
	stopped    chan struct{} // closed when the last goroutine of the runs has ended
	closing    sync.Once
	ended      chan struct{}  // closed when the last of all goroutines has ended
	running    sync.WaitGroup // of what ends with taking
	watching   sync.WaitGroup // of what ends with work

	mu     sync.Mutex // guards everything below
	closed bool       // no goroutine may be started
	runs   map[jobs.ID]*run
	tails  map[jobs.ID]*tail
}

// Open reads the index of all jobs, mends what a crash left half done, and starts to run jobs. It
// blocks until the index is read, or ctx is done. The engine neither closes Store nor Files.
func Open(ctx context.Context, cfg Config) (*Engine, error) {
	if cfg.Store == nil || cfg.Files == nil {
		return nil, errors.New("jobs: Config.Store and Config.Files must be set")
	}
	e := &Engine{
		store: cfg.Store, files: cfg.Files, workers: make(map[string]jobs.Worker), index: index.New(),
		node: cfg.Node, log: cfg.Logger, now: cfg.Now, starts: newStarts(cfg),
		keep: cfg.Keep, keepFailed: cfg.KeepFailed, keepJobs: cfg.KeepJobs,
		ready: ready.New(), timekeeper: newTimekeeper(), slots: newSlots(cmp.Or(cfg.Concurrency, defaultConcurrency)),
		abandon: make(chan struct{}), stopped: make(chan struct{}), ended: make(chan struct{}),
		runs: make(map[jobs.ID]*run), tails: make(map[jobs.ID]*tail), paused: make(map[string]string),
	}
	if e.log == nil {
		e.log = slog.Default()
	}
	if e.now == nil {
		e.now = time.Now
	}
	if e.node == "" {
		host, err := os.Hostname()
		if err != nil {
			return nil, fmt.Errorf("jobs: name this node: %w", err)
		}
		e.node = host
	}
	e.sessions, e.schedules = newSessions(e.node), newSchedules(e.now())
	for _, w := range cfg.Workers {
		if _, twice := e.workers[w.Kind()]; twice {
			return nil, fmt.Errorf("jobs: kind %s has two workers", w.Kind())
		}
		e.workers[w.Kind()] = w
	}
	e.taking, e.stopTaking = context.WithCancelCause(context.Background())
	e.work, e.stopWork = context.WithCancel(context.Background())
	e.base, e.stopBase = context.WithCancel(context.Background())
	if err := e.openSession(ctx); err != nil {
		e.Close(context.WithoutCancel(ctx))
		return nil, fmt.Errorf("jobs: say that this server is there: %w", err)
	}
	e.watching.Go(e.watchSessions)
	e.watching.Go(e.beats)
	queues := make(chan struct{})
	e.watching.Go(func() { e.watchQueues(sync.OnceFunc(func() { close(queues) })) })
	loaded := make(chan error, 1)
	e.watching.Go(func() { e.readIndex(loaded) })
	var err error
	select {
	case err = <-loaded:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err == nil {
		select {
		case <-queues:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err == nil {
		scheduled := make(chan error, 1)
		e.watching.Go(func() { e.watchSchedules(scheduled) })
		select {
		case err = <-scheduled:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err != nil {
		e.Close(context.WithoutCancel(ctx))
		return nil, fmt.Errorf("jobs: read the index and the schedules: %w", err)
	}
	e.findLost() // before anything is handed out: who ran when a server died keeps its place before those that wait
	e.running.Go(e.upkeep)
	e.running.Go(e.keepTime)
	e.running.Go(e.dispatch)
	return e, nil
}

// Stop refuses new jobs from now on, cancels the running ones and hands them back: they are queued again, and
// that does not count as an attempt. It returns when they are, or ctx is done. A worker that has not returned
// shortly before ctx's deadline is left behind, and its job handed back all the same. Those who follow a job go
// on, and see that. Stopping twice waits twice.
func (e *Engine) Stop(ctx context.Context) error {
	e.stopping.Do(func() {
		e.stopTaking(errStopping)
		go func() { // ends with the last run
			e.running.Wait()
			close(e.stopped)
		}()
	})
	select {
	case <-e.stopped: // however little time there is
		return nil
	default:
	}
	var patience <-chan time.Time
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		timer := time.NewTimer(max(0, left-min(time.Second, left/2)))
		defer timer.Stop()
		patience = timer.C
	}
	select {
	case <-e.stopped:
		return nil
	case <-patience:
	case <-ctx.Done():
	}
	e.mu.Lock()
	select {
	case <-e.abandon:
	default:
		close(e.abandon)
	}
	e.mu.Unlock()
	select {
	case <-e.stopped:
		return nil
	case <-ctx.Done():
		e.stopBase()
		return ctx.Err()
	}
}

// Close does what Stop does, and then ends what follows the jobs: it gets ErrClosed. It returns when the last
// goroutine has ended, or ctx is done. Closing twice waits twice.
func (e *Engine) Close(ctx context.Context) error {
	err := e.Stop(ctx)
	e.closing.Do(func() {
		e.mu.Lock()
		e.closed = true
		e.mu.Unlock()
		e.stopWork()
		go func() { // ends with the engine's last goroutine
			e.watching.Wait()
			<-e.stopped
			e.stopBase()
			close(e.ended)
		}()
	})
	if err != nil {
		return err
	}
	select {
	case <-e.ended:
		return nil
	case <-ctx.Done():
		e.stopBase()
		return ctx.Err()
	}
}

// Kinds describes the kinds of job that can be started, sorted by name.
func (e *Engine) Kinds() []jobs.KindInfo {
	kinds := []jobs.KindInfo{}
	for _, name := range e.kindNames() {
		kinds = append(kinds, e.workers[name].Info())
	}
	return kinds
}

func (e *Engine) kindNames() []string { return slices.Sorted(maps.Keys(e.workers)) }

// addRun makes a run known, unless this node is at work for the job already.
func (e *Engine) addRun(r *run) bool {
	e.mu.Lock()
	older := e.runs[r.id]
	if older != nil && older.alive() == nil {
		e.mu.Unlock()
		return false
	}
	e.runs[r.id] = r
	e.mu.Unlock()
	if older != nil { // it has lost its job, and this node has got it again
		older.cancel(errFenced)
	}
	return true
}

func (e *Engine) dropRun(r *run) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.runs[r.id] == r {
		delete(e.runs, r.id)
	}
}

// run returns the run of a job on this node, or nil.
func (e *Engine) run(id jobs.ID) *run {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.runs[id]
}

// at reports whether this node is at work for a job.
func (e *Engine) at(id jobs.ID) bool { return e.run(id) != nil }

// learn takes in a record that is known to be stored.
func (e *Engine) learn(rec jobs.Record) {
	e.learning.Lock()
	if e.index.Apply(rec) {
		e.arrange(&rec)
	}
	e.learning.Unlock()
	if r := e.run(rec.Event.JobID); r != nil {
		r.notice(&rec)
	}
}

// arrange puts a job where it belongs by its newest record: among those that wait for a worker, for their time, or that
// run. learning is held.
func (e *Engine) arrange(rec *jobs.Record) {
	e.timekeeper.learn(rec)
	j := &rec.Job
	switch j.State {
	case jobs.Queued:
		since := rec.Event.Time
		if rec.Queued != nil {
			since = *rec.Queued
		}
		e.ready.Put(ready.Job{
			ID: j.ID, Queue: j.Queue, Kind: j.Kind, Priority: string(j.Priority), Owner: rec.Owner, Key: j.ConcurrencyKey,
			Seq: j.Seq, Since: since, Again: rec.Queued != nil,
		})
	case jobs.Running:
		e.ready.Running(j.ID, j.Queue, j.ConcurrencyKey)
		if rec.Event.Type == jobs.EventStarted {
			e.pace.began(j.Queue, rec.Event.Time)
		}
	default:
		e.ready.Remove(j.ID)
		e.ready.Ended(j.ID)
	}
}

// forget takes out a job that is not there any more: the one that was made at a time. Who follows it gets ErrNotFound
// after what there was.
func (e *Engine) forget(id jobs.ID, made time.Time) {
	e.learning.Lock()
	e.index.Remove(id, made)
	_, another := e.index.Made(id)
	if !another {
		e.disarrange(id)
	}
	e.learning.Unlock()
	if another {
		return
	}
	e.mu.Lock()
	t := e.tails[id]
	delete(e.tails, id)
	e.mu.Unlock()
	if t != nil {
		t.fail(jobs.ErrNotFound)
		t.stop()
	}
}

// forgetRemoved forgets a job of which it was told that it was removed. That may come late, when there is another one
// of that name: so the store is asked what there is.
func (e *Engine) forgetRemoved(ctx context.Context, id jobs.ID) error {
	made, _ := e.index.Made(id)
	seq := e.index.Seq(id)
	last, _, err := e.last(ctx, id)
	switch {
	case errors.Is(err, jobs.ErrNotFound):
		e.forget(id, made)
	case err != nil:
		return err
	case !last.Job.CreatedAt.Equal(made) || last.Job.Seq < seq:
		e.forget(id, made)
		e.learn(last)
	}
	return nil
}

// disarrange undoes what arrange has done. learning is held.
func (e *Engine) disarrange(id jobs.ID) {
	e.timekeeper.forget(id)
	e.ready.Remove(id)
	e.ready.Ended(id)
}

// upkeep cleans until the engine stops.
func (e *Engine) upkeep() {
	clean, room := time.NewTicker(cleanEvery), time.NewTicker(roomEvery)
	defer clean.Stop()
	defer room.Stop()
	for {
		select {
		case <-e.taking.Done():
			return
		case <-room.C:
			if _, err := e.makeRoom(e.taking); err != nil && e.taking.Err() == nil {
				e.log.Warn("cannot remove old jobs", "err", err)
			}
		case <-clean.C:
			if err := e.files.ExpireUploads(); err != nil {
				e.log.Warn("cannot remove old uploads", "err", err)
			}
		}
	}
}

// load takes in the newest record of every job.
func (e *Engine) load(all []jobs.Record, since uint64) {
	e.learning.Lock()
	defer e.learning.Unlock()
	for _, gone := range e.index.Load(all, since) {
		e.disarrange(gone)
	}
	for i := range all {
		if e.index.Seq(all[i].Job.ID) == all[i].Job.Seq { // else this node has learned newer things meanwhile
			e.arrange(&all[i])
		}
	}
}

// readIndex keeps the index up to date. It sends the outcome of the first reading to ready.
func (e *Engine) readIndex(ready chan<- error) {
	first := true
	for {
		err := e.readIndexOnce(func() {
			if first {
				ready <- nil
			}
			first = false
		})
		if e.work.Err() != nil {
			return
		}
		if first {
			ready <- err
			return
		}
		if errors.Is(err, jobs.ErrClosed) {
			return
		}
		e.log.Warn("the index of jobs broke off and is read anew", "err", err)
		if !sleep(e.work, retryAfter) {
			return
		}
	}
}

func (e *Engine) readIndexOnce(loaded func()) error {
	var all []jobs.Record
	live, known := false, e.index.Version()
	for rec, err := range e.store.Index(e.work) {
		switch {
		case err != nil:
			return err
		case live && rec.Event.Type == jobs.EventRemoved:
			if err := e.forgetRemoved(e.work, rec.Event.JobID); err != nil {
				return err
			}
		case live:
			e.learn(rec)
		case rec.Event.JobID == "":
			live = true
			e.load(all, known)
			all = nil
			loaded()
		default:
			rec.Job.Result = nil
			all = append(all, rec)
		}
	}
	return errors.New("the store ended the index")
}
