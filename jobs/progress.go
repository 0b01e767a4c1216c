package jobs

import (
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// When a report of progress is stored: see Run.Progress.
const (
	progressFloor  = 50 * time.Millisecond  // between two stored reports, whatever they say
	progressGap    = 250 * time.Millisecond // after which any report is stored
	progressShare  = 0.01                   // of the total, which is as good as a gap
	maxSteps       = 16                     // that wait to be stored; beyond, the oldest is dropped
	maxUnitLength  = 24                     // characters
	maxMessage     = 500
	maxStepName    = 120
	highestPercent = 99.9 // of a job that has not completed
)

// report is what a worker says about its progress.
type report struct {
	done, total   float64
	unit, message string
}

// throttle decides which reports are stored. It holds what waits: steps, in order, and the newest
// report, which came after them.
type throttle struct {
	steps   []Step
	report  report
	waiting bool      // report waits
	begun   bool      // stored is a report of this attempt and step
	stored  report    // the last report that was stored
	at      time.Time // when a report or a step was last stored
}

func (t *throttle) add(r report) {
	t.report, t.waiting = r, true
}

func (t *throttle) step(s Step) {
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
	case !t.begun, t.report.message != t.stored.message, t.report.total != t.stored.total,
		t.report.total > 0 && math.Abs(t.report.done-t.stored.done) >= progressShare*t.report.total:
		return t.at.Add(progressFloor)
	}
	return t.at.Add(progressGap)
}

func newReport(done, total float64, unit, message string) report {
	return report{
		done: finite(done), total: finite(total),
		unit: cutRunes(unit, maxUnitLength), message: cutRunes(message, maxMessage),
	}
}

// finite makes of v what JSON and a progress bar can show.
func finite(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
		return 0
	}
	return v
}

// cutRunes returns at most n characters of s, as UTF-8.
func cutRunes(s string, n int) string {
	if len(s) <= n && utf8.ValidString(s) {
		return s
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
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
func (m *meter) add(now time.Time, r report) (rate *float64, etaMs *int64) {
	if n := len(m.samples); n > 0 && r.done < m.samples[n-1].done {
		*m = meter{percent: m.percent} // the worker has started over
	}
	if m.count == 0 {
		m.first = now
	}
	m.count++
	m.samples = append(m.samples, sample{now, r.done})
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
	perSecond := (r.done - oldest.done) / elapsed
	rate = new(roundTo(perSecond, 3))
	if r.total <= 0 || perSecond <= 0 {
		return rate, nil
	}
	// The average is over the moment of the end, not over the time that remains: that one shrinks by
	// itself, and its average would always lag behind.
	end := now.Sub(m.first).Seconds() + max(0, r.total-r.done)/perSecond
	m.average += etaWeight * (end - m.average)
	m.weight += etaWeight * (1 - m.weight)
	if now.Sub(m.first) < etaAfter || m.count < etaSamples {
		return rate, nil
	}
	left := max(0, m.average/m.weight-now.Sub(m.first).Seconds())
	if r.done >= r.total {
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
func (m *meter) progress(now time.Time, r report, step *Step) *Progress {
	p := &Progress{Done: r.done, Unit: r.unit, Message: r.message, Step: step}
	p.Rate, p.EtaMs = m.add(now, r)
	if r.total > 0 {
		p.Total = new(r.total)
		// Work may turn out to be more than was thought; to whoever watches, what is done stays done.
		m.percent = max(m.percent, min(highestPercent, math.Floor(r.done/r.total*1000)/10))
		p.Percent = new(m.percent)
	}
	return p
}
