package workers

import (
	"context"
	"fmt"
	"path"

	"jobcast/jobs"
	"jobcast/workers/internal/names"
)

// Checksum computes the SHA-256 of every regular file under a directory, several at once, and leaves
// them in the artifact SHA256SUMS, which "sha256sum -c" reads in that directory. Symbolic links are not
// followed. A file that cannot be read costs a line of the job's log and is one of its warnings; the job fails
// only if there are files or directories and none of them can be read.
var Checksum = jobs.NewKind[ChecksumArgs, ChecksumResult]("checksum").Described(jobs.About[ChecksumArgs]{
	Title:    "Checksum",
	Sentence: "SHA-256 of every file in a directory",
	JobTitle: func(args ChecksumArgs) string {
		if path.Clean(args.Path) != "." {
			return "Checksum of " + names.Show(args.Path)
		}
		return "Checksum of the first root" // its name is the server's own affair
	},
})

// ChecksumArgs are the arguments of Checksum.
type ChecksumArgs struct {
	// Path is a directory, or a single file: absolute and inside of a root, or relative to one.
	// Empty means the first root.
	Path string `json:"path" jsonschema:"title=Directory,format=path,default=.,example=src,maxLength=4096" jsonschema_description:"A directory or a file inside one of the server’s roots. “.” is the first root."`
}

// ChecksumResult is the result of Checksum.
type ChecksumResult struct {
	Files  int64 `json:"files"`  // how many files were summed
	Bytes  int64 `json:"bytes"`  // how many bytes they hold together
	Failed int64 `json:"failed"` // how many files and directories could not be read; the log names them
}

func newChecksum(rs roots) jobs.Worker {
	check := func(_ context.Context, args ChecksumArgs) error {
		p, err := findSummable(rs, args.Path)
		if err != nil {
			return refusal(err)
		}
		return p.Close()
	}
	run := func(ctx context.Context, r *jobs.Run, args ChecksumArgs) (ChecksumResult, error) {
		p, err := findSummable(rs, args.Path)
		if err != nil {
			return ChecksumResult{}, failure(err)
		}
		defer p.Close()
		sums, res, err := sumPlace(ctx, r, p)
		if err != nil {
			return ChecksumResult{}, err
		}
		w, err := r.Create("SHA256SUMS", "text/plain")
		if err != nil {
			return ChecksumResult{}, err
		}
		defer w.Abort()
		if err := writeSums(ctx, w, sums); err != nil {
			return ChecksumResult{}, err
		}
		return res, w.Close()
	}
	return Checksum.Worker(check, run)
}

// findSummable is roots.find for what Checksum can read.
func findSummable(rs roots, path string) (place, error) {
	p, err := rs.find(path)
	if err != nil {
		return place{}, err
	}
	if !p.info.IsDir() && !p.info.Mode().IsRegular() {
		p.Close()
		return place{}, pathError(fmt.Sprintf("%s is neither a directory nor a regular file. Give the path of one.", quote(path)))
	}
	return p, nil
}

// sumPlace does all the work of Checksum but its artifact.
func sumPlace(ctx context.Context, to reporter, p place) ([]fileSum, ChecksumResult, error) {
	files, failed := []fileSum{{name: p.name, size: p.info.Size()}}, int64(0)
	to.Step(1, 2, "Find files")
	if p.info.IsDir() {
		f := finder{in: p, to: to, found: meter{to: to, unit: "file"}}
		if err := f.find(ctx); err != nil {
			return nil, ChecksumResult{}, err
		}
		files, failed = f.files, f.failed
	}

	to.Step(2, 2, "Read")
	s := summer{in: p, to: to, files: files, read: meter{to: to, unit: "byte"}}
	if err := s.sum(ctx); err != nil {
		return nil, ChecksumResult{}, err
	}
	res := ChecksumResult{Failed: failed}
	for _, f := range files {
		if f.failed {
			res.Failed++
			continue
		}
		res.Files++
		res.Bytes += f.size
	}
	if res.Failed > 0 && res.Files == 0 {
		return nil, res, &jobs.Error{Type: "NothingRead", Message: nothingRead(res.Failed)}
	}
	to.Warn(res.Failed)
	if !p.info.IsDir() {
		files[0].name = p.base
	}
	return files, res, nil
}

func nothingRead(failed int64) string {
	if failed == 1 {
		return "The only file or directory there cannot be read; the log says why. Make it readable for the server."
	}
	return fmt.Sprintf("None of %d files and directories can be read; the log says why. Make them readable for the server.", failed)
}
