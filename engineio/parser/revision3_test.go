package parser_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"iter"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"jobcast/engineio/parser"
)

type decoder func([]byte) iter.Seq2[parser.Packet, error]

// decodeV3 returns copies of the payload's packets: they are decoded in place.
func decodeV3(decode decoder, payload []byte) (packets []parser.Packet, err error) {
	for p, err := range decode(bytes.Clone(payload)) {
		if err != nil {
			return packets, err
		}
		p.Data = bytes.Clone(p.Data)
		packets = append(packets, p)
	}
	return packets, nil
}

func encodeV3(encode func([]byte, parser.Packet) []byte, packets []parser.Packet) (payload []byte) {
	for _, p := range packets {
		payload = encode(payload, p)
	}
	return payload
}

func TestPayloadsV3(t *testing.T) {
	for _, tt := range []struct {
		name         string
		text, binary string
		packets      []parser.Packet
	}{
		{"one message", "6:4hello", "\x00\x06\xff4hello", []parser.Packet{text(parser.TypeMessage, "hello")}},
		{"an empty message", "1:4", "\x00\x01\xff4", []parser.Packet{text(parser.TypeMessage, "")}},
		{"several", "6:4test12:4\n1:6", "\x00\x06\xff4test1\x00\x02\xff4\n\x00\x01\xff6", []parser.Packet{
			text(parser.TypeMessage, "test1"), text(parser.TypeMessage, "\n"), text(parser.TypeNoop, "")}},
		{"text and binary", "6:4hello10:b4AQIDBA==", "\x00\x06\xff4hello\x01\x05\xff\x04\x01\x02\x03\x04",
			[]parser.Packet{text(parser.TypeMessage, "hello"), binary(1, 2, 3, 4)}},
		{"empty binary", "2:b4", "\x01\x01\xff\x04", []parser.Packet{binary()}},
		{"text outside ASCII", "2:4€3:4\U0001F600", "\x00\x04\xff4€\x00\x05\xff4\U0001F600",
			[]parser.Packet{text(parser.TypeMessage, "€"), text(parser.TypeMessage, "\U0001F600")}},
		{"long", "101:4" + strings.Repeat("x", 100), "\x00\x01\x00\x01\xff4" + strings.Repeat("x", 100),
			[]parser.Packet{text(parser.TypeMessage, strings.Repeat("x", 100))}},
		{"every type", "3:0{}1:16:2probe6:3probe1:41:51:6",
			"\x00\x03\xff0{}\x00\x01\xff1\x00\x06\xff2probe\x00\x06\xff3probe\x00\x01\xff4\x00\x01\xff5\x00\x01\xff6", []parser.Packet{
				text(parser.TypeOpen, "{}"), text(parser.TypeClose, ""), text(parser.TypePing, "probe"), text(parser.TypePong, "probe"),
				text(parser.TypeMessage, ""), text(parser.TypeUpgrade, ""), text(parser.TypeNoop, "")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := decodeV3(parser.PacketsV3, []byte(tt.text))
			if err != nil || !slices.EqualFunc(got, tt.packets, equal) {
				t.Errorf("decode %q: got %v, %v, want %v", tt.text, got, err, tt.packets)
			}
			got, err = decodeV3(parser.BinaryPacketsV3, []byte(tt.binary))
			if err != nil || !slices.EqualFunc(got, tt.packets, equal) {
				t.Errorf("decode %q: got %v, %v, want %v", tt.binary, got, err, tt.packets)
			}
			if got := encodeV3(parser.AppendPacketV3, tt.packets); string(got) != tt.text {
				t.Errorf("encode: got %q, want %q", got, tt.text)
			}
			if got := encodeV3(parser.AppendBinaryPacketV3, tt.packets); string(got) != tt.binary {
				t.Errorf("encode in binary: got %q, want %q", got, tt.binary)
			}
		})
	}
}

func TestBadPayloadsV3(t *testing.T) {
	for _, tt := range []struct {
		name    string
		decode  decoder
		payload string
		before  int // good packets before the bad one
		err     error
	}{
		{"nothing", parser.PacketsV3, "", 0, parser.ErrEmpty},
		{"no length", parser.PacketsV3, "1:4:4", 1, parser.ErrLength},
		{"a length alone", parser.PacketsV3, "1:42", 1, parser.ErrLength},
		{"a length that is too long", parser.PacketsV3, "1:46:4hell", 1, parser.ErrLength},
		{"an enormous length", parser.PacketsV3, strings.Repeat("9", 400) + ":4", 0, parser.ErrLength},
		{"a negative length", parser.PacketsV3, "-1:4", 0, parser.ErrLength},
		{"half a character", parser.PacketsV3, "1:42:4\U0001F600", 1, parser.ErrLength},
		{"not UTF-8", parser.PacketsV3, "1:42:4\xff", 1, parser.ErrUTF8},
		{"a type too high", parser.PacketsV3, "1:7", 0, parser.ErrType},
		{"not base64", parser.PacketsV3, "1:46:b4!!!!", 1, parser.ErrBase64},
		{"base64 of no type", parser.PacketsV3, "1:b", 0, parser.ErrType},
		{"base64 that is not a message", parser.PacketsV3, "6:b2AQI=", 0, parser.ErrType},

		{"nothing", parser.BinaryPacketsV3, "", 0, parser.ErrEmpty},
		{"a packet of neither kind", parser.BinaryPacketsV3, "\x00\x01\xff4\x02\x01\xff4", 1, parser.ErrType},
		{"no length", parser.BinaryPacketsV3, "\x00\xff4", 0, parser.ErrLength},
		{"the length only", parser.BinaryPacketsV3, "\x00\x01\xff4\x00\x01", 1, parser.ErrLength},
		{"the mark only", parser.BinaryPacketsV3, "\x00\x01\xff4\x01", 1, parser.ErrLength},
		{"a length that is too long", parser.BinaryPacketsV3, "\x01\x05\xff\x04\x01\x02\x03", 0, parser.ErrLength},
		{"an enormous length", parser.BinaryPacketsV3, "\x01" + strings.Repeat("\x09", 400) + "\xff\x04", 0, parser.ErrLength},
		{"a digit that is none", parser.BinaryPacketsV3, "\x00\x0a\xff4", 0, parser.ErrLength},
		{"empty text", parser.BinaryPacketsV3, "\x00\x00\xff", 0, parser.ErrEmpty},
		{"binary without a type", parser.BinaryPacketsV3, "\x01\x00\xff", 0, parser.ErrEmpty},
		{"binary that is not a message", parser.BinaryPacketsV3, "\x01\x01\xff\x02", 0, parser.ErrType},
		{"text that is not UTF-8", parser.BinaryPacketsV3, "\x00\x02\xff4\xff", 0, parser.ErrUTF8},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := decodeV3(tt.decode, []byte(tt.payload))
			if !errors.Is(err, tt.err) || len(got) != tt.before {
				t.Errorf("decode %.40q: got %d packets and %v, want %d and %v", tt.payload, len(got), err, tt.before, tt.err)
			}
		})
	}
	if got, err := decodeV3(parser.PacketsV3, []byte("0:1:4")); err != nil || len(got) != 1 {
		t.Errorf("got %v, %v, want an empty packet passed over, as the reference does", got, err)
	}
}

// Nothing is allocated for what a length promises.
func TestLengthsV3CostNothing(t *testing.T) {
	for payload, decode := range map[string]decoder{
		"99999999:4": parser.PacketsV3,
		"\x01\x09\x09\x09\x09\x09\x09\x09\x09\xff\x04": parser.BinaryPacketsV3,
	} {
		b := []byte(payload)
		if n := testing.AllocsPerRun(100, func() {
			for _, err := range decode(b) {
				if err == nil {
					t.Error("no error")
				}
			}
		}); n > 4 { // the iterator's
			t.Errorf("%q: got %v allocations", payload, n)
		}
	}
}

// FuzzPacketsV3 checks that what was decoded, encoded and decoded again is the same, and that lengths are
// those that JavaScript counts.
func FuzzPacketsV3(f *testing.F) {
	for _, s := range []string{
		"", "6:4hello", "6:4hello10:b4AQIDBA==", "6:2probe", "2:b4", "1:42:4€3:4\U0001F600", "0:1:4", "9:4", "1:", ":",
		"99999999999999999999:4", "12:b4AQID\nBAUG",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		packets, err := decodeV3(parser.PacketsV3, payload)
		if len(packets) == 0 {
			if err == nil && len(bytes.Trim(payload, "0:")) > 0 {
				t.Fatalf("%q: got neither packets nor an error", payload)
			}
			return
		}
		encoded := encodeV3(parser.AppendPacketV3, packets)
		for rest, i := string(encoded), 0; rest != ""; i++ {
			length, after, _ := strings.Cut(rest, ":")
			p := string(packets[i].Type) + string(packets[i].Data)
			if packets[i].Binary {
				p = "b4" + base64.StdEncoding.EncodeToString(packets[i].Data)
			}
			if want := len(utf16.Encode([]rune(p))); !strings.HasPrefix(after, p) || length != strconv.Itoa(want) {
				t.Fatalf("%q: packet %d has the length %s, want %d", encoded, i, length, want)
			}
			rest = after[len(p):]
		}
		again, err := decodeV3(parser.PacketsV3, encoded)
		if err != nil || !slices.EqualFunc(again, packets, equal) {
			t.Fatalf("%q: got %v, %v the second time, want %v", payload, again, err, packets)
		}
		checkBinaryV3(t, packets)
	})
}

// FuzzBinaryPacketsV3 is the same for binary payloads.
func FuzzBinaryPacketsV3(f *testing.F) {
	for _, s := range []string{
		"", "\x00\x06\xff4hello", "\x00\x06\xff4hello\x01\x05\xff\x04\x01\x02\x03\x04", "\x01\x01\xff\x04", "\x01\x09\x09\x09",
		"\x00\x04\xff4€", "\x00\x08\xffb4AQIDBA", "\x02",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		packets, err := decodeV3(parser.BinaryPacketsV3, payload)
		if len(packets) == 0 && err == nil {
			t.Fatalf("%q: got neither packets nor an error", payload)
		}
		checkBinaryV3(t, packets)
	})
}

func checkBinaryV3(t *testing.T, packets []parser.Packet) {
	if len(packets) == 0 {
		return
	}
	encoded := encodeV3(parser.AppendBinaryPacketV3, packets)
	again, err := decodeV3(parser.BinaryPacketsV3, encoded)
	if err != nil || !slices.EqualFunc(again, packets, equal) {
		t.Fatalf("%q: got %v, %v, want %v", encoded, again, err, packets)
	}
}
