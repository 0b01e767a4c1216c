package workers

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"jobcast/jobs"
)

// CSVProfile reads a CSV file once and describes its columns: types, empty and different values, and
// figures. It takes a file as it is: what RFC 4180 does not allow but can be read is a Remark, and only a
// row that cannot be laid out under the header is a Misfit. The dialect, and the line that is the header,
// are found out from the first 200 records of the first 256 KiB (csvdetect.go, csvsample.go). The artifact
// profile.json has the result in full. A file that is not CSV fails the job with type NotCSV.
var CSVProfile = jobs.NewKind[CSVArgs, CSVResult]("csv.profile").Described(jobs.About[CSVArgs]{
	Title:    "CSV profile",
	Sentence: "Columns, types and figures of a CSV file",
	JobTitle: func(args CSVArgs) string { return "CSV profile of " + show(cmp.Or(uploaded(args.Upload), args.Path)) },
})

// CSVArgs are the arguments of CSVProfile. Exactly one must be given.
type CSVArgs struct {
	// Upload is the name that an upload was given by the server.
	Upload string `json:"upload,omitempty" jsonschema:"title=File,format=upload,oneof_required=upload" jsonschema_description:"A file that was uploaded." jsonschema_extras:"accept=.csv,accept=.tsv,accept=.txt,accept=text/csv"`
	// Path is a file: absolute and inside of a root, or relative to one.
	Path string `json:"path,omitempty" jsonschema:"title=Path on the server,format=path,oneof_required=path,example=data/orders.csv,maxLength=4096" jsonschema_description:"A file inside one of the server’s roots."`
}

// CSVResult is the result of CSVProfile.
type CSVResult struct {
	Rows        int64    `json:"rows"`      // below the header, without blank lines; misfits are among them
	Bytes       int64    `json:"bytes"`     // of the file
	Encoding    string   `json:"encoding"`  // UTF-8, UTF-16, or Windows-1252 where bytes are not UTF-8
	Delimiter   string   `json:"delimiter"` // between two fields
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

func newCSVProfile(rs roots) jobs.Worker {
	check := func(_ context.Context, args CSVArgs) error {
		if (args.Upload == "") == (args.Path == "") {
			return jobs.BadRequest("", "Give either upload, the name of an uploaded file, or path, a file on the server.")
		}
		if args.Upload != "" {
			return checkUpload(args.Upload)
		}
		p, err := findCSV(rs, args.Path)
		if err != nil {
			return refusal(err)
		}
		return p.Close()
	}
	run := func(ctx context.Context, r *jobs.Run, args CSVArgs) (CSVResult, error) {
		src, size, err := openCSV(rs, r, args)
		if err != nil {
			return CSVResult{}, err
		}
		defer src.Close()
		res, err := profileCSV(ctx, r, src, size)
		if err != nil {
			return CSVResult{}, err
		}
		if err := writeProfile(r, res); err != nil {
			return CSVResult{}, err
		}
		return shorten(res), res.outcome(r)
	}
	return CSVProfile.Worker(check, run)
}

// uploaded is an upload's name as the client gave it.
func uploaded(upload string) string {
	_, name, _ := strings.Cut(upload, "-")
	return name
}

// checkUpload refuses what cannot be an upload's name. Whether there is one shows when the job runs.
func checkUpload(name string) error {
	if jobs.CheckUpload(name) != nil {
		return jobs.BadRequest("/args/upload", fmt.Sprintf("%s is not the name of an upload. Give the one that the server answered with.", quote(name)))
	}
	return nil
}

// findCSV is roots.find for a single file.
func findCSV(rs roots, path string) (place, error) {
	p, err := rs.find(path)
	if err != nil {
		return place{}, err
	}
	if !p.info.Mode().IsRegular() {
		p.Close()
		return place{}, pathError(fmt.Sprintf("%s is not a regular file. Give the path of one.", quote(path)))
	}
	return p, nil
}

// openCSV opens what the arguments stand for, and says how many bytes it has.
func openCSV(rs roots, r *jobs.Run, args CSVArgs) (io.ReadCloser, int64, error) {
	if args.Upload != "" {
		up, err := r.Upload(args.Upload)
		if err != nil {
			return nil, 0, &jobs.Error{Type: "BadUpload", Message: fmt.Sprintf("The upload %s cannot be opened: %v. Upload the file again.", quote(args.Upload), jobs.ProblemOf(err))}
		}
		return up, up.Size, nil
	}
	p, err := findCSV(rs, args.Path)
	if err != nil {
		return nil, 0, failure(err)
	}
	defer p.Close()
	f, info, err := openFile(p.dir, p.name)
	if err != nil {
		return nil, 0, fmt.Errorf("open the file: %w", err)
	}
	return f, info.Size(), nil
}

func writeProfile(r *jobs.Run, res CSVResult) error {
	w, err := r.Create("profile.json", "application/json")
	if err != nil {
		return err
	}
	defer w.Abort()
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(res); err != nil {
		return err
	}
	return w.Close()
}
