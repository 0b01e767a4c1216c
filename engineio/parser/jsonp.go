package parser

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
)

// FormPayloadV3 returns the payload in the form that a client of JSONP posts. Browsers change line feeds in a
// form, so a line feed is written as \n, and what was \n before as \\n.
func FormPayloadV3(body []byte) ([]byte, error) {
	var field []byte
	for f := range bytes.SplitSeq(body, []byte{'&'}) {
		if value, ok := bytes.CutPrefix(f, []byte("d=")); ok {
			field = value
			break
		}
	}
	value, err := url.QueryUnescape(string(field))
	if err != nil {
		return nil, fmt.Errorf("form of a payload: %w", err)
	}
	payload := make([]byte, 0, len(value))
	for i := 0; i < len(value); i++ {
		switch rest := value[i:]; {
		case strings.HasPrefix(rest, `\\n`):
			payload = append(payload, `\n`...)
			i += 2
		case strings.HasPrefix(rest, `\n`):
			payload = append(payload, '\n')
			i++
		default:
			payload = append(payload, value[i])
		}
	}
	return payload, nil
}

// AppendScriptV3 appends a payload as the script that a client of JSONP gets: a call, whose beginning is
// given, with the payload as a string.
func AppendScriptV3(dst []byte, call, payload string) []byte {
	// A string in JSON with the characters of HTML, U+2028 and U+2029 escaped is one in every JavaScript.
	script, err := json.Marshal(payload)
	if err != nil {
		panic(err) // a string always marshals
	}
	return append(append(append(dst, call...), script...), ");"...)
}
