package csv

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"

	"jobcast/workers/internal/names"
)

// The encodings of Result.
const (
	encodingUTF8    = "UTF-8"
	encodingUTF16   = "UTF-16"
	encodingForeign = "Windows-1252" // a guess: it is not UTF-8
)

// source is the file that is read, for its reader's eyes only.
type source struct {
	src   io.Reader
	read  func(n int) // told about bytes as they are read
	limit int64       // how many bytes src may give
	taken int64       // bytes read from src
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.src.Read(p)
	s.taken += int64(n)
	if n > 0 {
		s.read(n)
	}
	if err == nil && s.taken > s.limit {
		err = errors.New("the file grows while it is read")
	}
	return n, err
}

// frontOfUTF16 is how many bytes must look like UTF-16 where a file has no byte order mark.
const frontOfUTF16 = 64

// decode looks at the first bytes for UTF-16, and has such a file decoded.
func (r *reader) decode(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	front := make([]byte, frontOfUTF16)
	n, err := io.ReadFull(r.src, front)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return fmt.Errorf("read the file: %w", err)
	}
	order, mark := utf16Order(front[:n])
	r.src = io.MultiReader(bytes.NewReader(front[mark:n]), r.src)
	if order != nil {
		r.encoding, r.src = encodingUTF16, &utf16Reader{src: r.src, order: order}
	}
	return nil
}

// utf16Order is the byte order of a file in UTF-16, and the length of its byte order mark. Without a mark it is
// told by the front of the file, if that is all ASCII: a NUL is then every other byte, and no other is one.
func utf16Order(front []byte) (order binary.ByteOrder, mark int) {
	switch {
	case bytes.HasPrefix(front, []byte("\xFF\xFE")):
		return binary.LittleEndian, 2
	case bytes.HasPrefix(front, []byte("\xFE\xFF")):
		return binary.BigEndian, 2
	case len(front) < 4 || len(front)%2 != 0:
		return nil, 0
	}
	var nul [2]int // at even offsets, and at odd ones
	for i, c := range front {
		if c == 0 {
			nul[i%2]++
		}
	}
	switch half := len(front) / 2; {
	case nul[0] == 0 && nul[1] == half:
		return binary.LittleEndian, 0
	case nul[1] == 0 && nul[0] == half:
		return binary.BigEndian, 0
	}
	return nil, 0
}

// isBinary reports whether the front of a file with a NUL byte in it is no text: of the bytes, or of the first of
// them, more than one in 16 is a NUL or another control character. Text has a NUL here and there, where a program
// wrote a field of its memory as it was.
func isBinary(front []byte) bool {
	const first = 512
	control := 0
	for i, c := range front {
		if c < ' ' && (c < '\t' || c > '\r') {
			control++
		}
		if i+1 == first && control > first/16 {
			return true
		}
	}
	return 16*control > len(front)
}

// check notes where text has its first NUL byte, and where it is not UTF-8. Since all that delimits is ASCII, such
// a file is read like another.
func (r *reader) check() {
	fresh := r.buf[r.checked:r.end]
	if r.nul == 0 {
		if i := bytes.IndexByte(fresh, 0); i >= 0 {
			r.nul = r.line + r.lines(r.buf[r.pos:r.checked+i])
		}
	}
	if r.encoding == encodingForeign {
		r.checked = r.end
		return
	}
	if !r.eof {
		fresh = fresh[:len(fresh)-partialRune(fresh)]
	}
	if utf8.Valid(fresh) {
		r.checked += len(fresh)
		return
	}
	i := 0
	for {
		c, size := utf8.DecodeRune(fresh[i:])
		if c == utf8.RuneError && size == 1 {
			break
		}
		i += size
	}
	r.encoding = encodingForeign
	r.foreign = r.line + r.lines(r.buf[r.pos:r.checked+i])
	r.checked = r.end
}

// checkAgain is check for all that was read and is not parsed yet.
func (r *reader) checkAgain() {
	r.checked, r.nul, r.foreign = r.pos, 0, 0
	if r.encoding == encodingForeign {
		r.encoding = encodingUTF8
	}
	r.check()
}

// partialRune is how many bytes at the end of b begin a character that goes on after b.
func partialRune(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if last := b[len(b)-n:]; utf8.RuneStart(last[0]) {
			if utf8.FullRune(last) {
				return 0
			}
			return n
		}
	}
	return 0
}

// utf16Reader gives a text in UTF-16 (RFC 2781) as UTF-8. What is no character becomes U+FFFD.
type utf16Reader struct {
	src   io.Reader
	order binary.ByteOrder
	raw   [8 << 10]byte
	have  int    // bytes of raw that are not decoded yet
	buf   []byte // what was decoded last
	text  []byte // what of it is to be given yet
	err   error
}

func (u *utf16Reader) Read(p []byte) (int, error) {
	for len(u.text) == 0 {
		if u.err != nil {
			return 0, u.err
		}
		var n int
		n, u.err = u.src.Read(u.raw[u.have:])
		u.have += n
		u.decode()
	}
	n := copy(p, u.text)
	u.text = u.text[n:]
	return n, nil
}

func (u *utf16Reader) decode() {
	u.buf = u.buf[:0]
	p := 0
	for ; p+1 < u.have; p += 2 {
		c := rune(u.order.Uint16(u.raw[p:]))
		if utf16.IsSurrogate(c) {
			if p+3 >= u.have && u.err == nil {
				break // its other half has not come in
			}
			pair := rune(utf8.RuneError)
			if p+3 < u.have {
				pair = utf16.DecodeRune(c, rune(u.order.Uint16(u.raw[p+2:])))
			}
			if c = pair; c != utf8.RuneError {
				p += 2
			}
		}
		u.buf = utf8.AppendRune(u.buf, c)
	}
	if p < u.have && u.err != nil {
		u.buf = utf8.AppendRune(u.buf, utf8.RuneError) // half a character
		p = u.have
	}
	u.have = copy(u.raw[:], u.raw[p:u.have])
	u.text = u.buf
}

// textOf returns at most limit bytes of b as UTF-8. What is not is taken for Windows-1252, which most such
// files are in.
func textOf(b []byte, limit int) string {
	b = b[:min(len(b), limit+utf8.UTFMax)]
	text := names.Cut(string(b), limit)
	if utf8.ValidString(text) {
		return text
	}
	var fixed []byte
	for _, c := range b {
		r := rune(c)
		if 0x80 <= c && c < 0xA0 {
			r = windows1252[c-0x80]
		}
		fixed = utf8.AppendRune(fixed, r)
	}
	return names.Cut(string(fixed), limit)
}

// windows1252 has the characters of 0x80 to 0x9F, where it is not ISO 8859-1. Five are not assigned.
var windows1252 = [32]rune{
	0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x008D, 0x017D, 0x008F,
	0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178,
}
