package engine

import (
	"math"
	"time"

	"jobcast/jobs"
)

// When a report of progress is stored: see Run.Progress.
const (
	progressFloor  = 50 * time.Millisecond  // between two stored reports, whatever they say
	progressGap    = 250 * time.Millisecond // after which any report is stored
	progressShare  = 0.01                   // of the total, which is as good as a gap
	maxSteps       = 16                     // that wait to be stored; beyond, the oldest is dropped
	highestPercent = 99.9                   // of a job that has not completed
)

// throttle decides which reports are stored. It holds what waits: steps, in order, and the newest
// report, which came after them.
type throttle struct {
	steps   []jobs.Step
	report  jobs.Report
	waiting bool        // report waits
	begun   bool        // stored is a report of this attempt and step
	stored  jobs.Report // the last report that was stored
	at      time.Time   // when a report or a step was last stored
}

func (t *throttle) add(r jobs.Report) {
	t.report, t.waiting = r, true
}

func (t *throttle) step(s jobs.Step) {
	if len(t.steps) == maxSteps {
		t.steps = append(t.steps[:0], t.steps[1:]...)
	}
	t.steps = append(t.steps, s)
	t.waiting = false // progress starts anew: the last report of the step before says nothing any more
}

// due returns when the next thing must be stored; zero means that nothing waits.
func (t *throttle) due() time.Time {
	switch {
	case len(t.steps) > 0:
		return t.at.Add(progressFloor)
	case !t.waiting:
		return time.Time{}
	case !t.begun, t.report.Message != t.stored.Message, t.report.Total != t.stored.Total,
		t.report.Total > 0 && math.Abs(t.report.Done-t.stored.Done) >= progressShare*t.report.Total:
		return t.at.Add(progressFloor)
	}
	return t.at.Add(progressGap)
}

const (
	rateWindow = 30 * time.Second
	etaAfter   = 3 * time.Second // and etaSamples: before, an estimate would jump about
	etaSamples = 3
	etaWeight  = 0.3 // of the newest sample
)

// meter computes rate and remaining time from the reports that are stored.
type meter struct {
	samples []sample // not older than rateWindow, and the one before
	first   time.Time
	count   int
	average float64 // of the seconds from first to the end, by estimate; to be divided by weight
	weight  float64 // 1-(1-etaWeight)^n: corrects the bias of an average that starts at zero
	percent float64 // the highest so far
}

type sample struct {
	at   time.Time
	done float64
}

// add takes one report, and returns the rate in units per second and the time that remains; nil means
// that it is not known.
func (m *meter) add(now time.Time, r jobs.Report) (rate *float64, etaMs *int64) {
	if n := len(m.samples); n > 0 && r.Done < m.samples[n-1].done {
		*m = meter{percent: m.percent} // the worker has started over
	}
	if m.count == 0 {
		m.first = now
	}
	m.count++
	m.samples = append(m.samples, sample{now, r.Done})
	old := 0
	for old+1 < len(m.samples) && now.Sub(m.samples[old+1].at) >= rateWindow {
		old++
	}
	m.samples = append(m.samples[:0], m.samples[old:]...)
	oldest := m.samples[0]
	elapsed := now.Sub(oldest.at).Seconds()
	if elapsed <= 0 {
		return nil, nil
	}
	perSecond := (r.Done - oldest.done) / elapsed
	rate = new(roundTo(perSecond, 3))
	if r.Total <= 0 || perSecond <= 0 {
		return rate, nil
	}
	// The average is over the moment of the end, not over the time that remains: that one shrinks by
	// itself, and its average would always lag behind.
	end := now.Sub(m.first).Seconds() + max(0, r.Total-r.Done)/perSecond
	m.average += etaWeight * (end - m.average)
	m.weight += etaWeight * (1 - m.weight)
	if now.Sub(m.first) < etaAfter || m.count < etaSamples {
		return rate, nil
	}
	left := max(0, m.average/m.weight-now.Sub(m.first).Seconds())
	if r.Done >= r.Total {
		left = 0
	}
	// A tenth of a microsecond less than a whole second is that second.
	return rate, new(int64(math.Ceil(left-1e-7)) * 1000)
}

func roundTo(v float64, digits int) float64 {
	p := math.Pow10(digits)
	return math.Round(v*p) / p
}

// progress is what watchers see of a report.
func (m *meter) progress(now time.Time, r jobs.Report, step *jobs.Step) *jobs.Progress {
	p := &jobs.Progress{Done: r.Done, Unit: r.Unit, Message: r.Message, Step: step}
	p.Rate, p.EtaMs = m.add(now, r)
	if r.Total > 0 {
		p.Total = new(r.Total)
		// Work may turn out to be more than was thought; to whoever watches, what is done stays done.
		m.percent = max(m.percent, min(highestPercent, math.Floor(r.Done/r.Total*1000)/10))
		p.Percent = new(m.percent)
	}
	return p
}
