package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"syscall"

	"jobcast/engineio/webtransport"
)

// loadCertificate returns what TLS is spoken with, or nil for plain HTTP.
func (s *Server) loadCertificate() (*tls.Config, error) {
	if s.cfg.TLSCert == "" {
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(s.cfg.TLSCert, s.cfg.TLSKey)
	if err != nil {
		return nil, fmt.Errorf("cannot use the certificate %s with the key %s: %w; name others with %s and %s",
			s.cfg.TLSCert, s.cfg.TLSKey, reason(err), s.cfg.Called("TLSCert"), s.cfg.Called("TLSKey"))
	}
	// net/http speaks HTTP/2 with who asks for it. A browser has six connections to a server over HTTP/1.1, and each
	// stream of events would keep one. It opens WebSockets on connections of their own, over HTTP/1.1.
	return &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2", "http/1.1"}}, nil
}

// plain is the connection below TLS, if c speaks that.
func plain(c net.Conn) net.Conn {
	if t, ok := c.(*tls.Conn); ok {
		return t.NetConn()
	}
	return c
}

// A quicServer serves WebTransport on the UDP port with the number of the listener's. Nil serves nothing.
type quicServer struct {
	*webtransport.Server
	socket net.PacketConn
	self   *webtransport.SelfSigned // nil if there is a certificate
	served chan error               // made by serve
}

// listenQUIC listens, if that is asked for.
func (s *Server) listenQUIC(ctx context.Context) (*quicServer, error) {
	if !s.cfg.WebTransport {
		return nil, nil
	}
	q := &quicServer{}
	certificate := s.certificate
	if certificate == nil {
		host, _, _ := net.SplitHostPort(address(s.listener)) // it has a port
		var err error
		if q.self, err = webtransport.NewSelfSigned("localhost", host); err != nil {
			return nil, err
		}
		certificate = q.self.TLS()
	}
	var err error
	at, flag, own := s.listener.Addr().String(), s.cfg.Called("Listen"), s.cfg.Called("WebTransport")
	q.socket, err = new(net.ListenConfig).ListenPacket(ctx, "udp", at)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("UDP address %s is taken by another program; stop that one, choose another address with %s, "+
			"or leave %s out", at, flag, own)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("UDP address %s is not allowed to this user; choose a port above 1023 with %s", at, flag)
	case err != nil:
		return nil, fmt.Errorf("cannot listen on UDP address %s: %w; choose another with %s, or leave %s out",
			at, reason(err), flag, own)
	}
	q.Server = webtransport.New(webtransport.Config{TLS: certificate, Logger: s.log})
	return q, nil
}

// accept is for engineio.Config.WebTransport.
func (q *quicServer) accept() func(http.ResponseWriter, *http.Request) (net.Conn, error) {
	if q == nil {
		return nil
	}
	return q.Accept
}

// hashes is for web.Config.CertificateHashes.
func (q *quicServer) hashes() func() ([][]byte, error) {
	switch {
	case q == nil:
		return nil
	case q.self == nil:
		return func() ([][]byte, error) { return nil, nil }
	}
	return func() ([][]byte, error) {
		hash, err := q.self.Hash()
		return [][]byte{hash}, err
	}
}

// serve starts to serve, and returns what there is to say about it.
func (q *quicServer) serve(h http.Handler) (line string) {
	if q == nil {
		return ""
	}
	q.served = make(chan error, 1)
	go func() { q.served <- q.Serve(q.socket, h) }()
	trust := ""
	if q.self != nil {
		trust = ", with a certificate for development that pages trust by /webtransport.json"
	}
	return fmt.Sprintf("WebTransport on UDP %s%s\n", q.socket.LocalAddr(), trust)
}

// close ends what serve has started.
func (q *quicServer) close() error {
	if q == nil {
		return nil
	}
	return errors.Join(q.Close(), <-q.served)
}

// free frees the port, whether it has served or not.
func (q *quicServer) free() error {
	if q == nil {
		return nil
	}
	_ = q.Close() // a second time, if it has served
	q.socket.Close()
	return nil
}
