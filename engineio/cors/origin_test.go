package cors

import "testing"

func TestParseOrigin(t *testing.T) {
	for text, want := range map[string]string{
		"https://a.example": "https://a.example", "http://a.example:81/": "http://a.example:81", "*": "*", "https://[::1]:8443": "https://[::1]:8443",
	} {
		if got, err := ParseOrigin(text); err != nil || got != want {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"", "null", "a.example", "ftp://a.example", "https://", "https://a.example/x", "https://u@a.example", "https://a.example?x", "**"} {
		if got, err := ParseOrigin(text); err == nil {
			t.Errorf("%q: got %q, want an error", text, got)
		}
	}
}
