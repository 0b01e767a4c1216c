package workers

import (
	"fmt"
	"slices"

	"jobcast/jobs"
)

// outcome counts what does not fit as warnings. It is an error where there are rows and none of them fits: what
// is said of the columns then, that they hold nothing, would pass for a description of the file.
func (r CSVResult) outcome(to reporter) error {
	to.Warn(r.MisfitCount)
	if r.Rows == 0 || slices.ContainsFunc(r.Columns, func(c Column) bool { return c.Empty > 0 || c.Distinct > 0 }) {
		return nil
	}
	why := "Look at profile.json."
	if len(r.Misfits) > 0 {
		why = fmt.Sprintf("Line %d %s.", r.Misfits[0].Line, r.Misfits[0].Reason)
	}
	return &jobs.Error{Type: "NothingFits", Message: fmt.Sprintf("None of the %d rows fits the header. %s Check the delimiter, and that the header is in the first row.", r.Rows, why)}
}
