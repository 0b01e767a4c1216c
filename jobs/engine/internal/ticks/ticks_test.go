package ticks

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the zones of the tests are there on every machine
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func cronTicks(t *testing.T, expression, zoneName string) Ticks {
	t.Helper()
	ticks, err := Cron(expression, zone(t, zoneName))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return ticks
}

// shown are the ticks from one time to another, as a clock in the zone shows them.
func shown(t *testing.T, ticks Ticks, loc *time.Location, after, until time.Time) string {
	t.Helper()
	var all []string
	for next, ok := ticks.Next(after); ok && !next.After(until); next, ok = ticks.Next(next) {
		if len(all) > 1000 || next.Location() != time.UTC {
			t.Fatalf("got %v after %d ticks", next, len(all))
		}
		all = append(all, next.In(loc).Format("15:04-07"))
	}
	return strings.Join(all, " ")
}

func TestTheHourThatDoesNotExistAndTheOneThatExistsTwice(t *testing.T) {
	for _, test := range []struct {
		zone         string
		year         int
		month        time.Month
		day          int // when clocks change
		cron, result string
	}{
		{"Europe/Berlin", 2026, 3, 29, "30 1 * * *", "01:30+01"},
		{"Europe/Berlin", 2026, 3, 29, "30 2 * * *", "03:30+02"},
		{"Europe/Berlin", 2026, 3, 29, "15,45 2 * * *", "03:15+02"},
		{"Europe/Berlin", 2026, 3, 29, "0 3 * * *", "03:00+02"},
		{"Europe/Berlin", 2026, 3, 29, "0 2,3 * * *", "03:00+02"},
		{"Europe/Berlin", 2026, 3, 29, "30 * * * *", "00:30+01 01:30+01 03:30+02 04:30+02"},
		{"Europe/Berlin", 2026, 3, 29, "30 */2 * * *", "00:30+01 03:30+02 04:30+02"},
		{"Europe/Berlin", 2026, 10, 25, "30 1 * * *", "01:30+02"},
		{"Europe/Berlin", 2026, 10, 25, "30 2 * * *", "02:30+02"},
		{"Europe/Berlin", 2026, 10, 25, "0 2-3 * * *", "02:00+02 03:00+01"},
		{"Europe/Berlin", 2026, 10, 25, "0 3 * * *", "03:00+01"},
		{"Europe/Berlin", 2026, 10, 25, "30 * * * *", "00:30+02 01:30+02 02:30+02 02:30+01 03:30+01 04:30+01"},
		{"Europe/Berlin", 2026, 10, 25, "0 */2 * * *", "00:00+02 02:00+02 02:00+01 04:00+01"},
		{"America/New_York", 2026, 3, 8, "30 2 * * *", "03:30-04"},
		{"America/New_York", 2026, 3, 8, "0 * * * *", "00:00-05 01:00-05 03:00-04 04:00-04"},
		{"America/New_York", 2026, 3, 8, "30 1 * * *", "01:30-05"},
		{"America/New_York", 2026, 11, 1, "30 1 * * *", "01:30-04"},
		{"America/New_York", 2026, 11, 1, "30 2 * * *", "02:30-05"},
		{"America/New_York", 2026, 11, 1, "0 1,2 * * *", "01:00-04 02:00-05"},
		{"America/New_York", 2026, 11, 1, "0 * * * *", "00:00-04 01:00-04 01:00-05 02:00-05 03:00-05 04:00-05"},
		{"UTC", 2026, 3, 29, "30 2 * * *", "02:30+00"},
	} {
		loc := zone(t, test.zone)
		after := time.Date(test.year, test.month, test.day, 0, 0, 0, 0, loc).Add(-time.Second)
		until := time.Date(test.year, test.month, test.day, 4, 59, 0, 0, loc)
		if got := shown(t, cronTicks(t, test.cron, test.zone), loc, after, until); got != test.result {
			t.Errorf("%s on %d-%02d-%02d, %q: got %s, want %s", test.zone, test.year, test.month, test.day, test.cron, got, test.result)
		}
	}
}

func TestCronExpressions(t *testing.T) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) // a Thursday
	for expression, want := range map[string]string{
		"* * * * *":             "2026-01-01 00:01",
		" 30  4 * *\t1 ":        "2026-01-05 04:30",
		"*/20 * * * *":          "2026-01-01 00:20",
		"0 9-17/4 * * mon-fri":  "2026-01-01 09:00",
		"0 0 * JAN,jul 7":       "2026-01-04 00:00",
		"0 0 13 * fri":          "2026-01-02 00:00", // one of the two days is enough
		"0 0 29 2 *":            "2028-02-29 00:00",
		"5 4 1-7 dec *":         "2026-12-01 04:05",
		"0 12 31 * *":           "2026-01-31 12:00",
		"59 23 31 12 sat,sun":   "2026-12-05 23:59",
		"0,10,15-20/5 5 2 * *":  "2026-01-02 05:00",
		"0 22-2/2 * * *":        "2026-01-01 02:00",
		"1-59/2 0 1 1 *":        "2026-01-01 00:01",
		"0 0 1 */3 *":           "2026-04-01 00:00",
		"0 0 * * 0":             "2026-01-04 00:00",
		"10 10 10 10 *":         "2026-10-10 10:10",
		"0 0 1 january-march *": "",
	} {
		ticks, err := Cron(expression, time.UTC)
		if want == "" {
			if err == nil {
				t.Errorf("%q is taken", expression)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", expression, err)
			continue
		}
		if next, ok := ticks.Next(from); !ok || next.Format("2006-01-02 15:04") != want {
			t.Errorf("%q: got %v, want %s", expression, next, want)
		}
	}
}

func TestWrongCronExpressionsAreRefusedWithAReason(t *testing.T) {
	for expression, want := range map[string]string{
		"":                             "five fields",
		"* * * *":                      "five fields",
		"* * * * * *":                  "five fields",
		"@daily":                       "five fields",
		"TZ=Europe/Berlin * * * *":     "five fields",
		"CRON_TZ=Asia/Tokyo * * * * *": "five fields",
		"61 * * * *":                   "above maximum (59)",
		"* 24 * * *":                   "above maximum (23)",
		"* * 0 * *":                    "below minimum (1)",
		"*/0 * * * *":                  "step",
		"a * * * *":                    `failed to parse int from "a"`,
		"* * L * *":                    "cannot be read",
		"* * * * mon#1":                "cannot be read",
		"H * * * *":                    "cannot be read",
		"0 0 30 2 *":                   "there is no such day",
		"0 0 31 4,6,9,11 *":            "there is no such day",
	} {
		_, err := Cron(expression, time.UTC)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "strconv") {
			t.Errorf("%q: got %v, want %q", expression, err, want)
		}
	}
}

func TestEveryIsCountedFromItsAnchor(t *testing.T) {
	anchor := time.Date(2026, 5, 1, 12, 0, 0, 250e6, time.UTC)
	ticks := Every(7*time.Second, anchor)
	for after, want := range map[time.Duration]time.Duration{
		-time.Hour: 7 * time.Second, 0: 7 * time.Second, 7*time.Second - 1: 7 * time.Second, 7 * time.Second: 14 * time.Second,
		70 * time.Second: 77 * time.Second, 71 * time.Second: 77 * time.Second,
	} {
		if next, ok := ticks.Next(anchor.Add(after)); !ok || !next.Equal(anchor.Add(want)) {
			t.Errorf("after %v: got %v, want %v", after, next.Sub(anchor), want)
		}
	}
	if next, ok := Every(0, anchor).Next(anchor); ok {
		t.Errorf("every 0: got %v", next)
	}
}

// TestNewestTick compares Newest with all ticks, one after the other.
func TestNewestTick(t *testing.T) {
	after := time.Date(2026, 3, 28, 22, 17, 31, 0, time.UTC)
	for _, ticks := range []Ticks{
		Every(1700*time.Millisecond, after.Add(-time.Hour)), Every(26*time.Hour, after), cronTicks(t, "* * * * *", "UTC"),
		cronTicks(t, "*/7 1-3 * * *", "Europe/Berlin"), cronTicks(t, "30 2 * * *", "Europe/Berlin"), cronTicks(t, "0 0 1 * *", "UTC"),
		cronTicks(t, "* 5 * 5 *", "America/New_York"), cronTicks(t, "0 0 29 2 *", "UTC"),
	} {
		for _, later := range []time.Duration{0, time.Second, 90 * time.Second, 3 * time.Hour, 30 * time.Hour, 40 * 24 * time.Hour, 250 * 24 * time.Hour} {
			until := after.Add(later)
			var want time.Time
			n := 0
			for next, ok := ticks.Next(after); ok && !next.After(until) && n < 300_000; next, ok = ticks.Next(next) {
				want = next
				n++
			}
			if n == 300_000 {
				continue
			}
			got, others, ok := ticks.Newest(after, until)
			if ok != (n > 0) || others != (n > 1) || !got.Equal(want) {
				t.Errorf("%+v until %v: got %v, others %t, %t; want %v of %d", ticks, later, got, others, ok, want, n)
			}
		}
	}
}
