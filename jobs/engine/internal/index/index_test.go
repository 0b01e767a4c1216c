package index

import (
	"fmt"
	"testing"
	"time"

	"jobcast/jobs"
)

func TestListSelectsByQueueAndParent(t *testing.T) {
	x := New()
	for i, job := range []jobs.Job{
		{ID: "parent", Queue: "default"},
		{ID: "a", Queue: "default", ParentID: "parent"},
		{ID: "b", Queue: "reports", ParentID: "parent"},
		{ID: "c", Queue: "reports", ParentID: "other"},
	} {
		job.Seq, job.State, job.CreatedAt = 1, jobs.Queued, time.Unix(int64(i), 0)
		x.Apply(jobs.Record{Job: job})
	}
	for _, c := range []struct {
		query jobs.ListQuery
		want  string
	}{
		{jobs.ListQuery{Queue: "reports"}, "[c b]"},
		{jobs.ListQuery{ParentID: "parent"}, "[b a]"},
		{jobs.ListQuery{ParentID: "parent", Queue: "default"}, "[a]"},
		{jobs.ListQuery{ParentID: "a"}, "[]"},
		{jobs.ListQuery{}, "[c b a parent]"},
	} {
		page, err := x.List(c.query)
		ids := []jobs.ID{}
		for _, job := range page.Jobs {
			ids = append(ids, job.ID)
		}
		if got := fmt.Sprint(ids); err != nil || got != c.want {
			t.Errorf("%+v: got %s, %v, want %s", c.query, got, err, c.want)
		}
	}
}

func BenchmarkApply(b *testing.B) {
	x := New()
	var recs []jobs.Record
	for i := range 10_000 {
		recs = append(recs, jobs.Record{Job: jobs.Job{ID: jobs.ID(fmt.Sprintf("%026d", i)), Seq: 1, State: jobs.Queued, CreatedAt: time.Unix(int64(i), 0)}})
	}
	x.Load(recs, 0)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		rec := recs[i%len(recs)]
		rec.Job.Seq = uint64(i/len(recs) + 2)
		x.Apply(rec)
	}
}
