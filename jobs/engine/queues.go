package engine

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"jobcast/jobs"
	"jobcast/jobs/engine/internal/ready"
)

const (
	queueGroup = "queue" // of cells, one for each queue that is paused
	paceStarts = 20      // starts of a queue from which its pace is known
	paceTime   = 10 * time.Minute
	paceQueues = 1000 // whose pace is remembered; one of the others goes for each more
)

// paused is the value of a queue's cell.
type paused struct {
	Queue string    `json:"queue"`
	Since time.Time `json:"since"`
}

// queueKey is the key of a queue's cell: a name may have characters that a key may not.
func queueKey(queue string) string {
	sum := sha256.Sum256([]byte(queue))
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:20])
}

// Pause lets no job of a queue begin, on any server, until Resume; those that run go on. It holds across restarts.
// The error is a *Problem.
func (e *Engine) Pause(ctx context.Context, req jobs.QueueRequest) (jobs.QueueInfo, error) {
	return e.setPaused(ctx, req, true)
}

// Resume ends what Pause began. It is no error if nothing did. The error is a *Problem.
func (e *Engine) Resume(ctx context.Context, req jobs.QueueRequest) (jobs.QueueInfo, error) {
	return e.setPaused(ctx, req, false)
}

func (e *Engine) setPaused(ctx context.Context, req jobs.QueueRequest, pause bool) (jobs.QueueInfo, error) {
	if err := req.Check(); err != nil {
		return jobs.QueueInfo{}, err
	}
	queue := req.Name()
	if err := e.putPaused(ctx, queue, pause); err != nil {
		return jobs.QueueInfo{}, jobs.ProblemOf(err)
	}
	if err := e.learnPaused(ctx, queue); err != nil {
		return jobs.QueueInfo{}, jobs.ProblemOf(err)
	}
	e.log.Info("a queue was paused, or goes on", "queue", queue, "paused", pause)
	for _, info := range e.Queues() {
		if info.Name == queue {
			return info, nil
		}
	}
	return queueInfo(ready.QueueInfo{Name: queue, Paused: pause}, e.now()), nil
}

// learnPaused takes in whether a queue is paused by its cell. Another server may have changed that since it was written
// here: what the watch tells comes before this or after it, and is not undone by it.
func (e *Engine) learnPaused(ctx context.Context, queue string) error {
	e.pausing.Lock()
	defer e.pausing.Unlock()
	_, err := e.store.Cell(ctx, queueGroup, queueKey(queue))
	switch {
	case err == nil:
		e.paused[queueKey(queue)] = queue
	case errors.Is(err, jobs.ErrNotFound):
		delete(e.paused, queueKey(queue))
	default:
		return err
	}
	e.ready.Pause(queue, err == nil)
	return nil
}

// putPaused writes a queue's cell, or deletes it.
func (e *Engine) putPaused(ctx context.Context, queue string, pause bool) error {
	for {
		cell, err := e.store.Cell(ctx, queueGroup, queueKey(queue))
		there := err == nil
		switch {
		case err != nil && !errors.Is(err, jobs.ErrNotFound):
			return err
		case there == pause:
			return nil
		case pause:
			var value []byte
			if value, err = json.Marshal(paused{queue, e.now().UTC()}); err == nil {
				_, err = e.store.PutCell(ctx, queueGroup, queueKey(queue), value, 0)
			}
		default:
			err = e.store.DeleteCell(ctx, queueGroup, queueKey(queue), cell.Position)
		}
		if !errors.Is(err, jobs.ErrConflict) && !errors.Is(err, jobs.ErrNotFound) {
			return err
		}
	}
}

// watchQueues keeps up with which queues are paused until the engine closes. It closes loaded when it knows those that
// were paused before.
func (e *Engine) watchQueues(loaded func()) {
	for e.work.Err() == nil {
		fresh := make(map[string]bool) // those that were read; nil after the zero cell
		for cell, err := range e.store.WatchCells(e.work, queueGroup) {
			if err != nil {
				if errors.Is(err, jobs.ErrClosed) {
					return
				}
				e.log.Warn("what tells which queues are paused broke off and is read anew", "err", err)
				break
			}
			e.pausing.Lock()
			switch {
			case cell.Key == "":
				for key, queue := range e.paused {
					if !fresh[key] {
						e.ready.Pause(queue, false)
						delete(e.paused, key)
					}
				}
				fresh = nil
			case cell.Value == nil:
				if queue, known := e.paused[cell.Key]; known {
					e.ready.Pause(queue, false)
					delete(e.paused, cell.Key)
				}
			default:
				var of paused
				if json.Unmarshal(cell.Value, &of) != nil || queueKey(of.Queue) != cell.Key {
					break
				}
				e.paused[cell.Key] = of.Queue
				if fresh != nil {
					fresh[cell.Key] = true
				}
				e.ready.Pause(of.Queue, true)
			}
			e.pausing.Unlock()
			if cell.Key == "" {
				loaded()
			}
		}
		sleep(e.work, retryAfter)
	}
}

// Queues says how the queues stand, by name: those of the kinds, and those that have jobs or are paused.
func (e *Engine) Queues() []jobs.QueueInfo {
	known := map[string]ready.QueueInfo{jobs.DefaultQueue: {Name: jobs.DefaultQueue}}
	for _, w := range e.workers {
		if queue := w.Unless().Queue; queue != "" {
			known[queue] = ready.QueueInfo{Name: queue}
		}
	}
	for _, info := range e.ready.Queues() {
		known[info.Name] = info
	}
	infos := make([]jobs.QueueInfo, 0, len(known))
	for _, info := range known {
		infos = append(infos, queueInfo(info, e.now()))
	}
	slices.SortFunc(infos, func(a, b jobs.QueueInfo) int { return strings.Compare(a.Name, b.Name) })
	return infos
}

func queueInfo(q ready.QueueInfo, now time.Time) jobs.QueueInfo {
	info := jobs.QueueInfo{
		Name: q.Name, Paused: q.Paused, Depth: q.Depth.Total(), Running: q.Running,
		ByPriority: map[jobs.Priority]int{jobs.PriorityHigh: q.Depth.High, jobs.PriorityDefault: q.Depth.Default, jobs.PriorityLow: q.Depth.Low},
	}
	if !q.Oldest.IsZero() {
		info.OldestWaitMs = new(max(0, now.Sub(q.Oldest).Milliseconds()))
	}
	return info
}

// Places says where those of the given jobs stand that are queued.
func (e *Engine) Places(ids []jobs.ID) map[jobs.ID]jobs.Place {
	places := make(map[jobs.ID]jobs.Place)
	for id, p := range e.ready.Places(ids) {
		place := jobs.Place{QueuePosition: p.Position, WaitsFor: p.WaitsFor}
		job, there := e.index.Job(id)
		switch {
		case !there:
			continue
		case e.workers[job.Kind].Kind() == "":
			place.WaitsFor = jobs.WaitsForWorker
		case place.WaitsFor == "":
			place.WaitsFor = jobs.WaitsForSlot
		}
		if place.WaitsFor == jobs.WaitsForSlot {
			if gap := e.pace.gap(p.Queue, e.now()); gap > 0 {
				place.ExpectedStartAt = new(e.now().Add(time.Duration(p.Position) * gap).UTC().Truncate(time.Second))
			}
		}
		places[id] = place
	}
	return places
}

// stands adds to a job where it stands now.
func (e *Engine) stands(j *jobs.Job) {
	switch {
	case j.State == jobs.Queued:
		if place, there := e.Places([]jobs.ID{j.ID})[j.ID]; there {
			j.QueuePosition, j.ExpectedStartAt, j.WaitsFor = place.QueuePosition, place.ExpectedStartAt, place.WaitsFor
		}
	case j.State == jobs.Running && j.Waiting && len(j.Asks) > 0:
		j.WaitsFor = jobs.WaitsForAnswer
	case j.State == jobs.Running && j.Waiting:
		j.WaitsFor = jobs.WaitsForChildren
	}
}

// pace remembers when the jobs of each queue began, to guess when others will.
type pace struct {
	mu     sync.Mutex
	starts map[string][]time.Time // the newest of each queue, in order
}

// began takes note of a start.
func (p *pace) began(queue string, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.starts == nil {
		p.starts = make(map[string][]time.Time)
	}
	if _, known := p.starts[queue]; !known && len(p.starts) >= paceQueues {
		for other := range p.starts {
			delete(p.starts, other)
			break
		}
	}
	starts := append(p.starts[queue], at)
	p.starts[queue] = starts[max(0, len(starts)-paceStarts):]
}

// gap is the mean time between two starts of a queue in the last ten minutes; zero if there were less than three.
func (p *pace) gap(queue string, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	starts := p.starts[queue]
	for len(starts) > 0 && now.Sub(starts[0]) > paceTime {
		starts = starts[1:]
	}
	if len(starts) < 3 {
		return 0
	}
	// A queue that has stood still since its last start is slower than it was.
	return now.Sub(starts[0]) / time.Duration(len(starts))
}
