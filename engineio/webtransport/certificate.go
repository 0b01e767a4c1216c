package webtransport

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"sync"
	"time"
)

// A SelfSigned is a certificate for development. No browser trusts it, but a page may name its hash
// (W3C WebTransport, "serverCertificateHashes"): for that it must be of ECDSA and live no longer than two
// weeks, so it is made anew when half of its time is over. Its methods may be called from any goroutine.
type SelfSigned struct {
	hosts []string

	mu   sync.Mutex // guards the fields below
	cert *tls.Certificate
	next time.Time // when it is made anew
}

// How long a certificate is valid: less than two weeks, together with an allowance for clocks that differ.
const (
	validity = 13 * 24 * time.Hour
	skew     = time.Hour
)

// NewSelfSigned returns a certificate for hosts, which are names or addresses.
func NewSelfSigned(hosts ...string) (*SelfSigned, error) {
	c := &SelfSigned{hosts: hosts}
	_, err := c.current()
	return c, err
}

// TLS is the configuration of a server that has the certificate.
func (c *SelfSigned) TLS() *tls.Config {
	return &tls.Config{
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current() },
	}
}

// Hash is the SHA-256 of the certificate. It is another after six days.
func (c *SelfSigned) Hash() ([]byte, error) {
	cert, err := c.current()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(cert.Certificate[0])
	return sum[:], nil
}

// current returns the certificate, and makes it if need be.
func (c *SelfSigned) current() (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if c.cert != nil && now.Before(c.next) {
		return c.cert, nil
	}
	cert, err := generate(c.hosts, now)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	c.cert, c.next = cert, now.Add(validity/2)
	return cert, nil
}

func generate(hosts []string, now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "jobcast, for development"},
		NotBefore:    now.Add(-skew),
		NotAfter:     now.Add(validity - skew),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
