package events

import (
	"jobcast/jobs"
	"jobcast/socketio"
)

// TaskNamespace is the tutorial's background task, which says at once that it has started, and five
// seconds later that it is done.
var TaskNamespace = Namespace{
	Path:   "/testnamespace",
	Client: []Message{RequestForResponse, RequestForJob},
	Server: []Message{Response},
}

// The events of namespace /testnamespace.
var (
	RequestForResponse = socketio.NewEvent[TaskRequest]("request_for_response")    // starts a task
	RequestForJob      = socketio.NewCall[TaskRequest, TaskAck]("request_for_job") // starts the same task as a durable job, which is watched on /jobs
	Response           = socketio.NewEvent[TaskResponse]("response")               // answers twice: when the task starts, and when it ends
)

// TaskRequest asks for the task.
type TaskRequest struct {
	Param string `json:"param"`
}

// TaskAck names the job.
type TaskAck struct {
	OK bool    `json:"ok"`
	ID jobs.ID `json:"id"`
}

// TaskResponse says how far the task is.
type TaskResponse struct {
	Code string `json:"code"` // "200", or "429" when the client has too many tasks under way
	Msg  string `json:"msg"`
}
