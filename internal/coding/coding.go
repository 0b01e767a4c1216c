// Package coding compresses HTTP answers as their clients ask for (RFC 9110, "Content Codings"):
//
//	c := coding.Choose(r.Header["Accept-Encoding"], coding.Gzip, coding.Deflate)
//	if smaller, ok := compressor.Append(nil, c, body); ok {
//		w.Header().Set("Content-Encoding", c)
//		body = smaller
//	}
//
// It takes whole answers: what is sent bit by bit is not held back by it. It does not know what is in them. It runs no
// goroutine.
package coding

import (
	"bytes"
	"io"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
)

// The codings, by the names they have in a header field.
const (
	Identity = "" // none
	Gzip     = "gzip"
	Deflate  = "deflate" // which is the zlib format
)

// Choose returns which of the offered codings a client wants, given the values of its Accept-Encoding field: that of
// the greatest weight, of two the one that it names first, and for a star the first that is offered. It returns
// Identity if there is none, and for a client that sends no such field (RFC 9110, "Accept-Encoding").
func Choose(accept []string, offered ...string) string {
	best, bestWeight := Identity, 0.0
	named, wild := 0, 0.0 // a bit for each of offered
	for _, field := range accept {
		for item := range strings.SplitSeq(field, ",") {
			name, params, _ := strings.Cut(item, ";")
			name = strings.ToLower(strings.TrimSpace(name))
			w := weight(params)
			if name == "*" {
				wild = w
			}
			if i := slices.Index(offered, name); i >= 0 {
				named |= 1 << i
				if w > bestWeight {
					best, bestWeight = name, w
				}
			}
		}
	}
	for i, name := range offered {
		if wild > bestWeight && named&(1<<i) == 0 { // the star stands for those that are not named
			return name
		}
	}
	return best
}

// weight reads the parameters of a coding. One that cannot be read means that the coding is not wanted.
func weight(params string) float64 {
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(param, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "q") {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || q < 0 || q > 1 {
			return 0
		}
		return q
	}
	return 1
}

// A Compressor compresses as much at once as there are processors; what comes meanwhile is better sent as
// it is. It keeps what it needs for the next use until the garbage collector wants it. The zero value
// works. All methods may be called by many goroutines at once.
type Compressor struct {
	once          sync.Once
	places        chan struct{}
	gzip, deflate sync.Pool // of coders
}

// A coder is what gzip.Writer and zlib.Writer have in common.
type coder interface {
	io.WriteCloser
	Reset(io.Writer)
}

// Append appends p to dst in that coding. It returns false, and dst as it was, if all processors compress
// already, if the coding is not one of this package, or if p would not become smaller. It does not wait.
func (c *Compressor) Append(dst []byte, coding string, p []byte) ([]byte, bool) {
	c.once.Do(func() { c.places = make(chan struct{}, runtime.GOMAXPROCS(0)) })
	var pool *sync.Pool
	switch coding {
	case Gzip:
		pool = &c.gzip
	case Deflate:
		pool = &c.deflate
	default:
		return dst, false
	}
	select {
	case c.places <- struct{}{}:
		defer func() { <-c.places }()
	default:
		return dst, false
	}
	out := bytes.NewBuffer(dst)
	w, _ := pool.Get().(coder)
	if w == nil {
		w = newCoder(coding)
	}
	w.Reset(out)
	_, _ = w.Write(p) // a bytes.Buffer takes everything
	_ = w.Close()
	w.Reset(nil) // lest it holds what belongs to the caller
	pool.Put(w)
	if out.Len()-len(dst) >= len(p) {
		return dst, false
	}
	return out.Bytes(), true
}

// Smallest returns p in that coding, as small as it gets, which takes its time. It returns nil if the coding
// is not one of this package.
func Smallest(coding string, p []byte) []byte {
	var out bytes.Buffer
	var w coder
	switch coding { // the level is a valid one
	case Gzip:
		w, _ = gzip.NewWriterLevel(&out, gzip.BestCompression)
	case Deflate:
		w, _ = zlib.NewWriterLevel(&out, zlib.BestCompression)
	default:
		return nil
	}
	_, _ = w.Write(p) // a bytes.Buffer takes everything
	_ = w.Close()
	return out.Bytes()
}

// newCoder returns a coder at the fastest level: an answer is made for one client and once.
func newCoder(coding string) coder {
	if coding == Gzip {
		w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is a valid one
		return w
	}
	w, _ := zlib.NewWriterLevel(nil, zlib.BestSpeed)
	return w
}
