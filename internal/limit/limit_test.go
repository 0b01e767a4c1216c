package limit

import (
	"fmt"
	"testing"
	"time"
)

func TestABurstAndThenTheRate(t *testing.T) {
	r := Rate{PerSecond: 10, Burst: 5}
	for name, take := range map[string]func(time.Time) bool{
		"client": func() func(time.Time) bool { c := new(Client); return func(at time.Time) bool { return c.Take(r, at) } }(),
		"address": func() func(time.Time) bool {
			a := new(Addresses)
			return func(at time.Time) bool { return a.Take("a", r, at) }
		}(),
	} {
		begin := time.Now()
		count := func(from, to time.Duration) (allowed int) {
			for at := from; at < to; at += time.Millisecond {
				if take(begin.Add(at)) {
					allowed++
				}
			}
			return allowed
		}
		if got := count(0, time.Second); got != 14 { // five at once, and one each tenth of a second
			t.Errorf("%s: got %d in the first second, want 14", name, got)
		}
		if got := count(time.Minute, time.Minute+50*time.Millisecond); got != 5 {
			t.Errorf("%s: got %d after a rest, want 5", name, got)
		}
	}
}

func TestAddressesAreBounded(t *testing.T) {
	r := Rate{PerSecond: 1, Burst: 2}
	var a Addresses
	now := time.Now()
	for i := range maxAddresses {
		if !a.Take(fmt.Sprint(i), r, now) {
			t.Fatalf("address %d is refused", i)
		}
	}
	if a.Take("one more", r, now) || len(a.by) != maxAddresses {
		t.Errorf("got %d addresses, want %d and a refusal", len(a.by), maxAddresses)
	}
	if !a.Take("one more", r, now.Add(time.Second)) || len(a.by) != 1 {
		t.Errorf("got %d addresses after a rest, want one", len(a.by))
	}
}

func TestWhoIsRefusedIsToldHowLong(t *testing.T) {
	r := Rate{PerSecond: 50, Burst: 3}
	now := time.Now()
	var c Client
	for range 3 {
		if wait := c.Wait(r, now); wait != 0 {
			t.Fatalf("got %v, want none", wait)
		}
	}
	wait := c.Wait(r, now)
	if wait < 20*time.Millisecond || wait > 21*time.Millisecond {
		t.Errorf("got %v, want 20 ms", wait)
	}
	if c.Take(r, now.Add(wait-2*time.Millisecond)) || !c.Take(r, now.Add(wait)) || c.Take(r, now.Add(wait)) {
		t.Error("one is allowed before the time that was told, or not then, or two are")
	}
}
