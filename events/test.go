package events

import "jobcast/socketio"

// The events of namespace /testnamespace: the tutorial's background task, which says at once that it
// has started, and five seconds later that it is done.
var (
	RequestForResponse = socketio.NewEvent[TaskRequest]("request_for_response")
	Response           = socketio.NewEvent[TaskResponse]("response")
)

// TaskRequest asks for the task.
type TaskRequest struct {
	Param string `json:"param"`
}

// TaskResponse says how far the task is.
type TaskResponse struct {
	Code string `json:"code"` // "200", or "429" when the client has too many tasks under way
	Msg  string `json:"msg"`
}
