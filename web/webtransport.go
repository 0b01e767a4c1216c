package web

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// getWebTransport tells a page what the constructor of a WebTransport to this server needs, in the words of
// W3C's WebTransportOptions but for the value, which is in base64.
func (s *server) getWebTransport(c echo.Context) error {
	type hash struct {
		Algorithm string `json:"algorithm"`
		Value     []byte `json:"value"`
	}
	options := struct {
		ServerCertificateHashes []hash `json:"serverCertificateHashes"`
	}{[]hash{}}
	hashes, err := s.CertificateHashes()
	if err != nil {
		return err
	}
	for _, h := range hashes {
		options.ServerCertificateHashes = append(options.ServerCertificateHashes, hash{"sha-256", h})
	}
	return s.respond(c, http.StatusOK, options)
}
