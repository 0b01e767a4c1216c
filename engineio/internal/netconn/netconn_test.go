package netconn

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// pairs are the kinds of connection: the end that is tested, and its peer.
func pairs(t *testing.T) map[string]func() (c, peer net.Conn) {
	t.Helper()
	dialed := func(network, address string) func() (c, peer net.Conn) {
		return func() (c, peer net.Conn) {
			t.Helper()
			l, err := net.Listen(network, address)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			peer, err = net.Dial(network, l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			c, err = l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			return c, peer
		}
	}
	return map[string]func() (c, peer net.Conn){
		"TCP":  dialed("tcp", "127.0.0.1:0"),
		"Unix": dialed("unix", filepath.Join(t.TempDir(), "socket")),
		"pipe": net.Pipe,
		// A connection that embeds another may do more in its Read and Write.
		"embedded": func() (c, peer net.Conn) {
			c, peer = dialed("tcp", "127.0.0.1:0")()
			return struct{ *net.TCPConn }{c.(*net.TCPConn)}, peer
		},
	}
}

func TestRead(t *testing.T) {
	for name, pair := range pairs(t) {
		t.Run(name, func(t *testing.T) {
			nc, peer := pair()
			defer nc.Close()
			go func() {
				io.WriteString(peer, "hello")
				peer.Close()
			}()
			c := New(nc)
			r := NewReader(c)
			var got []byte
			var err error
			for err == nil {
				var p []byte
				p, err = r.Read()
				got = append(got, p...)
				r.Release()
				if c.NonBlocking() && r.buf != nil {
					t.Fatal("a buffer is held between reads")
				}
			}
			if string(got) != "hello" || !errors.Is(err, io.EOF) {
				t.Errorf("got %q, %v, want hello and EOF", got, err)
			}
		})
	}
}

func TestReadDeadline(t *testing.T) {
	for name, pair := range pairs(t) {
		t.Run(name, func(t *testing.T) {
			nc, peer := pair()
			defer nc.Close()
			defer peer.Close()
			nc.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
			r := NewReader(New(nc))
			if p, err := r.Read(); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("got %q, %v, want %v", p, err, os.ErrDeadlineExceeded)
			}
		})
	}
}

// A peer that does not read makes Write give up, or wait if it is told to.
func TestWrite(t *testing.T) {
	for name, pair := range pairs(t) {
		t.Run(name, func(t *testing.T) {
			nc, peer := pair()
			defer nc.Close()
			defer peer.Close()
			c := New(nc)
			if want := name == "TCP" || name == "Unix"; c.NonBlocking() != want {
				t.Fatalf("got NonBlocking %v, want %v", c.NonBlocking(), want)
			}
			if !c.NonBlocking() {
				return
			}
			var w Writer
			block := bytes.Repeat([]byte("x"), 64<<10)
			total := 0
			for {
				n, err := w.Write(c, block, false)
				if err != nil {
					t.Fatal(err)
				}
				if total += n; n == 0 {
					break
				}
			}
			read := make(chan int64)
			go func() {
				n, _ := io.Copy(io.Discard, peer)
				read <- n
			}()
			n, err := w.Write(c, block, true)
			if n == 0 || err != nil {
				t.Errorf("got %d, %v, want Write to wait until the peer takes something", n, err)
			}
			nc.Close()
			if got := <-read; got != int64(total+n) {
				t.Errorf("the peer got %d bytes, want %d", got, total+n)
			}
			if _, err := w.Write(c, block, false); !errors.Is(err, net.ErrClosed) {
				t.Errorf("after Close: got %v, want %v", err, net.ErrClosed)
			}
		})
	}
}
