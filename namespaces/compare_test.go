package namespaces

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/events"
	"jobcast/internal/systems/compare"
	"jobcast/socketio"
)

func TestARunIsWatchedByNumberAndEndsWithItsControls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs := new(compare.Runs)
		t.Cleanup(runs.Close)
		io := socketio.New(socketio.Config{EncodeError: EncodeError})
		Register(io, Compare, Services{Runs: runs})
		l := serve(t, io)
		page := l.connect(t, "/compare")
		var opened events.CompareAck
		page.ask("compare:open", compare.Settings{Rate: 10, Size: 100}, &opened)
		if run := runs.Get(opened.Run); !opened.OK || run == nil || opened.Rate != 10 {
			t.Fatalf("got %+v, want a run of rate 10", opened)
		}
		time.Sleep(time.Second)

		line := l.connect(t, "/compare")
		line.write(`41/compare,`)
		if got := joinAs(line, `{"run":"`+opened.Run+`","after":4}`); !strings.HasPrefix(got, `40/compare,{"sid"`) {
			t.Fatalf("got %q, want a CONNECT", got)
		}
		for want := uint64(5); want < 20; want++ {
			e := line.next()
			var got compare.Event
			decode(t, e.payload, &got)
			if e.name != "compare:event" || got.N != want || len(e.payload) != 100 {
				t.Fatalf("got %s %s, want event %d of 100 bytes", e.name, e.payload, want)
			}
		}
		page.write("41/compare,")
		synctest.Wait()
		if runs.Get(opened.Run) != nil {
			t.Fatal("the run is there without its controls")
		}
	})
}

func TestASocketThatAsksForNoRunThatThereIsIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		io := socketio.New(socketio.Config{EncodeError: EncodeError})
		Register(io, Compare, Services{Runs: new(compare.Runs)})
		c := serve(t, io).connect(t, "/compare")
		c.write(`41/compare,`)
		for auth, want := range map[string]string{
			`{"run":"nothing"}`: `"code":"not_found"`,
			`{"run":1}`:         `"code":"bad_request"`,
		} {
			if got := joinAs(c, auth); !strings.HasPrefix(got, "44/compare,") || !strings.Contains(got, want) {
				t.Errorf("%s: got %s, want %s", auth, got, want)
			}
		}
	})
}

// joinAs connects c to /compare again, with auth, and returns what the server says to it.
func joinAs(c *client, auth string) string {
	c.write("40/compare," + auth)
	return c.read()
}
