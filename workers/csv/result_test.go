package csv

import (
	"errors"
	"strings"
	"testing"
)

func TestRowsOfWhichNoneFitsAreNoProfile(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		misfits    int64
		want       string // in the error
	}{
		{"all fit", "a,b\n1,2\n3,4\n", 0, ""},
		{"no rows", "a,b\n", 0, ""},
		{"one fits", "a,b\n1,2\n" + strings.Repeat("1,2,3\n", 50), 50, ""},
		{"one is empty, and fits", "a,b\n,\n" + strings.Repeat("1,2,3\n", 3), 3, ""},
		{"none fits", "a,b\n" + strings.Repeat("1\n1,2,3\n1,2,3,4\n", 20), 60, "None of the 60 rows fits the header. Line 2 has 1 field, where the header has 2."},
	} {
		res, err := profileText(t, tt.text)
		must(t, err)
		err = res.Check()
		if e, _ := errors.AsType[*Error](err); tt.want == "" && err != nil || tt.want != "" && (e == nil || e.Type != "NothingFits" || !strings.HasPrefix(e.Message, tt.want)) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
		if res.MisfitCount != tt.misfits {
			t.Errorf("%s: got %d misfits, want %d", tt.name, res.MisfitCount, tt.misfits)
		}
	}
}
