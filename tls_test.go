package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	quicwt "github.com/quic-go/webtransport-go"

	"jobcast/engineio/webtransport"
)

// openWebTransport opens a session on a WebTransport to the server at address, by whatever name, and returns
// its OPEN packet. check looks at the server's certificate.
func openWebTransport(t *testing.T, address, host string, check func(*x509.Certificate) error) (packet string, status int) {
	t.Helper()
	d := &quicwt.Transport{
		TLSClientConfig: &tls.Config{
			NextProtos:         []string{http3.NextProtoH3},
			InsecureSkipVerify: true, // check is what verifies it
			VerifyConnection: func(s tls.ConnectionState) error {
				return check(s.PeerCertificates[0])
			},
		},
		QUICConfig: &quic.Config{EnableDatagrams: true, EnableStreamResetPartialDelivery: true},
		DialAddr: func(ctx context.Context, _ string, tlsCfg *tls.Config, cfg *quic.Config) (*quic.Conn, error) {
			return quic.DialAddr(ctx, address, tlsCfg, cfg)
		},
	}
	t.Cleanup(func() { d.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	resp, session, err := d.Dial(ctx, "https://"+host+"/socket.io/", nil)
	if err != nil {
		if resp == nil {
			t.Fatal(err)
		}
		return "", resp.StatusCode
	}
	stream, err := session.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	_ = stream.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := stream.Write([]byte("\x010")); err != nil {
		t.Fatal(err)
	}
	// The answer is one short frame: its length in a byte, and as much text.
	var length [1]byte
	if _, err := io.ReadFull(stream, length[:]); err != nil || length[0] > 125 {
		t.Fatalf("got a frame that begins with %x, %v, want a short one of text", length, err)
	}
	text := make([]byte, length[0])
	if _, err := io.ReadFull(stream, text); err != nil {
		t.Fatal(err)
	}
	return string(text), resp.StatusCode
}

func TestWebTransportForDevelopment(t *testing.T) {
	p := startServer(t, "--webtransport")
	address := strings.TrimPrefix(p.url, "http://")
	_, body := get(t, p.url+"/webtransport.json")
	var options struct {
		ServerCertificateHashes []struct {
			Algorithm string
			Value     []byte
		}
	}
	if err := json.Unmarshal([]byte(body), &options); err != nil || len(options.ServerCertificateHashes) != 1 ||
		options.ServerCertificateHashes[0].Algorithm != "sha-256" {
		t.Fatalf("got %s, %v", body, err)
	}
	trusted := func(c *x509.Certificate) error {
		if sum := sha256.Sum256(c.Raw); !bytes.Equal(sum[:], options.ServerCertificateHashes[0].Value) {
			return errors.New("another certificate")
		}
		return c.VerifyHostname("127.0.0.1")
	}
	packet, _ := openWebTransport(t, address, address, trusted)
	if !strings.HasPrefix(packet, `0{"sid":"`) {
		t.Errorf("got the packet %q", packet)
	}
	// Names of other sites are no more served than over HTTP.
	if _, status := openWebTransport(t, address, "evil.example", trusted); status != http.StatusMisdirectedRequest {
		t.Errorf("another site's name: got %d", status)
	}
	_, body = get(t, p.url+"/socket.io/?EIO=4&transport=polling")
	if !strings.Contains(body, `"upgrades":["websocket","webtransport"]`) {
		t.Errorf("got the handshake %s", body)
	}
	p.signal(syscall.SIGTERM)
	if err := p.wait(time.Minute); err != nil {
		t.Errorf("SIGTERM: got %v, want exit code 0: %s", err, p.stderr)
	}
}

func TestWebTransportIsOff(t *testing.T) {
	p := startServer(t)
	if status, _ := get(t, p.url+"/webtransport.json"); status != http.StatusNotFound {
		t.Errorf("got %d", status)
	}
	if _, body := get(t, p.url+"/socket.io/?EIO=4&transport=polling"); strings.Contains(body, "webtransport") {
		t.Errorf("got the handshake %s", body)
	}
}

func TestTLS(t *testing.T) {
	cert, key, pool := certificateFiles(t)
	p := startServer(t, "--webtransport", "--tls-cert", cert, "--tls-key", key)
	address, ok := strings.CutPrefix(p.url, "https://")
	if !ok {
		t.Fatalf("got %q at start", p.line)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	for path, want := range map[string]string{
		"/webtransport.json":                  `{"serverCertificateHashes":[]}`,
		"/socket.io/?EIO=4&transport=polling": `"upgrades":["websocket","webtransport"]`,
	} {
		resp, err := client.Get(p.url + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !strings.Contains(string(body), want) {
			t.Errorf("GET %s: got %s, %v", path, body, err)
		}
	}
	packet, _ := openWebTransport(t, address, address, func(c *x509.Certificate) error {
		_, err := c.Verify(x509.VerifyOptions{Roots: pool, DNSName: "127.0.0.1"})
		return err
	})
	if !strings.HasPrefix(packet, `0{"sid":"`) {
		t.Errorf("got the packet %q", packet)
	}
}

// certificateFiles writes a certificate for 127.0.0.1 and its key, and returns who trusts it.
func certificateFiles(t *testing.T) (certFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	self, err := webtransport.NewSelfSigned("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	cert, err := self.TLS().GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AddCert(leaf)
	return write("cert.pem", "CERTIFICATE", cert.Certificate[0]), write("key.pem", "PRIVATE KEY", key), pool
}
