package web

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// checkHost refuses requests for a name that is none of the server's. Without it a page of any site could
// ask, and read, what is meant for this machine alone: it needs only a name of its own that leads to
// 127.0.0.1 (DNS rebinding). No such name can be an address, so those are always served.
func (s *server) checkHost(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		host := c.Request().Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		host = strings.TrimSuffix(strings.Trim(host, "[]"), ".")
		if _, err := netip.ParseAddr(host); err == nil || host == "" || slices.ContainsFunc(s.Hosts, func(own string) bool {
			return own == "*" || strings.EqualFold(own, host)
		}) {
			return next(c)
		}
		return httpProblem(http.StatusMisdirectedRequest, fmt.Sprintf(
			"this server does not answer for the host %.100q; if that is a name of it, start it with --host %.100s", host, host))
	}
}
