package client

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// Memory is an http.Handler that is reached through pipes, without a port. It runs one goroutine that
// accepts, and those of net/http for every connection. Its methods may be called from any goroutine.
type Memory struct {
	server http.Server
	conns  chan net.Conn
	over   chan struct{}
	once   sync.Once
	wg     sync.WaitGroup
}

// InMemory starts to serve h. Use it as the Config.DialContext of several clients, or of an http.Transport;
// a single client has Config.Handler.
func InMemory(h http.Handler) *Memory {
	m := &Memory{
		server: http.Server{Handler: h},
		conns:  make(chan net.Conn),
		over:   make(chan struct{}),
	}
	m.wg.Go(func() { _ = m.server.Serve(pipeListener{m}) }) // it ends with Close only
	return m
}

// DialContext opens a connection, whatever the address. It fails as a closed port does after Close.
func (m *Memory) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case m.conns <- theirs:
		return ours, nil
	case <-m.over:
		return nil, &net.OpError{Op: "dial", Net: "pipe", Addr: pipeAddr{}, Err: net.ErrClosed}
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Close ends the serving and the connections that are not WebSockets; those end with their clients.
func (m *Memory) Close() {
	m.once.Do(func() { close(m.over) })
	_ = m.server.Close()
	m.wg.Wait()
}

// A pipeListener is a Memory as a net.Listener.
type pipeListener struct{ *Memory }

func (l pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.over:
		return nil, net.ErrClosed
	}
}

// Close lets net/http end the serving.
func (l pipeListener) Close() error {
	l.once.Do(func() { close(l.over) })
	return nil
}

func (pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "memory" }
