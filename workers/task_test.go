package workers

import (
	"testing"
	"testing/synctest"
	"time"

	"jobcast/jobs"
	"jobcast/jobs/engine"
	"jobcast/jobs/files"
	"jobcast/jobs/memory"
)

func TestTaskTakesFiveSecondsAndSaysHowFarItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files, err := files.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer files.Close()
		engine, err := engine.Open(t.Context(), engine.Config{Store: memory.New(), Files: files, Workers: []jobs.Worker{newTask()}})
		if err != nil {
			t.Fatal(err)
		}
		defer engine.Close(t.Context())
		begin := time.Now()
		job, _, err := engine.Start(t.Context(), jobs.StartRequest{Kind: "task", Args: []byte(`{"param":"value"}`)})
		if err != nil {
			t.Fatal(err)
		}
		reports := 0
		var last jobs.Record
		for rec, err := range engine.Follow(t.Context(), job.ID, 0) {
			if err != nil {
				t.Fatal(err)
			}
			if last = rec; rec.Event.Type == jobs.EventProgress {
				reports++
			}
		}
		if took := time.Since(begin); last.Job.State != jobs.Completed || took < TaskTime || took > TaskTime+time.Second || reports < 15 {
			t.Fatalf("got %s after %v with %d reports", last.Job.State, took, reports)
		}
		if got := string(last.Job.Result); got != `{"code":"200","msg":"processed"}` {
			t.Fatalf("got result %s", got)
		}
	})
}
