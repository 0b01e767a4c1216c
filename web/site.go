package web

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"jobcast/jobs"
)

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
