package natsio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"jobcast/jobs"
)

// Errors that tell a person what to do.
var (
	// ErrInUse is returned by Open when another process, or another Store, holds the directory.
	ErrInUse = errors.New("natsio: the directory is in use by another process")
	// ErrBroken is returned when the files could not be written, as when the disk is full: what is stored
	// can still be read, but nothing more is taken until the files have been opened again, which happens by
	// itself. Open returns it when they could not be read.
	ErrBroken = fmt.Errorf("natsio: the store's files cannot be read or written: %w", jobs.ErrBroken)
)

// Config configures a Store. Dir must be set.
type Config struct {
	// Dir holds everything, and is made if it is missing. One process at a time can use it.
	Dir string
	// Sync is how often what was written is synced to the disk: "always" (before each answer) or a
	// duration. Empty means "1s". A process that dies loses nothing either way; a machine that dies
	// loses what was written since.
	Sync string
	// MaxBytes bounds the log of events: a full one refuses events (jobs.ErrFull), and new jobs a sixteenth
	// before that, so that those under way can end. Zero means 10 GiB. The same bound holds for the
	// jobs' text, whose oldest lines then go, and for their arguments. Cells have 64 MiB, if that is less.
	MaxBytes int64
	// Logger gets what the NATS server warns of. Nil means slog.Default().
	Logger *slog.Logger
}

// A Store is a jobs.Store on the disk. All who follow wait on their own goroutine; the Store has one,
// which opens the files again after they could not be written.
type Store struct {
	log      *slog.Logger
	dir      string
	sync     string
	every    time.Duration // is how often the disk is synced, zero means after each message
	maxBytes int64
	lock     *os.File
	srv      atomic.Pointer[server.Server] // nil while it is replaced

	// The server works off one connection's requests in order, so what must not wait for one another
	// has its own: short questions and all writes, long reads, and what is pushed to us.
	ask, read, live *nats.Conn
	js              jetstream.JetStream

	events journal[jobs.Record]
	logs   journal[jobs.LogChunk]

	broken   atomic.Pointer[error] // why nothing can be written
	suspects chan struct{}         // holds a token when someone has set broken

	done    chan struct{} // closed by Close
	keeping sync.WaitGroup
	closing sync.Once
	closed  error

	mu   sync.Mutex      // guards the fields below
	era  context.Context // ended and replaced when a connection has come back, and may have missed something
	over context.CancelFunc

	hooks hooks
}

// hooks let tests break what does not break by itself. A nil hook does nothing.
type hooks struct {
	dropLive func(subject string) bool // lose this live message
	loseAck  func() bool               // lose the answer to this write
	skipTrim func() bool               // do not purge the older versions of a cell
	healthz  atomic.Pointer[func(*server.HealthzOptions) *server.HealthStatus]
}

var _ jobs.Store = (*Store)(nil)

// Open starts the NATS server on the files in cfg.Dir. It returns ErrInUse, an error in whose tree is
// the file system's (such as fs.ErrPermission), or another that says what is wrong. ctx bounds Open only,
// and not the reading of the files, which takes about a second for a million events after a crash.
func Open(ctx context.Context, cfg Config) (_ *Store, err error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = 10 << 30
	}
	every, mode, err := parseSync(cfg.Sync)
	if err != nil {
		return nil, err
	}
	if cfg.Dir == "" {
		return nil, errors.New("natsio: no directory is configured")
	}
	// Arguments and results are nobody else's business.
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("natsio: make the directory of the store: %w", err)
	}
	s := &Store{
		log: cfg.Logger, dir: cfg.Dir, sync: mode, every: every, maxBytes: cfg.MaxBytes,
		suspects: make(chan struct{}, 1), done: make(chan struct{}),
	}
	s.era, s.over = context.WithCancel(context.Background())
	s.events = journal[jobs.Record]{s, eventStream, eventPrefix, eventLive, eventKey}
	s.logs = journal[jobs.LogChunk]{s, logStream, logPrefix, logLive, chunkKey}
	if s.lock, err = lockFile(filepath.Join(cfg.Dir, "lock")); errors.Is(err, ErrInUse) {
		return nil, fmt.Errorf("%w: %s", err, cfg.Dir)
	} else if err != nil {
		return nil, fmt.Errorf("natsio: lock the directory of the store: %w", err)
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err = tidy(cfg.Dir); err != nil {
		return nil, fmt.Errorf("natsio: tidy the directory of the store: %w", err)
	}
	if err := s.start(); err != nil {
		return nil, err
	}
	for _, c := range []struct {
		name string
		conn **nats.Conn
	}{{"ask", &s.ask}, {"read", &s.read}, {"live", &s.live}} {
		if *c.conn, err = s.connect(c.name); err != nil {
			return nil, fmt.Errorf("natsio: connect to the NATS server in this process: %w", err)
		}
	}
	if s.js, err = jetstream.New(s.ask, jetstream.WithDefaultTimeout(answerTime)); err != nil {
		return nil, fmt.Errorf("natsio: %w", err)
	}
	if err := s.openStreams(ctx); err != nil {
		return nil, err
	}
	s.keeping.Go(s.keep)
	return s, nil
}

// start starts the server on the files, with all streams that there are.
func (s *Store) start() error {
	srv, err := startServer(s.dir, s.every, s.log)
	if err != nil {
		return fmt.Errorf("natsio: start the NATS server in %s: %w", s.dir, err)
	}
	s.srv.Store(srv)
	if err := leftOut(srv, s.dir, s.log); err != nil {
		return fmt.Errorf("natsio: look for unfinished streams in %s: %w", s.dir, err)
	}
	return s.health()
}

// openStreams makes the streams that are missing, and takes out what a crash has brought back or left.
func (s *Store) openStreams(ctx context.Context) error {
	for _, stream := range streams(s.maxBytes) {
		if _, err := s.js.CreateOrUpdateStream(ctx, stream); err != nil {
			return fmt.Errorf("natsio: open stream %s: %w", stream.Name, err)
		}
	}
	if err := s.removeAgain(ctx); err != nil {
		return s.failed("make removals once more", err)
	}
	if err := s.tidyCells(ctx); err != nil {
		return s.failed("tidy the cells", err)
	}
	return nil
}

func parseSync(text string) (every time.Duration, mode string, err error) {
	switch text {
	case "always":
		return 0, text, nil
	case "":
		text = "1s"
	}
	every, err = time.ParseDuration(text)
	if err != nil || every <= 0 {
		return 0, "", fmt.Errorf("natsio: sync must be always or a duration such as 1s, got %q", text)
	}
	return every, "every " + text, nil
}

// connect opens a pipe to the server. A connection comes back by itself if the server closes it, which
// it does to a reader that is far too slow.
func (s *Store) connect(name string) (*nats.Conn, error) {
	return nats.Connect("",
		nats.InProcessServer(dialer{s}),
		nats.Name(name),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(10*time.Millisecond),
		nats.ReconnectJitter(0, 0),
		nats.NoCallbacksAfterClientClose(),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			s.log.Warn("connection to the nats server lost", "connection", name, "err", err)
		}),
		nats.ReconnectHandler(func(conn *nats.Conn) {
			// The stream must not be read again before the server has our subscriptions again.
			if err := conn.FlushTimeout(answerTime); err != nil {
				s.log.Warn("connection to the nats server lost again", "connection", name, "err", err)
			}
			s.wakeAll()
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			// A slow reader, most often: it finds the gap and fills it.
			s.log.Debug("nats", "connection", name, "err", err)
		}),
	)
}

// wakeAll lets all who follow look into the stream for what they may have missed, and all who wait for an answer
// ask again.
func (s *Store) wakeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over()
	s.era, s.over = context.WithCancel(context.Background())
}

func (s *Store) present() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.era
}

func (s *Store) woken() <-chan struct{} { return s.present().Done() }

// insist asks the server something that may be asked twice, and asks again when a connection has come back
// meanwhile: the question, or its answer, has gone with the old one.
func insist[T any](ctx context.Context, s *Store, ask func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	for {
		era := s.present()
		once, cancel := context.WithCancel(ctx)
		stop := context.AfterFunc(era, cancel)
		answer, err := ask(once)
		stop()
		cancel()
		if err == nil || era.Err() == nil || ctx.Err() != nil {
			return answer, err
		}
	}
}

// Close ends all calls and iterators with jobs.ErrClosed, and returns when the NATS server has closed
// its files. It may be called more than once.
func (s *Store) Close() error {
	s.closing.Do(func() {
		close(s.done)
		s.keeping.Wait()
		for _, conn := range []*nats.Conn{s.ask, s.read, s.live} {
			if conn != nil {
				conn.Close()
			}
		}
		s.over()
		s.stop()
		s.closed = s.lock.Close()
	})
	return s.closed
}

// SyncMode says when what is written is synced to the disk: "always", or such as "every 1s".
func (s *Store) SyncMode() string { return s.sync }

// failed says what we were doing when err came up, unless it is an answer that jobs.Store promises. Once
// the store is closed, everything else fails alike.
func (s *Store) failed(doing string, err error) error {
	if err == nil {
		return nil
	}
	for _, told := range []error{jobs.ErrConflict, jobs.ErrNotFound, jobs.ErrClosed} {
		if errors.Is(err, told) {
			return told
		}
	}
	select {
	case <-s.done:
		return jobs.ErrClosed
	default:
		return fmt.Errorf("natsio: %s: %w", doing, err)
	}
}
