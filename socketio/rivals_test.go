package socketio_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/socketio"
)

// The tests in this file, as those of engineio's, are of mistakes that other servers of this protocol have
// made. docs/regressions.md has the whole list.

// A client that has stopped polling, and one that has stopped reading its WebSocket, hold up nobody in
// their room: a broadcast does not wait for them.
func TestStoppedReaderStallsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const broadcasts = 1000
		w := newWorld(t)
		ns := w.server.Of("/")
		news := socketio.NewEvent[int]("news")
		ns.OnConnect(func(_ context.Context, s *socketio.Socket) { s.Join("room") })

		sid := w.open()
		w.post(sid, "40")
		w.wantPollPrefix(sid, `40{"sid":"`)
		deaf := w.dial("")
		deaf.send("40") // what comes is kept in deaf.messages, which has room for little
		reads := w.connect()
		synctest.Wait()

		start := time.Now()
		for i := range broadcasts {
			if err := news.Emit(ns.To("room"), i); err != nil {
				t.Fatal(err)
			}
			reads.want(fmt.Sprintf(`42["news",%d]`, i))
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("%d broadcasts took %v, want no time", broadcasts, d)
		}
		deaf.conn.Close()
		for range deaf.messages { // its reader ends
		}
	})
}

// A packet that announces more attachments than there can be is refused before anything is made for them,
// and costs its own session only.
func TestAnnouncedAttachmentsCostNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		other := w.connect()
		for _, packet := range []string{`4599999999999999-["echo","x"]`, `45999999999-["message",{"_placeholder":true,"num":0}]`} {
			before := w.connect()
			before.send(packet)
			before.wantClosed()
			unauthenticated := w.dial("")
			unauthenticated.wantPrefix(`0{"sid":"`)
			unauthenticated.send(packet)
			unauthenticated.wantClosed()
		}
		other.send(`420["message-with-ack",1]`)
		other.want(`430[1]`)
	})
}

// Ids are random: each of their characters takes many values, however soon they follow one another.
func TestIDsCannotBeGuessed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		const sessions, characters = 300, 20 // of 6 bits each
		var seen [characters]map[byte]bool
		for i := range seen {
			seen[i] = map[byte]bool{}
		}
		for range sessions {
			sid := w.open()
			if len(sid) != characters {
				t.Fatalf("got id %q, want %d characters", sid, characters)
			}
			for i := range sid {
				seen[i][sid[i]] = true
			}
		}
		for i, values := range seen {
			// 300 draws out of 64 leave fewer than 50 about never.
			if len(values) < 50 {
				t.Errorf("character %d of %d ids takes %d values, want about 64", i, sessions, len(values))
			}
		}
	})
}

// An event that is emitted as soon as the client knows that it is connected is answered, in the middle of an
// upgrade too. TestClientsComeAndGo does the same over TCP, for both revisions.
func TestEmitRightAfterConnecting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		quiet := w.server.Of("/quiet")
		quiet.Handle(socketio.NewCall[int, int]("echo").On(func(_ context.Context, _ *socketio.Socket, i int) (int, error) { return i, nil }))
		var done []chan struct{}
		for i := range 200 {
			d := make(chan struct{})
			done = append(done, d)
			go func() {
				defer close(d)
				sid := w.open()
				w.post(sid, "40/quiet,")
				w.wantPollPrefix(sid, `40/quiet,{"sid":"`)
				ack := fmt.Sprintf(`43/quiet,0[%d]`, i)
				w.post(sid, fmt.Sprintf(`42/quiet,0["echo",%d]`, i))
				if i%2 == 0 {
					w.wantPollPrefix(sid, ack)
					return
				}
				c := w.dial(sid) // the upgrade begins with the answer still waiting
				c.send("2probe")
				c.want("3probe")
				c.send("5")
				c.want(ack)
			}()
		}
		for _, d := range done {
			<-d
		}
	})
}
