package socketio

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"maps"
	"regexp"
	"slices"

	"jobcast/engineio"
)

// Errors that refuse a client which asks for a namespace. It sees their text.
var (
	// ErrInvalidNamespace: there is no namespace of that name. A function of Server.OfFunc returns it to
	// leave the name to others.
	ErrInvalidNamespace = errors.New("Invalid namespace") //nolint:staticcheck // the reference server sends it so
	// ErrTooManyNamespaces: it would be one more than Config.MaxNamespaces.
	ErrTooManyNamespaces = errors.New("Too many namespaces") //nolint:staticcheck // in the words of the other
)

// A family makes a Namespace the parent of others, which clients make by joining them.
type family struct {
	pattern  *regexp.Regexp // nil where only the function knows
	accept   func(ctx context.Context, name string, h *engineio.Handshake, auth json.RawMessage) error
	children map[string]*Namespace // Server.mu protects it
}

// OfPattern returns the parent of all namespaces whose names match the pattern, as far as Of has not
// declared them; "^/room-[0-9]+$" matches a whole name. What is registered at the parent, before the
// server starts to serve, is registered at all its children. As an Emitter it is the sockets of all
// children, and an event is encoded once for each of them.
//
// A child is made when its first client joins, and goes when its last socket is closed, unless it was asked for by
// Of, or Config.KeepNamespaces says otherwise.
func (s *Server) OfPattern(pattern *regexp.Regexp) *Namespace {
	return s.parent(pattern.String(), &family{pattern: pattern, accept: func(_ context.Context, name string, _ *engineio.Handshake, _ json.RawMessage) error {
		if !pattern.MatchString(name) {
			return ErrInvalidNamespace
		}
		return nil
	}})
}

// OfFunc is OfPattern for names that a function knows. It is asked about every client, before the
// middleware, and may block; ctx ends when the socket is closed. An error refuses the client as that of a
// middleware does, but after ErrInvalidNamespace the next parent is asked, in the order in which they were
// made.
func (s *Server) OfFunc(accept func(ctx context.Context, name string, h *engineio.Handshake, auth json.RawMessage) error) *Namespace {
	return s.parent("a function's", &family{accept: accept})
}

func (s *Server) parent(name string, f *family) *Namespace {
	n := newNamespace(s, name)
	n.family, f.children = f, map[string]*Namespace{}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parents = append(s.parents, n)
	return n
}

// Children yields the namespaces that a parent has now, in no order.
func (n *Namespace) Children() iter.Seq[*Namespace] {
	if n.family == nil {
		return func(func(*Namespace) bool) {}
	}
	n.srv.mu.RLock()
	defer n.srv.mu.RUnlock()
	return slices.Values(slices.Collect(maps.Values(n.family.children)))
}

// Child returns the parent's namespace of that name, or nil if nobody is there. Unlike Of it makes none.
func (n *Namespace) Child(name string) *Namespace {
	n.srv.mu.RLock()
	defer n.srv.mu.RUnlock()
	if n.family == nil {
		return nil
	}
	return n.family.children[name]
}

// Remove takes the namespace, and all its children, off the server. Their sockets are disconnected, and
// who asks for the name from then on is refused with ErrInvalidNamespace until Of makes another, or its parent
// does: a child whose parent stays is made again by the next client that the parent accepts. Handlers that
// run are not waited for.
func (n *Namespace) Remove() {
	n.srv.mu.Lock()
	n.srv.parents = slices.DeleteFunc(slices.Clone(n.srv.parents), func(p *Namespace) bool { return p == n })
	gone := []*Namespace{n}
	if n.family != nil {
		gone = slices.AppendSeq(gone, maps.Values(n.family.children))
	}
	for _, n := range gone {
		n.removed.Store(true)
		n.srv.forgetLocked(n)
	}
	n.srv.mu.Unlock()
	for _, n := range gone {
		n.Disconnect(false)
	}
}

// lookup returns the namespace of that name, or else the parents that may make it or have made it.
func (s *Server) lookup(name string) (*Namespace, []*Namespace) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	switch n := s.namespaces[name]; {
	case n == nil:
		return nil, slices.Clip(s.parents)
	case n.parent != nil:
		return nil, []*Namespace{n.parent}
	default:
		return n, nil
	}
}

// makeLocked makes a namespace, as a child if it gets a parent.
func (s *Server) makeLocked(name string, parent *Namespace) *Namespace {
	n := newNamespace(s, name)
	if parent != nil {
		n.parent, n.rules = parent, parent.rules
		parent.family.children[name] = n
		s.children++
	}
	s.namespaces[name] = n
	return n
}

func (s *Server) forgetLocked(n *Namespace) {
	if s.namespaces[n.name] != n {
		return
	}
	delete(s.namespaces, n.name)
	if n.parent != nil {
		delete(n.parent.family.children, n.name)
		s.children--
	}
}

// enter finds or makes the namespace that a client asks for, on its socket's inbox. Until then the
// socket's is the first parent that was asked.
func (s *Socket) enter(name string) error {
	if s.ns.family == nil {
		return nil
	}
	srv := s.conn.srv
	ns, parents := srv.lookup(name)
	if ns != nil {
		s.ns = ns
		return nil
	}
	for _, parent := range parents {
		err := s.guard("namespace", func() error { return parent.family.accept(s.ctx, name, s.Handshake(), s.auth) })
		if err == nil {
			var made bool
			if made, err = srv.join(s, name, parent); made {
				s.guard("hook", func() error { srv.announce(s.ns); return nil })
			}
		}
		if !errors.Is(err, ErrInvalidNamespace) {
			return err
		}
	}
	return ErrInvalidNamespace
}

// join gives the socket a child of parent, which stays as long as the socket does. The error is
// ErrInvalidNamespace if parent is gone, or another has made the namespace meanwhile.
func (s *Server) join(socket *Socket, name string, parent *Namespace) (made bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.namespaces[name]
	if n == nil {
		switch {
		case parent.removed.Load():
			return false, ErrInvalidNamespace
		case s.children >= s.cfg.MaxNamespaces:
			return false, ErrTooManyNamespaces
		}
		n, made = s.makeLocked(name, parent), true
	}
	if n.parent != nil && n.parent != parent {
		return false, ErrInvalidNamespace
	}
	n.users++
	socket.ns = n
	return made, nil
}

// release is called at the end of a socket.
func (s *Server) release(n *Namespace) {
	if n.parent == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n.users--; n.users == 0 && !s.cfg.KeepNamespaces {
		s.forgetLocked(n)
	}
}

// alone reports whether the Target spans one namespace of one server.
func (t Target) alone() bool {
	return t.ns.family == nil && (t.local || t.only != nil || t.ns.srv.cfg.Cluster == nil)
}

// each yields a Target for each namespace that t spans, of each server.
func (t Target) each() iter.Seq[Target] {
	return func(yield func(Target) bool) {
		spanned := []*Namespace{t.ns}
		if !t.local && t.only == nil {
			spanned = append(spanned, t.ns.peers()...)
		}
		t.local = true
		for _, n := range spanned {
			if n.family == nil {
				if t.ns = n; !yield(t) {
					return
				}
				continue
			}
			for t.ns = range n.Children() {
				if !yield(t) {
					return
				}
			}
		}
	}
}
