package jobs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// decodeArgs decodes the arguments of a kind and refuses fields that the kind does not have. Missing
// arguments are those with every field at its zero value.
func decodeArgs(raw json.RawMessage, args any) error {
	if len(raw) == 0 || string(raw) == "null" {
		raw = json.RawMessage("{}")
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	err := dec.Decode(args)
	if err == nil {
		return nil
	}
	if typed, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		pointer := "/args"
		if typed.Field != "" {
			pointer += "/" + strings.ReplaceAll(typed.Field, ".", "/")
		}
		return BadRequest(pointer, fmt.Sprintf("must be %s, not %s", jsonName(typed.Type.Kind().String()), typed.Value))
	}
	return BadRequest("/args", strings.TrimPrefix(err.Error(), "json: "))
}

// jsonName is what JSON calls a value that Go keeps in the given kind of type.
func jsonName(kind string) string {
	switch {
	case kind == "bool":
		return "a boolean"
	case kind == "string":
		return "a string"
	case kind == "slice" || kind == "array":
		return "an array"
	case strings.HasPrefix(kind, "float"):
		return "a number"
	case strings.HasPrefix(kind, "int") || strings.HasPrefix(kind, "uint"):
		return "a whole number"
	}
	return "an object"
}
