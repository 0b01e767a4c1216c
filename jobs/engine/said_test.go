package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/jobs"
	"jobcast/jobs/memory"
)

type page struct {
	N int `json:"n"`
}

var reportPage = jobs.NewEvent[page]("report:page")

// TestCustomEventsAreAllThereInOrder emits more than may wait, while the store is slow.
func TestCustomEventsAreAllThereInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 3 * maxSaid
		kind := jobs.NewKind[struct{}, int]("pages")
		e := openEngine(t, &slowStore{memory.New(), 10 * time.Millisecond}, "n1", kind.Worker(nil, func(ctx context.Context, r *jobs.Run, _ struct{}) (int, error) {
			for i := range n {
				if i%100 == 0 {
					r.Progress(float64(i), n, "page", "")
				}
				if err := reportPage.Emit(ctx, r, page{i}); err != nil {
					return 0, err
				}
			}
			return n, nil
		}))
		defer closeEngine(t, e)
		job, _, err := e.Start(t.Context(), jobs.StartRequest{Kind: "pages"})
		if err != nil {
			t.Fatal(err)
		}
		next := 0
		for _, rec := range story(t, e, job.ID) {
			switch rec.Event.Type {
			case jobs.EventProgress:
				var p jobs.Progress
				if err := json.Unmarshal(rec.Event.Data, &p); err != nil || int(p.Done) < next-1 {
					t.Errorf("progress %v comes after event %d", p.Done, next-1)
				}
			case jobs.EventEvent:
				if want := fmt.Sprintf(`{"name":"report:page","payload":{"n":%d}}`, next); string(rec.Event.Data) != want {
					t.Fatalf("got %s, want %s", rec.Event.Data, want)
				}
				next++
			}
		}
		if next != n {
			t.Errorf("got %d events, want %d", next, n)
		}
	})
}

// TestValuesAreTheNewest: changes within a short time are one event, and who comes late has all of them in the snapshot.
func TestValuesAreTheNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kind := jobs.NewKind[struct{}, int]("values").Unless(jobs.Defaults{MaxAttempts: 2})
		e := openEngine(t, memory.New(), "n1", kind.Worker(nil, func(ctx context.Context, r *jobs.Run, _ struct{}) (int, error) {
			set := func(key string, value any) {
				if err := r.Set(key, value); err != nil {
					t.Errorf("set %s: %v", key, err)
				}
			}
			if r.Attempt() == 2 {
				time.Sleep(time.Second)
				return 1, nil
			}
			set("gone", true)
			for i := range 1000 {
				set("rate", i)
				time.Sleep(time.Millisecond)
			}
			set("gone", nil)
			set("where", "page 7")
			for i := range jobs.MaxValues - 2 {
				set(fmt.Sprint("k", i), 1)
			}
			if err := r.Set("one more", 1); err == nil {
				t.Error("a bad key was taken")
			}
			if err := r.Set("more", 1); err == nil {
				t.Errorf("more than %d keys were taken", jobs.MaxValues)
			}
			if err := r.Set("k1", strings.Repeat("x", jobs.MaxValuesBytes)); err == nil {
				t.Error("a value beyond the bound was taken")
			}
			time.Sleep(time.Second)
			return 0, errors.New("not yet")
		}))
		defer closeEngine(t, e)
		job, _, err := e.Start(t.Context(), jobs.StartRequest{Kind: "values"})
		if err != nil {
			t.Fatal(err)
		}
		recs := story(t, e, job.ID)
		told, events := make(map[string]string), 0
		for _, rec := range recs {
			if rec.Event.Type == jobs.EventRetrying {
				if len(rec.Job.Values) != jobs.MaxValues || string(rec.Job.Values["rate"]) != "999" || string(rec.Job.Values["where"]) != `"page 7"` || rec.Job.Values["gone"] != nil {
					t.Errorf("got %d values: %s", len(rec.Job.Values), encode(rec.Job.Values))
				}
			}
			if rec.Event.Type != jobs.EventValues {
				continue
			}
			events++
			var d jobs.DataValues
			if err := json.Unmarshal(rec.Event.Data, &d); err != nil {
				t.Fatal(err)
			}
			for key, v := range d.Values {
				if told[key] = string(v); string(v) == "null" {
					delete(told, key)
				}
			}
		}
		if events < 4 || events > 7 {
			t.Errorf("got %d events for changes of about a second", events)
		}
		if len(told) != jobs.MaxValues || told["rate"] != "999" || told["where"] != `"page 7"` {
			t.Errorf("who applies the changes has %v", told)
		}
		if end := last(recs).Job; end.Attempt != 2 || len(end.Values) != 0 {
			t.Errorf("attempt %d began with %v", end.Attempt, end.Values)
		}
	})
}
