package events

import (
	"encoding/json"
	"strings"

	"jobcast/jobs"
	"jobcast/socketio"
)

// JobsNamespace starts long jobs and shows them live. A job goes on without its page, and a page that
// comes back goes on after the last event that it holds.
var JobsNamespace = Namespace{
	Path: "/jobs",
	Client: []Message{
		JobStart, JobSubscribe, JobUnsubscribe, JobGet, JobHistory, JobLogs, JobCancel, JobRetry, JobRemove, JobSend,
		QueuePause, QueueResume, QueuesList,
		SchedulePut, ScheduleList, ScheduleRemove, ScheduleRun, JobsList, JobsWatch, JobsUnwatch, JobsKinds,
	},
	Server: []Message{
		JobScheduled, JobQueued, JobStarted, JobProgress, JobStep, JobCustom, JobMessage, JobValues, JobStalled, JobRetrying, JobCancelling,
		JobCompleted, JobFailed, JobCancelled, JobRemoved, JobPosition, JobLog, JobsChanged,
	},
	Next: []Message{
		JobAnswer,
		JobAsked, JobAnswered, JobChild,
	},
}

// What a page asks of namespace /jobs. Each is acknowledged by its result, or by a Refusal.
var (
	// JobStart makes a job, or finds the one that already has the id or the idempotency key.
	JobStart = socketio.NewCall[jobs.StartRequest, StartAck]("job:start")

	// JobSubscribe is answered with what the page has missed; what follows comes as events.
	JobSubscribe = socketio.NewCall[SubscribeRequest, SubscribeAck]("job:subscribe")

	// JobUnsubscribe ends what JobSubscribe began. It is no error if nothing did.
	JobUnsubscribe = socketio.NewCall[JobRef, OK]("job:unsubscribe")

	// JobGet reads the newest snapshot of a job.
	JobGet = socketio.NewCall[JobRef, JobAck]("job:get")

	// JobHistory reads a part of a job's log, from any point.
	JobHistory = socketio.NewCall[HistoryRequest, HistoryAck]("job:history")

	// JobLogs reads a part of the text that a job wrote, or searches it.
	JobLogs = socketio.NewCall[LogsRequest, LogsAck]("job:logs")

	// JobCancel asks a job to stop.
	JobCancel = socketio.NewCall[jobs.CancelRequest, CancelAck]("job:cancel")

	// JobRetry starts a finished job again, as a new job with retryOf.
	JobRetry = socketio.NewCall[jobs.RetryRequest, StartAck]("job:retry")

	// JobRemove erases a finished job and everything that it left.
	JobRemove = socketio.NewCall[jobs.RemoveRequest, OK]("job:remove")

	// JobSend sends a message to the worker of a job.
	JobSend = socketio.NewCall[jobs.SendRequest, LineAck]("job:send")

	// JobAnswer answers an open question of a job. The first answer wins.
	JobAnswer = socketio.NewCall[jobs.AnswerRequest, LineAck]("job:answer")

	// QueuePause lets no job of a queue begin, on any server, until QueueResume.
	QueuePause = socketio.NewCall[jobs.QueueRequest, QueueAck]("queue:pause")

	// QueueResume ends what QueuePause began. It is no error if nothing did.
	QueueResume = socketio.NewCall[jobs.QueueRequest, QueueAck]("queue:resume")

	// QueuesList says how the queues stand.
	QueuesList = socketio.NewCall[struct{}, QueuesAck]("queues:list")

	// SchedulePut makes a schedule, or changes the one with the same id.
	SchedulePut = socketio.NewCall[jobs.ScheduleRequest, ScheduleAck]("schedule:put")

	// ScheduleList has all schedules.
	ScheduleList = socketio.NewCall[struct{}, SchedulesAck]("schedule:list")

	// ScheduleRemove removes a schedule. The jobs that it has made stay.
	ScheduleRemove = socketio.NewCall[jobs.ScheduleRef, OK]("schedule:remove")

	// ScheduleRun makes a job of a schedule now, whether it is paused or not.
	ScheduleRun = socketio.NewCall[jobs.ScheduleRef, StartAck]("schedule:run")

	// JobsList reads a page of the list of jobs.
	JobsList = socketio.NewCall[jobs.ListQuery, ListAck]("jobs:list")

	// JobsWatch is JobsList, and from then on JobsChanged says what changes, at most twice a second.
	JobsWatch = socketio.NewCall[jobs.ListQuery, ListAck]("jobs:watch")

	// JobsUnwatch ends what JobsWatch began.
	JobsUnwatch = socketio.NewCall[struct{}, OK]("jobs:unwatch")

	// JobsKinds describes the kinds of job that can be started, each with a JSON Schema of its arguments.
	JobsKinds = socketio.NewCall[struct{}, KindsAck]("jobs:kinds")
)

// What the server says on namespace /jobs: the log of a job to those who subscribed to it, its text to
// those who asked for it, and what has changed to those who watch the list.
var (
	JobQueued     = socketio.NewEvent[jobs.Event]("job:queued")     // the job waits for a worker, at first or again
	JobStarted    = socketio.NewEvent[jobs.Event]("job:started")    // an attempt has begun
	JobProgress   = socketio.NewEvent[jobs.Event]("job:progress")   // data is the new progress
	JobStep       = socketio.NewEvent[jobs.Event]("job:step")       // the job has gone on to its next part
	JobCancelling = socketio.NewEvent[jobs.Event]("job:cancelling") // the worker was told to stop
	JobCompleted  = socketio.NewEvent[jobs.Event]("job:completed")  // the last event of a job that is done
	JobFailed     = socketio.NewEvent[jobs.Event]("job:failed")     // the last event of a job that cannot be done
	JobCancelled  = socketio.NewEvent[jobs.Event]("job:cancelled")  // the last event of a job that was stopped

	JobScheduled = socketio.NewEvent[jobs.Event]("job:scheduled") // the job waits for its time; data is DataScheduled
	JobStalled   = socketio.NewEvent[jobs.Event]("job:stalled")   // nothing was heard of the worker for long; data is DataStalled
	JobRetrying  = socketio.NewEvent[jobs.Event]("job:retrying")  // an attempt has failed, and the next has its time; data is DataRetrying
	JobCustom    = socketio.NewEvent[jobs.Event]("job:event")     // a custom event of the worker's, which comes under its own name too; data is DataEvent
	JobMessage   = socketio.NewEvent[jobs.Event]("job:message")   // somebody has sent something to the worker; data is DataMessage
	JobAsked     = socketio.NewEvent[jobs.Event]("job:asked")     // the worker asks something; data is DataAsked
	JobAnswered  = socketio.NewEvent[jobs.Event]("job:answered")  // a question has its answer; data is DataAnswered
	JobValues    = socketio.NewEvent[jobs.Event]("job:values")    // live values have changed; data is DataValues
	JobChild     = socketio.NewEvent[jobs.Event]("job:child")     // something has become of the job's children; data is DataChild
	JobRemoved   = socketio.NewEvent[jobs.Event]("job:removed")   // the job is erased; no line of its log, whose last number it has

	JobLog      = socketio.NewEvent[jobs.LogChunk]("job:log")     // lines of text, to those who asked for logs
	JobsChanged = socketio.NewEvent[jobs.Changes]("jobs:changed") // to those who watch the list
)

// JobPosition tells those who watch a queued job where it stands. It is no line of the log, and may be dropped on the
// way: the next tells the same.
var JobPosition = socketio.NewEvent[QueuePlace]("job:position").Volatile()

// JobEvent is what a line of a job's log is told as: its type, with a colon for the first dot. There is no table of
// types: a kind of job may have its own, and so may a newer version that has written the log; a line that is left out
// would be a hole for who watches.
func JobEvent(typ jobs.EventType) socketio.Event[jobs.Event] {
	return socketio.NewEvent[jobs.Event](strings.Replace(string(typ), ".", ":", 1))
}

// JobRef names a job.
type JobRef struct {
	ID jobs.ID `json:"id"`
}

// JobAck is one job, with its arguments.
type JobAck struct {
	OK  bool     `json:"ok"`
	Job jobs.Job `json:"job"`
}

// StartAck is the job that was made or found, and with JobStart the subscription to it unless the request declined
// one.
type StartAck struct {
	OK      bool          `json:"ok"`
	Job     jobs.Job      `json:"job"`
	Created bool          `json:"created"` // false: the id or the idempotency key was known
	Sub     *SubscribeAck `json:"sub,omitempty"`
}

// LineAck is the line of the job's log that a request has become.
type LineAck struct {
	OK  bool   `json:"ok"`
	Seq uint64 `json:"seq"`
}

// QueueAck is how a queue stands.
type QueueAck struct {
	OK    bool           `json:"ok"`
	Queue jobs.QueueInfo `json:"queue"`
}

// QueuesAck has the queues, sorted by name: those of the configuration, of the kinds, and those that have jobs.
type QueuesAck struct {
	OK     bool             `json:"ok"`
	Queues []jobs.QueueInfo `json:"queues"`
}

// ScheduleAck is a schedule as it is kept.
type ScheduleAck struct {
	OK       bool          `json:"ok"`
	Schedule jobs.Schedule `json:"schedule"`
	Created  bool          `json:"created"` // false: there was one of this id
}

// SchedulesAck has the schedules, sorted by id.
type SchedulesAck struct {
	OK        bool            `json:"ok"`
	Schedules []jobs.Schedule `json:"schedules"`
}

// QueuePlace is where a queued job stands.
type QueuePlace struct {
	ID jobs.ID `json:"id"`
	jobs.Place
}

// SubscribeRequest asks for the events of a job from After on. Subscribing again replaces the earlier
// subscription of this socket.
type SubscribeRequest struct {
	ID     jobs.ID     `json:"id"`
	After  uint64      `json:"after,omitempty"`  // the seq that the page holds
	Replay Replay      `json:"replay,omitempty"` // empty means tail
	Limit  *int        `json:"limit,omitempty"`  // events in the ack, 0 to 1,000; nil means 200
	Logs   *LogsWanted `json:"logs,omitempty"`
	Off    string      `json:"off,omitempty"` // reserved; ignored
}

// Replay says which of the events that a page has missed are in the acknowledgement.
type Replay string

// All of them, oldest first; the newest ones that fit the limit; or none.
const (
	ReplayAll  Replay = "all"
	ReplayTail Replay = "tail"
	ReplayNone Replay = "none"
)

// LogsWanted asks for a job's text: from after a line, or its newest lines. True asks for the newest 200,
// false for none.
//
//catalogue:or boolean
type LogsWanted struct {
	Off   bool  `json:"-"`               // the request said false
	After int64 `json:"after,omitempty"` // the line that the page holds
	Tail  int   `json:"tail,omitempty"`  // lines in the ack, at most 1,000; 0 means 200, or 1,000 where After is set
}

// UnmarshalJSON accepts true, false or an object.
func (l *LogsWanted) UnmarshalJSON(b []byte) error {
	var on bool
	if json.Unmarshal(b, &on) == nil {
		*l = LogsWanted{Off: !on}
		return nil
	}
	type plain LogsWanted
	return json.Unmarshal(b, (*plain)(l))
}

// SubscribeAck holds what the page has missed. What follows it on the wire starts at LastSeq+1, unless
// HasMore: then nothing follows, and the page subscribes again with after = LastSeq.
type SubscribeAck struct {
	OK        bool           `json:"ok"`
	Job       jobs.Job       `json:"job"`
	Events    []jobs.Event   `json:"events"`
	FirstSeq  uint64         `json:"firstSeq,omitempty"` // the oldest event still stored
	LastSeq   uint64         `json:"lastSeq"`
	Recovered bool           `json:"recovered"` // the events go on exactly after what the page holds; false: take Job as the new state
	HasMore   bool           `json:"hasMore"`
	Done      bool           `json:"done"` // the job has had its last event
	Log       *jobs.LogChunk `json:"log,omitempty"`
}

// HistoryRequest asks for a part of a job's log.
type HistoryRequest struct {
	ID    jobs.ID `json:"id"`
	After uint64  `json:"after,omitempty"`
	Limit int     `json:"limit,omitempty"` // 1 to 1,000; 0 means 200
}

// HistoryAck is a part of a job's log, oldest first.
type HistoryAck struct {
	OK      bool         `json:"ok"`
	Events  []jobs.Event `json:"events"`
	LastSeq uint64       `json:"lastSeq"` // of Events, or that of the request if there are none
	HasMore bool         `json:"hasMore"`
}

// LogsRequest asks for a part of a job's text.
type LogsRequest struct {
	ID jobs.ID `json:"id"`
	jobs.LogQuery
}

// LogsAck is a part of a job's text: Log, or Found where the request has a q.
type LogsAck struct {
	OK    bool           `json:"ok"`
	Log   *jobs.LogChunk `json:"log,omitempty"`
	Found *jobs.LogFound `json:"found,omitempty"`
}

// CancelAck says what a cancel did.
type CancelAck struct {
	OK      bool         `json:"ok"`
	Outcome jobs.Outcome `json:"outcome"`
	Job     jobs.Job     `json:"job"`
}

// KindsAck has the kinds of job, sorted by name.
type KindsAck struct {
	OK    bool            `json:"ok"`
	Kinds []jobs.KindInfo `json:"kinds"`
}

// ListAck is a page of the list of jobs, newest first unless the request says otherwise.
type ListAck struct {
	OK bool `json:"ok"`
	jobs.ListPage
}
