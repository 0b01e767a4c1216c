package limit

import "testing"

func TestAddress(t *testing.T) {
	for remote, want := range map[string]string{
		"203.0.113.7:51234":            "203.0.113.7",
		"203.0.113.7":                  "203.0.113.7",
		"[::ffff:203.0.113.7]:1":       "203.0.113.7",
		"[2001:db8:1:2:3:4:5:6]:51234": "2001:db8:1:2::/64",
		"2001:db8:1:2::9":              "2001:db8:1:2::/64",
		"[fe80::1%eth0]:80":            "fe80::/64",
		"[::1]:80":                     "::/64",
		"pipe":                         "pipe",
		"@":                            "@",
		"":                             "",
	} {
		if got := Address(remote); got != want {
			t.Errorf("%q: got %q, want %q", remote, got, want)
		}
	}
}
