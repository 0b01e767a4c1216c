package parser

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
)

// As engine.io-client 3 writes it: a line feed as \n, and what was \n before as \\n.
func TestFormPayloadV3(t *testing.T) {
	for _, payload := range []string{"", "2:4a", "6:4a\nb\n\n", `8:4a\nb\\n`, "7:4é&d=%+ ", "4:4\u2028\u2029😀"} {
		escaped := strings.ReplaceAll(strings.ReplaceAll(payload, `\n`, `\\n`), "\n", `\n`)
		for _, form := range []string{"d=" + url.QueryEscape(escaped), "x=1&d=" + url.QueryEscape(escaped) + "&y=2"} {
			if got, err := FormPayloadV3([]byte(form)); err != nil || string(got) != payload {
				t.Errorf("%s: got %q, %v, want %q", form, got, err, payload)
			}
		}
	}
	if got, err := FormPayloadV3([]byte("x=1")); err != nil || len(got) > 0 {
		t.Errorf("a form without a payload: got %q, %v, want nothing", got, err)
	}
	if _, err := FormPayloadV3([]byte("d=%zz")); err == nil {
		t.Error("a form that is none: got no error")
	}
}

func TestAppendScriptV3(t *testing.T) {
	for _, payload := range []string{"", "2:4a", "4\"\\\n</script>\u2028\u2029é"} {
		got := string(AppendScriptV3([]byte("before"), "f(", payload))
		inner, ok := strings.CutPrefix(got, "beforef(")
		inner, ok2 := strings.CutSuffix(inner, ");")
		var back string
		if err := json.Unmarshal([]byte(inner), &back); !ok || !ok2 || err != nil || back != payload {
			t.Errorf("%q: got %s, %v", payload, got, err)
		}
		if strings.ContainsAny(inner, "<>\u2028\u2029") {
			t.Errorf("%q: got %s, which a page could take for its own", payload, inner)
		}
	}
}
