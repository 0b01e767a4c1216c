package workers

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"jobcast/jobs"
	"jobcast/workers/csv"
	"jobcast/workers/internal/names"
)

// CSVProfile reads a CSV file once and describes its columns, as package csv does it. The artifact profile.json
// has the result in full; the job's own may be shortened. A file that is not CSV fails the job with type NotCSV.
// Misfits are the job's warnings, and the first of them are in its log.
var CSVProfile = jobs.NewKind[CSVArgs, csv.Result]("csv.profile").Described(jobs.About[CSVArgs]{
	Title:    "CSV profile",
	Sentence: "Columns, types and figures of a CSV file",
	JobTitle: func(args CSVArgs) string {
		return "CSV profile of " + names.Show(cmp.Or(uploaded(args.Upload), args.Path))
	},
})

// CSVArgs are the arguments of CSVProfile. Exactly one must be given.
type CSVArgs struct {
	// Upload is the name that an upload was given by the server.
	Upload string `json:"upload,omitempty" jsonschema:"title=File,format=upload,oneof_required=upload" jsonschema_description:"A file that was uploaded." jsonschema_extras:"accept=.csv,accept=.tsv,accept=.txt,accept=text/csv"`
	// Path is a file: absolute and inside of a root, or relative to one.
	Path string `json:"path,omitempty" jsonschema:"title=Path on the server,format=path,oneof_required=path,example=data/orders.csv,maxLength=4096" jsonschema_description:"A file inside one of the server’s roots."`
}

func newCSVProfile(rs roots) jobs.Worker {
	check := func(_ context.Context, args CSVArgs) error {
		if (args.Upload == "") == (args.Path == "") {
			return jobs.BadRequest("", "Give either upload, the name of an uploaded file, or path, a file on the server.")
		}
		if args.Upload != "" {
			return checkUpload(args.Upload)
		}
		p, err := findFile(rs, args.Path)
		if err != nil {
			return refusal(err)
		}
		return p.Close()
	}
	run := func(ctx context.Context, r *jobs.Run, args CSVArgs) (csv.Result, error) {
		src, size, err := openCSV(rs, r, args)
		if err != nil {
			return csv.Result{}, err
		}
		defer src.Close()
		res, err := profileFile(ctx, r, src, size)
		if err != nil {
			return csv.Result{}, err
		}
		if err := writeProfile(r, res); err != nil {
			return csv.Result{}, err
		}
		r.Warn(res.MisfitCount)
		return res.Shorten(), failed(res.Check())
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

// openCSV opens what the arguments stand for, and says how many bytes it has.
func openCSV(rs roots, r *jobs.Run, args CSVArgs) (io.ReadCloser, int64, error) {
	if args.Upload != "" {
		up, err := r.Upload(args.Upload)
		if err != nil {
			return nil, 0, &jobs.Error{Type: "BadUpload", Message: fmt.Sprintf("The upload %s cannot be opened: %v. Upload the file again.", quote(args.Upload), jobs.ProblemOf(err))}
		}
		return up, up.Size, nil
	}
	p, err := findFile(rs, args.Path)
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

// profileFile profiles a file of so many bytes, and tells how it goes.
func profileFile(ctx context.Context, to reporter, src io.Reader, size int64) (csv.Result, error) {
	progress := meter{to: to, unit: "byte", total: size}
	res, err := csv.Profile(ctx, src, csv.Config{
		Limit: size + maxGrowth,
		Read: func(n int, rows int64) {
			progress.add(int64(n), func() string { return fmt.Sprintf("%d rows", rows) })
		},
		Misfit: func(m csv.Misfit) {
			to.Log(slog.LevelWarn, fmt.Sprintf("Line %d %s", m.Line, m.Reason))
		},
	})
	if err != nil {
		return csv.Result{}, failed(err)
	}
	progress.correct(res.Bytes - size)
	return res, nil
}

// failed makes the job's error of what a profile says is wrong with a file.
func failed(err error) error {
	if e, ok := errors.AsType[*csv.Error](err); ok {
		return &jobs.Error{Type: e.Type, Message: e.Message}
	}
	return err
}

func writeProfile(r *jobs.Run, res csv.Result) error {
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
