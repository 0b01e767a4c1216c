// Package ticks says when a schedule is due: by a cron expression in a time zone, or every so often. It knows neither
// schedules nor jobs, keeps no state, and runs no goroutine.
//
// An expression has five fields: minute, hour, day of the month, month, day of the week (0 and 7 are Sunday), each with
// *, lists, ranges, steps, and the names jan to dec and sun to sat. Where both days are restricted, one of them is
// enough, as in crontab(5).
//
// Where the clock of the time zone is set forward by an hour, the first time that does not exist is an hour later, and
// others of that hour are left out. Where it is set back, times exist twice: an expression whose hours begin with * has
// ticks at both, any other at the first.
package ticks

import (
	"errors"
	"strings"
	"time"

	"github.com/netresearch/go-cron"
)

// searchYears is how far ahead a tick is looked for. 29 February is at most eight years away.
const searchYears = 12

// Ticks are the times when a schedule is due.
type Ticks struct {
	every  time.Duration // zero: by cron
	anchor time.Time
	cron   *cron.SpecSchedule
	twice  bool // where a time exists twice, both are ticks
}

var parser = cron.MustNewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.DowOrDom).
	WithMaxSearchYears(searchYears)

// Every has a tick every d, counted from anchor, which is none itself. It returns no ticks where d is not positive.
func Every(d time.Duration, anchor time.Time) Ticks { return Ticks{every: max(0, d), anchor: anchor} }

// Cron has the ticks of an expression in a time zone. The error is a part of a sentence that follows the word cron.
func Cron(expression string, zone *time.Location) (Ticks, error) {
	fields := strings.Fields(expression)
	if len(fields) != 5 || strings.Contains(fields[0], "=") {
		return Ticks{}, errors.New(`must have five fields: minute, hour, day of the month, month, day of the week, such as "30 4 * * 1"`)
	}
	parsed, err := parser.Parse(strings.Join(fields, " "))
	if err != nil {
		reason, _, _ := strings.Cut(err.Error(), ": strconv.") // what Go calls it is of no use
		return Ticks{}, errors.New("cannot be read: " + reason)
	}
	spec, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return Ticks{}, errors.New("cannot be read: it is no expression of five fields")
	}
	spec.Location = zone
	t := Ticks{cron: spec, twice: strings.HasPrefix(fields[1], "*")}
	if _, ever := t.Next(time.Now()); !ever {
		return Ticks{}, errors.New("never comes: there is no such day")
	}
	return t, nil
}

// Next returns the first tick after a time, or false if there is none within twelve years.
func (t Ticks) Next(after time.Time) (time.Time, bool) {
	if t.cron == nil {
		return t.nextEvery(after)
	}
	for next := after.In(t.cron.Location); ; { // the answer is in the zone of the question
		if next = t.cron.Next(next); next.IsZero() {
			return time.Time{}, false
		}
		if t.twice || !again(next) {
			return next.UTC(), true
		}
	}
}

func (t Ticks) nextEvery(after time.Time) (time.Time, bool) {
	if t.every <= 0 {
		return time.Time{}, false
	}
	since := max(0, after.Sub(t.anchor))
	return t.anchor.Add(since - since%t.every + t.every).UTC(), true
}

// Newest returns the newest tick after one time and not after another, and whether there are others between them; ok
// is false if there is none. It costs a few thousand steps at most, however far the times are apart.
func (t Ticks) Newest(after, until time.Time) (tick time.Time, others, ok bool) {
	first, ok := t.Next(after)
	if !ok || first.After(until) {
		return time.Time{}, false, false
	}
	from := after
	for _, back := range []time.Duration{time.Minute, time.Hour, 24 * time.Hour, 31 * 24 * time.Hour, 366 * 24 * time.Hour} {
		start := until.Add(-back)
		if !start.After(after) {
			break
		}
		if next, ok := t.Next(start); ok && !next.After(until) {
			from = start
			break
		}
	}
	for next, ok := t.Next(from); ok && !next.After(until); next, ok = t.Next(next) {
		tick = next
	}
	return tick, !tick.Equal(first), true
}

// again reports whether the clock on the wall has shown this time before, since it was set back.
func again(t time.Time) bool {
	start, _ := t.ZoneBounds()
	if start.IsZero() {
		return false
	}
	_, offset := t.Zone()
	_, before := start.Add(-time.Second).Zone()
	return before > offset && t.Before(start.Add(time.Duration(before-offset)*time.Second))
}
