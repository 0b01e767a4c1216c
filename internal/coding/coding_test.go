package coding

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

func TestChoose(t *testing.T) {
	for accept, want := range map[string]string{
		"":                            Identity,
		"identity":                    Identity,
		"br":                          Identity,
		"gzip":                        Gzip,
		"deflate":                     Deflate,
		"GZIP":                        Gzip,
		"gzip, deflate, br, zstd":     Gzip,
		"deflate, gzip":               Deflate,
		"deflate;q=0.5, gzip;q=0.8":   Gzip,
		"gzip;q=0.5, deflate":         Deflate,
		"gzip;q=0":                    Identity,
		"gzip; q=0.0, deflate ; q=.1": Deflate,
		"gzip;q=much":                 Identity,
		"gzip;q=2":                    Identity,
		"*":                           Gzip,
		"*;q=0":                       Identity,
		"*;q=0, gzip":                 Gzip,
		"gzip;q=0, *":                 Deflate,
		"gzip;q=0.1, *":               Deflate,
		"gzip;x=1;q=0, deflate;x=1":   Deflate,
		" gzip ,":                     Gzip,
	} {
		if got := Choose([]string{accept}, Gzip, Deflate); got != want {
			t.Errorf("%q: got %q, want %q", accept, got, want)
		}
	}
	if got := Choose(nil, Gzip, Deflate); got != Identity {
		t.Errorf("without the field: got %q, want none", got)
	}
	if got := Choose([]string{"br", "deflate"}, Gzip, Deflate); got != Deflate {
		t.Errorf("in two lines: got %q, want deflate", got)
	}
}

func TestChooseOfferedOnly(t *testing.T) {
	for accept, want := range map[string]string{
		"deflate, gzip;q=0.1": Gzip,
		"deflate":             Identity,
		"deflate;q=0, *":      Gzip,
		"gzip;q=0, *":         Identity,
	} {
		if got := Choose([]string{accept}, Gzip); got != want {
			t.Errorf("%q: got %q, want %q", accept, got, want)
		}
	}
}

func decode(t *testing.T, coding string, p []byte) string {
	t.Helper()
	var r io.Reader
	var err error
	if coding == Gzip {
		r, err = gzip.NewReader(bytes.NewReader(p))
	} else {
		r, err = zlib.NewReader(bytes.NewReader(p))
	}
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAppend(t *testing.T) {
	var c Compressor
	text := strings.Repeat("the same again, ", 500)
	for _, coding := range []string{Gzip, Deflate} {
		for range 2 { // the second time with what the first has left
			got, ok := c.Append([]byte("before"), coding, []byte(text))
			if !ok || len(got) > len(text)/10 {
				t.Fatalf("%s: got %v with %d bytes of %d", coding, ok, len(got), len(text))
			}
			if rest, ok := bytes.CutPrefix(got, []byte("before")); !ok || decode(t, coding, rest) != text {
				t.Errorf("%s: got something else than what went in", coding)
			}
		}
	}
	if got, ok := c.Append(nil, "br", []byte(text)); ok || got != nil {
		t.Errorf("an unknown coding: got %d bytes, %v", len(got), ok)
	}
	noise := make([]byte, 2000)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	if got, ok := c.Append([]byte("before"), Gzip, noise); ok || string(got) != "before" {
		t.Errorf("noise: got %d bytes, %v, want it left alone", len(got), ok)
	}
}

func TestSmallest(t *testing.T) {
	text := strings.Repeat("the same again, ", 500)
	for _, coding := range []string{Gzip, Deflate} {
		got := Smallest(coding, []byte(text))
		if len(got) > len(text)/10 || decode(t, coding, got) != text {
			t.Errorf("%s: got %d bytes that are not the text's", coding, len(got))
		}
	}
	if got := Smallest("br", []byte(text)); got != nil {
		t.Errorf("an unknown coding: got %d bytes", len(got))
	}
}

func TestAppendDoesNotWait(t *testing.T) {
	var c Compressor
	c.Append(nil, Gzip, nil)
	for range cap(c.places) {
		c.places <- struct{}{}
	}
	text := bytes.Repeat([]byte("a"), 5000)
	if _, ok := c.Append(nil, Gzip, text); ok {
		t.Error("got it compressed though every processor is busy")
	}
	<-c.places
	if _, ok := c.Append(nil, Gzip, text); !ok {
		t.Error("got it as it is though a processor is free")
	}
}

func TestAppendAtOnce(t *testing.T) {
	var c Compressor
	var wg sync.WaitGroup
	for i := range 8 {
		text := strings.Repeat(fmt.Sprint("client ", i, " "), 300)
		coding := []string{Gzip, Deflate}[i%2]
		wg.Go(func() {
			for range 50 {
				if got, ok := c.Append(nil, coding, []byte(text)); ok && decode(t, coding, got) != text {
					t.Error("got what belongs to another client")
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkAppend(b *testing.B) {
	var c Compressor
	text := []byte(strings.Repeat(`42["progress",{"job":"j1","msg":"processing the next item of the batch"}]`+"\x1e", 64))
	var dst []byte
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		dst, _ = c.Append(dst[:0], Gzip, text)
	}
}
