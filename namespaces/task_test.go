package namespaces

import (
	"testing"
	"testing/synctest"
	"time"

	"jobcast/events"
	"jobcast/socketio"
)

func TestTheTutorialsTaskAnswersAtOnceAndFiveSecondsLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		io := socketio.New(socketio.Config{})
		Register(io, Task, Services{})
		c := serve(t, io).connect(t, "/testnamespace")
		begin := time.Now()
		c.write(`42/testnamespace,["request_for_response",{"param":"value"}]`)
		for _, want := range []struct {
			after time.Duration
			msg   string
		}{{0, "start to process..."}, {5 * time.Second, "processed"}} {
			e := c.next()
			var got events.TaskResponse
			decode(t, e.payload, &got)
			if e.name != "response" || got != (events.TaskResponse{Code: "200", Msg: want.msg}) || time.Since(begin) != want.after {
				t.Fatalf("got %s %s after %v, want %q after %v", e.name, e.payload, time.Since(begin), want.msg, want.after)
			}
		}
	})
}

func TestTasksUnderWayAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		io := socketio.New(socketio.Config{})
		Register(io, Task, Services{})
		c := serve(t, io).connect(t, "/testnamespace")
		codes := map[string]int{}
		for range maxTasks + 1 {
			c.write(`42/testnamespace,["request_for_response",{}]`)
			var got events.TaskResponse
			decode(t, c.next().payload, &got)
			codes[got.Code]++
		}
		if codes["200"] != maxTasks || codes["429"] != 1 {
			t.Fatalf("got %v, want %d accepted and 1 refused", codes, maxTasks)
		}
	})
}
