package limit

import (
	"fmt"
	"testing"
	"time"
)

func TestABurstAndThenTheRate(t *testing.T) {
	table := New(10, 5)
	begin := time.Now()
	count := func(from, to time.Duration) (allowed int) {
		for at := from; at < to; at += time.Millisecond {
			if table.Allow("a", begin.Add(at)) {
				allowed++
			}
		}
		return allowed
	}
	if got := count(0, time.Second); got != 14 { // five at once, and one each tenth of a second
		t.Errorf("got %d in the first second, want 14", got)
	}
	if got := count(time.Minute, time.Minute+50*time.Millisecond); got != 5 {
		t.Errorf("got %d after a rest, want 5", got)
	}
	if !table.Allow("b", begin.Add(time.Minute)) {
		t.Error("one client is refused for what another has done")
	}
}

func TestATableIsBounded(t *testing.T) {
	table := New(1, 2)
	now := time.Now()
	for i := range maxKeys {
		if !table.Allow(fmt.Sprint(i), now) {
			t.Fatalf("client %d is refused", i)
		}
	}
	if table.Wait("one more", now) != fullWait || len(table.limiters) != maxKeys {
		t.Errorf("got %d clients, want %d and a refusal", len(table.limiters), maxKeys)
	}
	if !table.Allow("0", now) {
		t.Error("a client that is known is refused for want of room")
	}
	now = now.Add(time.Second)
	if !table.Allow("one more", now) || len(table.limiters) != 2 {
		t.Errorf("got %d clients after a rest, want the new one and one that has not rested", len(table.limiters))
	}
}

func TestWhoIsRefusedIsToldHowLong(t *testing.T) {
	table := New(50, 3)
	now := time.Now()
	for range 3 {
		if wait := table.Wait("a", now); wait != 0 {
			t.Fatalf("got %v, want none", wait)
		}
	}
	wait := table.Wait("a", now)
	if wait < 20*time.Millisecond || wait > 21*time.Millisecond {
		t.Errorf("got %v, want 20 ms", wait)
	}
	if table.Allow("a", now.Add(wait-2*time.Millisecond)) || !table.Allow("a", now.Add(wait)) || table.Allow("a", now.Add(wait)) {
		t.Error("one is allowed before the time that was told, or not then, or two are")
	}
}
