package app

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A diary is what parts did, in order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) add(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

// part is one that writes what it does, and drains for so long.
func (d *diary) part(name string, drain time.Duration) part {
	return part{
		name:  name,
		start: func(context.Context) error { d.add("start " + name); return nil },
		drain: func(ctx context.Context) error {
			select {
			case <-time.After(drain):
				d.add("drained " + name)
				return nil
			case <-ctx.Done():
				d.add("gave up " + name)
				return ctx.Err()
			}
		},
		close:  func(context.Context) error { d.add("close " + name); return nil },
		budget: 5 * time.Second,
	}
}

func (d *diary) check(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(d.lines, want) {
		t.Errorf("got  %q\nwant %q", d.lines, want)
	}
}

var silent = slog.New(slog.DiscardHandler)

func TestPartsStartInOrderDrainTogetherAndCloseInReverse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		parts := []part{d.part("store", 3*time.Second), d.part("jobs", time.Second), d.part("sockets", 2*time.Second), {name: "nothing"}}
		if err := startParts(t.Context(), silent, parts); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if err := endParts(t.Context(), silent, parts); err != nil {
			t.Fatal(err)
		}
		d.check(t, "start store", "start jobs", "start sockets", "drained jobs", "drained sockets", "close sockets", "close jobs", "drained store", "close store")
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("it took %v, want as long as the longest drain", took)
		}
	})
}

func TestAFailedStartDrainsWhatHasStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		failed := errors.New("no")
		broken := d.part("broken", 0)
		broken.start = func(context.Context) error { return failed }
		ctx, interrupt := context.WithCancel(t.Context())
		interrupt() // what has started ends well all the same
		if err := startParts(ctx, silent, []part{d.part("store", time.Second), d.part("jobs", time.Second), broken, d.part("sockets", 0)}); !errors.Is(err, failed) {
			t.Errorf("got %v, want the start's error", err)
		}
		slices.Sort(d.lines[2:4]) // they drain together
		d.check(t, "start store", "start jobs", "drained jobs", "drained store", "close jobs", "close store")
	})
}

func TestADrainEndsWithItsBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		var log bytes.Buffer
		parts := []part{d.part("store", time.Second), d.part("requests", time.Hour)}
		begin := time.Now()
		if err := endParts(t.Context(), slog.New(slog.NewTextHandler(&log, nil)), parts); !errors.Is(err, errDrain) {
			t.Errorf("got %v, want %v", err, errDrain)
		}
		d.check(t, "drained store", "gave up requests", "close requests", "close store")
		if took := time.Since(begin); took != 5*time.Second {
			t.Errorf("it took %v, want the budget", took)
		}
		if got := log.String(); strings.Count(got, "level=ERROR") != 1 || !strings.Contains(got, "part=requests") {
			t.Errorf("the log: got %s, want the one part", got)
		}
	})
}

// What hangs does not look at its context.
func TestWhatHangsCostsNoOtherPartItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		var log bytes.Buffer
		release := make(chan struct{})
		hang := func(context.Context) error { <-release; return nil }
		jobs := d.part("jobs", 4*time.Second) // it needs nearly all that it has
		left := func(name string) part {
			return part{name: name, close: func(ctx context.Context) error {
				deadline, _ := ctx.Deadline()
				if got := time.Until(deadline); got != closeTime {
					t.Errorf("%s has %v for its close, want %v", name, got, closeTime)
				}
				d.add("close " + name)
				return ctx.Err()
			}}
		}
		parts := []part{left("store"), jobs, {name: "feeds", close: hang}, {name: "sockets", drain: hang, budget: 5 * time.Second}}
		if err := endParts(t.Context(), slog.New(slog.NewTextHandler(&log, nil)), parts); !errors.Is(err, errDrain) {
			t.Errorf("got %v, want %v", err, errDrain)
		}
		d.check(t, "drained jobs", "close jobs", "close store")
		for _, name := range []string{"feeds", "sockets"} {
			if !strings.Contains(log.String(), "part="+name+` err="`+errHangs.Error()) {
				t.Errorf("the log says nothing of %s: %s", name, &log)
			}
		}
		close(release)
	})
}

func TestAPartThatPanicsEndsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		var log bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&log, nil))
		panics := func(context.Context) error { panic("a page is wrong") }
		func() {
			defer func() {
				if p := recover(); p != "a page is wrong" {
					t.Errorf("start: recovered %v", p)
				}
			}()
			_ = startParts(t.Context(), logger, []part{d.part("store", 0), {name: "site", start: panics}, d.part("requests", 0)})
		}()
		d.check(t, "start store", "drained store", "close store")
		d.lines = nil
		parts := []part{d.part("store", 0), {name: "namespace", close: panics}, {name: "sockets", drain: panics}}
		if err := endParts(t.Context(), logger, parts); !errors.Is(err, errDrain) {
			t.Errorf("end: got %v", err)
		}
		d.check(t, "drained store", "close store")
		for _, name := range []string{"namespace", "sockets"} {
			if !strings.Contains(log.String(), "part="+name) {
				t.Errorf("the log says nothing of %s: %s", name, &log)
			}
		}
	})
}
