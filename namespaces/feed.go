package namespaces

import (
	"context"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"jobcast/jobs"
	"jobcast/socketio"
)

// maxHeld bounds the feeds that one socket holds: one for each job, and one more for its text. A request for one
// more is refused.
const maxHeld = 1000

// settleTime bounds how long the end of a job waits for the last of its text.
const settleTime = time.Second

var errTooMany = &jobs.Problem{
	Type:   "urn:jobs:problem:" + jobs.CodeTooManyRequests,
	Title:  "Too many subscriptions",
	Status: 429,
	Code:   jobs.CodeTooManyRequests,
	Detail: "one connection watches at most " + strconv.Itoa(maxHeld) + " jobs, and the text of a job counts as one more; unsubscribe from some",
}

// retryFeed is how long a feed waits before it reads on from a store that failed.
const retryFeed = time.Second

// A source is what a feed reads: the entries after a position, those stored and then each new one, until
// nothing more can come. It is Engine.Follow, or Engine.FollowLogs, with what to do with an entry.
type source func(ctx context.Context, after int64) iter.Seq2[entry, error]

// An entry is one step of a feed: the position that its reader then holds, what came, and how it is
// emitted. It has an event and the job after it, or a chunk of text.
type entry struct {
	last  int64
	job   jobs.Job
	event jobs.Event
	text  jobs.LogChunk
	emit  func(to socketio.Emitter) error
}

// past is the newest part of what a feed has brought, so that the next watchers need not ask the store.
// It holds keptEvents or keptLines at the most; the oldest go first.
type past struct {
	oldest uint64       // the first event that the store held when the feed began
	events []jobs.Event // contiguous, up to the feed's position
	text   jobs.LogChunk
}

const (
	keptEvents = 2 * maxReplay
	keptLines  = 2 * maxReplay
)

func (p *past) add(e entry) {
	if e.event.Seq > 0 {
		if n := len(p.events); n > 0 && p.events[n-1].Seq+1 != e.event.Seq {
			p.events = nil // the store has let go of some
		}
		if p.events = append(p.events, e.event); len(p.events) > keptEvents {
			p.events = slices.Clone(p.events[len(p.events)-maxReplay:])
		}
	}
	if len(e.text.Lines) > 0 {
		if len(p.text.Lines) == 0 || p.text.LastLine()+1 != e.text.Line {
			p.text = jobs.LogChunk{Line: e.text.Line}
		}
		p.text.JobID, p.text.Attempt = e.text.JobID, e.text.Attempt
		if p.text.Lines = append(p.text.Lines, e.text.Lines...); len(p.text.Lines) > keptLines {
			gone := len(p.text.Lines) - maxReplay
			p.text.Line += int64(gone)
			p.text.Lines = slices.Clone(p.text.Lines[gone:])
		}
	}
}

// A feed hands what one source brings to the room of its watchers, on one goroutine however many they
// are. It begins with its first watcher, and ends with its last one or with its source. Its room is its
// own: a feed that ends says nothing to the watchers of the one that follows it.
type feed struct {
	room    string
	cancel  context.CancelFunc
	holders map[*socketio.Socket]bool // protected by feeds.mu

	mu    sync.Mutex // protects the fields below; held while outboxes are filled, which never blocks
	now   entry      // what the watchers hold
	past  past
	ended bool
}

// join makes s a watcher, if first agrees to what the others hold: what first emits is followed by what
// comes after that.
func (f *feed) join(s *socketio.Socket, first func(now entry, p past) bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !first(f.now, f.past) {
		return false
	}
	if !f.ended {
		s.Join(f.room)
	}
	return true
}

func (f *feed) put(e entry, to socketio.Emitter) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	e.job.Args = f.now.job.Args // a record has none
	f.now = e
	f.past.add(e)
	return e.emit(to)
}

// feeds are the feeds of a namespace, by what they are about. Its goroutines are one for each feed; close
// waits for them.
type feeds struct {
	ns     *socketio.Namespace
	log    *slog.Logger
	ctx    context.Context // ends with close
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu   sync.Mutex // protects the fields below; comes before feed.mu
	made int
	by   map[string]*feed
	held map[*socketio.Socket]map[string]*feed
}

func newFeeds(ns *socketio.Namespace, log *slog.Logger) *feeds {
	fs := &feeds{ns: ns, log: log, by: map[string]*feed{}, held: map[*socketio.Socket]map[string]*feed{}}
	fs.ctx, fs.cancel = context.WithCancel(context.Background())
	return fs
}

// hold returns the feed about topic, and starts it at from, of which past is known, if there is none yet.
// s holds it until it lets go, or the feed ends. It returns nil if s holds maxHeld already, or if src is
// nil and there is no such feed.
func (fs *feeds) hold(topic string, s *socketio.Socket, from entry, known past, src source) *feed {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f := fs.held[s][topic]; f != nil {
		return f
	}
	if len(fs.held[s]) == maxHeld {
		return nil
	}
	f := fs.by[topic]
	if f == nil {
		if src == nil {
			return nil
		}
		fs.made++
		f = &feed{room: topic + "#" + strconv.Itoa(fs.made), now: from, past: known, holders: map[*socketio.Socket]bool{}}
		fs.by[topic] = f
		var ctx context.Context
		ctx, f.cancel = context.WithCancel(fs.ctx)
		fs.done.Go(func() { fs.run(ctx, topic, f, src) })
	}
	f.holders[s] = true
	if fs.held[s] == nil {
		fs.held[s] = map[string]*feed{}
	}
	fs.held[s][topic] = f
	return f
}

// letGo ends what s holds about the topics, or about everything if none is named. A feed that nobody
// holds any more ends.
func (fs *feeds) letGo(s *socketio.Socket, topics ...string) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if topics == nil {
		topics = slices.Collect(maps.Keys(fs.held[s]))
	}
	for _, topic := range topics {
		if f := fs.held[s][topic]; f != nil {
			fs.dropLocked(s, topic, f)
			if len(f.holders) == 0 && fs.by[topic] == f {
				delete(fs.by, topic)
				f.cancel()
			}
		}
	}
}

func (fs *feeds) dropLocked(s *socketio.Socket, topic string, f *feed) {
	s.Leave(f.room)
	delete(f.holders, s)
	if delete(fs.held[s], topic); len(fs.held[s]) == 0 {
		delete(fs.held, s)
	}
}

// settle waits until the feed about topic, if there is one, has reached a position, or for settleTime.
func (fs *feeds) settle(ctx context.Context, topic string, last int64) {
	for deadline := time.Now().Add(settleTime); time.Now().Before(deadline); {
		fs.mu.Lock()
		f := fs.by[topic]
		fs.mu.Unlock()
		if f == nil {
			return
		}
		f.mu.Lock()
		settled := f.ended || f.now.last >= last
		f.mu.Unlock()
		if settled {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(settleTime / 500):
		}
	}
}

// run reads the source to its end. A store that fails costs time only: the feed reads on from what its
// watchers hold.
func (fs *feeds) run(ctx context.Context, topic string, f *feed, src source) {
	defer f.cancel()
	to := fs.ns.To(f.room)
	for ctx.Err() == nil {
		var e entry
		var err error
		for e, err = range src(ctx, f.now.last) { // only this goroutine writes now
			if err != nil {
				break
			}
			if bad := f.put(e, to); bad != nil {
				fs.log.Error("watchers miss an entry", "room", f.room, "err", bad)
			}
		}
		if err == nil {
			break
		}
		if ctx.Err() == nil {
			fs.log.Error("watchers wait for the store", "room", f.room, "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryFeed):
		}
	}
	f.mu.Lock()
	f.ended = true // nobody joins from here on
	f.mu.Unlock()
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.by[topic] == f {
		delete(fs.by, topic)
	}
	for s := range f.holders {
		fs.dropLocked(s, topic, f)
	}
}

// close ends every feed and waits for them, or for ctx.
func (fs *feeds) close(ctx context.Context) error {
	fs.cancel()
	done := make(chan struct{})
	go func() { // ends with the feeds, which have been cancelled
		defer close(done)
		fs.done.Wait()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
