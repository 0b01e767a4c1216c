package ready

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"jobcast/jobs"
)

// A model follows the rules in the plainest way: one list of jobs, and when each queue and owner had its turn.
type model struct {
	jobs    []Job
	given   map[jobs.ID]given
	running map[jobs.ID][2]string // queue and key
	paused  map[string]bool
	others  map[string]int
	queues  map[string]uint64
	owners  map[string]uint64
	turn    uint64
}

type given struct {
	queueTurn, ownerTurn uint64
	oldest               bool
}

func newModel() *model {
	return &model{given: make(map[jobs.ID]given), running: make(map[jobs.ID][2]string), paused: make(map[string]bool),
		others: make(map[string]int), queues: make(map[string]uint64), owners: make(map[string]uint64)}
}

func rank(j Job) int { return slices.Index([]string{"high", "default", "low"}, j.Priority) }

func ownerOf(j Job) string { return j.Queue + "/" + j.Priority + "/" + j.Owner }

func byTime(a, b Job) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID)) }

func (m *model) find(id jobs.ID) int {
	return slices.IndexFunc(m.jobs, func(j Job) bool { return j.ID == id })
}

// settle gives turns to queues and owners that have come, and takes them from those that have gone.
func (m *model) settle() {
	queues, owners := make(map[string]bool), make(map[string]bool)
	for _, j := range m.jobs {
		queues[j.Queue], owners[ownerOf(j)] = true, true
	}
	for _, r := range m.running {
		queues[r[0]] = true
	}
	for q, paused := range m.paused {
		queues[q] = queues[q] || paused
	}
	for _, turns := range []struct {
		there map[string]bool
		turn  map[string]uint64
	}{{queues, m.queues}, {owners, m.owners}} {
		for name, there := range turns.there {
			if _, known := turns.turn[name]; there && !known {
				m.turn++
				turns.turn[name] = m.turn
			}
		}
		maps.DeleteFunc(turns.turn, func(name string, _ uint64) bool { return !turns.there[name] })
	}
	maps.DeleteFunc(m.others, func(q string, _ int) bool { return !queues[q] })
}

func (m *model) put(j Job) {
	at := m.find(j.ID)
	if at >= 0 && j.Seq <= m.jobs[at].Seq {
		return
	}
	m.ended(j.ID)
	if at < 0 {
		m.jobs = append(m.jobs, j)
	} else {
		m.release(j.ID)
		// A queue and an owner that had this job only are gone after the new ones have come.
		m.jobs = append(m.jobs, j)
		m.settle()
		m.jobs = slices.Delete(m.jobs, at, at+1)
	}
	m.settle()
}

func (m *model) remove(id jobs.ID) {
	if at := m.find(id); at >= 0 {
		m.jobs = slices.Delete(m.jobs, at, at+1)
		delete(m.given, id)
	}
	m.settle()
}

func (m *model) run(id jobs.ID, queue, key string) {
	at := m.find(id)
	if _, given := m.given[id]; at >= 0 && !given {
		m.turn++
		m.owners[ownerOf(m.jobs[at])] = m.turn
	}
	if r, running := m.running[id]; running && r != [2]string{queue, key} {
		m.ended(id)
	}
	m.running[id] = [2]string{queue, key}
	m.settle()
	m.remove(id)
}

func (m *model) ended(id jobs.ID) {
	delete(m.running, id)
	m.settle()
}

func (m *model) pause(queue string, paused bool) {
	m.paused[queue] = paused
	m.settle()
}

func (m *model) held(key string) bool {
	if key == "" {
		return false
	}
	for _, r := range m.running {
		if r[1] == key {
			return true
		}
	}
	return slices.ContainsFunc(m.jobs, func(j Job) bool {
		_, given := m.given[j.ID]
		return given && j.Key == key
	})
}

func (m *model) next(f Filter) (Job, bool) {
	var can []Job
	for _, j := range m.jobs {
		_, given := m.given[j.ID]
		if !given && !m.held(j.Key) && !m.paused[j.Queue] && (f.Kinds == nil || f.Kinds[j.Kind]) &&
			(f.Queues == nil || slices.Contains(f.Queues, j.Queue)) && (f.Blocked == nil || !f.Blocked(j.Queue)) {
			can = append(can, j)
		}
	}
	if len(can) == 0 {
		return Job{}, false
	}
	oldest := false
	best := slices.MinFunc(can, func(a, b Job) int { return cmp.Compare(m.queues[a.Queue], m.queues[b.Queue]) }).Queue
	can = slices.DeleteFunc(can, func(j Job) bool { return j.Queue != best })
	if m.others[best]++; m.others[best] == 16 {
		oldest, m.others[best] = true, 0
	}
	j := slices.MinFunc(can, func(a, b Job) int {
		if oldest {
			return byTime(a, b)
		}
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(m.owners[ownerOf(a)], m.owners[ownerOf(b)]), byTime(a, b))
	})
	m.given[j.ID] = given{m.queues[j.Queue], m.owners[ownerOf(j)], oldest}
	m.turn++
	m.owners[ownerOf(j)] = m.turn
	m.queues[j.Queue] = m.turn
	return j, true
}

func (m *model) release(id jobs.ID) {
	g, ok := m.given[id]
	if !ok {
		return
	}
	delete(m.given, id)
	j := m.jobs[m.find(id)]
	if g.oldest {
		m.others[j.Queue] = 15
	} else {
		m.others[j.Queue] = max(0, m.others[j.Queue]-1)
	}
	m.owners[ownerOf(j)] = min(m.owners[ownerOf(j)], g.ownerTurn)
	m.queues[j.Queue] = min(m.queues[j.Queue], g.queueTurn)
}

// places plays what will be given, without keys, pauses and other queues.
func (m *model) places() map[jobs.ID]Place {
	places := make(map[jobs.ID]Place)
	for queue := range m.queues {
		alone := newModel()
		alone.owners, alone.turn = maps.Clone(m.owners), m.turn
		alone.others[queue] = m.others[queue]
		for _, j := range m.jobs {
			p := Place{Queue: queue, Position: 1}
			_, given := m.given[j.ID]
			switch {
			case j.Queue != queue:
				continue
			case m.paused[queue]:
				p.WaitsFor = jobs.WaitsForQueue
			case !given && m.held(j.Key):
				p.WaitsFor = jobs.WaitsForKey
			}
			places[j.ID] = p
			if j.Key = ""; !given {
				alone.jobs = append(alone.jobs, j)
			}
		}
		for n := 1; ; n++ {
			j, ok := alone.next(Filter{})
			if !ok {
				break
			}
			p := places[j.ID]
			p.Position = n
			places[j.ID] = p
		}
	}
	return places
}

func (m *model) infos() []QueueInfo {
	var infos []QueueInfo
	for name := range m.queues {
		info := QueueInfo{Name: name, Paused: m.paused[name]}
		for _, j := range m.jobs {
			if j.Queue != name {
				continue
			}
			*[]*int{&info.Depth.High, &info.Depth.Default, &info.Depth.Low}[rank(j)]++
			if info.Oldest.IsZero() || j.Since.Before(info.Oldest) {
				info.Oldest = j.Since
			}
		}
		for _, r := range m.running {
			if r[0] == name {
				info.Running++
			}
		}
		infos = append(infos, info)
	}
	slices.SortFunc(infos, func(a, b QueueInfo) int { return cmp.Compare(a.Name, b.Name) })
	return infos
}

// TestAnyOperationsAreAnsweredAsByTheRules does the same at random with a Set and with a model.
func TestAnyOperationsAreAnsweredAsByTheRules(t *testing.T) {
	for seed := range uint64(60) {
		if !t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { compareWithModel(t, rand.New(rand.NewPCG(seed, 1))) }) {
			return
		}
	}
}

func compareWithModel(t *testing.T, r *rand.Rand) {
	s, m := New(), newModel()
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	queueNames, ids := []string{"a", "b", "c"}[:1+r.IntN(3)], 5+r.IntN(60)
	keys := []string{"", "", "k1", "k2", "k3"}[:1+r.IntN(5)]
	owners := []string{"", "o1", "o2", "o3"}[:1+r.IntN(4)]
	var seq uint64
	var story []string
	say := func(format string, args ...any) { story = append(story, fmt.Sprintf(format, args...)) }
	for range 400 {
		id := jobs.ID(fmt.Sprintf("j%02d", r.IntN(ids)))
		changed, before := s.Changed(), m.clone()
		switch r.IntN(12) {
		case 0, 1, 2, 3:
			seq++
			j := Job{ID: id, Queue: pick(queueNames...), Kind: pick("x", "y", "z"), Priority: pick("high", "default", "low"),
				Owner: pick(owners...), Key: pick(keys...), Seq: seq - uint64(r.IntN(10)/9*5), Since: time.Unix(int64(r.IntN(50)), 0)}
			say("Put %+v", j)
			s.Put(j)
			m.put(j)
		case 4:
			say("Remove %s", id)
			s.Remove(id)
			m.remove(id)
		case 5:
			queue, key := pick(queueNames...), pick(keys...)
			if at := m.find(id); at >= 0 {
				queue, key = m.jobs[at].Queue, m.jobs[at].Key
			}
			say("Running %s %s %s", id, queue, key)
			s.Running(id, queue, key)
			m.run(id, queue, key)
		case 6:
			say("Ended %s", id)
			s.Ended(id)
			m.ended(id)
		case 7:
			queue, paused := pick(queueNames...), r.IntN(3) == 0
			say("Pause %s %v", queue, paused)
			s.Pause(queue, paused)
			m.pause(queue, paused)
		case 8:
			if given := slices.Sorted(maps.Keys(m.given)); len(given) > 0 {
				id = given[r.IntN(len(given))]
			}
			say("Release %s", id)
			s.Release(id)
			m.release(id)
		default:
			f := Filter{}
			if r.IntN(2) == 0 {
				f.Kinds = map[string]bool{pick("x", "y", "z"): true, pick("x", "y", "z"): true, "v": true, "w": true, "u": true}
				f.Kinds[pick("x", "v")] = false
			}
			if r.IntN(3) == 0 {
				f.Queues = []string{pick("a", "b"), pick("a", "b", "c"), "none"}
			}
			if r.IntN(3) == 0 {
				f.Blocked = func(queue string) bool { return queue == "b" }
			}
			say("Next %+v", f)
			got, ok := s.Next(f)
			want, wanted := m.next(f)
			if got != want || ok != wanted {
				t.Fatalf("got %+v %v, want %+v %v, after\n%s", got, ok, want, wanted, lines(story))
			}
			continue
		}
		// What could not be given before and can be now is told.
		if _, could := before.next(Filter{}); !could {
			if _, can := m.clone().next(Filter{}); can {
				select {
				case <-changed:
				default:
					t.Fatalf("got nothing from Changed, want it closed, after\n%s", lines(story))
				}
			}
		}
		if got, want := s.Queues(), m.infos(); !slices.Equal(got, want) {
			t.Fatalf("got queues %+v, want %+v, after\n%s", got, want, lines(story))
		}
		if r.IntN(4) > 0 {
			continue
		}
		var all []jobs.ID
		for n := range ids {
			all = append(all, jobs.ID(fmt.Sprintf("j%02d", n)))
		}
		got := s.Places(all)
		for id, p := range got {
			if (p.Holder != "") != (p.WaitsFor == jobs.WaitsForKey) {
				t.Fatalf("got place %+v of %s, after\n%s", p, id, lines(story))
			}
			p.Holder = ""
			got[id] = p
		}
		if want := m.places(); !maps.Equal(got, want) {
			t.Fatalf("got places %+v, want %+v, after\n%s", got, want, lines(story))
		}
	}
	for n := range ids {
		id := jobs.ID(fmt.Sprintf("j%02d", n))
		s.Remove(id)
		s.Ended(id)
	}
	for _, queue := range queueNames {
		s.Pause(queue, false)
	}
	wantEmpty(t, s)
}

func lines(story []string) (text string) {
	for _, line := range story {
		text += line + "\n"
	}
	return text
}

func (m *model) clone() *model {
	return &model{jobs: slices.Clone(m.jobs), given: maps.Clone(m.given), running: maps.Clone(m.running), paused: maps.Clone(m.paused),
		others: maps.Clone(m.others), queues: maps.Clone(m.queues), owners: maps.Clone(m.owners), turn: m.turn}
}

// wantEmpty fails if something is left of what has gone.
func wantEmpty(t *testing.T, s *Set) {
	t.Helper()
	if got := []int{len(s.jobs.m), len(s.reserved.m), len(s.running.m), len(s.keys.m), len(s.queues.m), len(s.ring)}; !slices.Equal(got, make([]int, 6)) {
		t.Errorf("got %v jobs, reserved, running, keys, queues and queues in turn left, want none", got)
	}
}
