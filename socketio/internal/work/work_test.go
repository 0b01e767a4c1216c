package work

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// job is what the tests put into a queue.
type job struct {
	group *Group
	f     func()
}

func (j *job) Run()          { j.f() }
func (j *job) Group() *Group { return j.group }

// bubble runs a test with a group, which must be empty at the end.
func bubble(t *testing.T, test func(t *testing.T, g *Group)) {
	synctest.Test(t, func(t *testing.T) {
		g := new(Group)
		g.Init()
		test(t, g)
		if err := g.Wait(context.Background()); err != nil {
			t.Errorf("Wait: %v", err)
		}
		if g.Start(Func(func() { t.Error("runs after Wait") })) {
			t.Error("Start after Wait: got true")
		}
		if err := g.Wait(context.Background()); err != nil {
			t.Errorf("second Wait: %v", err)
		}
	})
}

func TestQueueRunsInOrder(t *testing.T) {
	bubble(t, func(t *testing.T, g *Group) {
		var q Queue[job, *job]
		var got, want []int
		for i := range 100 {
			want = append(want, i)
			q.Put(&Item[job]{Job: job{g, func() {
				time.Sleep(time.Duration(i%3) * time.Millisecond)
				got = append(got, i)
				if i%10 == 0 {
					runtime.Goexit() // costs the others nothing
				}
			}}}, i%2, 1000, 1000)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want them in order", got)
		}
		if q.sized != 0 || q.bytes != 0 || q.running || q.head != nil || q.tail != nil {
			t.Errorf("something is left in the queue: %+v", &q)
		}
	})
}

func TestQueueIsBounded(t *testing.T) {
	for _, tt := range []struct {
		name               string
		maxItems, maxBytes int
		fit                int
	}{
		{"items", 3, 1000, 3},
		{"bytes", 1000, 50, 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, g *Group) {
				var q Queue[job, *job]
				var got []string
				gate := make(chan struct{})
				put := func(size int, what string) bool {
					return q.Put(&Item[job]{Job: job{g, func() { got = append(got, what) }}}, size, tt.maxItems, tt.maxBytes)
				}
				q.Put(&Item[job]{Job: job{g, func() { <-gate }}}, 0, 0, 0)
				synctest.Wait()
				put(0, "first")
				for i := range tt.fit {
					if !put(10, "event") {
						t.Errorf("item %d was refused", i)
					}
				}
				if !put(0, "second") {
					t.Error("what has no size was refused")
				}
				if put(10, "one more") || put(1, "after it") {
					t.Error("a full queue took more")
				}
				if !put(0, "third") {
					t.Error("what has no size was refused by a full queue")
				}
				close(gate)
				synctest.Wait()
				if want := []string{"first", "second", "third"}; !slices.Equal(got, want) {
					t.Errorf("got %q, want %q: the others are dropped", got, want)
				}
			})
		})
	}
}

func TestGroupWaits(t *testing.T) {
	bubble(t, func(t *testing.T, g *Group) {
		var ended atomic.Int32
		for range 2 * maxSpare {
			g.Start(Func(func() { time.Sleep(time.Minute); ended.Add(1) }))
			time.Sleep(time.Nanosecond) // they end one by one
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := g.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
		}
		g.Start(Func(func() {
			time.Sleep(2 * time.Minute)
			g.Start(Func(func() { ended.Add(1) })) // it may grow while it is waited for
		}))
		if err := g.Wait(t.Context()); err != nil || ended.Load() != 2*maxSpare+1 {
			t.Errorf("got %v and %d ended, want all", err, ended.Load())
		}
	})
}

// A goroutine that is done takes the next task.
func TestGroupReusesGoroutines(t *testing.T) {
	bubble(t, func(t *testing.T, g *Group) {
		for range 100 {
			g.Start(Func(func() {}))
			synctest.Wait()
			g.mu.Lock()
			n := g.spare
			g.mu.Unlock()
			if n != 1 {
				t.Fatalf("%d goroutines wait, want 1", n)
			}
		}
	})
}

// However many tasks block, the next one runs.
func TestGroupRunsWhatComesAfterBlockedTasks(t *testing.T) {
	bubble(t, func(t *testing.T, g *Group) {
		const n = 3 * maxSpare
		gate := make(chan struct{})
		var begun atomic.Int32
		for range 2 {
			begun.Store(0)
			for range n {
				g.Start(Func(func() {
					begun.Add(1)
					<-gate
					runtime.Goexit() // costs the others nothing
				}))
			}
			synctest.Wait()
			if got := begun.Load(); got != n {
				t.Errorf("%d of %d tasks have begun while all block", got, n)
			}
			for range n {
				gate <- struct{}{}
			}
		}
	})
}
