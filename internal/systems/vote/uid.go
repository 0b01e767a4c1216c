package vote

import (
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
)

// ErrUID is the error of a text that is no UID.
var ErrUID = errors.New("vote: a uid is a number such as 1")

// UID says who is voted for: the number of a candidate, or the same as text, such as "1".
//
//catalogue:or string
type UID int

// ParseUID reads a UID as people and forms write it: digits, and nothing else. The error is ErrUID.
func ParseUID(text string) (UID, error) {
	n, err := strconv.Atoi(text)
	if err != nil || text != strconv.Itoa(n) {
		return 0, ErrUID
	}
	return UID(n), nil
}

// UnmarshalJSON takes a number or a text of one.
func (u *UID) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) != nil {
		return json.Unmarshal(data, (*int)(u))
	}
	uid, err := ParseUID(text)
	if err != nil && string(data) != "null" { // which changes nothing, as everywhere in JSON
		return &json.UnmarshalTypeError{Value: "string " + strconv.Quote(text), Type: reflect.TypeFor[int]()}
	}
	*u = uid
	return nil
}
