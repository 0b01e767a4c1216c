package cors

import (
	"errors"
	"net/url"
	"strings"
)

// ParseOrigin reads an origin as a person writes it for Config.Origins: a scheme, http or https, and a host, with its
// port if that is not the scheme's own, such as https://example.com:8443, or * for all. It returns it without a slash
// at its end. Anything else is an error: null too, which is the origin of files and the like.
func ParseOrigin(text string) (string, error) {
	u, err := url.Parse(text)
	if text == "*" || err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" &&
		strings.TrimSuffix(text, "/") == u.Scheme+"://"+u.Host {
		return strings.TrimSuffix(text, "/"), nil
	}
	return "", errors.New("cors: this is not an origin")
}
