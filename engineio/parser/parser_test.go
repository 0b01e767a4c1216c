package parser_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"jobcast/engineio/parser"
)

// decode returns copies of the payload's packets: Packets decodes in place.
func decode(payload []byte) (packets []parser.Packet, err error) {
	for p, err := range parser.Packets(bytes.Clone(payload)) {
		if err != nil {
			return packets, err
		}
		p.Data = bytes.Clone(p.Data)
		packets = append(packets, p)
	}
	return packets, nil
}

func equal(a, b parser.Packet) bool {
	return a.Type == b.Type && a.Binary == b.Binary && bytes.Equal(a.Data, b.Data)
}

func text(t parser.Type, data string) parser.Packet {
	return parser.Packet{Type: t, Data: []byte(data)}
}

func binary(data ...byte) parser.Packet {
	return parser.Packet{Type: parser.TypeMessage, Binary: true, Data: data}
}

func TestPayloads(t *testing.T) {
	tests := []struct {
		name    string
		payload string
		packets []parser.Packet
	}{
		{"one message", "4hello", []parser.Packet{text(parser.TypeMessage, "hello")}},
		{"an empty message", "4", []parser.Packet{text(parser.TypeMessage, "")}},
		{"several messages", "4test1\x1e4test2\x1e4test3", []parser.Packet{
			text(parser.TypeMessage, "test1"), text(parser.TypeMessage, "test2"), text(parser.TypeMessage, "test3")}},
		{"text and binary", "4hello\x1ebAQIDBA==", []parser.Packet{text(parser.TypeMessage, "hello"), binary(1, 2, 3, 4)}},
		{"empty binary", "b", []parser.Packet{binary()}},
		{"text outside ASCII", "4€\x1e4\U0001F600", []parser.Packet{
			text(parser.TypeMessage, "€"), text(parser.TypeMessage, "\U0001F600")}},
		{"every type", "0{}\x1e1\x1e2probe\x1e3probe\x1e4\x1e5\x1e6", []parser.Packet{
			text(parser.TypeOpen, "{}"), text(parser.TypeClose, ""), text(parser.TypePing, "probe"), text(parser.TypePong, "probe"),
			text(parser.TypeMessage, ""), text(parser.TypeUpgrade, ""), text(parser.TypeNoop, "")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := decode([]byte(tt.payload))
			if err != nil || !slices.EqualFunc(got, tt.packets, equal) {
				t.Errorf("decode %q: got %v, %v, want %v", tt.payload, got, err, tt.packets)
			}
			if got := parser.AppendPayload(nil, tt.packets...); string(got) != tt.payload {
				t.Errorf("encode: got %q, want %q", got, tt.payload)
			}
		})
	}
}

func TestBadPayloads(t *testing.T) {
	tests := []struct {
		name    string
		payload string
		before  int // good packets before the bad one
		err     error
	}{
		{"nothing", "", 0, parser.ErrEmpty},
		{"an empty packet between two", "4a\x1e\x1e4b", 1, parser.ErrEmpty},
		{"a separator at the end", "4a\x1e", 1, parser.ErrEmpty},
		{"a letter for a type", "abc", 0, parser.ErrType},
		{"a type too high", "7", 0, parser.ErrType},
		{"a payload of revision 3", "6:4hello", 0, nil}, // a NOOP, whose data means nothing
		{"not base64", "4a\x1eb!!!!", 1, parser.ErrBase64},
		{"base64 without its end", "bAQIDBA", 0, parser.ErrBase64},
		{"not UTF-8", "4a\x1e4\xff", 1, parser.ErrUTF8},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := decode([]byte(tt.payload))
			if !errors.Is(err, tt.err) {
				t.Errorf("decode %q: got error %v, want %v", tt.payload, err, tt.err)
			}
			if tt.err != nil && len(got) != tt.before {
				t.Errorf("decode %q: got %d packets before the error, want %d", tt.payload, len(got), tt.before)
			}
		})
	}
}

func TestHandshake(t *testing.T) {
	h := parser.Handshake{SID: "abc", PingInterval: 25 * time.Second, PingTimeout: 20 * time.Second, MaxPayload: 1e6}
	want := `0{"sid":"abc","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`
	if got := string(parser.AppendPacket(nil, h.Packet())); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	h.Upgrades = []string{"websocket"}
	if got := string(h.Packet().Data); !strings.Contains(got, `"upgrades":["websocket"]`) {
		t.Errorf("got %s, want the upgrade in it", got)
	}
}

// FuzzPackets checks that what was decoded, encoded and decoded again is the same, and that decoding in
// place gives what decoding into a buffer of its own would.
func FuzzPackets(f *testing.F) {
	for _, s := range []string{
		"", "4hello", "4hello\x1ebAQIDBA==", "2probe", "b", "bAQ==\x1ebAQI=\x1ebAQID", "4\x1e\x1e4", "abc",
		"b\nAQID\r\nBAUGBwgJCgsMDQ4P\n", "b" + strings.Repeat("QUJD", 40),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		packets, err := decode(payload)
		elements := bytes.Split(payload, []byte{parser.Separator})
		for i, p := range packets {
			if p.Binary {
				want, err := base64.StdEncoding.DecodeString(string(elements[i][1:]))
				if err != nil || !bytes.Equal(p.Data, want) {
					t.Fatalf("packet %d of %q: got %x, want %x, %v", i, payload, p.Data, want, err)
				}
			}
		}
		if len(packets) == 0 {
			if err == nil {
				t.Fatalf("%q: got neither packets nor an error", payload)
			}
			return
		}
		again, err := decode(parser.AppendPayload(nil, packets...))
		if err != nil || !slices.EqualFunc(again, packets, equal) {
			t.Fatalf("%q: got %v, %v the second time, want %v", payload, again, err, packets)
		}
	})
}
