package index

import (
	"fmt"
	"testing"
	"time"

	"jobcast/jobs"
)

func BenchmarkApply(b *testing.B) {
	x := New()
	var recs []jobs.Record
	for i := range 10_000 {
		recs = append(recs, jobs.Record{Job: jobs.Job{ID: jobs.ID(fmt.Sprintf("%026d", i)), Seq: 1, State: jobs.Queued, CreatedAt: time.Unix(int64(i), 0)}})
	}
	x.Load(recs)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		rec := recs[i%len(recs)]
		rec.Job.Seq = uint64(i/len(recs) + 2)
		x.Apply(rec)
	}
}
