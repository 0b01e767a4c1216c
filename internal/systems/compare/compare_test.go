package compare

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func open(t *testing.T, s Settings) (*Runs, *Run) {
	t.Helper()
	runs := new(Runs)
	run, err := runs.Open(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(runs.Close)
	return runs, run
}

func TestEventsComeAtTheirRateAndSizeWithoutAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, run := open(t, Settings{Rate: 20, Size: 300})
		begin := time.Now()
		n := uint64(0)
		for event := range run.Follow(t.Context(), 0) {
			n++
			if event.N != n {
				t.Fatalf("got event %d, want %d", event.N, n)
			}
			if b, _ := json.Marshal(event); len(b) != 300 {
				t.Fatalf("got %d bytes, want 300: %s", len(b), b)
			}
			if want := begin.Add(time.Duration(n) * 50 * time.Millisecond); event.At != want.UnixMicro() || !time.Now().Equal(want) {
				t.Fatalf("event %d: made at %d and read at %v, want both at %v", n, event.At, time.Now(), want)
			}
			if n == 100 {
				break
			}
		}
	})
}

func TestSettingsCountFromTheNextEventOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, run := open(t, Settings{Rate: 1, Size: MinSize})
		time.Sleep(1500 * time.Millisecond)
		if err := run.Set(Settings{Rate: MaxRate, Size: MaxSize}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		time.Sleep(time.Second)
		synctest.Wait()
		if got := run.Last(); got != 1+MaxRate {
			t.Fatalf("got %d events, want %d", got, 1+MaxRate)
		}
		events, _ := run.After(1, 1)
		if b, _ := json.Marshal(events[0]); len(b) != MaxSize {
			t.Fatalf("got %d bytes, want %d", len(b), MaxSize)
		}
	})
}

func TestWhatIsOutOfBoundsIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs, run := open(t, Settings{Rate: 1, Size: MinSize})
		for _, s := range []Settings{{0, 100}, {MaxRate + 1, 100}, {1, MinSize - 1}, {1, MaxSize + 1}, {-1, -1}} {
			if _, err := runs.Open(s); !errors.Is(err, ErrSettings) {
				t.Errorf("Open(%+v): got %v, want ErrSettings", s, err)
			}
			if err := run.Set(s); !errors.Is(err, ErrSettings) {
				t.Errorf("Set(%+v): got %v, want ErrSettings", s, err)
			}
		}
		for range maxRuns - 1 {
			if _, err := runs.Open(Settings{1, MinSize}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := runs.Open(Settings{1, MinSize}); !errors.Is(err, ErrFull) {
			t.Fatalf("run %d: got %v, want ErrFull", maxRuns+1, err)
		}
		run.Close()
		if _, err := runs.Open(Settings{1, MinSize}); err != nil {
			t.Fatalf("after one has ended: %v", err)
		}
	})
}

func TestAReaderThatIsFarBehindGoesOnAtTheOldestEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, run := open(t, Settings{Rate: MaxRate, Size: MinSize})
		time.Sleep((kept + 100) * time.Second / MaxRate)
		synctest.Wait()
		events, more := run.After(0, 10)
		if len(events) != 10 || events[0].N != 101 || !more {
			t.Fatalf("got %d events from %d, more %v; want 10 from 101, and more", len(events), events[0].N, more)
		}
	})
}

func TestTheEndOfARunEndsItsReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs, run := open(t, Settings{Rate: 1, Size: MinSize})
		ended := make(chan struct{}, 2)
		go func() {
			for range run.Follow(t.Context(), 0) {
			}
			ended <- struct{}{}
		}()
		go func() {
			run.Await(t.Context(), 1000, time.Hour)
			ended <- struct{}{}
		}()
		time.Sleep(2500 * time.Millisecond)
		run.Close()
		run.Close()
		<-ended
		<-ended
		if runs.Get(run.ID()) != nil {
			t.Fatal("a run that has ended can still be had")
		}
		runs.Close()
		if _, err := runs.Open(Settings{1, MinSize}); !errors.Is(err, ErrFull) {
			t.Fatalf("a run after Close: got %v, want ErrFull", err)
		}
	})
}

func TestAwaitReturnsWithTheNextEventOrWhenTheTimeIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, run := open(t, Settings{Rate: 1, Size: MinSize})
		begin := time.Now()
		run.Await(t.Context(), 0, time.Minute)
		if waited := time.Since(begin); waited != time.Second {
			t.Fatalf("got the first event after %v, want 1s", waited)
		}
		run.Await(t.Context(), 1, 300*time.Millisecond)
		if waited := time.Since(begin); waited != 1300*time.Millisecond {
			t.Fatalf("waited until %v, want 1.3s", waited)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		run.Await(ctx, 1, time.Minute)
		if waited := time.Since(begin); waited != 1300*time.Millisecond {
			t.Fatalf("waited until %v though nobody wants the answer", waited)
		}
	})
}

// countingConn counts on the client's side what the server's system must have counted on its own.
type countingConn struct {
	net.Conn
	in, out *int64
}

func (c countingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	*c.in += int64(n)
	return n, err
}

func (c countingConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	*c.out += int64(n)
	return n, err
}

// TestBytesAreThoseOfTheConnection takes requests of two lines and of none over one connection, and
// compares with what went through the client's end of it.
func TestBytesAreThoseOfTheConnection(t *testing.T) {
	if !canCount {
		t.Skip("this system does not count the bytes of a connection")
	}
	_, run := open(t, Settings{Rate: 1, Size: MinSize})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{
		ConnContext: ConnContext,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			Attribute(r.Context(), run.Line(r.URL.Query().Get("line")))
			io.WriteString(w, strings.Repeat("x", len(r.URL.Path)*100))
		}),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer func() {
		server.Close()
		<-served
	}()

	var in, out int64 // by the client's count
	client := &http.Client{Transport: &http.Transport{
		MaxConnsPerHost: 1,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, address)
			return countingConn{c, &in, &out}, err
		},
	}}
	defer client.CloseIdleConnections()
	want := map[string]Traffic{}
	for i, line := range []string{"short", "short", "sse", "short", "", "", "long"} {
		hadIn, hadOut := in, out
		res, err := client.Get("http://" + listener.Addr().String() + strings.Repeat("/a", i+1) + "?line=" + line)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		w := want[line]
		w.Requests++
		if i != 6 { // the request itself is not told from those before it, which were nobody's
			w.In += out - hadOut
		}
		w.Out += in - hadIn
		want[line] = w
	}
	got := run.Figures()
	for _, name := range Names {
		if got.Lines[name] != want[name] {
			t.Errorf("%s: got %+v, want %+v", name, got.Lines[name], want[name])
		}
	}
	if !got.Counted || got.CPU <= 0 {
		t.Errorf("got counted %v and %d µs of processor time", got.Counted, got.CPU)
	}
	client.CloseIdleConnections()
	again, long := run.Figures().Lines["long"], want["long"]
	long.In = again.In
	if again != long || again.In > 1 { // a FIN counts as a byte
		t.Errorf("after the connection has closed: got %+v, want %+v", again, want["long"])
	}
}

func TestEventsCompressByNoMoreThanAQuarter(t *testing.T) {
	var plain, packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	for n := range uint64(100) {
		b, err := json.Marshal(newEvent(n+1, time.Now(), 4096))
		if err != nil {
			t.Fatal(err)
		}
		plain.Write(b)
		w.Write(b)
	}
	w.Close()
	if packed.Len() < plain.Len()*7/10 {
		t.Errorf("%d bytes become %d", plain.Len(), packed.Len())
	}
}
