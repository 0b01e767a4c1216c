package socketio_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"jobcast/engineio"
	"jobcast/socketio"
)

type report struct {
	Job  string `json:"job"`
	Done int    `json:"done"`
	Text string `json:"text"`
}

// Whatever an event's policy is, who has stopped to read holds nobody up and keeps to its bound, over
// WebSocket and while polling.
func TestPoliciesOfWhatWaits(t *testing.T) {
	const reports = 1000
	plain := socketio.NewEvent[report]("report")
	newest := plain.Newest(func(r report) string { return r.Job })
	for _, tt := range []struct {
		name   string
		emit   func(*socketio.Namespace, report) error
		closed bool // the session of who does not read
		newest bool // who reads in the end gets the newest of each
	}{
		{"close", func(ns *socketio.Namespace, r report) error { return plain.Emit(ns, r) }, true, false},
		{"volatile event", func(ns *socketio.Namespace, r report) error { return plain.Volatile().Emit(ns, r) }, false, false},
		{"volatile target", func(ns *socketio.Namespace, r report) error { return plain.Emit(ns.Volatile(), r) }, false, false},
		{"newest", func(ns *socketio.Namespace, r report) error { return newest.Emit(ns, r) }, false, true},
		{"newest to a volatile target", func(ns *socketio.Namespace, r report) error { return newest.Emit(ns.Volatile(), r) }, false, false},
	} {
		for _, eio := range []string{"4", "3"} {
			t.Run(tt.name+"/revision "+eio, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorldWith(t, engineio.Config{MaxQueueBytes: 100_000})
					ns := w.server.Of("/")
					reasons := make(chan socketio.Reason, 4)
					ns.OnDisconnect(func(_ *socketio.Socket, r socketio.Reason) { reasons <- r })
					overWebSocket := func() *wsClient {
						c, err := w.dialQuery("EIO=" + eio + "&transport=websocket")
						if err != nil {
							t.Fatal(err)
						}
						c.wantPrefix(`0{"sid":"`)
						if eio == "4" {
							c.send("40")
						}
						c.wantPrefix("40")
						c.want(`42["auth",{}]`)
						return c
					}
					polling := "EIO=" + eio + "&transport=polling"
					_, open := w.request("GET", polling, "")
					_, sid, _ := strings.Cut(open, `"sid":"`)
					polling += "&sid=" + sid[:20]
					if eio == "4" {
						w.request("POST", polling, "40")
						synctest.Wait()
					}
					w.request("GET", polling, "")
					reader, stalled := overWebSocket(), overWebSocket()

					for i := range reports {
						r := report{[]string{"a", "b"}[i%2], i, strings.Repeat("x", 1000)}
						if err := tt.emit(ns, r); err != nil {
							t.Fatal(err)
						}
						reader.want(fmt.Sprintf(`42["report",{"job":%q,"done":%d,"text":%q}]`, r.Job, i, r.Text))
					}
					socketio.NewEvent[struct{}]("end").Emit(ns, struct{}{})
					reader.want(`42["end"]`)

					status, polled := w.request("GET", polling, "")
					var got []string
					for m := range stalled.messages {
						if got = append(got, m); m == `42["end"]` {
							break
						}
					}
					if tt.closed {
						for range 2 {
							if r := <-reasons; r != socketio.SlowConsumer {
								t.Errorf("got reason %s", r)
							}
						}
						if status != 400 || got[len(got)-1] == `42["end"]` {
							t.Errorf("got %d %q while polling, %q over WebSocket, want both closed", status, polled, got[len(got)-1])
						}
						return
					}
					if status != 200 || len(polled) > 5000 || !strings.Contains(polled, `42["end"]`) {
						t.Errorf("got %d with %d bytes while polling", status, len(polled))
					}
					if n := len(got); n >= reports || got[n-1] != `42["end"]` {
						t.Errorf("got %d messages over WebSocket, the last one %q", n, got[n-1])
					}
					if tt.newest {
						end := polled + strings.Join(got[max(0, len(got)-3):], "")
						for _, newest := range []string{`{"job":"a","done":998`, `{"job":"b","done":999`} {
							if strings.Count(polled, newest) != 1 || strings.Count(end, newest) != 2 {
								t.Errorf("got %q, want %s on both transports", end, newest)
							}
						}
					}
				})
			})
		}
	}
}

// The newest of one namespace, event or key is not that of another.
func TestNewestKeysDoNotMeet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		sid := w.open()
		w.post(sid, "40\x1e40/custom,")
		synctest.Wait()
		w.request("GET", "EIO=4&transport=polling&sid="+sid, "")
		key := func(s string) string { return s }
		comma, a := socketio.NewEvent[string](`a,b`).Newest(key), socketio.NewEvent[string](`a`).Newest(key)
		main, custom := w.server.Of("/"), w.server.Of("/custom")
		for range 2 {
			comma.Emit(main, "x")
			a.Emit(main, ",bx")
			a.Emit(main, "y")
			a.Emit(custom, "y")
		}
		w.wantPoll(sid, 200, `42["a,b","x"]`+"\x1e"+`42["a",",bx"]`+"\x1e"+`42["a","y"]`+"\x1e"+`42/custom,["a","y"]`)
	})
}
