package csv

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Result is what Profile found out.
type Result struct {
	Rows        int64    `json:"rows"`      // below the header, without blank lines; misfits are among them
	Bytes       int64    `json:"bytes"`     // of the file
	Encoding    string   `json:"encoding"`  // UTF-8, UTF-16, or Windows-1252 where bytes are not UTF-8
	Delimiter   string   `json:"delimiter"` // between two fields; a space stands for one or more
	Quote       string   `json:"quote"`     // around a field
	Escape      string   `json:"escape,omitempty"`
	HeaderLine  int64    `json:"headerLine"`  // from 1; what is above it is a title, a comment or the like
	Columns     []Column `json:"columns"`     // at most 2,000, in the order of the file
	MisfitCount int64    `json:"misfitCount"` // rows that are broken, and single values of a wrong type
	Misfits     []Misfit `json:"misfits"`     // the first 100, by line
	RemarkCount int64    `json:"remarkCount"` // lines that are not as they should be, but could be read
	Remarks     []Remark `json:"remarks"`     // the first 100, by line
	Shortened   bool     `json:"shortened,omitempty"`
	// Shortened says that values were cut or left out to fit a result: profile.json has them.
}

// Column describes one column. A row that is broken counts in none.
type Column struct {
	Name     string     `json:"name"` // as in the header, cut to 100 bytes; may be empty or there twice
	Type     ColumnType `json:"type"`
	Empty    int64      `json:"empty"`    // how many values are empty, or only spaces
	Distinct int64      `json:"distinct"` // how many different values there are, without the empty one

	// DistinctEstimated says that Distinct is an estimate, about 1 % off: there are more than 10,000
	// different values, or, in a file with many columns, more than fit in memory.
	DistinctEstimated bool `json:"distinctEstimated,omitempty"`

	// Min and Max are numbers for TypeInteger and TypeNumber, but strings of their digits where a float64
	// would change them, as those beyond ±2^53. Else they are strings, cut to 100 bytes: the earliest and the
	// latest date and datetime, the first and the last string by bytes. TypeBoolean has none.
	Min  json.RawMessage `json:"min,omitempty"`
	Max  json.RawMessage `json:"max,omitempty"`
	Mean *float64        `json:"mean,omitempty"` // of TypeInteger and TypeNumber
}

// Misfit is a row, or one value of it, that does not fit.
type Misfit struct {
	Line   int64  `json:"line"`             // from 1, in the file; where the row starts
	Column string `json:"column,omitempty"` // of the value; without it, the whole row is meant
	Reason string `json:"reason"`           // goes on after "Line 7"
}

// Remark is what is not as RFC 4180 has it, or a line that is no part of the table. No row and no value is
// lost by it.
type Remark struct {
	Line   int64  `json:"line"`   // from 1, in the file
	Reason string `json:"reason"` // goes on after "Line 7"
}

// The types of an Error.
const (
	NotCSV         = "NotCSV"         // the file is something else, or cannot be read as CSV
	TooManyColumns = "TooManyColumns" // more than 2,000
	NothingFits    = "NothingFits"    // no row fits the header
)

// An Error says why a file has no profile, in sentences for the person who gave the file.
type Error struct {
	Type    string // one of the constants
	Message string
}

func (e *Error) Error() string { return e.Message }

func notCSV(message string) error { return &Error{Type: NotCSV, Message: message} }

// Check is an error of type NothingFits where there are rows and none of them fits: what is said of the columns then,
// that they hold nothing, would pass for a description of the file.
func (r Result) Check() error {
	if r.Rows == 0 || slices.ContainsFunc(r.Columns, func(c Column) bool { return c.Empty > 0 || c.Distinct > 0 }) {
		return nil
	}
	why := "Look at profile.json."
	if len(r.Misfits) > 0 {
		why = fmt.Sprintf("Line %d %s.", r.Misfits[0].Line, r.Misfits[0].Reason)
	}
	return &Error{Type: NothingFits, Message: fmt.Sprintf("None of the %d rows fits the header. %s Check the delimiter, and that the header is in the first row.", r.Rows, why)}
}
