package web

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"jobcast/jobs"
)

// guard stands before every handler but the sockets'. It refuses what another site's page may not ask
// for, and makes one answer out of a panic.
func (s *server) guard(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		c.Response().Header().Set("X-Content-Type-Options", "nosniff")
		if req := c.Request(); !safe(req.Method) {
			if err := s.checkSite(req); err != nil {
				return err
			}
		}
		defer func() {
			reason := recover()
			if reason == nil {
				return
			}
			if reason == http.ErrAbortHandler { //nolint:errorlint // as net/http compares what was panicked with
				panic(reason)
			}
			s.Logger.Error("request handler panicked", "method", c.Request().Method, "path", c.Path(),
				"err", reason, "stack", string(debug.Stack()))
			if c.Response().Committed {
				panic(http.ErrAbortHandler) // the client must not take what it has for the whole
			}
			err = errPanic
		}()
		return next(c)
	}
}

var errPanic = errors.New("web: a handler panicked")

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

// errForeign refuses what another site's page asks for. A page on another port is of another site, too.
var errForeign = jobs.NewProblem(jobs.CodeForbidden, "a page of another origin may not change anything here")

// checkSite refuses a request that a page of another origin has made. A browser says so by Sec-Fetch-Site; one
// that does not, as over plain HTTP from another machine, by Origin, or else by Referer. A request with none of
// them is a program's, or that of a page which has the browser hide where it comes from; nothing tells those
// two apart.
func (s *server) checkSite(r *http.Request) error {
	// Whatever its method is: some of the tutorials' routes change things by GET.
	if s.foreign.Check(&http.Request{Method: http.MethodPost, Header: r.Header, Host: r.Host, URL: r.URL}) != nil {
		return errForeign
	}
	referer := r.Header.Get("Referer")
	if referer == "" || r.Header.Get("Sec-Fetch-Site") != "" || r.Header.Get("Origin") != "" {
		return nil
	}
	if u, err := url.Parse(referer); err != nil || !strings.EqualFold(u.Host, r.Host) {
		return errForeign
	}
	return nil
}

// safe reports whether a request with this method changes nothing (RFC 9110, "Safe Methods"), unless its route
// is made with changing.
func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// changing stands before a handler that changes something by GET.
func (s *server) changing(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := s.checkSite(c.Request()); err != nil {
			return err
		}
		return next(c)
	}
}
