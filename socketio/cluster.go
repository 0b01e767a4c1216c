package socketio

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	"jobcast/socketio/internal/work"
)

// A Cluster joins the Servers of one process, such as one behind a public and one behind a private address.
// What is emitted to a namespace, a room or a socket's ID on one of them reaches the sockets of all, unless
// the Target is Local; Sockets, Join, Leave, Disconnect, AskEach and AskAll span all of them too. A parent
// of Server.OfPattern stands for the children of every server's parent with that pattern, one of
// Server.OfFunc for those of its own server.
//
// Servers also talk to one another: Event.EmitServers, Call.AskServers.
//
// The zero Cluster is ready to be put into Config.Cluster.
type Cluster struct {
	mu      sync.Mutex                // serializes changes
	servers atomic.Pointer[[]*Server] // replaced as a whole
}

// ErrServerBusy is the error of an event for servers of which one has 10,000 that wait for their handler.
var ErrServerBusy = errors.New("socketio: a server of the cluster does not keep up")

var errServerGone = errors.New("socketio: the server has closed")

// maxServerEvents bounds the events of other servers that wait for their handler. More are refused.
const maxServerEvents = 10_000

func (c *Cluster) change(f func([]*Server) []*Server) {
	c.mu.Lock()
	defer c.mu.Unlock()
	servers := f(slices.Clone(c.all()))
	c.servers.Store(&servers)
}

func (c *Cluster) all() []*Server {
	if servers := c.servers.Load(); servers != nil {
		return *servers
	}
	return nil
}

func (c *Cluster) join(s *Server) {
	if c != nil {
		c.change(func(all []*Server) []*Server { return append(all, s) })
	}
}

func (c *Cluster) leave(s *Server) {
	if c != nil {
		c.change(func(all []*Server) []*Server {
			return slices.DeleteFunc(all, func(other *Server) bool { return other == s })
		})
	}
}

// peers returns what stands for the namespace on the other servers.
func (n *Namespace) peers() (peers []*Namespace) {
	cluster := n.srv.cfg.Cluster
	if cluster == nil {
		return nil
	}
	for _, srv := range cluster.all() {
		if srv == n.srv {
			continue
		}
		if peer := srv.counterpart(n); peer != nil {
			peers = append(peers, peer)
		}
	}
	return peers
}

// counterpart returns the namespace that is n on another server, or nil.
func (s *Server) counterpart(n *Namespace) *Namespace {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if n.family == nil {
		return s.namespaces[n.name]
	}
	at := slices.IndexFunc(s.parents, func(p *Namespace) bool {
		return n.family.pattern != nil && p.family.pattern != nil && p.name == n.name
	})
	if at < 0 {
		return nil
	}
	return s.parents[at]
}

// A ServerHandler handles an event that other servers send. Event.OnServers and Call.OnServers make it.
type ServerHandler struct {
	name  string
	serve func(ctx context.Context, args Args) (Args, error)
}

// HandleServers registers handlers for what other servers of the Cluster send to this namespace. They run
// one after the other, in the order in which each server has sent, and must not wait for an answer of the
// server that they come from. It panics if an event is handled twice.
func (n *Namespace) HandleServers(hs ...ServerHandler) {
	r := n.own()
	for _, h := range hs {
		if h.serve == nil {
			panic("socketio: a ServerHandler comes from Event.OnServers or Call.OnServers")
		}
		if _, ok := r.servers[h.name]; ok {
			panic("socketio: namespace " + n.name + ": event " + h.name + " of servers is handled twice")
		}
		if r.servers == nil {
			r.servers = map[string]ServerHandler{}
		}
		r.servers[h.name] = h
	}
}

// OnServers returns the handler of the event when another server sends it. ctx ends when this server closes.
func (e Event[T]) OnServers(h func(ctx context.Context, payload T) error) ServerHandler {
	return ServerHandler{e.name, func(ctx context.Context, args Args) (Args, error) {
		payload, err := DecodeArgs[T](e.name, args)
		if err != nil {
			return Args{}, err
		}
		return Args{}, h(ctx, payload)
	}}
}

// OnServers returns the handler of the call when another server makes it. ctx ends when this server closes,
// or the caller no longer waits.
func (c Call[Req, Res]) OnServers(h func(ctx context.Context, req Req) (Res, error)) ServerHandler {
	return ServerHandler{c.name, func(ctx context.Context, args Args) (Args, error) {
		req, err := DecodeArgs[Req](c.name, args)
		if err != nil {
			return Args{}, err
		}
		res, err := h(ctx, req)
		if err != nil {
			return Args{}, err
		}
		return EncodeArgs(res)
	}}
}

// EmitServers sends the event to the same namespace of every other server of the Cluster, and to none of
// their clients (serverSideEmit in Node). It returns at once. Each handler gets a payload of its own. Where nothing handles it, it is ignored. The
// error is that of encoding the payload, or ErrServerBusy; the servers that keep up have the event then.
func (e Event[T]) EmitServers(n *Namespace, payload T) error {
	args, err := EncodeArgs(payload)
	if err != nil {
		return fmt.Errorf("encode event %s: %w", e.name, err)
	}
	for _, peer := range n.peers() {
		h, ok := peer.rules.servers[e.name]
		if ok && !peer.srv.accepts(newServerEvent(context.Background(), peer, h, args)) {
			err = ErrServerBusy
		}
	}
	return err
}

// AskServers makes the call to the same namespace of every other server of the Cluster that handles it and
// waits for the answers, for Config.AckTimeout at the most if ctx has no deadline. The answers are in the
// order in which they came. If a server gives none, there is an error beside those of the others, which
// wraps that of each such server: what its handler returned, ErrServerBusy, or that of ctx; a server that has closed
// meanwhile is not waited for.
func (c Call[Req, Res]) AskServers(ctx context.Context, n *Namespace, req Req) ([]Res, error) {
	ctx, cancel := n.target().deadline(ctx)
	defer cancel()
	args, err := EncodeArgs(req)
	if err != nil {
		return nil, fmt.Errorf("encode event %s: %w", c.name, err)
	}
	peers := n.peers()
	replies, asked := make(chan reply, len(peers)), 0
	var errs []error
	for _, peer := range peers {
		h, ok := peer.rules.servers[c.name]
		if !ok {
			continue
		}
		e := newServerEvent(ctx, peer, h, args)
		e.Job.replies = replies
		if !peer.srv.accepts(e) {
			errs = append(errs, ErrServerBusy)
			continue
		}
		asked++
		defer context.AfterFunc(peer.srv.ctx, e.Job.abandon)()
	}
	var answers []Res
	for range asked {
		var r reply
		select {
		case r = <-replies:
		case <-ctx.Done():
			r.err = context.Cause(ctx)
		}
		if r.err == nil {
			var res Res
			if res, r.err = DecodeArgs[Res](c.name, r.args); r.err == nil {
				answers = append(answers, res)
			}
		}
		if r.err != nil {
			errs = append(errs, r.err)
		}
	}
	if len(errs) > 0 {
		return answers, fmt.Errorf("ask %s: %d of %d servers gave no answer: %w", c.name, len(errs), len(errs)+len(answers), errors.Join(errs...))
	}
	return answers, nil
}

// A serverEvent is an event on its way to the handler of another server.
type serverEvent struct {
	ctx     context.Context
	ns      *Namespace
	handler ServerHandler
	args    Args
	replies chan<- reply // has room for all; nil if nobody waits
	claimed atomic.Bool  // by the handler, or by the end of its server: who claims it replies
}

// newServerEvent has arguments of its own, since its handler may keep and change what it gets.
func newServerEvent(ctx context.Context, ns *Namespace, h ServerHandler, args Args) *work.Item[serverEvent] {
	return &work.Item[serverEvent]{Job: serverEvent{ctx: ctx, ns: ns, handler: h, args: args.clone()}}
}

// abandon replies for a server that has closed before it came to the event: it may not come to it any more.
func (e *serverEvent) abandon() {
	if e.claimed.CompareAndSwap(false, true) {
		e.replies <- reply{err: errServerGone}
	}
}

// accepts puts an event of another server behind those that wait. It returns false if there are too many.
func (s *Server) accepts(e *work.Item[serverEvent]) bool {
	if s.serverEvents.Add(1) > maxServerEvents {
		s.serverEvents.Add(-1)
		return false
	}
	return s.fromServers.Put(e, 0, 0, 0)
}

// Group is where the event is handled.
func (e *serverEvent) Group() *work.Group { return &e.ns.srv.tasks }

// Run handles the event.
func (e *serverEvent) Run() {
	srv := e.ns.srv
	srv.serverEvents.Add(-1)
	if !e.claimed.CompareAndSwap(false, true) {
		return
	}
	args, err := e.handle()
	if err != nil && e.replies == nil {
		srv.log.Error("event of another server failed", "nsp", e.ns.name, "event", e.handler.name, "err", err)
	}
	if e.replies != nil {
		e.replies <- reply{args: args.clone(), err: err} // the handler may have kept them
	}
}

func (e *serverEvent) handle() (args Args, err error) {
	ctx, cancel := context.WithCancelCause(e.ctx)
	defer cancel(nil)
	defer context.AfterFunc(e.ns.srv.ctx, func() { cancel(errServerGone) })()
	defer func() {
		if v := recover(); v != nil {
			e.ns.srv.log.Error("handler panicked", "nsp", e.ns.name, "event", e.handler.name, "err", v, "stack", string(debug.Stack()))
			err = errPanic
		}
	}()
	return e.handler.serve(ctx, e.args)
}
