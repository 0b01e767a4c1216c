package jobs

import (
	"encoding/json"
	"regexp"
)

// Limits of the live values of a job.
const (
	MaxValues      = 64       // keys
	MaxValuesBytes = 16 << 10 // of all keys and values together, as JSON
)

var valueKeyPattern = regexp.MustCompile(`^[0-9A-Za-z_.:-]{1,64}$`)

// ValidKey reports whether key can name a live value: 1 to 64 of 0-9 A-Z a-z _ . : -.
func ValidKey(key string) bool { return valueKeyPattern.MatchString(key) }

// DataValues is the data of a job.values event: the values that have changed. Of several changes of a key within a
// short time the newest is told.
type DataValues struct {
	Values map[string]json.RawMessage `json:"values"` // null: the key is not there any more
}
