package natsio

import (
	"fmt"
	"testing"

	"jobcast/jobs"
)

func openBench(b *testing.B) *Store {
	s, err := Open(b.Context(), Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s
}

// BenchmarkAppend has one worker report on one job.
func BenchmarkAppend(b *testing.B) {
	s := openBench(b)
	var pos jobs.Position
	var err error
	b.ReportAllocs()
	for seq := uint64(1); b.Loop(); seq++ {
		if pos, err = s.Append(b.Context(), record("a", seq), pos); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReplay follows ten jobs of 1,000 events each to the newest, one after the other.
func BenchmarkReplay(b *testing.B) {
	s := openBench(b)
	var pos [10]jobs.Position
	for seq := uint64(1); seq <= 1000; seq++ {
		for i := range pos {
			pos[i] = grow(b, s, jobs.ID(fmt.Sprint("job", i)), seq, seq, pos[i])
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		for i := range pos {
			for rec, err := range s.Follow(b.Context(), jobs.ID(fmt.Sprint("job", i)), 0) {
				if err != nil {
					b.Fatal(err)
				}
				if rec.Event.Seq == 1000 {
					break
				}
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10_000, "ns/event")
}

// BenchmarkResume follows a job of 1,500 events among others, from a point until there is nothing missing.
func BenchmarkResume(b *testing.B) {
	s := openBench(b)
	var pos, other jobs.Position
	for seq := uint64(1); seq <= 1500; seq++ {
		pos = grow(b, s, "a", seq, seq, pos)
		for i := range uint64(3) {
			other = grow(b, s, "b", seq*3-2+i, seq*3-2+i, other)
		}
	}
	for _, missed := range []uint64{1, 100, 1000} {
		b.Run(fmt.Sprint("missed=", missed), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for rec, err := range s.Follow(b.Context(), "a", 1500-missed) {
					if err != nil {
						b.Fatal(err)
					}
					if rec.Event.Seq == 1500 {
						break
					}
				}
			}
		})
	}
}

// BenchmarkPutCell writes one cell again and again, as the heartbeat of a server does.
func BenchmarkPutCell(b *testing.B) {
	s := openBench(b)
	b.ReportAllocs()
	var at jobs.Position
	for b.Loop() {
		var err error
		if at, err = s.PutCell(b.Context(), "session", "a", []byte("{}"), at); err != nil {
			b.Fatal(err)
		}
	}
}
