package ready

import (
	"cmp"
	"slices"
	"time"
)

// QueueInfo is what is known of a queue.
type QueueInfo struct {
	Name    string
	Paused  bool
	Depth   Depth
	Running int
	Oldest  time.Time // when its oldest queued job was queued; zero if none is
}

// Depth is how many jobs are queued of each priority, those that are reserved too.
type Depth struct{ High, Default, Low int }

// Total is how many jobs are queued.
func (d Depth) Total() int { return d.High + d.Default + d.Low }

// Queues returns the queues that have jobs, whose jobs run, or that are paused, by name. It costs as much for each
// kind of a queue, each running job, and each line of a key that is held.
func (s *Set) Queues() []QueueInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	oldest := make(map[*queue]*entry, len(s.ring))
	see := func(e *entry) {
		if q := e.line.kind.queue; oldest[q] == nil || older(e, oldest[q]) {
			oldest[q] = e
		}
	}
	for _, q := range s.ring {
		for _, k := range q.kinds.m {
			for p := range k.lanes {
				if lane := &k.lanes[p]; !lane.byAge.empty() {
					see(lane.byAge.first().next.first())
				}
			}
		}
	}
	// What is not in line: jobs that are reserved, and those that wait for a key.
	for e := range s.reserved.m {
		see(e)
	}
	seeKey := func(k *key) {
		for _, g := range k.groups {
			see(g.jobs.first())
		}
	}
	for e := range s.reserved.m {
		if e.key != nil {
			seeKey(e.key)
		}
	}
	for _, r := range s.running.m {
		if r.key != nil {
			seeKey(r.key)
		}
	}
	infos := make([]QueueInfo, 0, len(s.ring))
	for _, q := range s.ring {
		info := QueueInfo{Name: q.name, Paused: q.paused, Depth: Depth{q.depth[high], q.depth[normal], q.depth[low]}, Running: q.running}
		if e := oldest[q]; e != nil {
			info.Oldest = e.since
		}
		infos = append(infos, info)
	}
	slices.SortFunc(infos, func(a, b QueueInfo) int { return cmp.Compare(a.Name, b.Name) })
	return infos
}

// WithoutKind returns how many queued jobs have a kind that is not among those that workers offer, by kind.
func (s *Set) WithoutKind(offered map[string]bool) map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := make(map[string]int)
	for _, q := range s.ring {
		for name, k := range q.kinds.m {
			if !offered[name] {
				counts[name] += k.jobs
			}
		}
	}
	return counts
}
